// The kernel's lists and trees, walked with bounds. Nothing here recurses, and a list that does not end is an answer, not a hang.
import { Absent, ifThere } from "./address_space.ts";
import type { Kernel } from "./kernel.ts";

export interface Chain {
  /** Addresses of the list entries, head first. */
  readonly entries: readonly bigint[];
  /** Why the walk ended before the list did; undefined when it came round. */
  readonly problem: string | undefined;
  /** It ended at what is not in the image: that is no damage. Left out: it did not. */
  readonly isCut?: boolean;
}

/** Entries of one list at most: about the packets of the largest machines. */
export const mostEntries = 1 << 20;

/**
 * Walks a doubly linked ring (list_head, sk_buff_head: next at `nextOffset`, prev 8 bytes behind) from its head. Each entry's prev is
 * checked against where the walk came from.
 */
export function walkRing(kernel: Kernel, head: bigint, most = mostEntries): Chain {
  const entries: bigint[] = [];
  const seen = new Set<bigint>();
  const { space } = kernel;
  // A running machine changes its lists while they are walked.
  const isChecked = !kernel.memory.live;
  let before = head;
  try {
    for (let at = space.u64(head); at !== head; at = space.u64(at)) {
      if (entries.length >= most) return { entries, problem: `has more than ${most} entries` };
      if (seen.has(at)) return { entries, problem: `comes back to ${at.toString(16)} without passing its head` };
      if (isChecked && space.u64(at + 8n) !== before)
        return { entries, problem: `prev of ${at.toString(16)} does not point to the entry before it` };
      seen.add(at);
      entries.push(at);
      before = at;
    }
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    return { entries, ...endedAt(error) };
  }
  return { entries, problem: undefined };
}

/** Walks a singly linked list that ends with 0, or with an odd word (hlist_nulls). */
export function walkChain(kernel: Kernel, first: bigint, nextOffset: bigint, most = mostEntries): Chain {
  const entries: bigint[] = [];
  const seen = new Set<bigint>();
  try {
    for (let at = first; at !== 0n && (at & 1n) === 0n; at = kernel.space.u64(at + nextOffset)) {
      if (entries.length >= most) return { entries, problem: `has more than ${most} entries` };
      if (seen.has(at)) return { entries, problem: `comes back to ${at.toString(16)}` };
      seen.add(at);
      entries.push(at);
    }
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    return { entries, ...endedAt(error) };
  }
  return { entries, problem: undefined };
}

/** Nodes of a red-black tree in order. rb_node: parent and colour, right at 8, left at 16 (include/linux/rbtree_types.h). */
export function walkTree(kernel: Kernel, root: bigint, most = mostEntries): Chain {
  const entries: bigint[] = [];
  const seen = new Set<bigint>();
  const open: bigint[] = [];
  const { space } = kernel;
  try {
    let at = root;
    while (at !== 0n || open.length > 0) {
      while (at !== 0n) {
        if (seen.has(at) || seen.size >= most) return { entries, problem: `comes back to ${at.toString(16)}` };
        seen.add(at);
        open.push(at);
        at = space.u64(at + 16n);
      }
      const node = open.pop() as bigint;
      entries.push(node);
      at = space.u64(node + 8n);
    }
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    return { entries, ...endedAt(error) };
  }
  return { entries, problem: undefined };
}

const endedAt = ({ address, isMapped }: Absent): Pick<Chain, "problem" | "isCut"> => ({
  problem: `leads to ${address.toString(16)}, ${isMapped ? "whose page is not in the image" : "which is not kernel memory"}`,
  isCut: isMapped,
});

/** A list that is not there at all counts as empty with a problem. */
export const chainOrProblem = (read: () => Chain): Chain =>
  ifThere(read) ?? { entries: [], problem: "is not in the image", isCut: true };

export interface XarrayContents {
  readonly entries: readonly bigint[];
  /** Inner nodes, for those who look for pointers to the entries elsewhere. */
  readonly nodes: readonly bigint[];
}

/** Pointers in an xarray (include/linux/xarray.h): an entry whose two low bits are 10 is an inner node, unless it is a small number. */
export function walkXarray(kernel: Kernel, at: bigint, most = mostEntries): XarrayContents {
  const entries: bigint[] = [];
  const xarray = kernel.types.find("xarray");
  const node = kernel.types.find("xa_node");
  const nodes = new Set<bigint>();
  if (xarray === undefined || node === undefined) return { entries, nodes: [] };
  const head = ifThere(() => kernel.space.u64(at + xarray.at("xa_head")));
  const slots = node.field("slots");
  const open = head === undefined || head === 0n ? [] : [head];
  while (open.length > 0 && entries.length < most) {
    const entry = open.pop() as bigint;
    if ((entry & 3n) !== 2n || entry < 4096n) {
      if (entry >= 4096n && (entry & 3n) === 0n) entries.push(entry);
      continue;
    }
    if (nodes.has(entry) || nodes.size >= most) continue;
    nodes.add(entry);
    for (let i = Math.min(slots.elements, 64) - 1; i >= 0; i--) {
      const slot = ifThere(() => kernel.space.u64(entry - 2n + slots.at + BigInt(i * 8)));
      if (slot !== undefined && slot !== 0n) open.push(slot);
    }
  }
  return { entries, nodes: Array.from(nodes, (n) => n - 2n) };
}
