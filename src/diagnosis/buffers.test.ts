import { expect, test } from "vitest";
import { drivers } from "../kernel/facts/drivers/index.ts";
import { parseRelease } from "../kernel/release.ts";
import { bufferMachine, mtuTable, piecesOf } from "./buffers.ts";

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
      if (fact.value.notRead === true) {
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
