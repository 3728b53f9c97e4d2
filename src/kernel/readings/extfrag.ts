// debugfs extfrag/extfrag_index and extfrag/unusable_index: how a failure at each order would have to be read
// (mm/vmstat.c extfrag_show_print, unusable_show_print, since 2.6.35).

export interface ExtfragZone {
  readonly node: number;
  readonly zone: string;
  /** thousandths[order]: -1000 a block is free; else 0 = lack of memory .. 1000 = fragmentation (index), or the share of free memory that is
   *  in blocks too small for the order (unusable). */
  readonly thousandths: readonly number[];
}

export interface Extfrag {
  readonly kind: "extfrag";
  /** Which of the two files: they have the same form. `unknown` when nothing tells them apart. */
  readonly which: "index" | "unusable" | "unknown";
  /** An index whose columns do not align: a value that is not negative stands one column further left, as 5.10 prints it. */
  readonly ragged?: true;
  readonly zones: readonly ExtfragZone[];
}
