// The transmit path of seed 003 as a story: qdisc with requeue, driver, ring, completion interrupt, several CPUs, in the six ways
// of locking that "NETIF_F_LLTX and race conditions" (LWN, February 2005) tells, and what came after.
//
//   CPU n   dev_queue_xmit ─ qdisc ─ qdisc_restart ─ hard_start_xmit ─▶ ring ─▶ wire
//   CPU 0   hardirq (or NAPI): reclaims what the wire has sent, wakes the queue
//
// Behaviour read in: net/sched/sch_generic.c, net/core/dev.c, include/linux/netdevice.h, drivers/net/tg3.c and e1000 (2.6.9, 2.6.12.1,
// 2.6.18); drivers/net/sky2.c (2.6.18); include/net/pkt_sched.h (2.6.18); net/sched/sch_generic.c and tg3.c (4.19);
// include/net/netdev_queues.h (recent). The patch of 2.6.11-rc2 is told after the article; its source was not at hand.
//
// Effects are joined to one step only where a lock or a disabled interrupt makes that sound: what a lock protects cannot be seen
// between its taking and its release, and interrupt flags concern their own CPU only.
import {
  add,
  addAndRead,
  bhOff,
  bhOn,
  type Cell,
  type Code,
  enter,
  type Fifo,
  freeSkb,
  type Goto,
  idle,
  irqOff,
  irqOn,
  irqRestore,
  irqSave,
  joined,
  type Lock,
  lock,
  pop,
  push,
  pushFront,
  read,
  remark,
  test,
  testAndClear,
  testAndSet,
  to,
  trylock,
  unlock,
  wait,
  write,
} from "../../model/sync/effect.ts";
import { defineStory, type Section, type Story } from "../story.ts";

/** Who serializes transmit, and what the driver does on a full ring. */
export interface Scheme {
  readonly id: string;
  readonly title: string;
  readonly source: string;
  /** `core`: xmit_lock by trylock under queue_lock. `core-irq`: the same with interrupts off. `driver`: NETIF_F_LLTX, the driver's
   * own trylock. `queue`: the transmit queue's lock, spun on. `none`: the fix taken away. */
  readonly serialize: "core" | "core-irq" | "driver" | "queue" | "none";
  /** What the driver says on a full ring. */
  readonly full: "log" | "silent" | "log-if-running";
  /** How completion reclaims: under the driver's lock in a hardirq, under xmit_lock in a hardirq, or without a lock in NAPI. */
  readonly reclaim: "driver-lock" | "xmit-lock" | "napi";
}

export const schemes: readonly Scheme[] = [
  {
    id: "plain",
    title: "xmit_lock around every transmit, no LLTX",
    source: "2.6.9 qdisc_restart()",
    serialize: "core",
    full: "log",
    reclaim: "driver-lock",
  },
  {
    id: "original",
    title: "NETIF_F_LLTX, the driver's own trylock",
    source: "2.6.9 to 2.6.12.1 tg3_start_xmit()",
    serialize: "driver",
    full: "log",
    reclaim: "driver-lock",
  },
  {
    id: "silenced",
    title: "LLTX with the message taken out",
    source: "a first patch, December 2004",
    serialize: "driver",
    full: "silent",
    reclaim: "driver-lock",
  },
  {
    id: "irq-xmit-lock",
    title: "xmit_lock with interrupts off, drivers use it too",
    source: "2.6.11-rc2, reverted after it",
    serialize: "core-irq",
    full: "log",
    reclaim: "xmit-lock",
  },
  {
    id: "final",
    title: "LLTX; on a full ring look whether the queue is stopped",
    source: "sky2_xmit_frame(), tg3, 2.6.18",
    serialize: "driver",
    full: "log-if-running",
    reclaim: "driver-lock",
  },
  {
    id: "modern",
    title: "queue lock, stop, barrier, check again, wake",
    source: "tg3_start_xmit(), tg3_tx() 4.19 and later",
    serialize: "queue",
    full: "log-if-running",
    reclaim: "napi",
  },
];

/** The lines in which schemes differ, out of the same record that the story is built from; in a shorthand of our own, top to bottom as they run. */
export function schemeLines({ serialize, full, reclaim }: Scheme): readonly string[] {
  const enter: Readonly<Record<Scheme["serialize"], readonly string[]>> = {
    core: [
      "core:    if (!trylock(xmit_lock)) requeue",
      "core:    unlock(queue_lock); start_xmit(skb); unlock(xmit_lock)",
    ],
    "core-irq": [
      "core:    irq off; if (!trylock(xmit_lock)) requeue",
      "core:    unlock(queue_lock); start_xmit(skb); unlock(xmit_lock); irq on",
    ],
    driver: ["core:    unlock(queue_lock); start_xmit(skb)", "driver:  irq off; if (!trylock(tx_lock)) return LOCKED"],
    queue: ["core:    unlock(queue_lock); lock(xmit_lock); start_xmit(skb); unlock(xmit_lock)"],
    none: ["core:    unlock(queue_lock); start_xmit(skb)"],
  };
  const onFull: Readonly<Record<Scheme["full"], string>> = {
    log: "driver:  if (ring full) { stop queue; log BUG; return BUSY }",
    silent: "driver:  if (ring full) { stop queue; return BUSY }",
    "log-if-running": "driver:  if (ring full) { if (queue runs) log BUG; stop queue; return BUSY }",
  };
  const after: Readonly<Record<Scheme["reclaim"], readonly string[]>> = {
    "driver-lock": [
      "driver:  if (ring now full) stop queue",
      `irq:     lock(${serialize === "driver" ? "tx_lock" : "priv_lock"}); reclaim; wake queue; unlock`,
    ],
    "xmit-lock": ["driver:  if (ring now full) stop queue", "irq:     lock(xmit_lock); reclaim; wake queue; unlock"],
    napi: [
      "driver:  if (ring now full) { stop queue; barrier; if (room again) wake queue }",
      "napi:    reclaim; barrier; if (stopped and room) { lock(xmit_lock); look again; wake queue; unlock }",
    ],
  };
  return [...enter[serialize], onFull[full], ...after[reclaim]];
}

/** What a driver does wrong, or which fix is taken out. */
export const variants = {
  faulty: "the driver forgets to stop the queue when the ring is full: a real error that must be reported",
  relock: "the driver's transmit takes xmit_lock, which its caller holds",
  "unlock-irq": "the driver uses spin_unlock_irq() in transmit, which turns interrupts on",
  "kfree-skb": "the driver calls dev_kfree_skb() in transmit, as after it copied a packet",
  "no-xmit-lock": "without the lock around transmit",
  "no-stopped-check": "on a full ring the driver no longer looks whether the queue is stopped",
  "no-recheck": "the driver does not look at the ring again after it stopped the queue",
  "no-barrier": "no barrier between the new consumer index and the look at the queue",
  "no-wake-lock": "the queue is woken without the transmit lock, as netdev_queues.h does",
  "qdisc-running": "one CPU at a time runs the qdisc (2.6.18)",
  "no-requeue-kick": "a requeued packet is not followed by netif_schedule()",
} as const;

export type Variant = keyof typeof variants;

export interface World {
  readonly cpus: number;
  readonly ring: number;
  /** Packets in all; the first CPUs send one more where it does not divide. */
  readonly packets: number;
  readonly variants: readonly Variant[];
}

const at = (file: string, fn: string): string => `${file}:${fn}`;
const dev = (fn: string): string => at("dev.c", fn);
const sch = (fn: string): string => at("sch_generic.c", fn);
const drv = (fn: string): string => at("driver.c", fn);

/** What `start_xmit` says to the core. */
const tx = { ok: 0, busy: 1, locked: 2 } as const;

/** The story of one scheme in one world. Tasks: 0 … cpus-1 the CPUs that send, then the completion, then the wire. */
export function transmitStory(scheme: Scheme, world: World): Story {
  const { cpus, ring, packets: total } = world;
  const has = (v: Variant): boolean => world.variants.includes(v);
  const full: Scheme["full"] = has("no-stopped-check") ? "log" : scheme.full;
  const serialize: Scheme["serialize"] = has("no-xmit-lock") ? "none" : scheme.serialize;
  const napi = scheme.reclaim === "napi";
  const running = has("qdisc-running") || napi;
  return defineStory(`lltx ${scheme.id}`, (s) => {
    const queueLock = s.lock("queue_lock");
    const xmitLock = serialize === "driver" ? undefined : s.lock("xmit_lock");
    const txLock =
      serialize === "driver" ? s.lock("tx_lock") : scheme.reclaim === "driver-lock" ? s.lock("priv_lock") : undefined;
    const own = has("unlock-irq") ? s.lock("own_lock") : undefined;
    const xoff = s.cell("xoff");
    const sched = s.cell("sched");
    const used = s.cell("used", ring);
    const onWire = s.cell("on_wire", ring);
    const sent = s.cell("sent", ring);
    const seq = s.cell("seq", total);
    const newest = s.cell("newest", total);
    const out = s.cell("out", total);
    const queue = s.fifo("qdisc", total, total);
    const busy = running ? s.cell("running") : undefined;
    const buffered = napi ? s.cell("buffered", ring) : undefined;
    const raised = Array.from({ length: cpus }, (_, c) => s.cell(`net_tx ${c}`));
    const core: Core = {
      scheme,
      serialize,
      full,
      has,
      ring,
      queueLock,
      xmitLock,
      txLock,
      own,
      xoff,
      sched,
      used,
      onWire,
      newest,
      out,
      queue,
      busy,
      raised,
      napi,
    };
    for (let cpu = 0; cpu < cpus; cpu++) {
      const sections = cpuSections(core, cpu, seq, total);
      s.task({
        name: `CPU${cpu}`,
        context: "process",
        cpu,
        start: "dev_queue_xmit",
        args: [Math.ceil((total - cpu) / cpus) - 1],
        sections,
      });
    }
    if (napi && buffered !== undefined) {
      s.task({
        name: "NAPI0",
        context: "softirq",
        cpu: 0,
        start: "poll",
        sections: napiSections(core, sent, buffered),
      });
    } else {
      s.task({ name: "IRQ0", context: "hardirq", cpu: 0, start: "irq", sections: irqSections(core, sent) });
    }
    s.task({
      name: "wire",
      context: "device",
      start: "send",
      sections: {
        *send(): Code<Goto> {
          yield joined(idle(onWire, ">=", 1, "device:send"));
          yield joined(add(onWire, -1));
          yield add(sent, 1);
          return to("send");
        },
      },
    });
    if (buffered !== undefined)
      s.task({ name: "store", context: "device", start: "drain", sections: drainSections(buffered, used, ring) });
    s.atEnd({
      finding: "lostWakeup",
      text: "packets lie in the qdisc, the ring is empty, and nothing will send them",
      when: [{ on: queue, compare: "!=", value: 0 }],
    });
    s.atEnd({
      finding: "lost",
      text: "a packet was never sent and lies nowhere",
      when: [{ on: out, compare: "<", value: total }],
    });
  });
}

interface Core {
  readonly scheme: Scheme;
  readonly serialize: Scheme["serialize"];
  readonly full: Scheme["full"];
  has(v: Variant): boolean;
  readonly ring: number;
  readonly queueLock: Lock;
  readonly xmitLock: Lock | undefined;
  readonly txLock: Lock | undefined;
  readonly own: Lock | undefined;
  readonly xoff: Cell;
  readonly sched: Cell;
  readonly used: Cell;
  readonly onWire: Cell;
  /** The youngest packet put on the ring so far, and how many: kept by the observer. */
  readonly newest: Cell;
  readonly out: Cell;
  readonly queue: Fifo;
  readonly busy: Cell | undefined;
  readonly raised: readonly Cell[];
  readonly napi: boolean;
}

/** One sending CPU: dev_queue_xmit() for each of its packets, then net_tx_action() whenever it is raised. */
function cpuSections(core: Core, cpu: number, seq: Cell, total: number): Record<string, Section> {
  const { queueLock, xoff, sched, queue, busy } = core;
  const mine = core.raised[cpu] as Cell;
  return {
    // `left`: packets still to come after this one.
    *dev_queue_xmit(left = 0): Code<Goto> {
      if (core.napi) yield bhOff(dev("dev_queue_xmit"));
      yield joined(lock(queueLock, dev("dev_queue_xmit")));
      const id = yield joined(addAndRead(seq, 1));
      yield push(queue, Math.min(Math.max(id, 1), total));
      return to("qdisc_run", left, 0);
    },
    // queue_lock is held. `soft`: called by net_tx_action.
    *qdisc_run(left = 0, soft = 0): Code<Goto> {
      if (busy === undefined) return to("qdisc_restart", left, soft);
      if ((yield testAndSet(busy, at("pkt_sched.h", "qdisc_run"))) === 1) {
        yield unlock(queueLock, dev("dev_queue_xmit"));
        return to("bh_enable", left, soft);
      }
      return to("qdisc_restart", left, soft);
    },
    *qdisc_restart(left = 0, soft = 0): Code<Goto> {
      const stopped = yield joined(test(xoff, "!=", 0, at("dev.c", "qdisc_run")));
      const skb = stopped === 1 ? 0 : yield joined(pop(queue));
      if (skb === 0) {
        if (busy !== undefined) yield joined(write(busy, 0));
        yield unlock(queueLock);
        return to("bh_enable", left, soft);
      }
      const sentIt = yield* transmitOne(core, cpu, skb);
      if (sentIt) return to("qdisc_restart", left, soft);
      // queue_lock is held again: requeue at the head, and ask for another try.
      yield pushFront(queue, skb, sch("requeue"));
      if (busy !== undefined) yield write(busy, 0, at("pkt_sched.h", "qdisc_run_end"));
      if (core.has("no-requeue-kick")) {
        yield unlock(queueLock, sch("qdisc_restart"));
        return to("bh_enable", left, soft);
      }
      yield* netifSchedule(core, cpu);
      yield unlock(queueLock, sch("qdisc_restart"));
      return to("bh_enable", left, soft);
    },
    // Softirqs that were raised run here, before the next packet.
    *bh_enable(left = 0, soft = 0): Code<Goto> {
      if (core.napi) yield bhOn(dev("local_bh_enable"));
      if (left === 0 || soft === 1) return to("after", left);
      return (yield test(mine, "!=", 0, dev("local_bh_enable"))) === 1
        ? to("net_tx_action", left)
        : to("dev_queue_xmit", left - 1);
    },
    *after(left = 0): Code<Goto> {
      if (left > 0) return to("dev_queue_xmit", left - 1);
      if (core.napi) {
        yield joined(idle(mine, ">=", 1, dev("net_tx_action")));
        yield bhOff();
      } else yield idle(mine, ">=", 1, dev("net_tx_action"));
      return to("net_tx_action", 0, 1);
    },
    *net_tx_action(left = 0, entered = 0): Code<Goto> {
      if (core.napi && entered === 0) yield bhOff(dev("net_tx_action"));
      yield write(mine, 0, dev("net_tx_action"));
      yield write(sched, 0, dev("net_tx_action"));
      if ((yield trylock(queueLock, dev("net_tx_action"))) === 1) return to("qdisc_run", left, 1);
      yield* netifSchedule(core, cpu);
      return to("bh_enable", left, 1);
    },
  };
}

/** netif_schedule(): asks this CPU's softirq for another qdisc_run(), unless the queue is stopped. Since about 3.0 the requeue does
 * not look at the queue; the modern scheme schedules always. */
function* netifSchedule(core: Core, cpu: number): Code {
  if (!core.napi && (yield test(core.xoff, "!=", 0, at("netdevice.h", "netif_schedule"))) === 1) return;
  yield* schedule(core, cpu);
}

function* schedule(core: Core, cpu: number): Code {
  if ((yield testAndSet(core.sched, at("netdevice.h", "__netif_schedule"))) === 0)
    yield write(core.raised[cpu] as Cell, 1, at("netdevice.h", "raise NET_TX"));
}

/** From the packet in hand to the ring. In: queue_lock held. Out: queue_lock held. Gives whether the packet is gone. */
function* transmitOne(core: Core, cpu: number, skb: number): Code<boolean> {
  const { queueLock, xmitLock, serialize, xoff } = core;
  let flags = 0;
  if (serialize === "core" || serialize === "core-irq") {
    if (serialize === "core-irq") flags = yield joined(irqSave(sch("qdisc_restart")));
    const got = yield joined(trylock(xmitLock as Lock, sch("qdisc_restart")));
    if (got === 0) {
      // Somebody is in the driver: requeue, in the same step, since queue_lock was never let go.
      if (serialize === "core-irq") yield joined(irqRestore(flags, sch("collision")));
      return false;
    }
  }
  yield unlock(queueLock, sch("qdisc_restart"));
  if (serialize === "queue") yield lock(xmitLock as Lock, sch("HARD_TX_LOCK"));
  let ret: number = tx.busy;
  if ((yield test(xoff, "!=", 0, sch("netif_queue_stopped"))) === 0) ret = yield* startXmit(core, cpu, skb);
  if (serialize === "core" || serialize === "queue") yield unlock(xmitLock as Lock, sch("qdisc_restart"));
  if (serialize === "core-irq") {
    yield joined(unlock(xmitLock as Lock, sch("qdisc_restart")));
    yield irqRestore(flags);
  }
  yield lock(queueLock, sch("qdisc_restart"));
  return ret === tx.ok;
}

/** The driver's hard_start_xmit(). */
function* startXmit(core: Core, cpu: number, skb: number): Code<number> {
  const { txLock, serialize, own, xmitLock } = core;
  if (core.has("relock")) yield lock(xmitLock as Lock, drv("hard_start_xmit"));
  if (core.has("kfree-skb")) yield freeSkb(drv("hard_start_xmit"));
  if (own !== undefined) {
    yield irqOff(drv("spin_lock_irq"));
    yield lock(own, drv("spin_lock_irq"));
  }
  let flags = 0;
  if (serialize === "driver") {
    flags = yield joined(irqSave(drv("hard_start_xmit")));
    const got = yield joined(trylock(txLock as Lock, drv("hard_start_xmit")));
    if (got === 0) {
      yield irqRestore(flags);
      return tx.locked;
    }
  } else if (txLock !== undefined) {
    flags = yield irqSave(drv("spin_lock_irqsave"));
    yield lock(txLock, drv("spin_lock_irqsave"));
  }
  const ret = core.napi ? yield* fillModern(core, cpu, skb) : yield* fill(core, skb);
  if (txLock !== undefined) {
    yield joined(unlock(txLock, drv("hard_start_xmit")));
    yield irqRestore(flags);
  }
  if (own !== undefined) {
    yield unlock(own, drv("spin_unlock_irq"));
    yield irqOn(drv("spin_unlock_irq"));
  }
  return ret;
}

/** Puts the packet on the ring under the lock that reclaim takes too, or finds no place. */
function* fill(core: Core, skb: number): Code<number> {
  const { used, ring, xoff } = core;
  const n = yield joined(read(used, drv("hard_start_xmit")));
  if (n >= ring) {
    yield* onFullRing(core);
    return tx.busy;
  }
  yield* put(core, skb, drv("hard_start_xmit"));
  if (n + 1 >= ring && !core.has("faulty")) yield write(xoff, 1, drv("netif_stop_queue"));
  return tx.ok;
}

/** A packet, and no place to put it. */
function* onFullRing(core: Core): Code {
  const { xoff, full } = core;
  const stopped = yield joined(test(xoff, "!=", 0, drv("ring full")));
  yield write(xoff, 1, drv("netif_stop_queue"));
  const says = full === "log" || (full === "log-if-running" && stopped === 0);
  if (stopped === 1)
    yield remark("race", "transmit was called although the queue is stopped: a packet, and no place to put it");
  if (stopped === 1 && says)
    yield remark("falseAlarm", "the log says BUG! Tx Ring full when queue awake, although the queue is stopped");
  if (stopped === 0) yield remark("realError", "the ring is full and the queue runs");
  if (stopped === 0 && !says)
    yield remark("messageHidden", "the ring is full and the queue runs: a real error, and nothing in the log");
  if (says) yield remark("messagePrinted", "BUG! Tx Ring full when queue awake!");
}

function* put(core: Core, skb: number, place: string): Code {
  const { used, onWire, newest, out } = core;
  yield joined(add(used, 1, place));
  yield joined(add(out, 1));
  const late = yield joined(test(newest, ">=", skb));
  if (late === 0) yield joined(write(newest, skb));
  yield add(onWire, 1, place);
  if (late === 1) yield remark("reordered", `packet ${skb} goes out after a younger one`);
}

/** tg3 since 2.6.18: the ring is read without a lock, so stop, barrier, look again. */
function* fillModern(core: Core, cpu: number, skb: number): Code<number> {
  const { used, ring, xoff } = core;
  if ((yield test(used, ">=", ring, drv("start_xmit"))) === 1) {
    yield* onFullRing(core);
    return tx.busy;
  }
  yield* put(core, skb, drv("start_xmit"));
  if (core.has("faulty") || (yield test(used, ">=", ring, drv("start_xmit"))) === 0) return tx.ok;
  yield write(xoff, 1, drv("netif_tx_stop_queue"));
  if (core.has("no-recheck")) return tx.ok;
  // smp_mb(): the story's memory is in order on this side.
  if (
    (yield test(used, "<", ring, drv("look again"))) === 1 &&
    (yield testAndClear(xoff, drv("netif_tx_wake_queue"))) === 1
  )
    yield* schedule(core, cpu);
  return tx.ok;
}

/** The completion interrupt of a driver without NAPI, on CPU 0. */
function irqSections(core: Core, sent: Cell): Record<string, Section> {
  const { used, xoff, ring } = core;
  const guard = (core.scheme.reclaim === "xmit-lock" ? core.xmitLock : core.txLock) as Lock;
  return {
    *irq(): Code<Goto> {
      yield enter(sent, ">=", 1, drv("interrupt"));
      yield joined(lock(guard, drv("interrupt")));
      yield* reclaim(sent, used, ring);
      if (
        (yield test(xoff, "!=", 0, drv("netif_queue_stopped"))) === 1 &&
        (yield testAndClear(xoff, drv("netif_wake_queue"))) === 1
      )
        yield* schedule(core, 0);
      yield unlock(guard, drv("interrupt"));
      return to("irq");
    },
  };
}

/** Everything that the wire has sent leaves the ring. Protected by the driver's lock. */
function* reclaim(sent: Cell, used: Cell, ring: number): Code {
  const n = yield joined(read(sent, drv("reclaim")));
  yield joined(write(sent, 0));
  yield add(used, -Math.min(n, ring), drv("reclaim"));
}

/** NAPI poll on CPU 0: the consumer index goes through the CPU's store buffer. */
function napiSections(core: Core, sent: Cell, buffered: Cell): Record<string, Section> {
  const { xoff, used, ring } = core;
  const xmitLock = core.xmitLock as Lock;
  return {
    *poll(): Code<Goto> {
      yield enter(sent, ">=", 1, drv("poll"));
      const n = yield joined(read(sent, drv("tx_cons =")));
      yield joined(write(sent, 0));
      yield add(buffered, n, drv("tx_cons ="));
      if (!core.has("no-barrier")) yield wait(buffered, "==", 0, drv("smp_mb"));
      if ((yield test(xoff, "!=", 0, drv("netif_tx_queue_stopped"))) === 0) return to("poll");
      if (core.has("no-wake-lock")) {
        if ((yield testAndClear(xoff, drv("netif_tx_wake_queue"))) === 1) yield* schedule(core, 0);
        return to("poll");
      }
      // Taking a lock is a barrier too.
      yield wait(buffered, "==", 0, drv("__netif_tx_lock"));
      yield lock(xmitLock, drv("__netif_tx_lock"));
      const still = yield test(xoff, "!=", 0, drv("netif_tx_queue_stopped"));
      if (still === 1 && (yield test(used, "<", ring, drv("tx_avail"))) === 1) {
        if ((yield testAndClear(xoff, drv("netif_tx_wake_queue"))) === 1) yield* schedule(core, 0);
      }
      yield unlock(xmitLock, drv("__netif_tx_unlock"));
      return to("poll");
    },
  };
}

/** The store buffer of CPU 0: lets the consumer index become visible at any later moment. */
function drainSections(buffered: Cell, used: Cell, ring: number): Record<string, Section> {
  return {
    *drain(): Code<Goto> {
      yield joined(idle(buffered, ">=", 1, "store buffer"));
      const n = yield joined(read(buffered));
      yield joined(write(buffered, 0));
      yield add(used, -Math.min(n, ring));
      return to("drain");
    },
  };
}
