// Where the pool of KFENCE ends is told by its pages: every second one is marked as a slab.
import { expect, test } from "vitest";
import { pageBytes } from "../container/physical.ts";
import type { Kernel } from "../kernel.ts";
import type { MemMap } from "../mm/mem_map.ts";
import { pageKind } from "../mm/page_kinds.ts";
import { fencedFrames } from "./fenced.ts";

const pageOffset = 0xffff888000000000n;
const frames = 64;

function fenced(pool: bigint | undefined, slabs: readonly number[]): readonly number[] {
  const kind = new Uint8Array(frames).fill(pageKind.unknown);
  for (const pfn of slabs) kind[pfn] = pageKind.slab;
  const kernel = {
    pageOffset,
    memory: { endPfn: frames },
    symbols: { address: () => (pool === undefined ? undefined : 0x1000n) },
    space: { u64: () => pool ?? 0n },
  };
  return [...fencedFrames(kernel as unknown as Kernel, { kind, endPfn: frames } as unknown as MemMap)];
}
const at = (pfn: number): bigint => pageOffset + BigInt(pfn * pageBytes);

test("the pages of its objects are found from its third page on, and not the real slabs behind it", () => {
  expect(fenced(at(8), [10, 12, 14, 16, 17, 18])).toEqual([10, 12, 14]);
  expect(fenced(at(8), [4, 6, 20])).toEqual([]);
  expect(fenced(at(60), [62])).toEqual([62]);
});

test("a kernel without KFENCE, one in which it is off, and a pointer that leads nowhere have none", () => {
  for (const pool of [undefined, 0n, 0xffff800000000000n]) expect(fenced(pool, [10, 12])).toEqual([]);
});
