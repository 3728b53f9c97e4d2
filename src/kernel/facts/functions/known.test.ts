// Names typed by hand are held by what was not typed: the index of functions, computed from the packages of several kernels.
import { expect, test } from "vitest";
import { functionIndex } from "./index.ts";
import { has, knownFunctions, rowsOf } from "./known.ts";

const named = (row: { readonly fn: string; readonly prefix?: true }): string => `${row.fn}${row.prefix ? "…" : ""}`;

test("a function has one row, and says something", () => {
  const names = knownFunctions.map(named);
  expect(names.filter((n, i) => names.indexOf(n) !== i)).toEqual([]);
  expect(knownFunctions.filter((row) => Object.keys(row).length < (row.prefix ? 3 : 2)).map(named)).toEqual([]);
});

test("of two rows that fit one name with different sides, paths or contexts, none comes first by chance", () => {
  for (const key of ["side", "path", "context", "since", "object"] as const) {
    const rows = rowsOf((row) => row[key]);
    const both = rows.flatMap(([a, va, pa]) =>
      rows
        .filter(([b, vb, pb]) => a !== b && pa === true && b.startsWith(a) && String(va) !== String(vb) && pb !== pa)
        .map(([b]) => `${a}… and ${b}`),
    );
    expect(both).toEqual([]);
  }
});

/** In no kernel that the index was computed from (5.10, 6.1, 6.12, 7.2): older, inlined there, or only how other names begin. */
const notInIndex: readonly string[] = [
  "__dev_xmit_skb",
  "skb_linearize",
  "__skb_linearize",
  "tcp_transmit_skb",
  "tcp_send_…",
  "sock_alloc_send…",
  "tcp_clean_rtx_queue",
  "inet_csk_clone",
  "netdev_alloc_skb…",
  "dev_alloc_skb",
  "__dev_alloc_skb",
  "__netdev_alloc_frag…",
  "__napi_alloc_frag…",
];

test("what stands on a side of the network, or makes a receive buffer, is a function of the index or named as none of it", () => {
  const index = functionIndex();
  const rows = knownFunctions.filter((row) => row.side !== undefined || row.is?.includes("receive buffer"));
  expect(rows.length).toBeGreaterThan(75);
  const absent = rows.filter((row) => index?.find(row.fn).length === 0).map(named);
  expect(absent.filter((n) => !notInIndex.includes(n))).toEqual([]);
  expect(notInIndex.filter((n) => !absent.includes(n))).toEqual([]);
});

test("a name and a beginning are told apart", () => {
  const rows = rowsOf((row) => row.side);
  expect(has(rows, "tcp_write_xmit")).toBe("tx");
  expect(has(rows, "tcp_write_xmit_more")).toBeUndefined();
  expect(has(rows, "netif_receive_skb_list_internal")).toBe("rx");
});
