// Logs printed newest first (journalctl -r, log viewers, some consoles) are turned round. The order of the lines within a report says so,
// whether or not there are time stamps.
import type { Draft } from "./draft.ts";
import { rankOf } from "./known_words.ts";

/** The records in the order in which the kernel wrote them. */
export function inOrder(drafts: Draft[]): Draft[] {
  if (!newestFirst(drafts)) return drafts;
  const groups: Draft[][] = [];
  for (const draft of drafts) {
    const last = groups.at(-1)?.[0];
    // The lines of one record stand in their order in either case.
    if (last !== undefined && sameRecord(last, draft)) groups.at(-1)!.push(draft);
    else groups.push([draft]);
  }
  const turned = groups.reverse().flat();
  for (const draft of turned) if (!draft.repairs.includes("newest first")) draft.repairs.push("newest first");
  return turned;
}

const sameRecord = (a: Draft, b: Draft): boolean =>
  /^\s(?:active_file|unevictable|slab_|mapped|kernel_misc|sec_pagetables|free):?/.test(b.text) &&
  a.seconds === b.seconds;

/** More ranks and times fall from line to line than rise, by far. */
const newestFirst = (drafts: readonly Draft[]): boolean =>
  fallsBack(
    drafts.length,
    (i) => drafts[i]?.seconds,
    (i) => rankOf(drafts[i]?.text ?? ""),
  );

/** The same of `count` lines of which stamp and rank are known. */
export function fallsBack(
  count: number,
  secondsOf: (index: number) => number | undefined,
  rankOf: (index: number) => number,
): boolean {
  let [rises, falls, rank] = [0, 0, 0];
  let [later, earlier, seconds] = [0, 0, undefined as number | undefined];
  for (let i = 0; i < count; i++) {
    const at = secondsOf(i);
    const now = rankOf(i);
    if (at !== undefined) {
      if (seconds !== undefined && at > seconds) later++;
      if (seconds !== undefined && at < seconds) earlier++;
      seconds = at;
    }
    if (now === 0) continue;
    if (rank !== 0 && now > rank) rises++;
    if (rank !== 0 && now < rank) falls++;
    rank = now;
  }
  // A collector may give lines that it gets newest first stamps of its own, which rise.
  if (falls >= 3 && falls > 2 * rises) return true;
  return later + earlier >= 4 && earlier > 4 * later;
}
