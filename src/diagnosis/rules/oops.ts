// A fault inside the kernel: where it stood, what the bad pointer was, whether packet memory is involved, and what died with it.
import { decodePageFlags } from "../../kernel/facts/page_flags.ts";
import type { Oops } from "../../kernel/readings/oops.ts";
import type { Case } from "../case.ts";
import { quote, quoteFrames } from "../case.ts";
import type { Advice, Finding } from "../finding.ts";
import { no, unknown, yes } from "../finding.ts";
import { ownBuffers } from "../own_buffers.ts";
import { baseRegister, namePointer } from "../pointers.ts";
import type { Rule } from "../rule.ts";

const skbNames =
  /skb|^__?(netdev|napi)_alloc|page_pool|page_frag|^(emac|mal|tg3|igb|ixgbe|e1000)_|net_rx_action|net_tx_action/;
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

export const oops: Rule = {
  id: "oops",
  asks: "Where did it fault, on which pointer, and is packet memory involved?",
  kinds: ["oops"],
  answer: (c) => {
    const o = oopsOf(c);
    if (o === undefined) return [];
    return [...where(c, o), ...pointer(c, o), ...packet(c, o), ...afterEffects(c, o), notShortage(c, o)];
  },
};

const at = (o: Oops): string | undefined => o.at?.function ?? o.registers?.at?.function;

const headline = (c: Case) => quote(c, "headline", 2);

function where(c: Case, o: Oops): readonly Finding[] {
  const name = at(o);
  if (name === undefined) return [];
  const caller = o.link?.function;
  const source = o.source === undefined ? "" : ` (${o.source.file}:${o.source.line})`;
  return [
    yes(
      "oops.where",
      `The kernel ${o.class === "warning" ? "warned" : o.class === "bug" ? "stopped on a check of its own" : "faulted"} in ${name}${source}${caller === undefined || caller === name ? "" : `, called from ${caller}`}.`,
      [
        ...headline(c),
        ...quote(c, "registers", 40).filter(
          (q) =>
            /\b(NIP|RIP|EIP|LR|pc|lr)\b/.test(q.text) &&
            (q.text.includes(name) || (caller !== undefined && q.text.includes(caller))),
        ),
      ],
    ),
  ];
}

function pointer(c: Case, o: Oops): readonly Finding[] {
  if (o.address === undefined || !/^[0-9a-f]{1,16}$/i.test(o.address) || o.class === "warning") return [];
  const bits = o.address.length > 8 ? 64 : 32;
  const base = o.registers === undefined ? undefined : baseRegister(o.registers.values, o.address);
  const skb = /skb/.test(at(o) ?? "");
  const value = base?.value ?? o.address;
  const said = namePointer(value, bits);
  const name =
    base === undefined
      ? `Address 0x${o.address}`
      : `Register ${base.name} held 0x${value}, and the fault was at offset 0x${base.offset.toString(16)} from it`;
  const flag = said.kind === "single bit" ? decodePageFlags(BigInt(`0x${value}`), c.release.version).text : "";
  const echo =
    flag === "" || /\?/.test(flag)
      ? ""
      : ` In struct page's flags of this kernel the same bit means "${flag}": suggestive of a stray write by whoever handles free pages, not proven.`;
  const meaning = `${name}: ${said.sentence}.${echo}`;
  const argument = base === undefined || /^(GPR0?3|RDI|EAX|[rRx]0|a0)$/.test(base.name);
  const whose =
    skb && argument && said.kind !== "other"
      ? " The function takes a packet, so the packet pointer itself was already garbage when it was handed over."
      : "";
  const poison = said.kind === "slab poison" && value.startsWith("6b");
  // Poison is there already: the debugging that would be advised is on.
  const advice = poison ? [] : tools;
  return [
    (said.kind === "other" ? unknown : yes)(
      "oops.pointer",
      meaning + whose,
      [
        ...headline(c),
        ...quote(c, "registers", 40).filter((q) => q.text.toLowerCase().includes(value.toLowerCase())),
      ].slice(0, 4),
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

function packet(c: Case, o: Oops): readonly Finding[] {
  const names = [at(o), o.link?.function, ...c.stack.frames.map((f) => f.function)].filter((n) => n !== undefined);
  const hit = names.find((n) => skbNames.test(n));
  if (hit === undefined) {
    const alloc = names.slice(0, 6).find((n) => allocatorNames.test(n));
    if (alloc !== undefined)
      return [
        unknown(
          "oops.packet_memory",
          `It faulted inside the allocator (${alloc}): memory that somebody damaged earlier. The report does not say whether it was packet memory.`,
          headline(c),
          tools,
        ),
      ];
    return [no("oops.packet_memory", "Nothing on this stack handles packets or their memory.", headline(c))];
  }
  const frame = c.stack.frames.findIndex((f) => f.function === hit);
  const completion = [at(o), o.link?.function].some((n) => /_tx|tx_/.test(n ?? "")) && /skb/.test(at(o) ?? "");
  return [
    yes(
      "oops.packet_memory",
      completion
        ? `Packet memory is involved: ${o.link?.function ?? hit} was freeing a packet after it had been sent, and the pointer in its ring did not point to a packet. Whoever freed or overwrote it did so earlier.`
        : `Packet memory is involved: ${hit}.`,
      frame >= 0
        ? quoteFrames(c, [frame])
        : quote(c, "registers", 40)
            .filter((q) => q.text.includes(hit))
            .slice(0, 2),
      completion ? [ownBuffers] : [],
    ),
  ];
}

function afterEffects(c: Case, o: Oops): readonly Finding[] {
  const found: Finding[] = [];
  if ((o.dieCounter ?? 1) > 1)
    found.push(
      no(
        "oops.first",
        `This is fault number ${o.dieCounter}: the machine was hurt before, look at the first one.`,
        quote(c, "headline", 3),
      ),
    );
  if (o.panic !== undefined)
    found.push(yes("oops.panic", `The machine went down with it: ${o.panic}.`, quote(c, "panic", 1)));
  return found;
}

function notShortage(c: Case, o: Oops): Finding {
  const warning = o.class === "warning";
  return no(
    "fragmentation",
    warning
      ? "This is not a shortage of memory: a check inside the kernel failed, and it went on."
      : "This is neither fragmentation nor a shortage: memory was used that did not hold what it should. That is corruption.",
    headline(c),
  );
}
