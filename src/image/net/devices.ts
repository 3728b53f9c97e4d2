// Network devices with the packets that wait in them: queueing disciplines per transmit queue, and the lists of NAPI and softnet.
import { ifThere } from "../address_space.ts";
import { type Kernel, perCpu } from "../kernel.ts";
import { chainOrProblem, walkChain, walkRing } from "../lists.ts";
import type { Struct } from "../types.ts";
import { StructView } from "../view.ts";

export interface QdiscState {
  readonly txq: number;
  readonly address: bigint;
  readonly kind: string;
  readonly skbs: readonly bigint[];
  readonly qlen: number;
  /** True when packets of this kind are followed; false for disciplines that keep them in a way of their own. */
  readonly isFollowed: boolean;
}

export interface Device {
  readonly name: string;
  readonly address: bigint;
  readonly ifindex: number;
  readonly mtu: number;
  readonly txQueues: number;
  readonly rxQueues: number;
  readonly txStopped: boolean;
  readonly qdisc: string;
  readonly qdiscs: readonly QdiscState[];
  /** sk_buffs that GRO holds, or that wait for the stack. */
  readonly napi: readonly bigint[];
}

export interface Softnet {
  readonly cpu: number;
  readonly queue: string;
  readonly skbs: readonly bigint[];
}

const mostDevices = 1 << 16;
const mostQueues = 1 << 12;
/** __QUEUE_STATE_DRV_XOFF, include/linux/netdevice.h: bit 0 since 3.3. */
const stoppedByDriver = 1n;
/** TCQ_F_CPUSTATS, include/net/sch_generic.h, 4.9 to 7.2. */
const perCpuStatistics = 0x20;

/** Devices of all network namespaces. Throws LayoutUnknown. */
export function readDevices(kernel: Kernel): readonly Device[] {
  const net = kernel.types.struct("net");
  const dev = kernel.types.struct("net_device");
  const out: Device[] = [];
  for (const namespace of namespaces(kernel, net)) {
    const { entries } = chainOrProblem(() => walkRing(kernel, namespace + net.at("dev_base_head"), mostDevices));
    for (const entry of entries) {
      const found = ifThere(() => device(kernel, dev, entry - dev.at("dev_list")));
      if (found !== undefined) out.push(found);
    }
  }
  return out;
}

function namespaces(kernel: Kernel, net: Struct): readonly bigint[] {
  const init = kernel.symbols.address("init_net");
  const list = kernel.symbols.address("net_namespace_list");
  const others = list === undefined ? [] : walkRing(kernel, list, 65536).entries.map((e) => e - net.at("list"));
  return init === undefined ? others : [init, ...others.filter((n) => n !== init)];
}

function device(kernel: Kernel, dev: Struct, at: bigint): Device {
  const { space, types } = kernel;
  const v = new StructView(space, dev, at);
  const queue = types.struct("netdev_queue");
  const table = v.word("_tx");
  const count = Math.min(v.number("num_tx_queues"), mostQueues);
  const first = ifThere(() => space.u64(table + queue.at("state"))) ?? 0n;
  return {
    name: v.text("name"),
    address: at,
    ifindex: v.signed("ifindex"),
    mtu: v.number("mtu"),
    txQueues: v.number("real_num_tx_queues"),
    rxQueues: v.has("real_num_rx_queues") ? v.number("real_num_rx_queues") : 1,
    txStopped: (first & stoppedByDriver) !== 0n,
    qdisc: ifThere(() => kindOf(kernel, v.word("qdisc"))) ?? "?",
    qdiscs: Array.from({ length: count }, (_, txq) =>
      ifThere(() => qdisc(kernel, txq, space.u64(table + BigInt(txq * queue.sizeBytes) + queue.at("qdisc_sleeping")))),
    ).filter((q) => q !== undefined),
    napi: napiPackets(kernel, v),
  };
}

function kindOf(kernel: Kernel, at: bigint): string {
  const ops = kernel.space.u64(at + kernel.types.struct("Qdisc").at("ops"));
  return kernel.space.text(ops + kernel.types.struct("Qdisc_ops").at("id"), 16);
}

/** Disciplines whose packets stand on the Qdisc's own list, or that keep none. */
const plainKinds = new Set([
  "noqueue",
  "noop",
  "pfifo",
  "bfifo",
  "pfifo_head_drop",
  "mq",
  "mqprio",
  "ingress",
  "clsact",
]);

function qdisc(kernel: Kernel, txq: number, at: bigint): QdiscState {
  const { space, types } = kernel;
  const struct = types.struct("Qdisc");
  const v = new StructView(space, struct, at);
  const kind = kindOf(kernel, at);
  const data = at + BigInt(struct.find("privdata")?.off ?? struct.sizeBytes);
  const next = types.struct("sk_buff").at("next");
  const own =
    kind === "pfifo_fast"
      ? bands(kernel, data)
      : kind === "fq_codel"
        ? flows(kernel, data, next)
        : chainOrProblem(() => walkChain(kernel, v.word("q.head"), next)).entries;
  const held = ["gso_skb", "skb_bad_txq"].flatMap((name) =>
    v.has(name) ? chainOrProblem(() => walkRing(kernel, v.at(name))).entries : [],
  );
  return {
    txq,
    address: at,
    kind,
    skbs: [...(own ?? []), ...held],
    qlen: qlenOf(kernel, v),
    isFollowed: own !== undefined && (plainKinds.has(kind) || kind === "pfifo_fast" || kind === "fq_codel"),
  };
}

function qlenOf(kernel: Kernel, v: StructView): number {
  const own = v.number("qstats.qlen");
  if ((v.number("flags") & perCpuStatistics) === 0) return own + v.number("q.qlen");
  const stats = kernel.types.struct("gnet_stats_queue");
  const base = v.word("cpu_qstats");
  const sum = kernel.possibleCpus.reduce(
    (n, cpu) => n + (ifThere(() => kernel.space.u32(perCpu(kernel, base, cpu) + stats.at("qlen"))) ?? 0),
    own,
  );
  // CPUs count up and down apart: each wraps, their sum does not.
  return sum % 2 ** 32;
}

/** pfifo_fast: three rings (net/sched/sch_generic.c since 4.16). Undefined when BTF does not know them. */
function bands(kernel: Kernel, data: bigint): readonly bigint[] | undefined {
  const priv = kernel.types.find("pfifo_fast_priv");
  const ring = kernel.types.find("ptr_ring");
  const array = kernel.types.find("skb_array");
  if (priv === undefined || ring === undefined || array === undefined) return undefined;
  const q = priv.field("q");
  return Array.from({ length: Math.min(q.elements, 16) }, (_, i) =>
    ringEntries(kernel, data + q.at + BigInt(i * array.sizeBytes) + array.at("ring"), ring),
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

/** fq_codel: a list for each flow (net/sched/sch_fq_codel.c). Undefined when BTF does not know them. */
function flows(kernel: Kernel, data: bigint, next: bigint): readonly bigint[] | undefined {
  const sched = kernel.types.find("fq_codel_sched_data");
  const flow = kernel.types.find("fq_codel_flow");
  if (sched === undefined || flow === undefined) return undefined;
  return ifThere(() => {
    const v = new StructView(kernel.space, sched, data);
    const table = v.word("flows");
    const out: bigint[] = [];
    for (let i = 0; i < Math.min(v.number("flows_cnt"), 65536); i++) {
      const at = table + BigInt(i * flow.sizeBytes);
      const first = ifThere(() => kernel.space.u64(at + flow.at("head")));
      if (first === undefined || first === 0n) continue;
      const last = ifThere(() => kernel.space.u64(at + flow.at("tail")));
      const { entries } = walkChain(kernel, first, next);
      const end = last === undefined ? -1 : entries.indexOf(last);
      out.push(...(end < 0 ? entries : entries.slice(0, end + 1)));
    }
    return out;
  });
}

/** What the NAPI contexts of a device hold: GRO's lists, and packets on their way to the stack. */
function napiPackets(kernel: Kernel, dev: StructView): readonly bigint[] {
  const napi = kernel.types.find("napi_struct");
  if (napi === undefined || !dev.has("napi_list")) return [];
  const contexts = chainOrProblem(() => walkRing(kernel, dev.at("napi_list"), 65536)).entries;
  const hash = napi.find("gro_hash") ?? napi.find("gro.hash");
  const rxList = napi.find("rx_list") ?? napi.find("gro.rx_list");
  const bucket = kernel.types.find("gro_list");
  const skbList = kernel.types.struct("sk_buff").at("list");
  const out: bigint[] = [];
  for (const entry of contexts) {
    const at = entry - napi.at("dev_list");
    const lists = [
      ...(hash === undefined || bucket === undefined
        ? []
        : Array.from({ length: Math.min(hash.elements, 64) }, (_, i) => at + hash.at + BigInt(i * bucket.sizeBytes))),
      ...(rxList === undefined ? [] : [at + rxList.at]),
    ];
    for (const list of lists)
      out.push(...chainOrProblem(() => walkRing(kernel, list, 65536)).entries.map((e) => e - skbList));
  }
  return out;
}

/** Packets that CPUs have received from one another and not yet given to the stack, or are to free (struct softnet_data). */
export function readSoftnet(kernel: Kernel): readonly Softnet[] {
  const base = kernel.symbols.address("softnet_data");
  const struct = kernel.types.find("softnet_data");
  if (base === undefined || struct === undefined) return [];
  const next = kernel.types.struct("sk_buff").at("next");
  const out: Softnet[] = [];
  for (const cpu of kernel.possibleCpus) {
    const at = perCpu(kernel, base, cpu);
    for (const queue of ["input_pkt_queue", "process_queue", "xfrm_backlog"]) {
      const field = struct.find(queue);
      if (field === undefined) continue;
      const { entries } = chainOrProblem(() => walkRing(kernel, at + field.at));
      if (entries.length > 0) out.push({ cpu, queue, skbs: entries });
    }
    for (const queue of ["completion_queue", "defer_list"]) {
      const field = struct.find(queue);
      const first = field === undefined ? undefined : ifThere(() => kernel.space.u64(at + field.at));
      if (first === undefined || first === 0n) continue;
      const { entries } = walkChain(kernel, first, next);
      if (entries.length > 0) out.push({ cpu, queue, skbs: entries });
    }
  }
  return out;
}
