// Advice that rules about damaged packet memory share.
import type { Advice } from "./finding.ts";

/** The commonest way in which a driver hands the same memory to two owners. */
export const ownBuffers: Advice = {
  change: { kind: "fresh_buffers" },
  action:
    "If a driver here keeps its receive buffers (a preallocated set) and puts them into the ring again after handing them up: give the stack a fresh buffer, a copy, or pages of a page_pool",
  changes: "a buffer has one owner at a time: who frees the packet frees the memory, and nobody else writes to it",
  costs: "an allocation or a copy for each packet; a change of the driver",
};
