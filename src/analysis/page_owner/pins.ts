// What pins memory: for blocks of an order, who holds pages in them, and which single owner stands alone in how many.
// A dump lists allocated pages only: a page it does not list is free, or was never tracked (boot memory, holes). So "would be freed"
// means: all listed pages of the block belong to this owner.
import { BadInput } from "../../base/bad_input.ts";
import type { Census, PagePlaces } from "./census.ts";
import type { GroupKey, GroupOptions } from "./group_by.ts";
import { labeller } from "./group_by.ts";

export interface Pinner {
  readonly label: string;
  /** Blocks in which this owner holds at least one page. */
  readonly blocks: number;
  /** Blocks in which it holds all listed pages: moving it frees them. */
  readonly alone: number;
  readonly pages: number;
  /** Pages that it holds in the blocks where it stands alone: the price of freeing them. */
  readonly pagesAlone: number;
}

export interface PinReport {
  readonly order: number;
  /** Blocks of that order with at least one listed page. */
  readonly blocksSeen: number;
  /** Blocks kept by owners that cannot be moved (page type Unmovable or Reclaimable), and by movable pages only. */
  readonly blocksUnmovable: number;
  readonly blocksMovableOnly: number;
  /** Unmovable or reclaimable pages inside pageblocks of type Movable: the kernel's own "mixed blocks". */
  readonly strayPages: number;
  readonly strayBlocks: number;
  readonly pinners: readonly Pinner[];
  /** Owners of the stray pages, most pages first; `blocks` are blocks of the report's order. */
  readonly strays: readonly { readonly label: string; readonly pages: number; readonly blocks: number }[];
}

const letterM = "M".charCodeAt(0);
const letterC = "C".charCodeAt(0);

/** Owners by the blocks they alone keep, for blocks of 2^order pages; `by` names owners (symbol, subsystem, …). */
export function pinsOf(
  census: Census,
  order: number,
  by: GroupKey,
  options: Pick<GroupOptions, "depth" | "ignore">,
): PinReport {
  const places = census.places;
  if (places === undefined) throw new RangeError("the census was taken without places");
  const owner = ownerIds(census, by, options);
  const sorted = byPfn(places);
  const size = 2 ** order;
  const tally = createTally(owner.names.length);
  const strayPagesOf = new Float64Array(owner.names.length);
  const strayBlocksOf = new Int32Array(owner.names.length);
  const lastStrayBlock = new Float64Array(owner.names.length).fill(-1);
  let blocksSeen = 0;
  let unmovable = 0;
  let strayPages = 0;
  const strayBlocks = new Set<number>();

  const inBlock = new Map<number, number>();
  let block = -1;
  let fixed = false;
  const close = (): void => {
    if (block < 0) return;
    blocksSeen++;
    if (fixed) unmovable++;
    for (const [id, pages] of inBlock) tally.add(id, pages, inBlock.size === 1);
    inBlock.clear();
    fixed = false;
  };
  for (const i of sorted) {
    const first = places.pfn[i]!;
    const pages = 2 ** places.order[i]!;
    const types = places.types[i]!;
    const movable = (types & 0xff) === letterM || (types & 0xff) === letterC;
    const id = owner.of[places.stack[i]!]!;
    if (!movable && types >> 8 === letterM) {
      strayPages += pages;
      const at = Math.floor(first / size);
      strayPagesOf[id]! += pages;
      if (lastStrayBlock[id] !== at) strayBlocksOf[id]!++;
      lastStrayBlock[id] = at;
      strayBlocks.add(at);
    }
    for (let pfn = first; pfn < first + pages; ) {
      const at = Math.floor(pfn / size);
      if (at !== block) {
        close();
        block = at;
      }
      const n = Math.min(first + pages, (at + 1) * size) - pfn;
      inBlock.set(id, (inBlock.get(id) ?? 0) + n);
      if (!movable) fixed = true;
      pfn += n;
    }
  }
  close();
  const byAlone = (a: Pinner, b: Pinner): number =>
    b.alone - a.alone || b.blocks - a.blocks || (a.label < b.label ? -1 : 1);
  return {
    order,
    blocksSeen,
    blocksUnmovable: unmovable,
    blocksMovableOnly: blocksSeen - unmovable,
    strayPages,
    strayBlocks: strayBlocks.size,
    pinners: tally.list(owner.names).sort(byAlone),
    strays: owner.names
      .map((label, id) => ({ label, pages: strayPagesOf[id]!, blocks: strayBlocksOf[id]! }))
      .filter((s) => s.pages > 0)
      .sort((a, b) => b.pages - a.pages || (a.label < b.label ? -1 : 1)),
  };
}

/** Row numbers of the places in order of pfn. */
function byPfn(places: PagePlaces): Int32Array {
  const order = Int32Array.from({ length: places.count }, (_, i) => i);
  let sorted = true;
  for (let i = 1; sorted && i < places.count; i++) sorted = places.pfn[i - 1]! <= places.pfn[i]!;
  return sorted ? order : order.sort((a, b) => places.pfn[a]! - places.pfn[b]!);
}

const stackKeys: readonly GroupKey[] = ["symbol", "module", "subsystem", "caller", "stack"];

/** True of keys that follow from a stack alone. Where a page lies is kept with its stack, not with its process or mask. */
export const isStackKey = (by: GroupKey): boolean => stackKeys.includes(by);

/** An owner's number for each stack, and the owners' names; BadInput for a key that a stack does not tell. */
export function ownerIds(
  census: Census,
  by: GroupKey,
  options: Pick<GroupOptions, "depth" | "ignore">,
): { of: Int32Array; names: string[] } {
  if (!isStackKey(by)) {
    throw new BadInput(
      `Owners of places cannot be told by "${by}": what is kept of each page is its stack, order and types.`,
      undefined,
      `Group by ${stackKeys.join(", ")}.`,
    );
  }
  const label = labeller(census, options);
  const ids = new Map<string, number>();
  const names: string[] = [];
  const of = new Int32Array(census.stacks.length);
  for (const row of census.rows) {
    const name = label(row, by);
    let id = ids.get(name);
    if (id === undefined) {
      id = names.push(name) - 1;
      ids.set(name, id);
    }
    of[row.stack] = id;
  }
  return { of, names };
}

function createTally(owners: number): {
  add(id: number, pages: number, alone: boolean): void;
  list(names: readonly string[]): Pinner[];
} {
  const blocks = new Int32Array(owners);
  const aloneIn = new Int32Array(owners);
  const held = new Float64Array(owners);
  const heldAlone = new Float64Array(owners);
  return {
    add(id, pages, alone) {
      blocks[id]!++;
      held[id]! += pages;
      if (!alone) return;
      aloneIn[id]!++;
      heldAlone[id]! += pages;
    },
    list: (names) =>
      names
        .map((label, id) => ({
          label,
          blocks: blocks[id]!,
          alone: aloneIn[id]!,
          pages: held[id]!,
          pagesAlone: heldAlone[id]!,
        }))
        .filter((p) => p.blocks > 0),
  };
}
