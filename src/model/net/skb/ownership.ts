// The ownership checker: the same operations on sk_buffs, each watched. Before an operation it asks whether the caller may do this to
// that skb; after it, it counts again who holds what, from the columns, and compares with what was taken and given.
//
//   caller's users + frag_list memberships  = users          of every sk_buff
//   sk_buffs that point to the head         = dataref        of every head (payload-only ones in the high half)
//   fragments and head fragments            = skbs' share    of every page's count
//
// A fault is found at the operation that made it. Rows of freed skbs lie in quarantine, so that a stale handle is known for one.
import { ModelBug } from "../../../base/assert.ts";
import type { SkbPicture } from "../../../kernel/skb_picture.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import type { ReceiveCaches } from "./napi_alloc_cache.ts";
import type { PageWatch } from "./page_watch.ts";
import { watchPages } from "./page_watch.ts";
import { fragField, fragInts, headField, skbBit, skbField } from "./skb_columns.ts";
import type { SkbOptions } from "./skb_config.ts";
import type { Coalesced } from "./skb_paged.ts";
import { viewSkb } from "./skb_view.ts";
import type { Skbs } from "./skbs.ts";
import { createSkbs } from "./skbs.ts";

const { DESTRUCTOR: FRAG_DESTRUCTOR } = fragField;
const FRAG_INTS = fragInts;

const { HEAD, USERS, BITS, NEXT, STATE } = skbField;
const { DATAREF, NR_FRAGS, FRAG_LIST, PFN } = headField;

export type FaultKind =
  | "use after free"
  | "double free"
  | "write to shared data"
  | "header written in a clone"
  | "users wrong"
  | "dataref wrong"
  | "page reference lost"
  | "page reference given twice"
  | "destructor reference wrong";

/** What was done wrong, by which operation, and what had happened to the object before. */
export interface OwnershipFault {
  readonly kind: FaultKind;
  readonly operation: string;
  readonly sentence: string;
  /** Oldest first; the last line is the operation itself. */
  readonly history: readonly string[];
  /** The skb as it stood before the operation, where it was alive. */
  readonly picture: SkbPicture | undefined;
}

/** What is thrown when nobody listens for faults: history and drawing are in the message. */
export class OwnershipError extends ModelBug {
  readonly fault: OwnershipFault;

  constructor(fault: OwnershipFault, drawing: string) {
    super([`${fault.kind}: ${fault.sentence}`, ...fault.history.map((h) => `  ${h}`), drawing].join("\n").trimEnd());
    this.fault = fault;
  }
}

export interface OwnershipOptions {
  /** Hears of faults; the operation is then not done. Left out: OwnershipError is thrown. */
  readonly onFault?: (fault: OwnershipFault) => void;
  /** Draws the skb into the error's message. */
  readonly draw?: (picture: SkbPicture) => string;
  /** False: put and push into shared room are let through, as the kernel lets them. */
  readonly writes?: boolean;
}

export interface OwnedSkbs extends Skbs {
  readonly watch: PageWatch;
  /** The allocator for everybody who is not the skb code: drivers, pools, tests. */
  readonly outside: PageAllocator;
  /** Hears of pieces of pages that page pools give away and get back: each is a reference that the page's own count does not have. */
  readonly pieces: { given(pfn: number): void; back(pfn: number): void };
  /** Announces that the caller writes `bytes` payload bytes at `offset`. */
  write(skb: number, offset: number, bytes: number): void;
  /** Counts everything again; faults as after an operation. */
  audit(): void;
  /** sk_buffs that callers still hold, for leak tests. */
  heldByCallers(): readonly number[];
}

type Role =
  /** looked at or changed; must be alive */
  | "use"
  /** one of the caller's users is given up */
  | "give";

interface Rule {
  readonly args: readonly Role[];
  /** The result is an skb with one user for the caller. */
  readonly gives?: boolean;
  readonly writes?: "data" | "header";
}

/** What each operation does to the skbs it is given: the first arguments, in order. Operations not listed only read. */
const rules: Readonly<Partial<Record<keyof Skbs, Rule>>> = {
  allocSkb: { args: [], gives: true },
  netdevAllocSkb: { args: [], gives: true },
  napiAllocSkb: { args: [], gives: true },
  buildSkb: { args: [], gives: true },
  skbReserve: { args: ["use"] },
  skbPut: { args: ["use"], writes: "data" },
  skbPush: { args: ["use"], writes: "header" },
  skbPull: { args: ["use"] },
  skbTrim: { args: ["use"] },
  skbGet: { args: ["use"], gives: true },
  skbClone: { args: ["use"], gives: true },
  skbCopy: { args: ["use"], gives: true },
  skbCopyExpand: { args: ["use"], gives: true },
  pskbCopy: { args: ["use"], gives: true },
  pskbCopyFclone: { args: ["use"], gives: true },
  skbReallocHeadroom: { args: ["use"], gives: true },
  skbExpandHead: { args: ["give"], gives: true },
  skbShareCheck: { args: ["give"], gives: true },
  pskbExpandHead: { args: ["use"] },
  skbUnclone: { args: ["use"] },
  skbHeaderUnclone: { args: ["use"] },
  skbCow: { args: ["use"] },
  skbCowHead: { args: ["use"] },
  skbAddRxFrag: { args: ["use"] },
  skbCoalesceRxFrag: { args: ["use"] },
  skbAppendPagefrags: { args: ["use"] },
  fragSetDestructor: { args: ["use"] },
  fragListAppend: { args: ["use", "give"] },
  pskbPullTail: { args: ["use"] },
  pskbMayPull: { args: ["use"] },
  pskbPull: { args: ["use"] },
  pskbTrim: { args: ["use"] },
  skbLinearize: { args: ["use"] },
  skbCondense: { args: ["use"] },
  skbSplit: { args: ["use", "use"] },
  skbShift: { args: ["use", "use"] },
  skbTryCoalesce: { args: ["use", "use"] },
  skbSegment: { args: ["use"] },
  skbOrphan: { args: ["use"] },
  skbSetOwnerW: { args: ["use"] },
  skbSetOwnerR: { args: ["use"] },
  headerRelease: { args: ["use"] },
  zcopySet: { args: ["use"] },
  orphanFrags: { args: ["use"] },
  copyUbufs: { args: ["use"] },
  kfreeSkb: { args: ["give"] },
  consumeSkb: { args: ["give"] },
  napiConsumeSkb: { args: ["give"] },
  kfreeSkbPartial: { args: ["give"] },
  kfreeSkbList: { args: ["give"] },
};

/** Operations whose kernel name is not their own in another spelling. */
const named: Readonly<Partial<Record<keyof Skbs, string>>> = {
  pskbPullTail: "__pskb_pull_tail",
  headerRelease: "skb_header_release",
  zcopySet: "skb_zcopy_set",
  orphanFrags: "skb_orphan_frags",
  copyUbufs: "skb_copy_ubufs",
  fragSetDestructor: "skb_frag_set_destructor",
};

/** `kfree_skb`, as the kernel spells it. */
const spelled = (name: keyof Skbs | "write"): string =>
  (name === "write" ? undefined : named[name]) ?? name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

/** Operations that take a gfp mask, and which of their arguments it is. */
const maskAt: Readonly<Partial<Record<keyof Skbs, number>>> = {
  allocSkb: 1,
  netdevAllocSkb: 1,
  napiAllocSkb: 1,
  skbClone: 1,
  skbCopy: 1,
  skbCopyExpand: 3,
  pskbCopy: 1,
  pskbCopyFclone: 2,
  pskbExpandHead: 3,
  skbUnclone: 1,
  skbHeaderUnclone: 1,
  skbShareCheck: 1,
};

/** `skb_put(skb 64, 20)`: a call as a story tells it. */
function callText(name: keyof Skbs, rule: Rule, args: readonly unknown[], atomic: number): string {
  const text = (a: unknown, i: number): string => {
    if (i < rule.args.length) return `skb ${a}`;
    if (typeof a === "object") return JSON.stringify(a);
    if (i === maskAt[name]) return a === atomic ? "GFP_ATOMIC" : `0x${Number(a).toString(16)}`;
    return String(a);
  };
  return `${spelled(name)}(${args.map(text).join(", ")})`;
}

/** As for createSkbs, with the plain allocator in `pages`; the receive caches are made from the view that they are given. */
export interface OwnedSkbOptions extends Omit<SkbOptions, "receive" | "quarantineRows"> {
  readonly receive?: (pages: PageAllocator) => readonly ReceiveCaches[];
}

interface SeenHead {
  refs: number;
  payloadOnly: number;
  frag: boolean;
}

/** Watched sk_buffs. */
export function createOwnedSkbs(options: OwnedSkbOptions, owning: OwnershipOptions = {}): OwnedSkbs {
  let current = "outside";
  let serial = 0;
  const watch = watchPages(
    options.pages,
    () => `#${serial} ${current}`,
    (holder, pfn) =>
      fault("page reference given twice", `${holder} gives back a reference of page ${pfn} that it does not have`, {
        history: watch.history(pfn),
      }),
  );
  const { receive, ...rest } = options;
  const skbs = createSkbs({
    ...rest,
    pages: watch.view("skbs"),
    ...(receive === undefined ? {} : { receive: receive(watch.view("cache")) }),
    quarantineRows: 512,
  });
  const { S, H, F, fragBase } = skbs.columns;
  const users = new Map<number, number>();
  const stories = new Map<number, string[]>();
  /** skbs whose head skb_try_coalesce() has given to another: only their sk_buff is left. */
  const stolen = new Set<number>();

  /** Pieces of page pools' pages that are out, by page. */
  const pieces = new Map<number, number>();

  const alive = (skb: number): boolean => skb > 0 && (S[skb + STATE]! & 3) === 1;
  const note = (skb: number, text: string): void => {
    const story = stories.get(skb) ?? [];
    stories.set(skb, story);
    story.push(text);
    if (story.length > 24) story.splice(4, 1);
  };

  function fault(
    kind: FaultKind,
    sentence: string,
    more: { readonly history?: readonly string[]; readonly picture?: SkbPicture } = {},
  ): void {
    const found: OwnershipFault = {
      kind,
      operation: `#${serial} ${current}`,
      sentence,
      history: [...(more.history ?? []), `#${serial} ${current}: ${kind}`],
      picture: more.picture,
    };
    if (owning.onFault !== undefined) owning.onFault(found);
    else throw new OwnershipError(found, more.picture === undefined ? "" : (owning.draw?.(more.picture) ?? ""));
  }

  const about = (skb: number): { history: readonly string[]; picture?: SkbPicture } => ({
    history: stories.get(skb) ?? [],
    ...(alive(skb) ? { picture: viewSkb(skbs, skb) } : {}),
  });

  /** May the caller do this? False after a fault. */
  function allowed(name: keyof Skbs, rule: Rule, args: readonly unknown[]): boolean {
    for (let i = 0; i < rule.args.length; i++) {
      const skb = Number(args[i]);
      if (skb === 0 && name === "kfreeSkbList") continue;
      if (!alive(skb)) {
        const kind = rule.args[i] === "give" && name !== "fragListAppend" ? "double free" : "use after free";
        fault(kind, `${spelled(name)} of skb ${skb}, which is free`, about(skb));
        return false;
      }
      if (rule.args[i] === "give" && name !== "kfreeSkbList" && (users.get(skb) ?? 0) === 0) {
        fault("double free", `${spelled(name)} of skb ${skb}, of which the caller holds no user`, about(skb));
        return false;
      }
    }
    return rule.writes === undefined || owning.writes === false || mayWrite(name, rule.writes, Number(args[0]), args);
  }

  function mayWrite(
    name: keyof Skbs | "write",
    what: "data" | "header",
    skb: number,
    args: readonly unknown[],
  ): boolean {
    if (what === "data" && skbs.isCloned(skb) && args[1] !== 0) {
      fault("write to shared data", `${spelled(name)} on skb ${skb}, whose data ${sharers(skb)} share`, about(skb));
      return false;
    }
    if (what === "header" && skbs.isHeaderCloned(skb) && args[1] !== 0) {
      fault(
        "header written in a clone",
        `${spelled(name)} on skb ${skb}, whose header ${sharers(skb)} share`,
        about(skb),
      );
      return false;
    }
    return true;
  }

  const sharers = (skb: number): string => `${H[S[skb + HEAD]! + DATAREF]! & 0xffff} sk_buffs`;

  /** Books what the operation did to the caller's users and to pages that change hands. */
  function book(name: string, rule: Rule, args: readonly unknown[], result: unknown): void {
    rule.args.forEach((role, i) => {
      const skb = Number(args[i]);
      note(skb, `#${serial} ${current}`);
      if (role === "give" && name !== "kfreeSkbList") users.set(skb, (users.get(skb) ?? 0) - 1);
    });
    if (rule.gives === true && typeof result === "number" && result !== 0) {
      if (!users.has(result)) stories.set(result, []);
      users.set(result, (users.get(result) ?? 0) + 1);
      note(result, `#${serial} ${current} -> skb ${result}`);
    }
    if (name === "skbAddRxFrag") watch.pass("outside", "skbs", Number(args[2]), 1);
    if (name === "skbTryCoalesce" && (result as Coalesced).headStolen) stolen.add(Number(args[1]));
    if (name === "kfreeSkbPartial") stolen.delete(Number(args[0]));
    if (name === "skbSegment" && typeof result === "number")
      for (let s = result; s !== 0; s = S[s + NEXT]!) users.set(s, 1);
    if (name === "kfreeSkbList") for (const skb of [...users.keys()]) if (!alive(skb)) users.delete(skb);
  }

  /** A head fragment came from a cache or from outside. */
  function bookHead(name: string, result: unknown): void {
    if (typeof result !== "number" || result === 0 || (S[result + BITS]! & skbBit.headFrag) === 0) return;
    const pfn = H[S[result + HEAD]! + PFN]!;
    if (name === "netdevAllocSkb" || name === "napiAllocSkb")
      watch.pass(watch.held("cache", pfn) > 0 ? "cache" : "outside", "skbs", pfn, 1);
    if (name === "buildSkb") watch.pass(watch.held("outside", pfn) > 0 ? "outside" : "cache", "skbs", pfn, 1);
  }

  function audit(): void {
    const rows = new Set<number>();
    const lists = new Map<number, number>();
    const heads = new Map<number, SeenHead>();
    const pending = [...users].filter(([skb, n]) => n > 0 && alive(skb)).map(([skb]) => skb);
    for (let skb = pending.pop(); skb !== undefined; skb = pending.pop()) {
      if (rows.has(skb)) continue;
      rows.add(skb);
      if (stolen.has(skb)) continue;
      const head = S[skb + HEAD]!;
      const bits = S[skb + BITS]!;
      const first = !heads.has(head);
      const seen = heads.get(head) ?? { refs: 0, payloadOnly: 0, frag: false };
      heads.set(head, seen);
      seen.refs++;
      if ((bits & skbBit.nohdr) !== 0) seen.payloadOnly++;
      seen.frag ||= (bits & skbBit.headFrag) !== 0;
      if (!first) continue;
      for (let list = H[head + FRAG_LIST]!; list !== 0; list = S[list + NEXT]!) {
        if (!alive(list)) {
          fault("use after free", `skb ${skb} has the freed skb ${list} in its frag_list`, about(list));
          return;
        }
        lists.set(list, (lists.get(list) ?? 0) + 1);
        pending.push(list);
      }
    }
    countUsers(rows, lists);
    countHeads(heads);
    countPages(heads);
  }

  function countUsers(rows: ReadonlySet<number>, lists: ReadonlyMap<number, number>): void {
    for (const skb of rows) {
      const callers = Math.max(0, users.get(skb) ?? 0);
      const members = lists.get(skb) ?? 0;
      if (S[skb + USERS] !== callers + members)
        fault(
          "users wrong",
          `skb ${skb} has users ${S[skb + USERS]}; callers hold ${callers}, frag_lists ${members}`,
          about(skb),
        );
    }
  }

  function countHeads(heads: ReadonlyMap<number, SeenHead>): void {
    for (const [head, { refs, payloadOnly }] of heads) {
      const dataref = H[head + DATAREF]!;
      if ((dataref & 0xffff) !== refs || dataref >>> 16 > refs || (payloadOnly > 0 && dataref >>> 16 !== payloadOnly))
        fault("dataref wrong", `head ${head} has dataref ${dataref & 0xffff}; ${refs} sk_buffs point to it`, {
          history: headStory(head),
        });
    }
  }

  const headStory = (head: number): readonly string[] =>
    [...stories].filter(([skb]) => alive(skb) && S[skb + HEAD] === head).flatMap(([, story]) => story);

  function countPages(heads: ReadonlyMap<number, SeenHead>): void {
    const wanted = new Map<number, number>();
    const destructors = new Map<number, number>();
    const want = (pfn: number): void => {
      const block = options.pages.compoundHead(pfn);
      wanted.set(block, (wanted.get(block) ?? 0) + 1);
    };
    for (const [head, { frag }] of heads) {
      if (frag) want(H[head + PFN]!);
      const base = fragBase(head);
      for (let f = base; f < base + H[head + NR_FRAGS]! * FRAG_INTS; f += FRAG_INTS)
        if (F[f + FRAG_DESTRUCTOR] === 0) want(F[f]!);
        else destructors.set(F[f + FRAG_DESTRUCTOR]!, (destructors.get(F[f + FRAG_DESTRUCTOR]!) ?? 0) + 1);
    }
    for (const block of new Set([...wanted.keys(), ...watch.blocksOf("skbs")])) {
      const has = watch.held("skbs", block);
      const needs = wanted.get(block) ?? 0;
      if (has === needs) continue;
      fault(
        has > needs ? "page reference lost" : "page reference given twice",
        `the skbs hold ${has} references of page ${block}, ${needs} of their fragments and heads lie in it`,
        { history: watch.history(block) },
      );
    }
    for (const [d, needs] of destructors) {
      const has = skbs.fragDestructors.refs(d);
      if (has < needs || has > needs + 1)
        fault("destructor reference wrong", `destructor ${d} has ${has} references, ${needs} fragments point to it`);
    }
  }

  function wrap(name: keyof Skbs, rule: Rule, run: (...args: never[]) => unknown): (...args: never[]) => unknown {
    return (...args) => {
      serial++;
      current = callText(name, rule, args, skbs.config.gfp.atomic);
      try {
        if (!allowed(name, rule, args)) return 0;
        const result = run(...args);
        bookHead(name, result);
        book(name, rule, args, result);
        for (const skb of [...users.keys()]) if (users.get(skb) === 0 && !alive(skb)) users.delete(skb);
        audit();
        return result;
      } finally {
        current = "outside";
      }
    };
  }

  const wrapped: Record<string, unknown> = { ...skbs };
  for (const [name, rule] of Object.entries(rules) as [keyof Skbs, Rule][])
    wrapped[name] = wrap(name, rule, skbs[name] as (...args: never[]) => unknown);
  return {
    ...(wrapped as unknown as Skbs),
    setPoolReturn: (returnPage) =>
      skbs.setPoolReturn((pfn) => {
        // The pool takes the reference over, so it is booked before the pool uses it.
        if (watch.held("skbs", pfn) > 0) watch.pass("skbs", "outside", pfn, 1);
        if (returnPage(pfn)) return true;
        watch.pass("outside", "skbs", pfn, 1);
        return false;
      }),
    setPoolShare: (sharePage) =>
      skbs.setPoolShare((pfn) => {
        if (!sharePage(pfn)) return false;
        watch.pass("outside", "skbs", pfn, 1);
        return true;
      }),
    pieces: {
      given(pfn) {
        pieces.set(pfn, (pieces.get(pfn) ?? 0) + 1);
        watch.credit("outside", pfn, 1);
      },
      back(pfn) {
        const out = pieces.get(pfn) ?? 0;
        if (out === 0) return;
        pieces.set(pfn, out - 1);
        watch.credit("outside", pfn, -1);
      },
    },
    watch,
    outside: watch.view("outside"),
    audit,
    write(skb, offset, bytes) {
      serial++;
      current = `write(${skb}, ${offset}, ${bytes})`;
      if (!alive(skb)) fault("use after free", `write to skb ${skb}, which is free`, about(skb));
      else mayWrite("write", "data", skb, [skb, bytes]);
      current = "outside";
    },
    heldByCallers: () => [...users].filter(([, n]) => n > 0).map(([skb]) => skb),
  };
}
