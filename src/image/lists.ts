// The kernel's lists and trees, walked with bounds. Nothing here recurses, and a list that does not end is an answer, not a hang.
import { Absent, ifThere } from "./address_space.ts";
import type { Kernel } from "./kernel.ts";

export interface Chain {
  /** Addresses of the list entries, head first. */
  readonly entries: readonly bigint[];
  /** Why the walk ended before the list did; undefined when it came round. */
  readonly problem: string | undefined;
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
  let before = head;
  try {
    for (let at = space.u64(head); at !== head; at = space.u64(at)) {
      if (entries.length >= most) return { entries, problem: `has more than ${most} entries` };
      if (seen.has(at)) return { entries, problem: `comes back to ${at.toString(16)} without passing its head` };
      if (space.u64(at + 8n) !== before)
        return { entries, problem: `prev of ${at.toString(16)} does not point to the entry before it` };
      seen.add(at);
      entries.push(at);
      before = at;
    }
  } catch (error) {
    if (!(error instanceof Absent)) throw error;
    return { entries, problem: `leads to ${error.address.toString(16)}, ${whyNot(error)}` };
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
    return { entries, problem: `leads to ${error.address.toString(16)}, ${whyNot(error)}` };
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
    return { entries, problem: `leads to ${error.address.toString(16)}, ${whyNot(error)}` };
  }
  return { entries, problem: undefined };
}

const whyNot = (error: Absent): string =>
  error.isMapped ? "whose page is not in the image" : "which is no kernel memory";

/** A list that is not there at all counts as empty with a problem. */
export const chainOrProblem = (read: () => Chain): Chain =>
  ifThere(read) ?? { entries: [], problem: "is not in the image" };
