// Network devices with the packets that wait in them: queueing disciplines per transmit queue, and the lists of NAPI and softnet.
import { ifThere } from "../address_space.ts";
import { type Kernel, perCpu } from "../kernel.ts";
import { chainOrProblem, walkChain, walkRing } from "../lists.ts";
import type { Struct } from "../types.ts";
import { StructView } from "../view.ts";
import { kindOf, type QdiscState, qdiscsOf } from "./qdiscs.ts";

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
  const tops = Array.from(
    { length: count },
    (_, txq) => ifThere(() => space.u64(table + BigInt(txq * queue.sizeBytes) + queue.at("qdisc_sleeping"))) ?? 0n,
  );
  return {
    name: v.text("name"),
    address: at,
    ifindex: v.signed("ifindex"),
    mtu: v.number("mtu"),
    txQueues: v.number("real_num_tx_queues"),
    rxQueues: v.has("real_num_rx_queues") ? v.number("real_num_rx_queues") : 1,
    txStopped: (first & stoppedByDriver) !== 0n,
    qdisc: ifThere(() => kindOf(kernel, v.word("qdisc"))) ?? "?",
    qdiscs: qdiscsOf(kernel, v, tops),
    napi: napiPackets(kernel, v),
  };
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
