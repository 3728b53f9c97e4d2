// First lines of reports that several CPUs printed at once, piece by piece (before 4.10 a line is put together from KERN_CONT pieces):
//   swapper/8: / swapper/6: / page allocation failure: order:0page allocation failure: order:0, mode:0x20 / , mode:0x20
// The i-th name, order and mode are taken to belong together; the stacks below stay as they are.
import type { Draft } from "./draft.ts";

const phrase = /page allocation failure[:.] order:(\d+)/g;
const modePiece = /,? ?mode:(0x[0-9a-f]+(?:\([^)]*\))?)/g;
const namePiece = /^(\S.{0,40}):\s*$/;

/** Sorts the pieces of such lines into one line per report; other lines pass. */
export function sortFirstLines(drafts: readonly Draft[]): Draft[] {
  const out: Draft[] = [];
  const taken = new Set<number>();
  for (let i = 0; i < drafts.length; i++) {
    const draft = drafts[i]!;
    const orders = draft.text.includes("page allocation failure") ? [...draft.text.matchAll(phrase)] : [];
    if (orders.length === 1 && !/mode:0x/.test(draft.text)) {
      const at = modeBelow(drafts, i);
      const piece = at < 0 ? undefined : drafts[at];
      if (piece !== undefined) {
        taken.add(at);
        const text = `${draft.text.trimEnd()}${/^,/.test(piece.text) ? "" : ", "}${piece.text.trim()}`;
        out.push({ ...draft, raw: `${draft.raw}\n${piece.raw}`, text, repairs: [...draft.repairs, "deinterleaved"] });
        continue;
      }
    }
    if (orders.length < 2) {
      if (!taken.has(i)) out.push(draft);
      continue;
    }
    const names = takeNames(draft, orders.length, out);
    const modes = [...draft.text.matchAll(modePiece)].map((m) => m[1]!);
    const raws = [draft.raw];
    while (modes.length < orders.length && /^,? ?mode:0x/.test(drafts[i + 1]?.text ?? "")) {
      const piece = drafts[++i]!;
      raws.push(piece.raw);
      modes.push(...[...piece.text.matchAll(modePiece)].map((m) => m[1]!));
    }
    orders.forEach((order, k) => {
      const name = names[k] === undefined ? "" : `${names[k]}: `;
      const mode = modes[k] === undefined ? "" : `, mode:${modes[k]}`;
      const text = `${name}page allocation failure: order:${order[1]}${mode}`;
      out.push({ ...draft, raw: raws.join("\n"), text, repairs: [...draft.repairs, "deinterleaved"] });
    });
  }
  return out;
}

/** How far below its first line the mode of a report may stand, with pieces of other CPUs between them. */
const modeReach = 4;

/** The line below that is a mode and nothing else, when no other first line could own it. */
function modeBelow(drafts: readonly Draft[], index: number): number {
  for (let i = index + 1; i <= Math.min(index + modeReach, drafts.length - 1); i++) {
    const text = drafts[i]?.text ?? "";
    if (text.includes("page allocation failure")) return -1;
    if (/^,? ?mode:0x/.test(text)) return i;
  }
  return -1;
}

/** Names stand before the phrase on the same line, or alone on the lines above, which are taken away. */
function takeNames(draft: Draft, count: number, out: Draft[]): string[] {
  const own = draft.text.slice(0, draft.text.indexOf("page allocation failure"));
  const names = own
    .split(/:\s+/)
    .map((n) => n.trim())
    .filter((n) => n !== "");
  while (names.length < count && namePiece.test(out.at(-1)?.text ?? "")) {
    names.unshift(namePiece.exec(out.pop()!.text)![1]!);
  }
  return names;
}
