// Per-fragment destructors, the API of seed 002: a counted object that a fragment points to; its callback runs once, when the stack is
// really done with the page. A fragment with a destructor counts on it instead of on the page: clones of the data, splits and copies
// of the fragment take a reference, whatever drops a fragment gives one back.
//
//   frag ──> destructor (refs 3) ──> callback      the page itself keeps only its owner's reference
//   frag ──────^   frag ─────^
//
// Which struct pays for the pointer is the design's business (frag_designs.ts); the counting is the same for all of them.
import { assert } from "../../../base/assert.ts";

/** Called exactly once, with the destructor's id. */
export type FragCallback = (destructor: number) => void;

export interface FragDestructors {
  /** A destructor with one reference, the creator's: give it up with `put` when the pages have been handed over. */
  create(callback: FragCallback): number;
  /** skb_frag_destructor_ref() of the series. */
  get(destructor: number): void;
  /** skb_frag_destructor_unref() of the series; the last reference runs the callback. */
  put(destructor: number): void;
  refs(destructor: number): number;
  live(): number;
}

export function createFragDestructors(): FragDestructors {
  const callbacks: (FragCallback | undefined)[] = [undefined];
  const count: number[] = [0];
  const free: number[] = [];
  let live = 0;
  return {
    create(callback) {
      const id = free.pop() ?? callbacks.length;
      callbacks[id] = callback;
      count[id] = 1;
      live++;
      return id;
    },
    get(id) {
      assert((count[id] ?? 0) > 0, () => `fragment destructor ${id} is not alive`);
      count[id]!++;
    },
    put(id) {
      assert((count[id] ?? 0) > 0, () => `fragment destructor ${id} is put once more than it was taken`);
      count[id]!--;
      if (count[id] !== 0) return;
      const callback = callbacks[id];
      callbacks[id] = undefined;
      free.push(id);
      live--;
      callback?.(id);
    },
    refs: (id) => count[id] ?? 0,
    live: () => live,
  };
}
