import { describe, expect, test } from "vitest";
import { prng } from "../../../base/prng.ts";
import { createRss, flowTuple, indirectionEntries, rssKeyBytes, toeplitz } from "./rss.ts";

/** Key and results that Microsoft published for those who make cards ("Verifying the RSS Hash Calculation"). */
const key = Uint8Array.from(
  "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa".match(/../g) ?? [],
  (byte) => Number.parseInt(byte, 16),
);
const v4: readonly [source: string, destination: string, addresses: number, withPorts: number][] = [
  ["66.9.149.187:2794", "161.142.100.80:1766", 0x323e8fc2, 0x51ccc178],
  ["199.92.111.2:14230", "65.69.140.83:4739", 0xd718262a, 0xc626b0ea],
  ["24.19.198.95:12898", "12.22.207.184:38024", 0xd2d0a5de, 0x5c2b394a],
  ["38.27.205.30:48228", "209.142.163.6:2217", 0x82989176, 0xafc7327f],
  ["153.39.163.191:44251", "202.188.127.2:1303", 0x5d1809c5, 0x10e828a2],
];
const v6: typeof v4 = [
  ["3ffe25010200 1fff 0000 0000 0000 0007:2794", "3ffe2501 0200 0003 0000 0000 0000 0001:1766", 0x2cc18cd5, 0x40207d3d],
  [
    "3ffe0501 0008 0000 0260 97ff fe40 efab:14230",
    "ff02 0000 0000 0000 0000 0000 0000 0001:4739",
    0x0f0c461c,
    0xdde51bbf,
  ],
  [
    "3ffe1900 4545 0003 0200 f8ff fe21 67cf:44251",
    "fe80 0000 0000 0000 0200 f8ff fe21 67cf:38024",
    0x4b61e985,
    0x02d1feef,
  ],
];
const port = (text: string): number[] => {
  const n = Number(text);
  return [n >> 8, n & 255];
};
const halves = (end: string): [address: number[], port: number[]] => {
  const at = end.lastIndexOf(":");
  const address = end.slice(0, at);
  const bytes = address.includes(".")
    ? address.split(".").map(Number)
    : (address.replaceAll(" ", "").match(/../g) ?? []).map((b) => Number.parseInt(b, 16));
  return [bytes, port(end.slice(at + 1))];
};

describe("Toeplitz gives what Microsoft published", () => {
  test.each([...v4, ...v6])("%s to %s", (source, destination, addresses, withPorts) => {
    const [from, fromPort] = halves(source);
    const [to, toPort] = halves(destination);
    expect(toeplitz(key, [...from, ...to])).toBe(addresses);
    expect(toeplitz(key, [...from, ...to, ...fromPort, ...toPort])).toBe(withPorts);
  });
});

test("Toeplitz is linear: the hash of a sum is the sum of the hashes (seeded)", () => {
  const random = prng(21);
  for (let i = 0; i < 200; i++) {
    const [a, b] = [0, 1].map(() => Uint8Array.from({ length: 12 }, () => random.below(256))) as [
      Uint8Array,
      Uint8Array,
    ];
    expect(
      toeplitz(
        key,
        a.map((x, n) => x ^ b[n]!),
      ),
    ).toBe((toeplitz(key, a) ^ toeplitz(key, b)) >>> 0);
  }
});

describe("which queue a flow comes to", () => {
  test("the low bits of its hash through the table; a rule goes first", () => {
    const rss = createRss({ queues: 4, key }, prng(1));
    for (let flow = 1; flow < 500; flow++)
      expect(rss.queueOf(flow)).toBe((toeplitz(key, flowTuple(flow)) % indirectionEntries) % 4);
    const hashed = rss.queueOf(7);
    rss.steer(7, (hashed + 1) % 4);
    expect(rss.queueOf(7)).toBe((hashed + 1) % 4);
    expect(createRss({ queues: 4, key, indirection: [2] }, prng(1)).queueOf(9)).toBe(2);
  });

  test("a random key is the boot's: the same seed gives the same, flows spread, and each flow has a tuple of its own", () => {
    const [one, again, other] = [5, 5, 6].map((seed) => createRss({ queues: 8 }, prng(seed)));
    expect(one?.key.length).toBe(rssKeyBytes);
    expect(one?.key).toEqual(again?.key);
    expect(one?.key).not.toEqual(other?.key);
    const perQueue = new Array<number>(8).fill(0);
    for (let flow = 1; flow <= 4096; flow++) perQueue[one?.queueOf(flow) ?? 0]!++;
    for (const n of perQueue) expect(n).toBeGreaterThan(4096 / 8 / 2);
    expect(new Set(Array.from({ length: 60_000 }, (_, f) => flowTuple(f).join("."))).size).toBe(60_000);
  });
});
