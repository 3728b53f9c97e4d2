// A fault inside the kernel: where it stood, what the bad pointer was, whether packet memory is involved, and what died with it. What kind of
// fault it is, and how bad, is said by ../faults.ts.
import { decodePageFlags } from "../../kernel/facts/page_flags.ts";
import type { Oops } from "../../kernel/readings/oops.ts";
import { nothingMissing } from "../../kernel/readings/part.ts";
import type { Case } from "../case.ts";
import { quote, quoteFrames } from "../case.ts";
import { badPointer, callerByLink, faultAt, faultOf, mayBeNext } from "../faults.ts";
import type { Advice, Finding } from "../finding.ts";
import { missed, shown } from "../finding.ts";
import { ownBuffers } from "../own_buffers.ts";
import { isKnownPanic } from "../panics.ts";
import { isHelper, isPlumbing } from "../plumbing.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { listing } from "../words.ts";
import { ofFragmentation } from "./fragmentation.ts";
import { linesWith } from "./lines.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "oops.where": { question: "Where did it stop?", open: true },
  "oops.message": { question: "What does it say?", open: true },
  "oops.pointer": { question: "Is the bad pointer known?", rank: 5 },
  "oops.use_after_free": { question: "Is it a use after free?" },
  "oops.sanitizer": { question: "What did the sanitizer see?", open: true },
  "oops.object_owner": { question: "Is it known who had the object?" },
  "oops.packet_memory": { question: "Is packet memory involved?", clears: "packet memory" },
  "oops.first": { question: "Is it the first fault?" },
  "oops.panic": { question: "Did the machine go down?" },
  ...ofFragmentation,
});

/** Functions that handle packets or the memory they lie in; netlink messages travel as packets too, and say nothing of a packet's memory. */
const packetNames =
  /^(?!.*netlink)(?!genl_)(?:.*(?:skb|page_pool|page_frag)|_{0,2}(?:netdev|napi)_alloc_frag|(?:emac|mal|tg3|igb|ixgbe|e1000)_|net_rx_action|net_tx_action)/;
/** Where it stopped in such a helper, so many frames behind it are at work on the memory in question; further out stands what the kernel was busy with. */
const innermost = 2;
/** Functions of the network that may or may not have a packet in hand. */
const networkNames =
  /^(?:__)?(?:tcp|udp|ip|ip6|ipv6|inet|icmp|arp|neigh|netif|dev|napi|sk|sock|sctp|netlink|nf|ipt|xfrm|br|vlan|bond|tun|veth)_|_socket_|(?:send|recv)msg|_poll$|clean_(?:rx|tx)|alloc_rx|rx_buf|_xmit|refill/;
const packetFiles = /^net\/core\/|page_pool|skbuff/;
const networkFiles = /^(?:net|drivers\/net)\//;
const allocatorNames =
  /^(kmem_cache_|kmalloc|__kmalloc|kfree|__slab_|___slab|free_block|get_freepointer|rmqueue|get_page_from_freelist|free_pages|__free_pages|put_page|__put_)/;
const tools: readonly Advice[] = [
  {
    change: { kind: "evidence" },
    action: "Boot with slab debugging and repeat",
    changes:
      "a use after free or double free is then reported where it happens, with the stacks that allocated and freed",
    costs: "a reboot; noticeably slower and more memory",
    command: "slub_debug=FZPU (slab_debug= since 6.9) on the kernel command line",
  },
];

/** The oops of a case, also when it came with an skb panic. */
export const oopsOf = (c: Case): Oops | undefined =>
  c.incident.kind === "oops"
    ? c.incident.reading
    : c.incident.kind === "skb_panic"
      ? c.incident.reading.oops
      : undefined;

export const oops = defineRule({
  id: "oops",
  asks: "Where did it fault, on which pointer, and is packet memory involved?",
  questions,
  kinds: ["oops"],
  answer: (c) => {
    const o = oopsOf(c);
    if (o === undefined) return [];
    return [
      ...where(c, o),
      ...said(c, o),
      ...pointer(c, o),
      ...sanitizer(c, o),
      ...packet(c, o),
      ...afterEffects(c, o),
      ...notShortage(c, o),
    ];
  },
});

const headline = (c: Case) => quote(c, "headline", 2);

const verbs: Readonly<Partial<Record<Oops["class"], string>>> = {
  warning: "warned",
  bug: "stopped on a check of its own",
  panic: "panicked",
  lockup: "was",
  sleep: "was about to wait",
  sanitizer: "was caught",
};

function where(c: Case, o: Oops): readonly Finding[] {
  const name = faultAt(o);
  if (name === undefined) return [];
  const caller = callerByLink(o);
  const source = o.source === undefined ? "" : ` (${o.source.file}:${o.source.line})`;
  const module = o.at?.module ?? o.registers?.at?.module;
  return [
    yes(
      "oops.where",
      `The kernel ${verbs[o.class] ?? "faulted"} in ${name}${source}${module === undefined ? "" : `, a function of the module ${module}`}${caller === undefined || caller === name ? "" : `, called from ${caller}`}.`,
      [
        ...headline(c),
        ...linesWith(
          c,
          "registers",
          (text) =>
            /\b(NIP|RIP|EIP|LR|pc|lr)\b/.test(text) &&
            (text.includes(name) || (caller !== undefined && text.includes(caller))),
        ),
      ],
    ),
  ];
}

/** What the check says in its own words. */
function said(c: Case, o: Oops): readonly Finding[] {
  if (o.message === undefined) return [];
  const lines = [...quote(c, "message"), ...headline(c)];
  return [yes("oops.message", `The kernel's own words are: "${o.message}".`, lines)];
}

/** Classes whose address says which pointer was bad. */
const pointing: readonly Oops["class"][] = [
  "paging request",
  "null dereference",
  "general protection",
  "stack segment",
  "other",
];

function pointer(c: Case, o: Oops): readonly Finding[] {
  const bad = pointing.includes(o.class) ? badPointer(o) : undefined;
  if (bad === undefined || faultOf(c, o).key === "user access") return [];
  const { base, value, said: is } = bad;
  const skb = /skb/.test(faultAt(o) ?? "");
  const name =
    base === undefined
      ? `Address 0x${o.address ?? value}`
      : o.address === undefined
        ? `Register ${base.name} holds 0x${value}`
        : `Register ${base.name} held 0x${base.value}, and the fault was at ${base.offset < 0 ? `${-base.offset} bytes below it` : `offset 0x${base.offset.toString(16)} from it`}`;
  const flag = is.kind === "single bit" ? decodePageFlags(BigInt(`0x${value}`), c.release.version).text : "";
  const echo =
    flag === "" || /\?/.test(flag)
      ? ""
      : ` In struct page's flags of this kernel the same bit means "${flag}": this suggests a stray write by code that handles free pages; it is not proven.`;
  const argument = base !== undefined && /^(GPR0?3|RDI|EAX|[rRx]0|a0)$/.test(base.name);
  const whose =
    skb && argument && !["other", "null", "almost null"].includes(is.kind)
      ? " The function takes a packet, so the packet pointer itself was already invalid when it was passed in."
      : "";
  const poison = is.kind === "slab poison" && value.startsWith("6b");
  const next = mayBeNext(bad, o) && (is.kind === "null" || is.kind === "almost null");
  const harmless = !next && (is.kind === "null" || is.kind === "almost null" || is.kind === "error");
  // Poison is there already: the debugging that would be advised is on. A null pointer needs no such thing.
  const advice = poison || harmless ? [] : tools;
  return [
    (is.kind === "other" ? unknown : yes)(
      "oops.pointer",
      `${name}: ${next ? "near zero: a member of a null pointer, or a small number written over a pointer" : is.sentence}.${echo}${whose}`,
      [...headline(c), ...linesWith(c, "registers", (text) => text.toLowerCase().includes(value.toLowerCase()))].slice(
        0,
        4,
      ),
      advice,
    ),
    ...(poison
      ? [
          yes(
            "oops.use_after_free",
            "It is a use after free: the pointer was read from memory that had been freed and poisoned.",
            headline(c),
            advice,
          ),
        ]
      : []),
  ];
}

/** The object that a sanitizer found: who made it, who freed it. */
function sanitizer(c: Case, o: Oops): readonly Finding[] {
  const s = o.sanitizer;
  if (s === undefined) return [];
  const hand = (frames: typeof s.allocatedBy): string | undefined =>
    frames.find((f) => f.reliable && !isPlumbing(f.function))?.function;
  const freer = hand(s.freedBy);
  const hands = [
    ...[hand(s.allocatedBy)].flatMap((f) => (f === undefined ? [] : [`allocated by ${f}`])),
    ...(freer === undefined ? [] : [`freed by ${freer}`]),
  ];
  const read: readonly Advice[] =
    freer !== undefined && /use-after-free|double-free|invalid-free/.test(s.bug)
      ? [
          {
            change: { kind: "evidence" },
            action: `Find why ${/ in ([\w.$]{1,200})/.exec(o.headline)?.[1] ?? "the code that was caught"} still had the object when ${freer} freed it`,
            changes: "finds the reference that was not taken, or was dropped once too often",
            costs: "work in the source",
          },
        ]
      : [];
  const access =
    s.access === undefined
      ? ""
      : ` A ${s.access}${s.size === undefined ? "" : ` of ${s.size} ${s.size === 1 ? "byte" : "bytes"}`}.`;
  const place = s.place === undefined ? "" : ` It lies ${s.place.replace(/^located /, "")}.`;
  const lines = [...headline(c), ...quote(c, "access"), ...quote(c, "object", 4)];
  return [
    yes(
      "oops.sanitizer",
      `${s.tool} reports ${s.bug}${s.cache === undefined ? "" : ` on an object of ${s.cache}`}.${access}${place}`,
      lines,
    ),
    hands.length > 0
      ? yes(
          "oops.object_owner",
          `The object was ${listing(hands)}.`,
          [
            ...headline(c),
            ...linesWith(c, "track", (text) => hands.some((h) => text.includes(h.replace(/^.* by /, "")))),
          ],
          read,
        )
      : unknown(
          "oops.object_owner",
          'The report does not say who had the object; the stacks behind "Allocated by" and "Freed by" would have said it.',
        ),
  ];
}

/** Caches whose objects are packets, their buffers or sockets. */
const packetCaches = /^(?:skbuff|TCP|UDP|sock|request_sock)/;

/** Who made and freed the object that a sanitizer's access was in, or ran out of; an access further off was not about its neighbour. */
function ownersOf(o: Oops): readonly string[] {
  const s = o.sanitizer;
  if (s === undefined || /(?:^|\s)[1-9]\d* bytes to the (?:right|left) of/.test(s.place ?? "")) return [];
  return [...s.allocatedBy, ...s.freedBy].map((f) => f.function);
}

function packet(c: Case, o: Oops): readonly Finding[] {
  if (o.class === "sleep") return [];
  // A sanitizer's first line names the function, whatever is left of its stack.
  const named = o.sanitizer === undefined ? undefined : / in ([\w.$]{1,200})/.exec(o.headline)?.[1];
  const own = [faultAt(o), callerByLink(o), named].filter((n) => n !== undefined);
  const stack = [...own, ...c.stack.frames.filter((f) => f.reliable || own.length === 0).map((f) => f.function)];
  const near = own.some((n) => !isHelper(n)) ? own : [...own, ...stack.filter((n) => !isHelper(n)).slice(0, innermost)];
  const owners = ownersOf(o);
  const names = [...own, ...c.stack.frames.map((f) => f.function)];
  const file = o.source?.file;
  const cache = o.sanitizer?.cache;
  const hit = near.find((n) => packetNames.test(n)) ?? owners.find((n) => packetNames.test(n));
  // Without the place itself the first frame may have called anything.
  const placed = own.length > 0 || o.sanitizer !== undefined || o.class === "panic";
  if (hit !== undefined && placed) return [throughPackets(c, o, hit)];
  if (file !== undefined && packetFiles.test(file))
    return [yes("oops.packet_memory", `Packet memory is involved: the check is in ${file}.`, headline(c))];
  if (cache !== undefined && packetCaches.test(cache))
    return [
      yes(
        "oops.packet_memory",
        `Packet memory is involved: the object is of the cache ${cache}.`,
        quote(c, "object", 2),
      ),
    ];
  const alloc = names.slice(0, 6).find((n) => allocatorNames.test(n));
  if (alloc !== undefined)
    return [
      unknown(
        "oops.packet_memory",
        `It stopped inside the allocator (${alloc}). The report does not say whether it was packet memory.`,
        headline(c),
        faultOf(c, o).memory === "none" ? [] : tools,
      ),
    ];
  const handled = names.find((n) => packetNames.test(n));
  if (handled !== undefined)
    return [
      unknown(
        "oops.packet_memory",
        `A packet was being handled (${handled}, further out on the stack); the report does not say whether its memory was involved.`,
        headline(c),
      ),
    ];
  const network = names.find((n) => networkNames.test(n));
  if (network !== undefined || (file !== undefined && networkFiles.test(file)))
    return [
      unknown(
        "oops.packet_memory",
        `It stopped in code of the network (${network ?? file}); the report does not say whether a packet's memory was involved.`,
        headline(c),
      ),
    ];
  return [unrelated(c, o)];
}

/** Nothing of the network was seen: a no where the place and the whole trace were seen, else unknown. */
function unrelated(c: Case, o: Oops): Finding {
  const last = c.stack.frames.at(-1)?.function;
  const placed =
    o.class === "panic"
      ? isKnownPanic(o.headline) && c.stack.frames.some((f) => /^v?panic$/.test(f.function))
      : faultAt(o) !== undefined || o.sanitizer !== undefined || c.stack.frames.some((f) => f.function === "panic");
  const nothing = nothingMissing(c.stack.trace);
  if (last !== undefined && placed && nothing !== undefined)
    return no(
      "oops.packet_memory",
      `Nothing on this stack handles packets or their memory, down to its end (${last}).`,
      missed(nothing, [...headline(c), ...quoteFrames(c, [c.stack.frames.length - 1])]),
    );
  return unknown(
    "oops.packet_memory",
    last === undefined
      ? "The report does not say: its call trace is missing."
      : !placed
        ? `The report does not say: the ${o.class === "panic" ? "reason of the panic, or the beginning of its stack," : "line that names where it stopped"} is missing.`
        : `The report does not say: the part of the call trace that is there (up to ${last}) shows no function that handles packets, and what called it is missing.`,
    headline(c),
  );
}

function throughPackets(c: Case, o: Oops, hit: string): Finding {
  const frame = c.stack.frames.findIndex((f) => f.function === hit);
  const wild = faultOf(c, o).key === "wild pointer";
  const completion =
    wild && [faultAt(o), callerByLink(o)].some((n) => /_tx|tx_/.test(n ?? "")) && /skb/.test(faultAt(o) ?? "");
  const lines = frame >= 0 ? quoteFrames(c, [frame]) : linesWith(c, "registers", (text) => text.includes(hit));
  return yes(
    "oops.packet_memory",
    completion
      ? `Packet memory is involved: ${callerByLink(o) ?? hit} was freeing a packet after it had been sent, and the pointer in its ring did not point to a packet. Whoever freed or overwrote it did so earlier.`
      : `Packet memory is involved: ${hit}.`,
    lines.length > 0 ? lines : headline(c),
    completion ? [ownBuffers] : [],
  );
}

function afterEffects(c: Case, o: Oops): readonly Finding[] {
  const found: Finding[] = [];
  if (o.dieCounter !== undefined && o.dieCounter > 1)
    found.push(
      no(
        "oops.first",
        `This is fault number ${o.dieCounter}: the first one is where to look.`,
        shown(o.dieCounter, quote(c, "headline", 3)),
      ),
    );
  if (o.panic !== undefined)
    found.push(yes("oops.panic", `The machine went down with it: ${o.panic}.`, quote(c, "panic", 1)));
  return found;
}

/** Whether memory was short: the kind of the fault says that it was not, or leaves it open. */
function notShortage(c: Case, o: Oops): readonly Finding[] {
  const fault = faultOf(c, o);
  if (fault.memory === "shortage") return [];
  return fault.memory === "not said" && o.class !== "general protection" && o.class !== "paging request"
    ? [unknown("fragmentation", fault.reason, headline(c))]
    : [no("fragmentation", fault.reason, shown(o.headline, headline(c)))];
}
