// Lines as a scan takes them out of a log (scan.ts), before anything is undone.

/** A line as it stood in the input. */
export interface RawLine {
  readonly line: number;
  readonly text: string;
  /** Bytes left out because the line is longer than the limit; a head of unknown length that was lost counts as 1. */
  readonly cutBytes: number;
}

/** Lines around anchors. */
export interface RawLines {
  readonly lines: readonly RawLine[];
  readonly anchors: readonly { readonly name: string; readonly line: number }[];
  /** True when the window was ended by its limit, not by a lack of anchors: the next one goes on where it stops. */
  readonly cut: boolean;
}
