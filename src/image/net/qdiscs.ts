// Queueing disciplines with the packets that wait in them. Most keep them in a way of their own (a ring, flows, trees): how, is asked of the
// kernel's and its modules' BTF. Whether all were found is counted: the discipline itself says how many packets it and those below it hold.
import { ifThere } from "../address_space.ts";
import { type Kernel, perCpu } from "../kernel.ts";
import { type Chain, chainOrProblem, walkChain, walkRing, walkTree } from "../lists.ts";
import type { Field, Struct } from "../types.ts";
import { StructView } from "../view.ts";

export interface QdiscState {
  /** Transmit queues that it serves; one that serves several stands here once. */
  readonly txqs: readonly number[];
  readonly address: bigint;
  readonly kind: string;
  /** `8001:`; "" for a default one, which has no handle. */
  readonly handle: string;
  /** `1:10`, the class that it hangs in; undefined at the top of a transmit queue. */
  readonly parent: string | undefined;
  readonly skbs: readonly bigint[];
  /** Packets by its own count, with those of all disciplines below it. */
  readonly qlen: number;
  /** Packets that it counts, that no discipline below it counts, and that were not found. */
  readonly unread: number;
  /** What is wrong with the lists that it keeps its packets on, or with their number; undefined when nothing is. */
  readonly problem: string | undefined;
}

/** `fq_codel` for the one of a transmit queue, `sfq in class 1:20` for one below another. */
export const qdiscName = (q: QdiscState): string =>
  q.parent === undefined ? q.kind : `${q.kind} in class ${q.parent}`;

const mostHashed = 65536;
const mostFlows = 65536;
/** TCQ_F_CPUSTATS, include/net/sch_generic.h, 4.9 to 7.2. */
const perCpuStatistics = 0x20;

/** One discipline as it was found, before those below it are taken off its count. */
interface Found extends Omit<QdiscState, "unread" | "parent"> {
  /** All the places are known in which it keeps packets. */
  readonly isWhole: boolean;
  readonly handleWord: number;
  readonly parentWord: number;
}

/** The disciplines of a device: `tops` are those of its transmit queues, in order; those below stand in a table of the device. */
export function qdiscsOf(kernel: Kernel, dev: StructView, tops: readonly bigint[]): readonly QdiscState[] {
  const queuesOf = new Map<bigint, number[]>();
  for (const [txq, at] of tops.entries()) queuesOf.set(at, [...(queuesOf.get(at) ?? []), txq]);
  const read = (at: bigint, txqs: readonly number[]): readonly Found[] =>
    ifThere(() => [qdisc(kernel, at, txqs)]) ?? [];
  const below = hashed(kernel, dev)
    .filter((at) => !queuesOf.has(at))
    .flatMap((at) => read(at, ifThere(() => [txqOf(kernel, dev, at)]) ?? []));
  const counted = (q: Found): QdiscState => {
    const { handleWord, parentWord, isWhole, ...state } = q;
    const isParent = (b: Found): boolean => handleWord >>> 16 !== 0 && b.parentWord >>> 16 === handleWord >>> 16;
    const under = below.reduce((n, b) => n + (isParent(b) ? b.qlen : 0), 0);
    const own = q.qlen - under;
    // One that keeps no packet itself may count those below it or not (mq).
    const isWrong = isWhole && q.skbs.length > 0 && q.skbs.length !== own;
    return {
      ...state,
      parent: queuesOf.has(q.address) ? undefined : classId(parentWord),
      unread: Math.max(0, own - q.skbs.length),
      problem: q.problem ?? (isWrong ? `qlen says ${own}, ${q.skbs.length} are on its lists` : undefined),
    };
  };
  return [...[...queuesOf].flatMap(([at, txqs]) => read(at, txqs)), ...below].map(counted);
}

/** The transmit queue that a discipline belongs to. Throws Absent. */
function txqOf(kernel: Kernel, dev: StructView, at: bigint): number {
  const queue = kernel.space.u64(at + kernel.types.struct("Qdisc").at("dev_queue"));
  const inside = queue - dev.word("_tx");
  const stride = BigInt(kernel.types.struct("netdev_queue").sizeBytes);
  return inside < 0n || inside >= stride * BigInt(mostHashed) ? 0 : Number(inside / stride);
}

const classId = (word: number): string => `${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`;

/** Disciplines with a handle, but for those at the top (qdisc_hash_add, net/sched/sch_api.c of 4.7 to 7.2). */
function hashed(kernel: Kernel, dev: StructView): readonly bigint[] {
  const table = dev.field("qdisc_hash");
  const node = kernel.types.struct("Qdisc").find("hash");
  if (table === undefined || node === undefined) return [];
  return Array.from({ length: Math.min(table.elements, 256) }, (_, i) =>
    chainOrProblem(() => {
      const first = kernel.space.u64(dev.address + table.at + BigInt(i * 8));
      return walkChain(kernel, first, 0n, mostHashed);
    }).entries.map((entry) => entry - node.at),
  ).flat();
}

function qdisc(kernel: Kernel, at: bigint, txqs: readonly number[]): Found {
  const struct = kernel.types.struct("Qdisc");
  const v = new StructView(kernel.space, struct, at);
  const kind = kindOf(kernel, at);
  const data = at + BigInt(struct.find("privdata")?.off ?? struct.sizeBytes);
  const next = kernel.types.struct("sk_buff").at("next");
  const read = ways[kind];
  const keeper = new Keeper(kernel, data);
  const skbs = [
    ...keeper.told(chainOrProblem(() => walkChain(kernel, v.word("q.head"), next))),
    ...(read === undefined ? [] : keeper.seen(() => read(keeper))),
    // Packets that were looked at, or refused by the driver, and are next.
    ...["gso_skb", "skb_bad_txq"].flatMap((name) => (v.has(name) ? keeper.ring(v.at(name)) : [])),
  ];
  const handleWord = v.number("handle");
  return {
    txqs,
    address: at,
    kind,
    handle: handleWord === 0 ? "" : `${(handleWord >>> 16).toString(16)}:`,
    handleWord,
    parentWord: v.number("parent"),
    skbs,
    qlen: qlenOf(keeper, v),
    problem: keeper.problem,
    isWhole: (read !== undefined || onOwnList.has(kind)) && !countsOthers.has(kind) && !keeper.isBlind,
  };
}

/** Name of a discipline. Throws Absent. */
export function kindOf(kernel: Kernel, at: bigint): string {
  const ops = kernel.space.u64(at + kernel.types.struct("Qdisc").at("ops"));
  return kernel.space.text(ops + kernel.types.struct("Qdisc_ops").at("id"), 16);
}

function qlenOf(keeper: Keeper, v: StructView): number {
  const { kernel } = keeper;
  const own = v.number("qstats.qlen");
  if ((v.number("flags") & perCpuStatistics) === 0) return own + v.number("q.qlen");
  const stats = kernel.types.struct("gnet_stats_queue");
  const base = v.word("cpu_qstats");
  const sum = kernel.possibleCpus.reduce((n, cpu) => {
    const count = ifThere(() => kernel.space.u32(perCpu(kernel, base, cpu) + stats.at("qlen")));
    keeper.isBlind ||= count === undefined;
    return n + (count ?? 0);
  }, own);
  // CPUs count up and down apart: each wraps, their sum does not.
  return sum % 2 ** 32;
}

/** Private data of one discipline, and the shapes in which they keep packets. A struct that BTF does not know gives none: they stay unread. */
class Keeper {
  readonly kernel: Kernel;
  readonly data: bigint;
  private readonly next: bigint;
  /** Why the first list that ended too early did so. */
  problem: string | undefined;
  /** A struct was asked for that BTF does not know, or memory that is not in the image. */
  isBlind = false;

  constructor(kernel: Kernel, data: bigint) {
    this.kernel = kernel;
    this.data = data;
    this.next = kernel.types.struct("sk_buff").at("next");
  }

  /** The private struct. */
  view(name: string): StructView | undefined {
    const struct = this.kernel.types.find(name);
    this.isBlind ||= struct === undefined;
    return struct === undefined ? undefined : new StructView(this.kernel.space, struct, this.data);
  }

  /** A chain from head to tail; what stands behind the tail is no packet of it. */
  chain(first: bigint, last: bigint): readonly bigint[] {
    if (first === 0n) return [];
    const found = chainOrProblem(() => walkChain(this.kernel, first, this.next));
    const end = found.entries.indexOf(last);
    if (end >= 0) return found.entries.slice(0, end + 1);
    return this.told({ ...found, problem: found.problem ?? "does not lead to its tail" });
  }

  /** Packets of flows that stand in an array, each with a head and a tail. */
  flows(table: bigint, count: number, name: string): readonly bigint[] {
    const flow = this.kernel.types.find(name);
    if (flow === undefined) return [];
    const [head, tail] = [flow.at("head"), flow.at("tail")];
    const { space } = this.kernel;
    return Array.from({ length: Math.min(count, mostFlows) }, (_, i) => {
      const at = table + BigInt(i * flow.sizeBytes);
      return this.seen(() => this.chain(space.u64(at + head), space.u64(at + tail)));
    }).flat();
  }

  /** What is read there; nothing where it is not in the image. */
  seen(read: () => readonly bigint[]): readonly bigint[] {
    const found = ifThere(read);
    this.isBlind ||= found === undefined;
    return found ?? [];
  }

  /** Packets of a tree, in its order. */
  tree(root: bigint): readonly bigint[] {
    const node = this.kernel.types.struct("sk_buff").at("rbnode");
    return this.told(chainOrProblem(() => walkTree(this.kernel, this.kernel.space.u64(root)))).map((e) => e - node);
  }

  ring(head: bigint): readonly bigint[] {
    return this.told(chainOrProblem(() => walkRing(this.kernel, head)));
  }

  /** Entries of a list, and what is wrong with it. */
  told(chain: Chain): readonly bigint[] {
    const { entries, problem } = chain;
    if (chain.isCut === true) this.isBlind = true;
    else if (problem !== undefined) this.problem ??= `a list of its packets ${problem}`;
    return entries;
  }
}

/** Disciplines that keep their packets on the list that every Qdisc has (net/sched of 6.1 to 7.2). */
const onOwnList = new Set(["pfifo", "bfifo", "pfifo_head_drop", "codel", "pie", "gred", "blackhole"]);

/** Disciplines that count packets of others below them, which may not be in the image. */
const countsOthers = new Set(["htb", "netem"]);

/** Ways of keeping packets beside the Qdisc's own list, by the name of the discipline; read in net/sched of 6.1, 6.12 and 7.2. */
const ways: Readonly<Record<string, (k: Keeper) => readonly bigint[]>> = {
  pfifo_fast: bands,
  fq_codel: (k) => flowTable(k, "fq_codel_sched_data", "fq_codel_flow"),
  fq_pie: (k) => flowTable(k, "fq_pie_sched_data", "fq_pie_flow"),
  fq: fairQueue,
  cake: tins,
  sfq: slots,
  hhf(k) {
    const v = k.view("hhf_sched_data");
    return v === undefined ? [] : k.flows(v.at("buckets"), v.field("buckets")?.elements ?? 0, "wdrr_bucket");
  },
  htb(k) {
    const v = k.view("htb_sched");
    return v === undefined ? [] : k.chain(v.word("direct_queue.head"), v.word("direct_queue.tail"));
  },
  netem(k) {
    const v = k.view("netem_sched_data");
    if (v === undefined) return [];
    const sorted = v.has("t_head") ? k.chain(v.word("t_head"), v.word("t_tail")) : [];
    return [...sorted, ...k.tree(v.at("t_root"))];
  },
  etf(k) {
    const v = k.view("etf_sched_data");
    return v === undefined ? [] : k.tree(v.at("head"));
  },
  choke(k) {
    const v = k.view("choke_sched_data");
    if (v === undefined) return [];
    const [mask, head, tail] = [v.number("tab_mask"), v.number("head"), v.number("tail")];
    const out: bigint[] = [];
    for (let i = head & mask, n = 0; i !== (tail & mask) && n < mostFlows; i = (i + 1) & mask, n++) {
      const skb = ifThere(() => k.kernel.space.u64(v.word("tab") + BigInt(i * 8)));
      k.isBlind ||= skb === undefined;
      if (skb !== undefined && skb !== 0n) out.push(skb);
    }
    return out;
  },
  skbprio(k) {
    const v = k.view("skbprio_sched_data");
    const queues = v?.field("qdiscs");
    return v === undefined || queues === undefined ? [] : eachOf(queues, (at) => k.ring(v.address + at));
  },
};

const eachOf = (array: Field, read: (at: bigint) => readonly bigint[]): readonly bigint[] =>
  Array.from({ length: Math.min(array.elements, 1024) }, (_, i) => read(array.at + BigInt(i * array.stride))).flat();

/** Three rings (net/sched/sch_generic.c since 4.16). */
function bands(k: Keeper): readonly bigint[] {
  const priv = k.view("pfifo_fast_priv");
  const ring = k.kernel.types.find("ptr_ring");
  const inArray = k.kernel.types.find("skb_array")?.find("ring");
  const q = priv?.field("q");
  if (ring === undefined || inArray === undefined || q === undefined) return [];
  return eachOf(q, (at) =>
    k.seen(() => {
      const v = new StructView(k.kernel.space, ring, k.data + at + inArray.at);
      // All of it, or it is not known what is in it.
      k.kernel.space.bytes(v.word("queue"), Math.max(0, v.signed("size")) * 8);
      return ringEntries(k.kernel, v.address, ring);
    }),
  );
}

function flowTable(k: Keeper, data: string, flow: string): readonly bigint[] {
  const v = k.view(data);
  return v === undefined ? [] : k.flows(v.word("flows"), v.number("flows_cnt"), flow);
}

/** fq: flows in red-black trees by a hash, and one for packets that need none; each flow has a list, and a tree of packets with a time. */
function fairQueue(k: Keeper): readonly bigint[] {
  const v = k.view("fq_sched_data");
  const flow = k.kernel.types.find("fq_flow");
  if (v === undefined || flow === undefined) return [];
  const { space } = k.kernel;
  const node = flow.at("fq_node");
  const trees = v.word("fq_root");
  const flows = [v.at("internal")];
  for (let i = 0; trees !== 0n && i < 2 ** Math.min(v.number("fq_trees_log"), 18); i++) {
    for (const e of k.told(chainOrProblem(() => walkTree(k.kernel, space.u64(trees + BigInt(i * 8))))))
      flows.push(e - node);
  }
  return flows.flatMap((at) =>
    k.seen(() => [
      ...k.chain(space.u64(at + flow.at("head")), space.u64(at + flow.at("tail"))),
      ...k.tree(at + flow.at("t_root")),
    ]),
  );
}

/** cake: tins of flows. */
function tins(k: Keeper): readonly bigint[] {
  const v = k.view("cake_sched_data");
  const tin = k.kernel.types.find("cake_tin_data");
  const flows = tin?.find("flows");
  if (v === undefined || tin === undefined || flows === undefined) return [];
  const table = v.word("tins");
  const count = Math.min(v.number("tin_cnt"), 64);
  return Array.from({ length: count }, (_, i) =>
    k.flows(table + BigInt(i * tin.sizeBytes) + flows.at, flows.elements, "cake_flow"),
  ).flat();
}

/** sfq: a ring for each slot, of which the slot itself is the head, its two pointers first. */
function slots(k: Keeper): readonly bigint[] {
  const v = k.view("sfq_sched_data");
  const slot = k.kernel.types.find("sfq_slot");
  if (v === undefined || slot === undefined) return [];
  const table = v.word("slots");
  return Array.from({ length: Math.min(v.number("maxflows"), mostFlows) }, (_, i) =>
    k.ring(table + BigInt(i * slot.sizeBytes) + slot.at("skblist_next")),
  ).flat();
}

/** Live entries of a ptr_ring, from the consumer on (include/linux/ptr_ring.h). */
export function ringEntries(kernel: Kernel, at: bigint, ring: Struct): readonly bigint[] {
  const v = ifThere(() => new StructView(kernel.space, ring, at));
  if (v === undefined) return [];
  const size = v.signed("size");
  const head = v.signed("consumer_head");
  const tail = v.signed("consumer_tail");
  if (size <= 0 || size > 1 << 20 || head < 0 || tail < 0) return [];
  const queue = v.word("queue");
  const out: bigint[] = [];
  for (let i = 0; i < size - (head - tail) && i < size; i++) {
    const entry = ifThere(() => kernel.space.u64(queue + BigInt(((head + i) % size) * 8)));
    if (entry !== undefined && entry !== 0n) out.push(entry);
  }
  return out;
}
