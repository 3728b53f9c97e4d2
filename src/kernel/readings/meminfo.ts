// /proc/meminfo (fs/proc/meminfo.c; the `Name: value kB` form since 2.4).

export interface MemInfoField {
  readonly name: string;
  readonly value: number;
  /** kB, or undefined for the HugePages_* counts. */
  readonly unit?: "kB";
}

export interface MemInfoFile {
  readonly kind: "meminfo";
  /** Columns that name and value fill together: 24 since 2.6.28, 22 before. */
  readonly width: number;
  readonly fields: readonly MemInfoField[];
}
