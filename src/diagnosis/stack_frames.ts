// What every reading of a stack works with: its frames, and the first of them that a table names.
import { bareName } from "../kernel/facts/drivers/index.ts";
import type { Frame, FrameContext } from "../kernel/readings/call_trace.ts";
import type { Row } from "./stack_names.ts";
import { has, pageAllocator, paths, reporters, skbData, skbHead, slabEntries, sleepChecks } from "./stack_names.ts";

export type StackFrame = Frame & { readonly context: FrameContext };

/** Index of the first frame that passes; undefined where none does. */
export function indexOf(
  frames: readonly StackFrame[],
  test: (frame: StackFrame, index: number) => boolean,
): number | undefined {
  const at = frames.findIndex(test);
  return at === -1 ? undefined : at;
}

/** Index of the first frame whose name is in `rows`, reliable ones first. */
export function firstIn<T>(frames: readonly StackFrame[], rows: readonly Row<T>[], from = 0): number | undefined {
  const at = (reliable: boolean): number | undefined =>
    indexOf(frames, (f, i) => i >= from && f.reliable === reliable && has(rows, bareName(f.function)) !== undefined);
  return at(true) ?? at(false);
}

/** As `firstIn`, but guesses count only where every frame is one: between frames that are proven they are leftovers. */
export const firstSure = <T>(frames: readonly StackFrame[], rows: readonly Row<T>[]): number | undefined =>
  frames.some((f) => f.reliable)
    ? indexOf(frames, (f) => f.reliable && has(rows, bareName(f.function)) !== undefined)
    : firstIn(frames, rows);

export const allocating = (name: string): boolean =>
  [reporters, sleepChecks, pageAllocator, paths, slabEntries, skbData, skbHead].some(
    (rows) => has<unknown>(rows, name) !== undefined,
  );
