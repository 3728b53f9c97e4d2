import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { drivers } from "../kernel/facts/drivers/index.ts";
import { AskedVersion, parseRelease } from "../kernel/release.ts";
import { kmallocGeometry } from "../model/slab/geometry.ts";
import { bufferMachine, mtuTable, piecesOf, rowsOf } from "./buffers.ts";

const driver = (name: string) => {
  const found = drivers.find((d) => d.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};
const machine = (text: string) => bufferMachine(parseRelease(text), 4, 4);
const pieces = (name: string, text: string, mtu: number, sleeping: boolean): string[] =>
  piecesOf(driver(name), mtu, machine(text), sleeping).map(
    (p) => `${p.memory.allocator} ${p.slab?.bucket ?? ""} ${p.request.count ?? 1}x order ${p.order}`,
  );

test("rings of real cards on 6.1.192, as their allocations were recorded", () => {
  // Recorded when the interfaces were brought up (GFP_KERNEL) at MTU 1500 and changed to 9000 and 3000.
  expect(pieces("e1000", "6.1.192", 1500, true)).toEqual(["page_frag  1x order 0"]);
  expect(pieces("e1000", "6.1.192", 9000, true)).toEqual(["pages  3x order 0"]);
  expect(pieces("e1000e", "6.1.192", 1500, true)).toEqual(["kmalloc kmalloc-2k 1x order 0"]);
  expect(pieces("e1000e", "6.1.192", 9000, true)).toEqual(["kmalloc kmalloc-512 1x order 0", "pages  3x order 0"]);
  expect(pieces("virtio_net", "6.1.192", 1500, false)).toEqual(["page_frag  1x order 0"]);
});

test("a small head is named by its cache from 6.3 on, by kmalloc's bucket before", () => {
  const header = (text: string) => piecesOf(driver("e1000e"), 9000, machine(text), true)[0];
  expect(header("6.2")).toMatchObject({ words: expect.stringMatching(/^kmalloc-512 /), order: 0 });
  for (const text of ["6.3", "6.12.117", "7.2.12"]) {
    const piece = header(text);
    expect(piece).toMatchObject({ slab: undefined, order: 0 });
    expect(piece?.words, text).toMatch(/^an object of skbuff_small_head \((?:640|704) bytes/);
  }
});

const recorded = join(import.meta.dirname, "../../../shared/captures/6.12/driver-rings/5_e1000e_mtu9000.txt.gz");
test.skipIf(!existsSync(recorded))(
  "e1000e's ring of 256 at MTU 9000 on 6.12.117 takes 255 small heads and no bucket of kmalloc (skipped without ../shared/captures)",
  () => {
    // An event, and the stack it came from behind it.
    const heads = gunzipSync(readFileSync(recorded))
      .toString("latin1")
      .split(/\n(?! => )(?!.*<stack trace>)/)
      .filter((event) => event.includes("call_site=kmalloc_reserve+") && event.includes("=> e1000_alloc_rx_buffers_ps"))
      .map((event) => /: (kmem_cache_alloc|kmalloc)\w*: .* bytes_req=(\d+) /.exec(event)?.slice(1).join(" "));
    const [header] = piecesOf(driver("e1000e"), 9000, machine("6.12.117"), true);
    expect(header?.memory).toMatchObject({ smallHead: 704 });
    expect(heads).toEqual(Array.from({ length: 255 }, () => "kmem_cache_alloc 704"));
  },
);

test("tg3's standard ring: an order-1 slab in 2.6.24, fewer pages if need be from 2.6.26 on, a fragment of a page from 3.10 on", () => {
  expect(pieces("tg3", "2.6.24", 1500, false)).toEqual(["kmalloc kmalloc-2048 1x order 1"]);
  expect(pieces("tg3", "2.6.26", 1500, false)).toEqual(["kmalloc kmalloc-2048 1x order 0"]);
  // From 2.6.28 to 2.6.32 shared_info also held the DMA addresses: one bucket more.
  expect(pieces("tg3", "2.6.32", 1500, false)).toEqual(["kmalloc kmalloc-4096 1x order 0"]);
  expect(pieces("tg3", "3.10", 1500, false)).toEqual(["page_frag  1x order 0"]);
});

test("an MTU table covers every MTU once, in order, for every driver on every release it has rules for", () => {
  for (const d of drivers)
    for (const fact of d.rx) {
      const table = mtuTable(
        d,
        bufferMachine(
          { version: fact.since.length === 2 && fact.since[0] === 2 ? [2, 6, 24] : fact.since, arch: "x86_64" },
          4,
          4,
        ),
      );
      if (fact.value.notRead === true || fact.value.noBuffers === true) {
        expect(table, d.name).toBeUndefined();
        continue;
      }
      expect(table?.rows[0]?.from, d.name).toBe(68);
      table?.rows.forEach((row, i) => {
        expect(row.to, d.name).toBeGreaterThanOrEqual(row.from);
        if (i > 0) expect(row.from).toBe((table.rows[i - 1]?.to ?? 0) + 1);
      });
    }
});

test("drivers that build skbs around half pages need order 1 as soon as the MTU is above the standard", () => {
  for (const name of ["igb", "ixgbe", "i40e"]) {
    const table = mtuTable(driver(name), machine("6.1"));
    expect(table?.orderZeroUpTo, name).toBeGreaterThanOrEqual(1500);
    expect(table?.orderZeroUpTo, name).toBeLessThan(1520);
    expect(mtuTable(driver(name), machine("3.13"))?.orderZeroUpTo, `${name} before build_skb`).toBe(
      driver(name).mtuMax,
    );
  }
});

test("64 KiB pages hold every jumbo frame", () => {
  const m = bufferMachine(parseRelease("6.1-ppc64"), 64, 4);
  for (const name of ["tg3", "ixgbe", "mlx5", "e1000e"])
    expect(mtuTable(driver(name), m)?.orderZeroUpTo, name).toBe(driver(name).mtuMax);
});

test("a table that looks ahead has the rows of one that tries each MTU", () => {
  for (const [name, release] of [
    ["igb", "4.19"],
    ["hv_netvsc", "3.10"],
    ["tg3", "2.6.24"],
    ["virtio_net", "6.1"],
    ["e1000e", "6.1"],
  ] as const) {
    const m = machine(release);
    const needs = (mtu: number) => {
      const all = piecesOf(driver(name), mtu, m, false);
      return {
        order: Math.max(0, ...all.map((p) => p.order)),
        needs: all.map((p) => `${p.request.holds} ${p.order} ${p.slab?.bucket ?? ""}`),
      };
    };
    const naive: { from: number; to: number; order: number; needs: readonly string[] }[] = [];
    for (let mtu = 68; mtu <= 16384; mtu++) {
      const own = needs(mtu);
      const last = naive.at(-1);
      if (last !== undefined && last.order === own.order && last.needs.join() === own.needs.join()) last.to = mtu;
      else naive.push({ from: mtu, to: mtu, ...own });
    }
    expect(rowsOf(68, 16384, needs)).toEqual(naive);
  }
});

test("a table for a release that is only inferred is the plain one's, and asks the release the same the second time", () => {
  const release = parseRelease("5.15-x86_64");
  const asked = () => {
    const version = new AskedVersion(release.version);
    const table = mtuTable(driver("e1000e"), bufferMachine({ ...release, version }, 4, 4));
    return { table, dates: [...new Set(version.dates.map((d) => d.join(".")))].sort() };
  };
  const first = asked();
  expect(first.table).toEqual(mtuTable(driver("e1000e"), bufferMachine(release, 4, 4)));
  expect(first.dates).toContain("6.3");
  expect(asked()).toEqual(first);
});

test("what kmalloc of a machine answers asks its release nothing that was not asked when the machine was made", () => {
  for (const text of ["2.6.18-x86_64", "2.6.24-ppc32", "3.2-i386", "4.19-arm64", "6.1-x86_64", "7.2-x86_64"])
    for (const allocator of ["slub", "slab"] as const) {
      const release = parseRelease(text);
      // SLAB was removed in 6.5, SLUB came with 2.6.22.
      if (allocator === "slab" ? text.startsWith("7") : text.startsWith("2.6.18")) continue;
      const version = new AskedVersion(release.version);
      const { forSize } = kmallocGeometry({ ...release, version }, { allocator, cpus: 4 });
      const before = new Set(version.dates);
      for (const bytes of [8, 96, 700, 1976, 4096, 9018, 200_000]) forSize(bytes);
      expect(new Set(version.dates), `${allocator} of ${text}`).toEqual(before);
    }
});
