// SLUB's debugging report: which byte changed, what that pattern means, who had the object before.

import type { Absent } from "../../kernel/readings/part.ts";
import { isKnown, none, seenOf } from "../../kernel/readings/part.ts";
import type { ObjectTrack, SlabCorruption } from "../../kernel/readings/slab_corruption.ts";
import { changedBytes, redzonePart } from "../../kernel/readings/slab_corruption.ts";
import type { Case } from "../case.ts";
import { byKind, quote } from "../case.ts";
import type { Advice, Finding } from "../finding.ts";
import { missed } from "../finding.ts";
import { isPlumbing } from "../plumbing.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { ofFragmentation } from "./fragmentation.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "slab.use_after_free": { question: "Is it a use after free?", rank: 7 },
  "slab.reference_dropped": { question: "Was a reference dropped once too often?" },
  "slab.state": { question: "Does the object have two owners?", rank: 9, absence: "yes" },
  "slab.before": { question: "Was memory before the object written?", rank: 10 },
  "slab.out_of_bounds": { question: "Was it a write out of bounds?", rank: 8 },
  "slab.double_free": { question: "Was it freed twice?", rank: 11, clears: "a double free" },
  "slab.broken": { question: "What is broken?", open: true },
  "slab.owner": { question: "Is it known who had the object?" },
  "slab.packet_memory": { question: "Is it packet memory?", clears: "packet memory" },
  ...ofFragmentation,
});

const packetCaches = /^(skbuff|kmalloc|size-|TCP|UDP|sock|request_sock)/;

export const slabCorruption = defineRule({
  id: "slab_corruption",
  asks: "Which rule of the slab was broken, by which kind of mistake, and who had the object?",
  questions,
  kinds: ["slab_corruption"],
  answer: (c) => (c.incident.kind === "slab_corruption" ? explain(c, c.incident.reading) : []),
});

const isPoison = (s: SlabCorruption): boolean => /poison/i.test(s.problem);
const isRedzone = (s: SlabCorruption): boolean => /redzone/i.test(s.problem);
const isDouble = (s: SlabCorruption): boolean => /already free|double free/i.test(s.problem);

/** SLUB_RED_INACTIVE and SLUB_RED_ACTIVE (include/linux/poison.h): what fills the guard zone of a free object, and of one in use. */
const redInactive = 0xbb;
const redActive = 0xcc;

/**
 * The guard zone was filled by SLUB itself, for the other state of the object: whole words of the other pattern. The report names the first byte;
 * that none differs only a dump of all of them says. Undefined where it was not.
 */
function otherState(s: SlabCorruption): Absent | "not said" | undefined {
  const o = s.overwritten;
  if (!isRedzone(s) || o === undefined || !isKnown(span(s), (n) => n >= 4)) return undefined;
  if (![redInactive, redActive].includes(o.found) || o.found + o.expected !== redInactive + redActive) return undefined;
  const bytes = redzonePart(s);
  const differs = (b: number): boolean => b !== o.found && b !== o.expected;
  if (seenOf(bytes)?.some(differs) === true) return undefined;
  return none(bytes, differs) ?? "not said";
}

/** An address as a number; undefined where it is not there or not one. */
function addressOf(text: string | undefined): bigint | undefined {
  const digits = /^(?:0x)?([0-9a-f]{1,16})$/i.exec(text ?? "")?.[1];
  return digits === undefined ? undefined : BigInt(`0x${digits}`);
}

/** The damaged bytes lie in front of where the object begins; SLUB has a guard zone there since 4.6 and names it since 5.13. */
function inFront(s: SlabCorruption): boolean {
  if (!isRedzone(s)) return false;
  if (/left/i.test(s.problem)) return true;
  const [to, begin] = [addressOf(s.overwritten?.to), addressOf(s.object?.address)];
  return to !== undefined && begin !== undefined && to < begin;
}

/** What would tell whether the damaged bytes lie behind the object; undefined where it is there. */
function placeLost(s: SlabCorruption): string | undefined {
  if (s.overwritten === undefined) return "the line of the bytes that changed";
  return /right/i.test(s.problem) || s.object !== undefined ? undefined : "the line of the object";
}

/** Problems that have an answer of their own (mm/slub.c); the beginning of one is not told from another. */
const problems = [
  "Poison overwritten",
  "Redzone overwritten",
  "Right Redzone overwritten",
  "Left Redzone overwritten",
  "kmalloc Redzone overwritten",
  "Object already free",
];
const isTornProblem = (text: string): boolean => problems.some((p) => p !== text && p.startsWith(text));

/** How many bytes were not what they should be. */
export function span(s: SlabCorruption): number | undefined {
  const changed = changedBytes(s);
  return changed === undefined ? undefined : Number(changed.to - changed.from) + 1;
}

function explain(c: Case, s: SlabCorruption): readonly Finding[] {
  const found: Finding[] = [];
  const headline = quote(c, "headline");
  const bytes = span(s);
  const first = s.overwritten;
  const freer = ownName(s.freed);
  const owner = ownName(s.allocated);
  const advice: readonly Advice[] = [
    {
      change: { kind: "code" },
      action: `Read who freed the object last (${freer ?? "see Freed in"}) and who uses it afterwards`,
      changes: "finds the second free, or the write after the free",
      costs:
        "work in the source; KASAN (CONFIG_KASAN) would catch the writer at the moment of the write, at about half the speed",
    },
  ];
  const state = otherState(s);
  const other =
    s.overwritten?.found === redInactive
      ? "a free object (0xbb) while the object is in use"
      : "an object in use (0xcc) while the object is free";
  const lost = placeLost(s);
  if (isPoison(s)) {
    const one = bytes === 1 && first?.expected === 0x6b && first.found === 0x6a;
    found.push(
      yes(
        "slab.use_after_free",
        `An object of ${cacheOf(s)} was changed after it had been freed${bytes === undefined ? "" : ` (${bytes} byte${bytes === 1 ? "" : "s"}${first === undefined ? "" : `, 0x${first.expected.toString(16)} became 0x${first.found.toString(16)}`})`}: a use after free.`,
        [...headline, ...quote(c, "overwritten")],
        advice,
      ),
    );
    if (one)
      found.push(
        yes(
          "slab.reference_dropped",
          `The one byte is smaller by exactly one: somebody decremented a counter in the freed object, as dropping a reference does. ${s.cache.startsWith("skbuff") ? "In struct sk_buff that is the user count: kfree_skb() ran a second time on the same packet." : ""}`.trim(),
          headline,
          advice,
        ),
      );
  } else if (state !== undefined) {
    const lines = [...headline, ...quote(c, "overwritten")];
    found.push(
      state === "not said"
        ? unknown(
            "slab.state",
            `The guard zone of an object of ${cacheOf(s)} begins with the pattern of ${other}, as when the object has two owners: freed twice, or on a damaged free list. Whether the whole zone holds it the dump of its bytes would say.`,
            lines,
            advice,
          )
        : yes(
            "slab.state",
            `The guard zone of an object of ${cacheOf(s)} is whole, but it holds the pattern of ${other}: nobody wrote past its end. The object has two owners: freed twice, or on a damaged free list.`,
            missed(state, lines),
            advice,
          ),
    );
  } else if (inFront(s))
    found.push(
      yes(
        "slab.before",
        `Somebody wrote in front of an object of ${cacheOf(s)}${bytes === undefined ? "" : ` (${bytes} byte${bytes === 1 ? "" : "s"})`}: into its left guard zone, or past the end of the object before it in the slab. The owner that is named below is the owner of the object behind.`,
        [...headline, ...quote(c, "overwritten"), ...quote(c, "object")],
      ),
    );
  else if (isRedzone(s))
    found.push(
      (lost === undefined ? yes : unknown)(
        "slab.out_of_bounds",
        lost !== undefined
          ? `The guard zone of an object of ${cacheOf(s)} no longer holds its pattern. The text does not say whether somebody wrote behind the object or in front of it: it lacks ${lost}.`
          : `Somebody wrote behind an object of ${cacheOf(s)}${bytes === undefined ? "" : ` (${bytes} byte${bytes === 1 ? "" : "s"})`}: its guard zone no longer holds its pattern. A write out of bounds, not a lack of memory.`,
        [...headline, ...quote(c, "overwritten")],
        [
          {
            change: { kind: "code" },
            action: `Check the lengths that ${owner ?? "the owner of the object"} works with`,
            changes: "finds the write that is too long",
            costs: "work in the source",
          },
        ],
      ),
    );
  else if (isDouble(s))
    found.push(yes("slab.double_free", `An object of ${cacheOf(s)} was freed twice.`, headline, advice));
  else
    found.push(
      (s.cache === "" || isTornProblem(s.problem) ? unknown : yes)(
        "slab.broken",
        s.cache === ""
          ? "A check of SLUB's debugging failed; which one, and on which cache, the report's first line would have said."
          : `The slab ${s.cache} fails a check: ${s.problem}.`,
        headline,
        advice,
      ),
    );
  if (owner !== undefined || freer !== undefined)
    found.push(
      yes(
        "slab.owner",
        takenAgain(s) && freer !== undefined
          ? `The object's last owner: allocated by ${owner ?? s.allocated?.function}, ${s.allocated?.age} jiffies before the report; before that it was freed by ${freer}, ${s.freed?.age} jiffies before the report.`
          : `The object's last owner: ${[owner === undefined ? undefined : `allocated by ${owner}`, freer === undefined ? undefined : `freed by ${freer}`].filter((x) => x !== undefined).join(", ")}${ageWords(s)}.`,
        [...quote(c, "allocated"), ...quote(c, "freed")],
      ),
    );
  const packet =
    packetCaches.test(s.cache) &&
    [...(s.allocated?.frames ?? []), ...(s.freed?.frames ?? [])].some((f) => /skb/.test(f.function));
  found.push(
    (packet || s.cache.startsWith("skbuff") ? yes : unknown)(
      "slab.packet_memory",
      packet || s.cache.startsWith("skbuff")
        ? "It is packet memory: the object was a packet or its buffer."
        : s.cache === ""
          ? "The text does not name the cache, and shows nobody who had the object."
          : `The cache ${s.cache} serves many callers; the report does not show a packet function.`,
      headline,
    ),
    no(
      "fragmentation",
      "This is not a shortage: the allocator found a write to memory that nobody owned.",
      byKind(c, headline),
    ),
  );
  return found;
}

/** The cache as its report names it; of a report without its first line nobody knows it. */
export const cacheOf = (s: SlabCorruption): string =>
  s.cache === "" ? "a cache that the text does not name" : s.cache;

/** The first caller that is not the allocator itself, with its module. */
function ownName(track: ObjectTrack | undefined): string | undefined {
  const frame = track?.frames.find((f) => f.reliable && !isPlumbing(f.function));
  if (frame === undefined) return track === undefined || isPlumbing(track.function) ? undefined : track.function;
  return `${frame.function}${frame.module === undefined ? "" : ` [${frame.module}]`}`;
}

/** SLUB keeps the record of the last free while the object is in use again (mm/slub.c, set_track()). */
function takenAgain(s: SlabCorruption): boolean {
  return s.allocated?.age !== undefined && s.freed?.age !== undefined && s.allocated.age < s.freed.age;
}

function ageWords(s: SlabCorruption): string {
  const age = s.freed?.age ?? s.allocated?.age;
  return age === undefined ? "" : `, ${age} jiffies before the report`;
}
