// What a struct looks like in memory: the shape that declared facts, BTF and every face share. Offsets are in bits from the outermost start.

/** One member; a nested or anonymous struct or union carries its own members, with offsets of the outermost struct. */
export interface Member {
  /** "" for an anonymous struct or union, or for padding bits. */
  readonly name: string;
  /** As C would write it, without the name: `struct sk_buff *`, `skb_frag_t[17]`. */
  readonly type: string;
  readonly offsetBits: number;
  readonly sizeBytes: number;
  /** Width of a bit-field. */
  readonly bits?: number;
  readonly kind?: "struct" | "union";
  readonly members?: readonly Member[];
}

export interface StructLayout {
  readonly name: string;
  readonly kind: "struct" | "union";
  readonly sizeBytes: number;
  /** 0 where the source does not say (BTF). */
  readonly alignBytes: number;
  readonly members: readonly Member[];
}

/** Where structs come from: declared facts, or somebody's BTF. */
export interface StructSource {
  /** `2.6.24-x86_64, declared`, or the file. */
  readonly name: string;
  readonly pointerBytes: 4 | 8;
  names(): readonly string[];
  /** undefined when there is none of that name. */
  layout(name: string): StructLayout | undefined;
}

/** Bytes or bits that belong to nothing. */
export interface Hole {
  /** The member before it; "" at the very start. */
  readonly after: string;
  readonly offsetBits: number;
  readonly bits: number;
  readonly depth: number;
}

const endBits = (m: Member): number => m.offsetBits + (m.bits ?? m.sizeBytes * 8);

/** The holes of a struct, padding at its end among them, in order of offset; nested structs are looked into, unions are not summed. */
export function holesOf(layout: StructLayout): readonly Hole[] {
  const holes: Hole[] = [];
  const visit = (
    kind: "struct" | "union",
    members: readonly Member[],
    startBits: number,
    sizeBits: number,
    depth: number,
  ): void => {
    let at = startBits;
    let last = "";
    for (const m of members) {
      if (kind === "struct") {
        // A zero-length array marks a place and takes none.
        if (m.offsetBits > at) holes.push({ after: last, offsetBits: at, bits: m.offsetBits - at, depth });
        at = Math.max(at, endBits(m));
        if (m.name !== "" || m.members !== undefined) last = m.name === "" ? `(${m.kind})` : m.name;
      }
      if (m.members !== undefined && m.kind === "struct")
        visit("struct", m.members, m.offsetBits, m.sizeBytes * 8, depth + 1);
    }
    if (kind === "struct" && members.length > 0 && at < startBits + sizeBits)
      holes.push({ after: last, offsetBits: at, bits: startBits + sizeBits - at, depth });
  };
  visit(layout.kind, layout.members, 0, layout.sizeBytes * 8, 0);
  return holes.sort((a, b) => a.offsetBits - b.offsetBits);
}

/** A member by name, through anonymous structs and unions; dots descend into named ones. */
export function memberOf(layout: StructLayout, path: string): Member | undefined {
  let members = layout.members;
  let found: Member | undefined;
  for (const part of path.split(".")) {
    found = named(members, part);
    if (found === undefined) return undefined;
    members = found.members ?? [];
  }
  return found;
}

function named(members: readonly Member[], name: string): Member | undefined {
  for (const m of members) {
    if (m.name === name) return m;
    if (m.name !== "" || m.members === undefined) continue;
    const inner = named(m.members, name);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** Every named member that can be reached without a dot, with those of anonymous structs and unions. */
export function memberNames(layout: StructLayout): readonly string[] {
  const walk = (members: readonly Member[]): string[] =>
    members.flatMap((m) => (m.name !== "" ? [m.name] : walk(m.members ?? [])));
  return walk(layout.members);
}

/** Names nearest to a mistyped one: at most `most`, by edit distance, only those worth suggesting. */
export function nearestNames(wanted: string, names: Iterable<string>, most = 3): readonly string[] {
  const lower = wanted.toLowerCase();
  const near: { readonly name: string; readonly distance: number }[] = [];
  for (const name of new Set(names)) {
    if (Math.abs(name.length - wanted.length) > 12) continue;
    const held = name.includes(lower) || (name.length > 3 && lower.includes(name)) ? 1 : 0;
    const distance =
      editDistance(lower, name.toLowerCase()) -
      (held === 1 ? Math.abs(name.length - lower.length) : 0) +
      (held === 1 ? 1 : 0);
    if (distance <= Math.max(2, Math.floor(wanted.length / 3))) near.push({ name, distance });
  }
  return near
    .sort((a, b) => a.distance - b.distance || a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
    .slice(0, most)
    .map((n) => n.name);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
