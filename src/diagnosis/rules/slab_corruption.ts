// SLUB's debugging report: which byte changed, what that pattern means, who had the object before.
import type { ObjectTrack, SlabCorruption } from "../../kernel/readings/slab_corruption.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Advice, Finding } from "../finding.ts";
import { no, unknown, yes } from "../finding.ts";
import type { Rule } from "../rule.ts";

const packetCaches = /^(skbuff|kmalloc|size-|TCP|UDP|sock|request_sock)/;

export const slabCorruption: Rule = {
  id: "slab_corruption",
  asks: "Which rule of the slab was broken, by which kind of mistake, and who had the object?",
  kinds: ["slab_corruption"],
  answer: (c) => (c.incident.kind === "slab_corruption" ? explain(c, c.incident.reading) : []),
};

const isPoison = (s: SlabCorruption): boolean => /poison/i.test(s.problem);
const isRedzone = (s: SlabCorruption): boolean => /redzone/i.test(s.problem);
const isDouble = (s: SlabCorruption): boolean => /already free|double free/i.test(s.problem);

/** Bytes that were not what they should be. */
export function span(s: SlabCorruption): number | undefined {
  if (s.overwritten === undefined) return undefined;
  if (![s.overwritten.from, s.overwritten.to].every((a) => /^(0x)?[0-9a-f]{1,16}$/i.test(a))) return undefined;
  const from = BigInt(`0x${s.overwritten.from.replace(/^0x/, "")}`);
  const to = BigInt(`0x${s.overwritten.to.replace(/^0x/, "")}`);
  return Number(to - from) + 1;
}

function explain(c: Case, s: SlabCorruption): readonly Finding[] {
  const found: Finding[] = [];
  const headline = quote(c, "headline", 1);
  const bytes = span(s);
  const first = s.overwritten;
  const freer = ownName(
    s.freed,
    /^(kfree|kmem_cache_free|__slab_free|slab_free|kfree_skbmem|kfree_skb|skb_free_head|skb_release_data|__kfree_skb|consume_skb)/,
  );
  const owner = ownName(
    s.allocated,
    /^(__alloc_skb|alloc_skb|__kmalloc|kmalloc|kmem_cache_alloc|kmalloc_reserve|__kmem_cache_alloc)/,
  );
  const advice: readonly Advice[] = [
    {
      change: { kind: "code" },
      action: `Read who freed the object last (${freer ?? "see Freed in"}) and who uses it afterwards`,
      changes: "finds the second free or the late write",
      costs:
        "work in the source; KASAN (CONFIG_KASAN) would name the writer at the moment it writes, at half the speed",
    },
  ];
  if (isPoison(s)) {
    const one = bytes === 1 && first?.expected === 0x6b && first.found === 0x6a;
    found.push(
      yes(
        "slab.use_after_free",
        `An object of ${s.cache} was changed after it had been freed${bytes === undefined ? "" : ` (${bytes} byte${bytes === 1 ? "" : "s"}${first === undefined ? "" : `, 0x${first.expected.toString(16)} became 0x${first.found.toString(16)}`})`}: a use after free.`,
        [...headline, ...quote(c, "overwritten", 1)],
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
  } else if (isRedzone(s))
    found.push(
      yes(
        "slab.out_of_bounds",
        `Somebody wrote ${/left/i.test(s.problem) ? "before" : "behind"} an object of ${s.cache}${bytes === undefined ? "" : ` (${bytes} byte${bytes === 1 ? "" : "s"})`}: its guard zone no longer holds its pattern. A write out of bounds, not a lack of memory.`,
        [...headline, ...quote(c, "overwritten", 1)],
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
    found.push(yes("slab.double_free", `An object of ${s.cache} was freed twice.`, headline, advice));
  else found.push(yes("slab.broken", `The slab ${s.cache} fails a check: ${s.problem}.`, headline, advice));
  if (owner !== undefined || freer !== undefined)
    found.push(
      yes(
        "slab.owner",
        `The object's last owner: ${[owner === undefined ? undefined : `allocated by ${owner}`, freer === undefined ? undefined : `freed by ${freer}`].filter((x) => x !== undefined).join(", ")}${ageWords(s)}.`,
        [...quote(c, "allocated", 1), ...quote(c, "freed", 1)],
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
        : `The cache ${s.cache} serves many callers; the report does not show a packet function.`,
      headline,
    ),
    no(
      "fragmentation",
      "This is not a shortage: the allocator found that memory had been written to which nobody owned.",
      headline,
    ),
  );
  return found;
}

/** The first caller that is not the allocator itself, with its module. */
function ownName(track: ObjectTrack | undefined, plumbing: RegExp): string | undefined {
  const frame = track?.frames.find((f) => f.reliable && !plumbing.test(f.function));
  if (frame === undefined) return track?.function;
  return `${frame.function}${frame.module === undefined ? "" : ` [${frame.module}]`}`;
}

function ageWords(s: SlabCorruption): string {
  const age = s.freed?.age ?? s.allocated?.age;
  return age === undefined ? "" : `, ${age} jiffies before the report`;
}
