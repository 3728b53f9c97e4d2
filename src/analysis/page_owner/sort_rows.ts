// The records of page_owner_sort as columns: one row a group, with the values of the group's first record.

/** Counts wrap like the tool's int. Times are pairs (low, high). */
export interface SortRows {
  readonly size: number;
  /** Makes a row and returns it; its counts are 0. */
  add(): number;
  num: Int32Array;
  pages: Int32Array;
  pid: Int32Array;
  tgid: Int32Array;
  comm: Int32Array;
  allocator: Int32Array;
  header: Int32Array;
  stack: Int32Array;
  ts: Uint32Array;
  freeTs: Uint32Array;
  /** Whether the group's first record has a free time. */
  freed(row: number): boolean;
}

const int32Names = ["num", "pages", "pid", "tgid", "comm", "allocator", "header", "stack"] as const;

export function createSortRows(): SortRows {
  let capacity = 1024;
  let size = 0;
  const rows: SortRows = {
    get size() {
      return size;
    },
    add() {
      if (size === capacity) {
        capacity *= 2;
        for (const name of int32Names) {
          const wider = new Int32Array(capacity);
          wider.set(rows[name]);
          rows[name] = wider;
        }
        rows.ts = widenPairs(rows.ts, capacity);
        rows.freeTs = widenPairs(rows.freeTs, capacity);
      }
      return size++;
    },
    num: new Int32Array(capacity),
    pages: new Int32Array(capacity),
    pid: new Int32Array(capacity),
    tgid: new Int32Array(capacity),
    comm: new Int32Array(capacity),
    allocator: new Int32Array(capacity),
    header: new Int32Array(capacity),
    stack: new Int32Array(capacity),
    ts: new Uint32Array(capacity * 2),
    freeTs: new Uint32Array(capacity * 2),
    freed: (row) => rows.freeTs[2 * row] !== 0 || rows.freeTs[2 * row + 1] !== 0,
  };
  return rows;
}

function widenPairs(pairs: Uint32Array, capacity: number): Uint32Array {
  const wider = new Uint32Array(capacity * 2);
  wider.set(pairs);
  return wider;
}
