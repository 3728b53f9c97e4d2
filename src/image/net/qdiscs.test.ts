// Queueing disciplines of a made-up device, each keeping packets in its own way, in structs laid out by a seed.
import { describe, expect, test } from "vitest";
import { openKernel } from "../kernel.ts";
import { array, int, type Shapes, struct, word } from "../made_up.testkit.ts";
import { type TinyBuilder, tinyKernel, tinyMemory } from "../tiny.testkit.ts";
import { readDevices } from "./devices.ts";
import { type QdiscState, qdiscName } from "./qdiscs.ts";

const named = (...names: string[]): (readonly [string, typeof word])[] => names.map((n) => [n, word] as const);

const shapes: Shapes = {
  rb_root: { fixed: named("rb_node") },
  rb_node: { fixed: named("__rb_parent_color", "rb_right", "rb_left") },
  hlist_head: { fixed: named("first") },
  hlist_node: { fixed: named("next", "pprev") },
  // next and prev stand where rbnode stands in kernels; here a packet is in one place only.
  sk_buff: { fixed: [...named("next", "prev"), ["rbnode", struct("rb_node")], ["list", struct("list_head")]] },
  net: { free: [["dev_base_head", struct("list_head")], ...named("list")] },
  netdev_queue: { free: named("state", "qdisc_sleeping", "dev") },
  net_device: {
    free: [
      ["name", array(int(1), 16)],
      ["ifindex", int(4)],
      ["mtu", int(4)],
      ["num_tx_queues", int(4)],
      ["real_num_tx_queues", int(4)],
      ["dev_list", struct("list_head")],
      ["qdisc_hash", array(struct("hlist_head"), 4)],
      ...named("_tx", "qdisc"),
    ],
  },
  Qdisc_ops: { free: [["id", array(int(1), 16)]] },
  qdisc_skb_head: { free: [...named("head", "tail"), ["qlen", int(4)]] },
  gnet_stats_queue: { free: [["qlen", int(4)]] },
  Qdisc: {
    free: [
      ["flags", int(4)],
      ["handle", int(4)],
      ["parent", int(4)],
      ["hash", struct("hlist_node")],
      ["gso_skb", struct("list_head")],
      ["q", struct("qdisc_skb_head")],
      ["qstats", struct("gnet_stats_queue")],
      ...named("ops", "dev_queue", "cpu_qstats"),
    ],
    size: 256,
  },
  fq_flow: { free: [["t_root", struct("rb_root")], ["fq_node", struct("rb_node")], ...named("head", "tail")] },
  fq_sched_data: { free: [["internal", struct("fq_flow")], ["fq_trees_log", int(1)], ...named("fq_root")] },
  cake_flow: { free: named("head", "tail") },
  cake_tin_data: { free: [["flows", array(struct("cake_flow"), 8)], ...named("tag")] },
  cake_sched_data: { free: [["tin_cnt", int(2)], ...named("tins")] },
  sfq_slot: { fixed: named("skblist_next", "skblist_prev", "dep") },
  sfq_sched_data: { free: [["maxflows", int(4)], ...named("slots")] },
  netem_sched_data: { free: [["t_root", struct("rb_root")], ...named("t_head", "t_tail")] },
};

/** Puts disciplines and packets into a kernel and remembers where each packet went. */
class Put {
  readonly b: TinyBuilder;
  readonly queue: number;
  readonly hashed: number[] = [];
  /** Packets by name of discipline. */
  readonly packets = new Map<string, bigint[]>();

  constructor(b: TinyBuilder) {
    this.b = b;
    this.queue = b.make("netdev_queue", {});
  }

  private packet(of: string): bigint {
    const at = this.b.direct(this.b.make("sk_buff", {}));
    this.packets.set(of, [...(this.packets.get(of) ?? []), at]);
    return at;
  }

  private place = (address: bigint): number => Number(address - this.b.direct(0));

  /** A chain of n packets; behind its tail stands a packet that is none of it. Its head and tail. */
  chain(of: string, n: number): readonly [bigint, bigint] {
    if (n === 0) return [0n, 0n];
    const all = Array.from({ length: n }, () => this.packet(of));
    for (const [i, at] of all.entries())
      this.b.set(this.place(at), "sk_buff", "next", all[i + 1] ?? this.b.direct(this.b.make("sk_buff", {})));
    return [all[0] as bigint, all[n - 1] as bigint];
  }

  /** A tree of n packets, leaning to one side or the other by chance. The address of its root node. */
  tree(of: string, n: number): bigint {
    if (n === 0) return 0n;
    const own = this.packet(of);
    const left = this.b.random.below(n);
    const node = this.place(own) + this.b.layouts.off("sk_buff", "rbnode");
    this.b.set(node, "rb_node", "rb_left", this.tree(of, left));
    this.b.set(node, "rb_node", "rb_right", this.tree(of, n - 1 - left));
    return this.b.direct(node);
  }

  qdisc(kind: string, handle: number, parent: number, qlen: number, data = 0, of = "sk_buff"): number {
    const { b } = this;
    const at = b.alloc(256 + (data === 0 ? 0 : b.layouts.of(of).size));
    if (data !== 0) b.copy(at + 256, data, b.layouts.of(of).size);
    const ops = b.make("Qdisc_ops", {});
    b.bytesAt(ops + b.layouts.off("Qdisc_ops", "id"), kind);
    for (const [member, value] of [
      ["ops", b.direct(ops)],
      ["dev_queue", b.direct(this.queue)],
      ["handle", handle],
      ["parent", parent],
    ] as const)
      b.set(at, "Qdisc", member, value);
    b.set(at + b.layouts.off("Qdisc", "q"), "qdisc_skb_head", "qlen", qlen);
    b.ring(b.direct(at + b.layouts.off("Qdisc", "gso_skb")), []);
    if (parent !== 0xffffffff) this.hashed.push(at);
    return at;
  }

  /** One more packet in gso_skb. */
  peeked(qdisc: number, of: string): void {
    const skb = this.packet(of);
    this.b.ring(this.b.direct(qdisc + this.b.layouts.off("Qdisc", "gso_skb")), [skb]);
  }

  device(root: number): void {
    const { b } = this;
    b.set(this.queue, "netdev_queue", "qdisc_sleeping", b.direct(root));
    const dev = b.make("net_device", {
      _tx: b.direct(this.queue),
      qdisc: b.direct(root),
      num_tx_queues: 1,
      real_num_tx_queues: 1,
    });
    b.bytesAt(dev + b.layouts.off("net_device", "name"), "eth0");
    for (const [i, at] of this.hashed.entries()) {
      const bucket = dev + b.layouts.off("net_device", "qdisc_hash") + (i % 4) * 8;
      b.set(at + b.layouts.off("Qdisc", "hash"), "hlist_node", "next", b.u64(bucket));
      b.put64(bucket, b.direct(at + b.layouts.off("Qdisc", "hash")));
    }
    const net = b.make("net", {});
    b.symbol("init_net", net);
    const head = net + b.layouts.off("net", "dev_base_head");
    b.ring(b.direct(head), [b.direct(dev + b.layouts.off("net_device", "dev_list"))]);
    // The list's head is known by its address in the kernel's mapping.
    for (const o of [0, 8])
      b.put64(dev + b.layouts.off("net_device", "dev_list") + o, 0xffffffff80000000n + BigInt(head));
  }
}

function queues(b: TinyBuilder, put: Put): void {
  const some = (): number => b.random.below(6);
  const count = (of: string): number => put.packets.get(of)?.length ?? 0;
  const direct = (at: number): bigint => b.direct(at);

  const flows = Array.from({ length: 3 }, () => {
    const [head, tail] = put.chain("fq", 1 + some());
    const flow = b.make("fq_flow", { head, tail });
    b.put64(flow + b.layouts.off("fq_flow", "t_root"), put.tree("fq", some()));
    return flow;
  });
  const node = (flow: number): bigint => direct(flow + b.layouts.off("fq_flow", "fq_node"));
  b.set((flows[0] as number) + b.layouts.off("fq_flow", "fq_node"), "rb_node", "rb_left", node(flows[1] as number));
  const roots = b.alloc(16);
  b.put64(roots, node(flows[0] as number));
  b.put64(roots + 8, node(flows[2] as number));
  const fq = b.make("fq_sched_data", { fq_root: direct(roots), fq_trees_log: 1 });
  const [head, tail] = put.chain("fq", 2);
  b.set(fq + b.layouts.off("fq_sched_data", "internal"), "fq_flow", "head", head);
  b.set(fq + b.layouts.off("fq_sched_data", "internal"), "fq_flow", "tail", tail);
  const fqAt = put.qdisc("fq", 0x200000, 0x10010, count("fq") + 1, fq, "fq_sched_data");
  put.peeked(fqAt, "fq");

  const tins = b.alloc(2 * b.layouts.of("cake_tin_data").size);
  for (let t = 0; t < 2; t++)
    for (let f = 0; f < 8; f += 3) {
      const [first, last] = put.chain("cake", some());
      const tin = tins + t * b.layouts.of("cake_tin_data").size;
      const flow = tin + b.layouts.off("cake_tin_data", "flows") + f * b.layouts.of("cake_flow").size;
      b.set(flow, "cake_flow", "head", first);
      b.set(flow, "cake_flow", "tail", last);
    }
  const cake = b.make("cake_sched_data", { tins: direct(tins), tin_cnt: 2 });
  put.qdisc("cake", 0x300000, 0x10020, count("cake"), cake, "cake_sched_data");

  const slots = b.alloc(3 * b.layouts.of("sfq_slot").size);
  for (let i = 0; i < 3; i++) {
    const slot = slots + i * b.layouts.of("sfq_slot").size;
    const before = count("sfq");
    put.chain("sfq", i);
    b.ring(direct(slot), (put.packets.get("sfq") ?? []).slice(before));
  }
  const sfq = b.make("sfq_sched_data", { slots: direct(slots), maxflows: 3 });
  put.qdisc("sfq", 0x400000, 0x10030, count("sfq"), sfq, "sfq_sched_data");

  const [first, last] = put.chain("netem", 1 + some());
  const netem = b.make("netem_sched_data", { t_head: first, t_tail: last });
  b.put64(netem + b.layouts.off("netem_sched_data", "t_root"), put.tree("netem", 4));
  put.qdisc("netem", 0x500000, 0x10040, count("netem"), netem, "netem_sched_data");

  // One that nobody knows, with packets that nothing leads to.
  put.qdisc("odd", 0x600000, 0x10050, 7);
  const below = ["fq", "cake", "sfq", "netem"].reduce((n, k) => n + count(k), 7);
  const root = put.qdisc("htb", 0x10000, 0xffffffff, below + 3);
  const [own] = put.chain("htb", 1);
  b.set(root + b.layouts.off("Qdisc", "q"), "qdisc_skb_head", "head", own);
  b.set(root + b.layouts.off("Qdisc", "q"), "qdisc_skb_head", "tail", own);
  // What stands behind the tail of an own list is a packet too: the list ends with its tail's next, which is nothing here.
  b.set(Number(own - b.direct(0)), "sk_buff", "next", 0n);
  put.device(root);
}

describe.each([1, 2, 3, 4, 5])("layout %i", (seed) => {
  let put: Put | undefined;
  const tiny = tinyKernel(seed, {
    shapes,
    put(b) {
      put = new Put(b);
      queues(b, put);
    },
  });
  const kernel = openKernel(tinyMemory(tiny));
  const [device] = readDevices(kernel);
  const of = (kind: string): QdiscState | undefined => device?.qdiscs.find((q) => q.kind === kind);
  const sorted = (list: readonly bigint[] | undefined): bigint[] => [...(list ?? [])].sort((a, b) => Number(a - b));

  test.each(["fq", "cake", "sfq", "netem"])(
    "%s: every packet is found, none twice, none that is not its own",
    (kind) => {
      const wanted = put?.packets.get(kind) ?? [];
      expect(wanted.length).toBeGreaterThan(1);
      expect(sorted(of(kind)?.skbs)).toEqual(sorted(wanted));
      expect(of(kind)?.unread).toBe(0);
    },
  );

  test("what a discipline counts, and neither it nor one below it has shown, is said with its number", () => {
    expect(of("odd")).toMatchObject({ skbs: [], qlen: 7, unread: 7, parent: "1:50", handle: "60:" });
    // Its own list has one of the three packets that it counts beyond those of its classes.
    expect(of("htb")).toMatchObject({ skbs: put?.packets.get("htb"), unread: 2, parent: undefined, txqs: [0] });
  });

  test("one below another is named by its class", () => {
    const [cake, htb] = [of("cake"), of("htb")];
    if (cake === undefined || htb === undefined) throw new Error("not found");
    expect([qdiscName(cake), qdiscName(htb)]).toEqual(["cake in class 1:20", "htb"]);
  });
});
