// What a study is whose work falls into parts.

/** A scenario as independent machines. Parts and results are plain data: they travel between threads and processes. */
export interface Parts {
  list(settings: unknown): readonly unknown[];
  label(part: unknown): string;
  run(settings: unknown, part: unknown): unknown;
  /** Results in the order of the list, whoever ran them. */
  join(settings: unknown, results: readonly unknown[]): unknown;
}
