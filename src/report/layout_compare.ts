// What differs between two layouts of a struct, and where members of a name or type lie: as Documents and as data.
import type { Found, LayoutDifference, MemberDifference, Placed, Wanted } from "../kernel/layout/compare.ts";
import type { Document, Text } from "./document.ts";
import { facts, heading, paragraph, span, table } from "./document.ts";

const at = (p: Placed | undefined): string => {
  if (p === undefined) return "";
  const byte = Math.floor(p.offsetBits / 8);
  return p.bits === undefined ? `${byte}` : `${byte}:${p.offsetBits % 8}`;
};
const size = (p: Placed | undefined): string =>
  p === undefined ? "" : p.bits === undefined ? `${p.sizeBytes}` : `${p.bits}b`;
const either = (d: MemberDifference): Placed => (d.after ?? d.before) as Placed;

const words = {
  added: "new",
  removed: "gone",
  moved: "moved",
  "other type": "other type",
  "other size": "other size",
  same: "",
};

function typeText({ before, after }: MemberDifference): string {
  if (before === undefined || after === undefined || before.type === after.type) return (after ?? before)?.type ?? "";
  return `${before.type} → ${after.type}`;
}

const moved = (before: string, after: string): string =>
  before === after || after === "" ? before : before === "" ? after : `${before} → ${after}`;

/** Both sizes, then the members; those that are the same in both only where `all`. */
export function differenceDocument(
  difference: LayoutDifference,
  before: string,
  after: string,
  all: boolean,
): Document {
  const { name, beforeBytes, afterBytes, members } = difference;
  const other = members.filter((m) => m.change !== "same");
  const counted = (["added", "removed", "moved", "other type", "other size"] as const)
    .map((change) => [other.filter((m) => m.change === change).length, words[change]] as const)
    .filter(([n]) => n > 0)
    .map(([n, word]) => `${n} ${word}`);
  const shown = all ? members : other;
  const tone = (d: MemberDifference): Text =>
    d.change === "same"
      ? ""
      : [span(words[d.change], d.change === "removed" ? "bad" : d.change === "added" ? "good" : "warn")];
  return [
    heading(1, `${name}: ${before} and ${after}`),
    facts([
      ["size", beforeBytes === afterBytes ? `${afterBytes} bytes in both` : `${beforeBytes} → ${afterBytes} bytes`],
      ["members", other.length === 0 ? `the same ${members.length} at the same places` : counted.join(", ")],
    ]),
    ...(shown.length === 0
      ? []
      : [
          table(
            [">offset", ">size", "member", "type", ""],
            shown.map((d) => [
              moved(at(d.before), at(d.after)),
              moved(size(d.before), size(d.after)),
              either(d).path,
              typeText(d),
              tone(d),
            ]),
          ),
        ]),
  ];
}

/** Sizes of many structs, side by side. */
export function sizesDocument(
  rows: readonly (readonly [struct: string, before: number | undefined, after: number | undefined])[],
  before: string,
  after: string,
): Document {
  const text = (n: number | undefined): string => (n === undefined ? "–" : `${n}`);
  return [
    heading(1, `Structs of packet memory: ${before} and ${after}`),
    table(
      ["struct", ">before", ">after", ">more"],
      rows.map(([struct, b, a]) => [
        struct,
        text(b),
        text(a),
        b === undefined || a === undefined || a === b
          ? ""
          : [span(`${a > b ? "+" : ""}${a - b}`, a > b ? "bad" : "good")],
      ]),
    ),
    paragraph("Bytes; – where that kernel has none of the name. Name a struct to see its members."),
  ];
}

export const differenceJson = (difference: LayoutDifference, before: string, after: string): unknown => {
  const placed = (p: Placed | undefined): unknown =>
    p === undefined
      ? null
      : {
          offsetBytes: Math.floor(p.offsetBits / 8),
          ...(p.bits === undefined ? {} : { bitOffset: p.offsetBits % 8, bits: p.bits }),
          sizeBytes: p.sizeBytes,
          type: p.type,
        };
  return {
    schema: "skblab.layout-difference/1",
    before,
    after,
    struct: difference.name,
    beforeBytes: difference.beforeBytes,
    afterBytes: difference.afterBytes,
    members: difference.members.map((d) => ({
      member: either(d).path,
      change: d.change,
      before: placed(d.before),
      after: placed(d.after),
    })),
  };
};

const wantedText = ({ member, type }: Wanted): string =>
  [...(member === undefined ? [] : [`member ${member}`]), ...(type === undefined ? [] : [`type ${type}`])].join(", ");

export function foundDocument(
  wanted: Wanted,
  { found, total, structs }: { readonly found: readonly Found[]; readonly total: number; readonly structs: number },
  from: string,
): Document {
  return [
    heading(1, wantedText(wanted)),
    facts([
      ["from", from],
      ["found", `${total} in ${structs} structs${total > found.length ? `; the first ${found.length} are shown` : ""}`],
    ]),
    ...(found.length === 0
      ? []
      : [
          table(
            ["struct", "member", ">offset", ">size", "type"],
            found.map(({ struct, member }) => [struct, member.path, at(member), size(member), member.type]),
          ),
        ]),
  ];
}

export const foundJson = (wanted: Wanted, found: readonly Found[], total: number, from: string): unknown => ({
  schema: "skblab.layout-search/1",
  from,
  wanted,
  total,
  found: found.map(({ struct, member }) => ({
    struct,
    member: member.path,
    type: member.type,
    offsetBytes: Math.floor(member.offsetBits / 8),
    ...(member.bits === undefined ? {} : { bitOffset: member.offsetBits % 8, bits: member.bits }),
    sizeBytes: member.sizeBytes,
  })),
});
