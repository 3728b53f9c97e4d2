// A struct as users of pahole know it: C with offsets and sizes behind each member, holes, boundaries of cache lines, and the sums below.
// Not here: attributes that pahole derives (packed, aligned) and the padding of members' own structs.
import type { Member, StructLayout } from "../kernel/layout/layout.ts";

const memberColumn = 27;
const commentColumn = 50;

/** `[2][16]` of `u8[2][16]`. */
function dimensions(type: string): string {
  let from = type.length;
  while (type[from - 1] === "]") from = type.lastIndexOf("[", from - 1);
  return type.slice(from);
}

/** `struct page * frags[17]` from the type and the name. */
function declaration(type: string, name: string): readonly [left: string, right: string] {
  const open = type.indexOf("(*)");
  if (open >= 0) return [type.slice(0, open).trim(), `(*${name})${type.slice(open + 3)}`];
  const brackets = dimensions(type);
  return [type.slice(0, type.length - brackets.length), `${name}${brackets}`];
}

const bytes = (n: number): string => `${n} byte${n === 1 ? "" : "s"}`;
const bits = (n: number): string => `${n} bit${n === 1 ? "" : "s"}`;

/** Sums of one level. */
interface Sums {
  members: number;
  bytes: number;
  fieldBits: number;
  holes: number;
  holeBytes: number;
  bitHoles: number;
  bitHoleBits: number;
}

const opens = (m: Member): boolean =>
  m.members !== undefined && /^(?:const |volatile )*(?:struct|union)(?:\[|$)/.test(m.type);

/** Where the storage of a bit-field ends, bits. */
const unitEnd = (m: Member): number => {
  const unit = m.sizeBytes * 8;
  return Math.floor(m.offsetBits / unit) * unit + unit;
};

export function paholeText(layout: StructLayout, cacheLine: number): string {
  const out: string[] = [];
  let line = 0;
  const boundary = (offset: number, indent: string): void => {
    const at = Math.floor(offset / cacheLine);
    if (at <= line) return;
    line = at;
    const past = offset - at * cacheLine;
    const where = `cacheline ${at} boundary (${at * cacheLine} bytes)`;
    out.push(`${indent}/* --- ${where}${past === 0 ? "" : ` was ${past} bytes ago`} --- */`);
  };
  const comment = (text: string, note: string): void => {
    out.push(
      `${text.replaceAll("\t", "        ").length < commentColumn ? text.padEnd(commentColumn - 7 * (text.split("\t").length - 1)) : text} ${note}`,
    );
  };
  const place = (m: Member): string => {
    const byte = Math.floor(m.offsetBits / 8);
    if (m.bits === undefined) return `/* ${String(byte).padStart(5)} ${String(m.sizeBytes).padStart(5)} */`;
    // A bit-field's offset is that of its storage.
    const start = (unitEnd(m) - m.sizeBytes * 8) / 8;
    return `/* ${String(start).padStart(5)}:${String(m.offsetBits - start * 8).padStart(2)} ${String(m.sizeBytes).padStart(2)} */`;
  };
  const hole = (indent: string, what: string): void =>
    void out.push("", `${indent}/* XXX ${what} hole, try to pack */`, "");

  /** The members of one level; `startBits` and `endBits` of the struct around them. */
  const level = (
    members: readonly Member[],
    isStruct: boolean,
    startBits: number,
    depth: number,
  ): Sums & { end: number } => {
    const indent = "\t".repeat(depth);
    const sums = {
      members: 0,
      bytes: 0,
      fieldBits: 0,
      holes: 0,
      holeBytes: 0,
      bitHoles: 0,
      bitHoleBits: 0,
      end: startBits,
    };
    let last: Member | undefined;
    for (const m of members) {
      if (isStruct && m.offsetBits > sums.end) {
        let from = sums.end;
        if (last?.bits !== undefined) {
          const inUnit = Math.min(m.offsetBits, Math.max(from, unitEnd(last))) - from;
          if (inUnit > 0) {
            hole(indent, bits(inUnit));
            sums.bitHoles++;
            sums.bitHoleBits += inUnit;
            from += inUnit;
          }
        }
        if (m.offsetBits > from) {
          hole(indent, bytes((m.offsetBits - from) / 8));
          sums.holes++;
          sums.holeBytes += (m.offsetBits - from) / 8;
        }
      }
      if (depth === 1 || isStruct) boundary(Math.floor(m.offsetBits / 8), indent);
      sums.members++;
      if (m.bits !== undefined) sums.fieldBits += m.bits;
      else sums.bytes += m.sizeBytes;
      sums.end = Math.max(sums.end, m.offsetBits + (m.bits ?? m.sizeBytes * 8));
      if (opens(m)) {
        const kind = /^(?:const |volatile )*union/.test(m.type) ? "union" : "struct";
        out.push(`${indent}${kind} {`);
        level(m.members ?? [], kind === "struct", m.offsetBits, depth + 1);
        const brackets = dimensions(m.type);
        comment(`${indent}}${m.name === "" ? "" : ` ${m.name}${brackets}`};`, place(m));
      } else {
        const [left, right] = declaration(m.type, m.name);
        comment(
          `${indent}${left.padEnd(memberColumn - 1)} ${right}${m.bits === undefined ? "" : `:${m.bits}`};`,
          place(m),
        );
      }
      last = m;
    }
    return sums;
  };

  out.push(`${layout.kind} ${layout.name} {`);
  const sums = level(layout.members, layout.kind === "struct", 0, 1);
  if (layout.kind === "struct") {
    const lines = Math.ceil(layout.sizeBytes / cacheLine);
    out.push("", `\t/* size: ${layout.sizeBytes}, cachelines: ${lines}, members: ${sums.members} */`);
    if (sums.holes + sums.bitHoles > 0) {
      const byteHoles = sums.holes === 0 ? "" : `, holes: ${sums.holes}, sum holes: ${sums.holeBytes}`;
      out.push(`\t/* sum members: ${sums.bytes}${byteHoles} */`);
      const holed =
        sums.bitHoles === 0 ? "" : `, bit holes: ${sums.bitHoles}, sum bit holes: ${bits(sums.bitHoleBits)}`;
      if (sums.fieldBits > 0) out.push(`\t/* sum bitfield members: ${bits(sums.fieldBits)}${holed} */`);
    }
    const padding = Math.floor((layout.sizeBytes * 8 - sums.end) / 8);
    if (padding > 0) out.push(`\t/* padding: ${padding} */`);
    if (layout.sizeBytes % cacheLine !== 0) out.push(`\t/* last cacheline: ${layout.sizeBytes % cacheLine} bytes */`);
  }
  out.push("};");
  return out.join("\n");
}
