// What every reading of a stack works with: its frames, and the first of them that a table names.
import { bareName } from "../kernel/facts/drivers/index.ts";
import type { Frame, FrameContext } from "../kernel/readings/call_trace.ts";
import type { Row } from "./stack_names.ts";
import { has, pageAllocator, paths, reporters, skbData, skbHead, slabEntries, sleepChecks } from "./stack_names.ts";

export type StackFrame = Frame & { readonly context: FrameContext };

/** Index of the first frame whose name is in `rows`, reliable ones first. */
export function firstIn<T>(frames: readonly StackFrame[], rows: readonly Row<T>[], from = 0): number {
  const at = (reliable: boolean): number =>
    frames.findIndex((f, i) => i >= from && f.reliable === reliable && has(rows, bareName(f.function)) !== undefined);
  const sure = at(true);
  return sure >= 0 ? sure : at(false);
}

/** As `firstIn`, but guesses count only where every frame is one: between frames that are proven they are leftovers. */
export const firstSure = <T>(frames: readonly StackFrame[], rows: readonly Row<T>[]): number =>
  frames.some((f) => f.reliable)
    ? frames.findIndex((f) => f.reliable && has(rows, bareName(f.function)) !== undefined)
    : firstIn(frames, rows);

export const allocating = (name: string): boolean =>
  [reporters, sleepChecks, pageAllocator, paths, slabEntries, skbData, skbHead].some(
    (rows) => has<unknown>(rows, name) !== undefined,
  );
