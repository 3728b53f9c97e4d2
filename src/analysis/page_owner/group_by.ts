// A census seen by what one asks for: owner function, module, subsystem, depth of callers, whole stack, order, type, mask or process.
import { frameName } from "../../artifact/page_owner/stack.ts";
import { allocatorText } from "./allocators.ts";
import type { Census, CensusRow } from "./census.ts";
import { foldAllocator, subsystemOf } from "./owners.ts";

export const groupKeys = [
  "symbol",
  "module",
  "subsystem",
  "caller",
  "stack",
  "order",
  "type",
  "block-type",
  "gfp",
  "allocator",
  "name",
  "pid",
  "tgid",
] as const;
export type GroupKey = (typeof groupKeys)[number];

export interface GroupOptions {
  readonly by: readonly GroupKey[];
  /** Frames that "caller" shows, from the first that is no allocator's. */
  readonly depth: number;
  /** More frames to fold, by name. */
  readonly ignore?: RegExp;
}

export interface Group {
  /** One label per key, in the order of `by`. */
  readonly labels: readonly string[];
  records: number;
  pages: number;
  /** The stack that holds most of the group's pages. */
  stack: number;
}

/** Groups by pages, most first; ties by label. */
export function groupCensus(census: Census, options: GroupOptions): Group[] {
  const label = labeller(census, options);
  const groups = new Map<string, Group & { most: number }>();
  for (const row of census.rows) {
    const labels = options.by.map((key) => label(row, key));
    const id = labels.join("\0");
    let group = groups.get(id);
    if (group === undefined) {
      group = { labels, records: 0, pages: 0, stack: row.stack, most: 0 };
      groups.set(id, group);
    }
    group.records += row.records;
    group.pages += row.pages;
    if (row.pages > group.most) {
      group.most = row.pages;
      group.stack = row.stack;
    }
  }
  return [...groups.values()]
    .sort((a, b) => b.pages - a.pages || b.records - a.records || (a.labels.join() < b.labels.join() ? -1 : 1))
    .map(({ most: _, ...group }) => group);
}

/** What to sort groups by: a column, or the label of a key; `sign` 1 rises. */
export interface GroupSort {
  readonly key: "pages" | "blocks" | GroupKey;
  readonly sign: 1 | -1;
}

/** Groups in another order; labels that are whole numbers are compared as such. Equal ones keep their order. */
export function sortGroups(groups: readonly Group[], by: readonly GroupKey[], sorts: readonly GroupSort[]): Group[] {
  const compareLabels = (a: string, b: string): number =>
    /^\d+$/.test(a) && /^\d+$/.test(b) ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;
  const compare = (a: Group, b: Group, key: GroupSort["key"]): number => {
    if (key === "pages") return a.pages - b.pages;
    if (key === "blocks") return a.records - b.records;
    const at = by.indexOf(key);
    return compareLabels(a.labels[at] ?? "", b.labels[at] ?? "");
  };
  return [...groups].sort((a, b) => {
    for (const { key, sign } of sorts) {
      const d = sign * compare(a, b, key);
      if (d !== 0) return d;
    }
    return 0;
  });
}

const typeNames: Readonly<Record<string, string>> = {
  U: "Unmovable",
  M: "Movable",
  R: "Reclaimable",
  H: "HighAtomic",
  C: "CMA",
  I: "Isolate",
  "": "not said",
};

/** The migrate type that a first letter stands for. */
export function typeName(letter: string): string {
  return typeNames[letter] ?? letter;
}

/** A function that names a census row by a key; what depends on the stack alone is worked out once a stack. */
export function labeller(
  census: Census,
  options: Pick<GroupOptions, "depth" | "ignore">,
): (row: CensusRow, key: GroupKey) => string {
  const cached = new Map<GroupKey, (string | undefined)[]>();
  const ofStack = (key: GroupKey, stack: number, make: () => string): string => {
    let labels = cached.get(key);
    if (labels === undefined) {
      labels = [];
      cached.set(key, labels);
    }
    labels[stack] ??= make();
    return labels[stack];
  };
  const frames = (stack: number) => foldAllocator(census.stacks[stack]!.frames, options.ignore);
  return (row, key) => {
    switch (key) {
      case "symbol":
        return ofStack(key, row.stack, () => {
          const first = frames(row.stack)[0];
          return first === undefined ? "(no stack)" : frameName(first);
        });
      case "module":
        return ofStack(
          key,
          row.stack,
          () => frames(row.stack).find((f) => f.module !== undefined)?.module ?? "(kernel itself)",
        );
      case "subsystem":
        return ofStack(key, row.stack, () => subsystemOf(census.stacks[row.stack]!));
      case "caller":
        return ofStack(
          key,
          row.stack,
          () => frames(row.stack).slice(0, options.depth).map(frameName).join(" < ") || "(no stack)",
        );
      case "stack":
        return ofStack(
          key,
          row.stack,
          () => census.stacks[row.stack]!.frames.map(frameName).join(" < ") || "(no stack)",
        );
      case "order":
        return String(row.order);
      case "type":
        return typeName(row.type);
      case "block-type":
        return typeName(row.blockType);
      case "gfp":
        return row.mask === 0 ? "not said" : `0x${row.mask.toString(16)}`;
      case "allocator":
        return allocatorText(row.allocator);
      case "name":
        return row.comm === "" ? "not said" : row.comm;
      case "pid":
        return row.pid < 0 ? "not said" : String(row.pid);
      case "tgid":
        return row.tgid < 0 ? "not said" : String(row.tgid);
    }
  };
}
