// Replays random sequences of sk_buff operations (fuzz_s*.ndjson): six slots, and after every operation every field of every live skb.
// The recorder wrote bytes from a running counter that goes up by 7 a byte and starts at the seed: into what put and push open, and
// over each page it made. It holds one reference of its own on those pages. A page that was made for an operation which the recorder
// then gave up was filled at a moment that is not on record: which of the counter's values since the page before it began the page
// is taken from the record's hash, at the page's first use.
import { BadInput } from "../base/bad_input.ts";
import { payloadFnv } from "../model/net/skb/skb_view.ts";
import { allocFlag } from "../model/net/skb/skbuff.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";
import type { Comparer, Row } from "./skb_compare.ts";
import { createComparer, hashedBytes } from "./skb_compare.ts";
import type { SeenPiece, SkbMachine } from "./skb_machine.ts";
import { cpusOf, createSkbMachine, pageSize } from "./skb_machine.ts";
import type { NapiComparer } from "./skb_napi.ts";
import { createNapiComparer } from "./skb_napi.ts";
import { kernelOfTranscript } from "./transcript_kernel.ts";

export const skbFuzzReplayer: Replayer = {
  kind: "skb",
  formats: ["ora_skb/0", "ora_skb/1", "ora_skb/2"],
  sniff: (line) => /^\{"t":"fuzz",/.test(line) && line.includes('"seed"'),
  replay: (input) => replaySkbFuzz(input, createSkbMachine),
};

interface Run {
  readonly machine: SkbMachine;
  readonly napi: NapiComparer;
  /** Model skb in each slot; 0 is empty. */
  readonly slots: number[];
  readonly pagesMade: Map<number, number>;
  readonly pageOrders: ReadonlyMap<number, number>;
  fill: number;
  /** The counter after each write; and for each page index the first entry it can begin with, and the last there was when it was named. */
  readonly fills: number[];
  readonly dated: Map<number, readonly [since: number, named: number]>;
  /** The page that this operation named for the first time, or -1. */
  newPage: number;
}

type Outcome = Readonly<Record<string, number>>;

/** Replays on a machine of the caller's making. */
export function replaySkbFuzz(input: TranscriptInput, create: typeof createSkbMachine): Replayed {
  const run = start(input, create);
  const comparer = createComparer(run.machine);
  let operations = 0;
  let exact = 0;
  let first: Difference | undefined;
  for (let i = 1; i < input.lines.length; i++) {
    const row = objectAt(input, i);
    if (row["t"] === "pages_at_end") {
      operations++;
      const found = pagesAtEnd(run, row);
      if (found === undefined) exact++;
      else first ??= { line: i + 1, operation: "pages at the end", ...found, reasons: [] };
      continue;
    }
    if (row["t"] !== "op") continue;
    operations++;
    const found = step(run, comparer, row, { file: input.path, line: i + 1 });
    if (found === undefined) exact++;
    else {
      first ??= { line: i + 1, operation: describe(row), ...found };
      // After a difference the two sides hold different packets: what follows would only repeat it.
      operations += remaining(input, i + 1);
      break;
    }
  }
  return { operations, exact, firstDifference: first };
}

function start(input: TranscriptInput, create: typeof createSkbMachine): Run {
  const head = objectAt(input, 0);
  const kernel = kernelOfTranscript(input, head);
  const orders = new Map<number, number>();
  for (let i = input.lines.length - 1; i > 0 && i >= input.lines.length - 4; i--) {
    const row = objectAt(input, i);
    if (row["t"] === "pages_at_end")
      for (const [index, , order] of row["pages"] as number[][]) orders.set(index!, order!);
  }
  const machine = create({ kernel, cpus: cpusOf(kernel, input.lines) });
  return {
    machine,
    napi: createNapiComparer(machine),
    slots: [0, 0, 0, 0, 0, 0],
    pagesMade: new Map(),
    pageOrders: orders,
    fill: Number(head["seed"]) & 255,
    fills: [Number(head["seed"]) & 255],
    dated: new Map(),
    newPage: -1,
  };
}

const remaining = (input: TranscriptInput, from: number): number =>
  input.lines.slice(from).filter((line) => /^\{"t":"(op|pages_at_end)"/.test(line)).length;

const describe = (row: Row): string =>
  Object.entries(row)
    .filter(([key]) => key !== "t" && key !== "slots" && key !== "then" && key !== "napi")
    .map(([key, value]) => (key === "op" ? String(value) : `${key}=${value}`))
    .join(" ");

function step(
  run: Run,
  comparer: Comparer,
  row: Row,
  place: { readonly file: string; readonly line: number },
): Omit<Difference, "line" | "operation"> | undefined {
  const op = String(row["op"]);
  const perform = operations[op];
  if (perform === undefined)
    throw new BadInput(
      `There is no sk_buff operation "${op}".`,
      place,
      `Known: ${Object.keys(operations).join(", ")}.`,
    );
  checkRow(run, row, place);
  show(run, row);
  run.newPage = -1;
  let outcome: Outcome;
  try {
    outcome = perform(run, row);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { kernel: "went on", model: error.message, reasons: [] };
  }
  const named = pageNamed(run, row);
  if (named !== undefined) return named;
  for (const key in outcome)
    if (outcome[key] !== row[key])
      return { kernel: `${key}=${row[key]}`, model: `${key}=${outcome[key]}`, reasons: [] };
  if (run.newPage >= 0) dateNewPage(run, row);
  return compareSlots(run, comparer, row) ?? run.napi.compare(row);
}

/** An operation on a page of the recorder's names its pfn as well: the page keeps it. */
function pageNamed(run: Run, row: Row): Omit<Difference, "line" | "operation"> | undefined {
  const page = run.pagesMade.get(Number(row["page"]));
  const pfn = row["pfn"];
  if (page === undefined || pfn === undefined || run.machine.pages.same(page, Number(pfn))) return undefined;
  return { kernel: `pfn=${pfn}`, model: `pfn=${run.machine.pages.nameOf(page) ?? "another page's"}`, reasons: [] };
}

/** Finds the value of the counter with which a page named for the first time was filled; leaves the latest when none fits. */
function dateNewPage(run: Run, row: Row): void {
  const { skbs } = run.machine;
  const dump = (row["slots"] as readonly Row[]).find((d) => d["slot"] === row["slot"]);
  const skb = slotOf(run, row);
  // Pages were made in the order of their index.
  const index = Number(row["page"]);
  let since = 0;
  let last = run.fills.length - 1;
  const named = last;
  for (const [other, [otherSince, otherNamed]] of run.dated) {
    if (other < index) since = Math.max(since, otherSince);
    else last = Math.min(last, otherNamed);
  }
  for (let at = last; at >= since; at--) {
    fillPage(run, run.newPage, run.fills[at]!);
    if (payloadFnv(skbs, skb, hashedBytes) !== dump?.["fnv"]) continue;
    run.dated.set(index, [run.fills.indexOf(run.fills[at]!, since), named]);
    return;
  }
  fillPage(run, run.newPage, run.fill);
}

/** Refuses an operation without its dump, or on a slot that holds nothing. */
function checkRow(run: Run, row: Row, place: { readonly file: string; readonly line: number }): void {
  if (!Array.isArray(row["slots"]))
    throw new BadInput(
      `The operation ${row["op"]} has no "slots" after it.`,
      place,
      "Copy the transcript again, whole.",
    );
  for (const key of ["slot", "from", "to"]) {
    const slot = row[key];
    if (slot === undefined) continue;
    if (typeof slot !== "number" || (run.slots[slot] ?? 0) === 0)
      throw new BadInput(
        `The operation ${row["op"]} works on slot ${slot}, which is empty.`,
        place,
        "Lines may be missing.",
      );
  }
}

function compareSlots(run: Run, comparer: Comparer, row: Row): Omit<Difference, "line" | "operation"> | undefined {
  const dumps = row["slots"] as readonly Row[];
  const there = dumps.map((dump) => Number(dump["slot"]));
  const here = run.slots.flatMap((skb, slot) => (skb === 0 ? [] : [slot]));
  if (String(there) !== String(here))
    return { kernel: `skbs in slots ${there}`, model: `skbs in slots ${here}`, reasons: [] };
  comparer.begin();
  for (const dump of dumps) {
    const slot = Number(dump["slot"]);
    const found = comparer.compare(`slot ${slot}`, dump, run.slots[slot]!);
    if (found !== undefined)
      return {
        kernel: `${found.field} = ${String(found.kernel)}`,
        model: `${found.field} = ${String(found.model)}`,
        reasons: [],
      };
  }
  comparer.end();
  return undefined;
}

/** Shows the fragment caches what the record says about the piece this operation is going to cut. */
function show(run: Run, row: Row): void {
  const dumps = row["slots"] as readonly Row[];
  const made = dumps.find((dump) => dump["slot"] === row["dst"]);
  const page = made?.["head_frag"] === 1 ? (made["head_page"] as Row) : undefined;
  const piece: SeenPiece | undefined =
    page === undefined
      ? undefined
      : {
          pfn: Number(page["pfn"]),
          offset: Number(page["off"]),
          count: Number(page["count"]),
          order: Number(page["order"]),
        };
  run.machine.frags.show(piece);
  run.machine.slices.show(piece);
}

function pagesAtEnd(run: Run, row: Row): { kernel: string; model: string } | undefined {
  for (const [at, [index, pfn, order, count]] of (row["pages"] as number[][]).entries()) {
    if (index !== at) return { kernel: `page ${index}`, model: `page ${at}` };
    const page = run.pagesMade.get(index!);
    const { pages } = run.machine;
    // Never named by an operation: nobody but the recorder holds it.
    if (page === undefined) {
      if (count !== 1) return { kernel: `page ${index}: count ${count}`, model: `page ${index}: count 1` };
      continue;
    }
    const model = `${pages.nameOf(page) ?? pfn} ${pages.compoundOrder(page)} ${pages.pageCount(page)}`;
    if (model !== `${pfn} ${order} ${count}`)
      return { kernel: `page ${index}: ${pfn} ${order} ${count}`, model: `page ${index}: ${model}` };
  }
  return undefined;
}

// --- what the recorder did --------------------------------------------------------------------------------------------------

/** `bytes` bytes that go up by 7 from behind `start`. */
function pattern(start: number, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) out[i] = start + 7 * (i + 1);
  return out;
}

/** A page's bytes are a multiple of 256: filling it leaves the counter where it was. */
function fillPage(run: Run, page: number, start: number): void {
  const bytes = pageSize << run.machine.pages.compoundOrder(page);
  run.machine.memory.write(page * pageSize, pattern(start, bytes));
}

/** The recorder's page `index`, made and filled when first named; index -1 is the page that the skb's last fragment lies in. */
function recorderPage(run: Run, row: Row): number {
  const index = Number(row["page"]);
  if (index < 0) return run.machine.pages.named(Number(row["pfn"])) ?? -1;
  let page = run.pagesMade.get(index);
  if (page === undefined) {
    const order = Number(row["order"] ?? run.pageOrders.get(index) ?? 0);
    page = run.machine.outside.allocPages(0, order);
    fillPage(run, page, run.fill);
    run.pagesMade.set(index, page);
    run.newPage = page;
  }
  return page;
}

const number = (row: Row, key: string): number => Number(row[key]);
const atomic = 0xa20;

/** Puts a new skb into the slot `dst`; ret says whether there is one. */
function into(run: Run, row: Row, skb: number): Outcome {
  run.slots[number(row, "dst")] = skb;
  return { ret: skb === 0 ? 0 : 1 };
}

const slotOf = (run: Run, row: Row): number => run.slots[number(row, "slot")]!;

function opened(run: Run, skb: number, offset: number, bytes: number): Outcome {
  const { memory, skbs } = run.machine;
  const head = skbs.columns.S[skb]!;
  memory.write(skbs.columns.headAddress[head >> 4]! + offset, pattern(run.fill, bytes));
  run.fill = (run.fill + 7 * bytes) & 255;
  run.fills.push(run.fill);
  return {};
}

function buildSkb(run: Run, row: Row): Outcome {
  const { skbs, heap, outside, frags } = run.machine;
  const bytes = number(row, "frag_size");
  const napi = row["fn"] === "napi_build_skb";
  switch (row["kind"]) {
    case "kmalloc":
      return into(run, row, skbs.buildSkb(heap.kmalloc(number(row, "kmalloc_size"), atomic), 0, napi));
    case "netdev_alloc_frag":
      return into(run, row, skbs.buildSkb(frags.alloc(Math.ceil(bytes / 64) * 64, atomic, ~0), bytes, napi));
    default:
      return into(
        run,
        row,
        skbs.buildSkb(outside.allocPages(atomic, Math.log2(bytes / pageSize)) * pageSize, bytes, napi),
      );
  }
}

function appendPagefrags(run: Run, row: Row): Outcome {
  const { skbs } = run.machine;
  const skb = slotOf(run, row);
  const ret = skbs.skbAppendPagefrags(skb, recorderPage(run, row), number(row, "off"), number(row, "size"));
  if (ret === 0) skbs.lenAdd(skb, number(row, "size"));
  return { ret };
}

function addRxFrag(run: Run, row: Row): Outcome {
  const { skbs, outside } = run.machine;
  const skb = slotOf(run, row);
  const page = recorderPage(run, row);
  outside.getPage(page);
  skbs.skbAddRxFrag(skb, skbs.nrFrags(skb), page, number(row, "off"), number(row, "size"), number(row, "truesize"));
  return {};
}

function tryCoalesce(run: Run, row: Row): Outcome {
  const { skbs } = run.machine;
  const to = run.slots[number(row, "to")]!;
  const from = run.slots[number(row, "from")]!;
  const done = skbs.skbTryCoalesce(to, from);
  if (done.merged) {
    skbs.kfreeSkbPartial(from, done.headStolen);
    run.slots[number(row, "from")] = 0;
  }
  return { ret: Number(done.merged), stolen: Number(done.headStolen), delta_truesize: done.deltaTruesize };
}

function splitInto(run: Run, row: Row): Outcome {
  const { skbs } = run.machine;
  const rest = skbs.allocSkb(number(row, "dst_alloc"), 0xcc0);
  skbs.skbReserve(rest, number(row, "dst_reserve"));
  skbs.skbSplit(slotOf(run, row), rest, number(row, "len"));
  run.slots[number(row, "dst")] = rest;
  return {};
}

/** The budget that the recorder's poll claims: not 0, which would mean no poll. */
const pollBudget = 64;

function gone(run: Run, row: Row, free: (skb: number) => void): Outcome {
  free(slotOf(run, row));
  run.slots[number(row, "slot")] = 0;
  return {};
}

const operations: Readonly<Record<string, (run: Run, row: Row) => Outcome>> = {
  alloc_skb: (run, row) =>
    into(run, row, run.machine.skbs.allocSkb(number(row, "size"), 0xcc0, row["fclone"] === 1 ? allocFlag.fclone : 0)),
  netdev_alloc_skb: (run, row) => into(run, row, run.machine.skbs.netdevAllocSkb(number(row, "size"), atomic)),
  napi_alloc_skb: (run, row) => into(run, row, run.machine.skbs.napiAllocSkb(number(row, "size"), atomic)),
  build_skb: buildSkb,
  skb_clone: (run, row) => into(run, row, run.machine.skbs.skbClone(slotOf(run, row), 0xcc0)),
  skb_copy: (run, row) => into(run, row, run.machine.skbs.skbCopy(slotOf(run, row), 0xcc0)),
  pskb_copy: (run, row) => into(run, row, run.machine.skbs.pskbCopy(slotOf(run, row), 0xcc0)),
  skb_copy_expand: (run, row) =>
    into(
      run,
      row,
      run.machine.skbs.skbCopyExpand(slotOf(run, row), number(row, "newhead"), number(row, "newtail"), 0xcc0),
    ),
  skb_realloc_headroom: (run, row) =>
    into(run, row, run.machine.skbs.skbReallocHeadroom(slotOf(run, row), number(row, "n"))),
  skb_expand_head(run, row) {
    const skb = run.machine.skbs.skbExpandHead(slotOf(run, row), number(row, "headroom"));
    run.slots[number(row, "slot")] = skb;
    return { ret: skb === 0 ? 0 : 1 };
  },
  pskb_expand_head: (run, row) => ({
    ret: run.machine.skbs.pskbExpandHead(slotOf(run, row), number(row, "nhead"), number(row, "ntail"), 0xcc0),
  }),
  skb_unclone: (run, row) => ({ ret: run.machine.skbs.skbUnclone(slotOf(run, row), 0xcc0) }),
  skb_cow: (run, row) => ({ ret: run.machine.skbs.skbCow(slotOf(run, row), number(row, "n")) }),
  skb_cow_head: (run, row) => ({ ret: run.machine.skbs.skbCowHead(slotOf(run, row), number(row, "n")) }),
  skb_linearize: (run, row) => ({ ret: run.machine.skbs.skbLinearize(slotOf(run, row)) }),
  __pskb_pull_tail: (run, row) => ({
    ret: run.machine.skbs.pskbPullTail(slotOf(run, row), number(row, "delta")) >= 0 ? 1 : 0,
  }),
  pskb_trim: (run, row) => ({ ret: run.machine.skbs.pskbTrim(slotOf(run, row), number(row, "len")) }),
  skb_reserve(run, row) {
    run.machine.skbs.skbReserve(slotOf(run, row), number(row, "n"));
    return {};
  },
  skb_put(run, row) {
    const skb = slotOf(run, row);
    const bytes = number(row, "n");
    return opened(run, skb, run.machine.skbs.skbPut(skb, bytes), bytes);
  },
  skb_push(run, row) {
    const skb = slotOf(run, row);
    const bytes = number(row, "n");
    return opened(run, skb, run.machine.skbs.skbPush(skb, bytes), bytes);
  },
  skb_pull(run, row) {
    run.machine.skbs.skbPull(slotOf(run, row), number(row, "n"));
    return {};
  },
  skb_add_rx_frag: addRxFrag,
  skb_append_pagefrags: appendPagefrags,
  frag_list_append(run, row) {
    const from = number(row, "from");
    run.machine.skbs.fragListAppend(slotOf(run, row), run.slots[from]!);
    run.slots[from] = 0;
    return {};
  },
  skb_split: splitInto,
  skb_try_coalesce: tryCoalesce,
  kfree_skb: (run, row) => gone(run, row, (skb) => run.machine.skbs.kfreeSkb(skb)),
  consume_skb: (run, row) => gone(run, row, (skb) => run.machine.skbs.consumeSkb(skb)),
  napi_consume_skb: (run, row) => gone(run, row, (skb) => run.machine.skbs.napiConsumeSkb(skb, pollBudget)),
};
