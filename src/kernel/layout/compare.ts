// Two layouts of one struct, member by member; and members by name or type, in all structs of a source. Pure functions on layouts.
import type { Member, StructLayout, StructSource } from "./layout.ts";

/** A member by its path from the outermost struct; what anonymous structs and unions hold is on the level around them. */
export interface Placed {
  readonly path: string;
  readonly type: string;
  readonly offsetBits: number;
  readonly sizeBytes: number;
  readonly bits?: number;
}

const place = (path: string, { type, offsetBits, sizeBytes, bits }: Member): Placed => ({
  path,
  type,
  offsetBits,
  sizeBytes,
  ...(bits === undefined ? {} : { bits }),
});

/** Every named member, in order of the declaration; structs that have a name of their own are not opened. */
export function placesOf(layout: StructLayout): readonly Placed[] {
  const walk = (members: readonly Member[], prefix: string): Placed[] =>
    members.flatMap((m) => {
      const open = m.members !== undefined && /^(?:const |volatile )*(?:struct|union)(?:\[|$)/.test(m.type);
      if (m.name === "") return open || m.members !== undefined ? walk(m.members ?? [], prefix) : [];
      const path = `${prefix}${m.name}`;
      return [place(path, m), ...(open ? walk(m.members ?? [], `${path}.`) : [])];
    });
  return walk(layout.members, "");
}

export type MemberChange = "added" | "removed" | "moved" | "other type" | "other size" | "same";

export interface MemberDifference {
  readonly change: MemberChange;
  readonly before?: Placed;
  readonly after?: Placed;
}

export interface LayoutDifference {
  readonly name: string;
  readonly beforeBytes: number;
  readonly afterBytes: number;
  /** In the order of the later layout; what is gone stands where it was. */
  readonly members: readonly MemberDifference[];
}

/** Compilers write `long unsigned int` where a header has `unsigned long`, and headers shared with user space `__u8` for `u8`. */
const words: Readonly<Record<string, string>> = {
  "long unsigned int": "unsigned long",
  "short unsigned int": "unsigned short",
  "long long unsigned int": "unsigned long long",
  "long int": "long",
  "short int": "short",
  "long long int": "long long",
};
const compilersWords = new RegExp(
  `\\b(?:${Object.keys(words)
    .sort((a, b) => b.length - a.length)
    .join("|")})\\b`,
  "g",
);

/** One spelling of a type, so that what is told as another is another. What a function takes and gives is not compared: declarations leave it out. */
function spelling(type: string): string {
  if (type.includes("(*)(")) return "(*)()";
  return type.replace(compilersWords, (word) => words[word] as string).replace(/\b__([us](?:8|16|32|64))\b/g, "$1");
}

function changeOf(before: Placed, after: Placed): MemberChange {
  if (before.sizeBytes !== after.sizeBytes || before.bits !== after.bits) return "other size";
  if (spelling(before.type) !== spelling(after.type)) return "other type";
  return before.offsetBits === after.offsetBits ? "same" : "moved";
}

/** What is other in `after`: by path. */
export function compareLayouts(before: StructLayout, after: StructLayout): LayoutDifference {
  const old = placesOf(before);
  const now = new Map(placesOf(after).map((p) => [p.path, p]));
  const was = new Map(old.map((p) => [p.path, p]));
  const members: MemberDifference[] = [];
  let next = 0;
  /** Members that are gone and stood before this one. */
  const gone = (until: number): void => {
    for (; next < until; next++) {
      const p = old[next] as Placed;
      if (!now.has(p.path)) members.push({ change: "removed", before: p });
    }
  };
  for (const p of now.values()) {
    const b = was.get(p.path);
    if (b === undefined) members.push({ change: "added", after: p });
    else {
      gone(old.indexOf(b));
      members.push({ change: changeOf(b, p), before: b, after: p });
    }
  }
  gone(old.length);
  return { name: after.name, beforeBytes: before.sizeBytes, afterBytes: after.sizeBytes, members };
}

export interface Found {
  readonly struct: string;
  readonly member: Placed;
}

/** What is looked for: `*` stands for any letters. */
export interface Wanted {
  /** The member's own name, without the path. */
  readonly member?: string;
  /** Of its type, as C writes it: `struct page *`; without spaces it is looked for as a word of it. */
  readonly type?: string;
}

/** Whether a text is a pattern's, `*` for any letters: linear in both. */
function fits(pattern: string, text: string): boolean {
  const parts = pattern.split("*");
  if (parts.length === 1) return pattern === text;
  const [first = "", ...rest] = parts;
  const last = rest.pop() ?? "";
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

const squeezed = (type: string): string => type.replaceAll(" ", "");

function typeFits(pattern: string, type: string): boolean {
  if (/[ *[(]/.test(pattern))
    return fits(squeezed(pattern).replaceAll("*", "\u0001"), squeezed(type).replaceAll("*", "\u0001"));
  return type.split(/[^A-Za-z0-9_]+/).includes(pattern);
}

/** Members that fit, struct by struct; at most `most`, and how many there are in all. */
export function findMembers(
  source: StructSource,
  wanted: Wanted,
  most: number,
): { readonly found: readonly Found[]; readonly total: number; readonly structs: number } {
  const found: Found[] = [];
  let total = 0;
  let structs = 0;
  for (const struct of source.names()) {
    const layout = source.layout(struct);
    // A typedef of a struct with a name is shown under that.
    if (layout === undefined || layout.name !== struct) continue;
    structs++;
    for (const member of placesOf(layout)) {
      const name = member.path.split(".").at(-1) as string;
      if (wanted.member !== undefined && !fits(wanted.member, name)) continue;
      if (wanted.type !== undefined && !typeFits(wanted.type, member.type)) continue;
      total++;
      if (found.length < most) found.push({ struct, member });
    }
  }
  return { found, total, structs };
}
