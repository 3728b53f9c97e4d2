// What the model's own page_owner prints is read back by the census that reads real dumps: the same pages, blocks, stacks and processes.
import { expect, test } from "vitest";
import { createCensus } from "../analysis/page_owner/census.ts";
import { groupCensus } from "../analysis/page_owner/group_by.ts";
import { prng } from "../base/prng.ts";
import { parseRelease } from "../kernel/release.ts";
import { createBootedMemory } from "../model/kernels/booted.ts";
import type { StackFrame } from "../model/mm/page_owner.ts";
import { createPageOwner } from "../model/mm/page_owner.ts";

const chains: readonly (readonly StackFrame[])[] = ["shmem_alloc_folio", "e1000_alloc_rx_buffers", "pte_alloc_one"].map(
  (symbol, i) => [
    { symbol: "__alloc_pages", offset: 0x1d, size: 0x330, address: 0xc0146f01 },
    { symbol, offset: 49 + i, size: 0x80, address: 0xc0150000 + i },
  ],
);

function read(text: string): ReturnType<ReturnType<typeof createCensus>["finish"]> {
  const taker = createCensus({ byPid: true, places: true });
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; ) {
    const room = taker.scanner.room();
    const n = Math.min(room.length, bytes.length - at);
    room.set(bytes.subarray(at, at + n));
    taker.scanner.push(n);
    at += n;
  }
  return taker.finish();
}

test.each([
  ["6.1", "6.1.192", [6, 1, 192]],
  ["2005", "2.6.11-i386", [2, 6, 11]],
] as const)("a dump of the model in the form of %s reads back equal (seed 11)", (form, release, version) => {
  const p = prng(11);
  const machine = createBootedMemory({ release: parseRelease(release), memoryMb: 64 });
  const owner = createPageOwner(machine, version);
  const held: { pfn: number; order: number; owner: string; pid: number }[] = [];
  for (let i = 0; i < 3000; i++) {
    if (p.below(3) === 0 && held.length > 0) {
      const [block] = held.splice(p.below(held.length), 1);
      machine.pages.freePages(block!.pfn, block!.order);
      continue;
    }
    const chain = p.pick(chains);
    const order = p.below(4);
    const pid = 1 + p.below(5);
    Object.assign(owner.context, { pid, tgid: pid, comm: `proc (${pid})` });
    const pfn = owner.within(chain, () => machine.pages.allocPages(0xd0, order));
    if (pfn >= 0) held.push({ pfn, order, owner: chain[1]!.symbol, pid });
  }
  const census = read([...owner.dump(form)].join(""));
  const pagesBy = (key: (b: (typeof held)[number]) => string): Map<string, number> => {
    const sums = new Map<string, number>();
    for (const b of held) sums.set(key(b), (sums.get(key(b)) ?? 0) + 2 ** b.order);
    return sums;
  };
  const counted = (by: "symbol" | "order" | "name" | "pid"): Map<string, number> =>
    new Map(groupCensus(census, { by: [by], depth: 1 }).map((g) => [g.labels[0] as string, g.pages]));
  expect(census.notes).toEqual([]);
  expect(census.records).toBe(held.length);
  expect(counted("symbol")).toEqual(pagesBy((b) => b.owner));
  expect(counted("order")).toEqual(pagesBy((b) => String(b.order)));
  if (form === "6.1") {
    expect(counted("pid")).toEqual(pagesBy((b) => String(b.pid)));
    expect(counted("name")).toEqual(pagesBy((b) => `proc (${b.pid})`));
    expect([...census.places!.pfn].sort((a, b) => a - b)).toEqual(held.map((b) => b.pfn).sort((a, b) => a - b));
  }
});
