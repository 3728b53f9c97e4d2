// What a task's answer moves to the page instead of copying it: large columns change hands and cost the page nothing.

const moves = new WeakMap<object, readonly ArrayBuffer[]>();

/** Marks the memory of `columns` as moved along with the answer; the task may not use them any more. */
export function moving<T extends object>(answer: T, columns: readonly Uint8Array[]): T {
  moves.set(answer, [...new Set(columns.map((c) => c.buffer as ArrayBuffer))]);
  return answer;
}

/** What an answer was marked with. */
export function movedBy(answer: unknown): readonly ArrayBuffer[] {
  return typeof answer === "object" && answer !== null ? (moves.get(answer) ?? []) : [];
}
