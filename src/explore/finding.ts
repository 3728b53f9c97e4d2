// What an exploration finds.

/** Something found, with a shortest schedule that leads there. */
export interface Finding {
  /** assertion, deadlock, lostWakeup, livelock, ruleBroken, or a name the story gave to a remark. */
  readonly finding: string;
  readonly text: string;
  /** The task that moves at each step. */
  readonly path: readonly number[];
  /** A second schedule that the finding needs (the other side of an order inversion). */
  readonly also?: { readonly text: string; readonly path: readonly number[] };
}
