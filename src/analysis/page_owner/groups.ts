// Counting by several small numbers at once: an open-addressed table whose keys are rows of int32. Rows keep the order in which they
// were first seen; equal keys share a row. No object per row, so millions of rows cost what their columns cost.

export interface GroupTable {
  /** The row of this key, made if new. Unused key places are 0. */
  row(a: number, b: number, c: number, d: number, e: number, f: number): number;
  readonly size: number;
  /** The i-th key number of a row. */
  key(row: number, i: number): number;
}

const keys = 6;

export function createGroupTable(): GroupTable {
  let slots = new Int32Array(4096).fill(-1);
  let columns = new Int32Array(1024 * keys);
  let used = 0;

  const grow = (): void => {
    slots = new Int32Array(slots.length * 4).fill(-1);
    for (let r = 0; r < used; r++) {
      const k = r * keys;
      let at = hash(columns[k]!, columns[k + 1]!, columns[k + 2]!, columns[k + 3]!, columns[k + 4]!, columns[k + 5]!);
      for (at &= slots.length - 1; slots[at]! >= 0; at = (at + 1) & (slots.length - 1));
      slots[at] = r;
    }
  };

  return {
    row(a, b, c, d, e, f) {
      let at = hash(a, b, c, d, e, f) & (slots.length - 1);
      for (;;) {
        const r = slots[at]!;
        if (r < 0) break;
        const k = r * keys;
        if (
          columns[k] === a &&
          columns[k + 1] === b &&
          columns[k + 2] === c &&
          columns[k + 3] === d &&
          columns[k + 4] === e &&
          columns[k + 5] === f
        ) {
          return r;
        }
        at = (at + 1) & (slots.length - 1);
      }
      if ((used + 1) * keys > columns.length) {
        const wider = new Int32Array(columns.length * 2);
        wider.set(columns);
        columns = wider;
      }
      columns.set([a, b, c, d, e, f], used * keys);
      slots[at] = used++;
      if (used * 2 > slots.length) grow();
      return used - 1;
    },
    get size() {
      return used;
    },
    key: (row, i) => columns[row * keys + i]!,
  };
}

function hash(a: number, b: number, c: number, d: number, e: number, f: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15) ^ b, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13) ^ c, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15) ^ d, 0x165667b1);
  h = Math.imul(h ^ (h >>> 13) ^ e, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15) ^ f, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A stable merge sort that asks `compare` in the order glibc's qsort does: halves n/2 and n - n/2, left first on ties. */
export function mergeSort(items: Int32Array, compare: (a: number, b: number) => number): void {
  let sorted = true;
  for (let i = 1; sorted && i < items.length; i++) sorted = compare(items[i - 1]!, items[i]!) <= 0;
  if (sorted) return;
  const temp = new Int32Array(items.length);
  const sort = (from: number, to: number): void => {
    const n = to - from;
    if (n <= 1) return;
    const mid = from + (n >> 1);
    sort(from, mid);
    sort(mid, to);
    let a = from;
    let b = mid;
    let out = from;
    while (a < mid && b < to) temp[out++] = compare(items[a]!, items[b]!) <= 0 ? items[a++]! : items[b++]!;
    while (a < mid) temp[out++] = items[a++]!;
    // What is left of the right half already stands in place.
    items.set(temp.subarray(from, out), from);
  };
  sort(0, items.length);
}

/** Sorts `items` by a whole-number key, ascending, stable: four counting passes, whatever the number of items. */
export function radixSort(items: Int32Array, key: (item: number) => number): void {
  const n = items.length;
  let keys = new Uint32Array(n);
  for (let i = 0; i < n; i++) keys[i] = (key(items[i]!) ^ 0x80000000) >>> 0;
  let from: Int32Array = items;
  let to: Int32Array = new Int32Array(n);
  let keysTo = new Uint32Array(n);
  for (let shift = 0; shift < 32; shift += 8) {
    const count = new Uint32Array(257);
    for (let i = 0; i < n; i++) count[((keys[i]! >>> shift) & 255) + 1]!++;
    // All in one bucket: nothing moves.
    if (count.includes(n)) continue;
    for (let b = 0; b < 256; b++) count[b + 1]! += count[b]!;
    for (let i = 0; i < n; i++) {
      const at = count[(keys[i]! >>> shift) & 255]!++;
      to[at] = from[i]!;
      keysTo[at] = keys[i]!;
    }
    [from, to] = [to, from];
    [keys, keysTo] = [keysTo, keys];
  }
  if (from !== items) items.set(from);
}
