// Replays what network drivers allocated on a real kernel: link up, MTU change, filter writes, receiving, for virtio_net, e1000 and e1000e.
//
//   taken from the record                                    compared, event by event in order
//   - which operations ran on which card, and how many        - tracepoint, order and migratetype, or bytes asked and given
//     multicast addresses the card had to filter              - gfp mask
//   - free objects in a slab cache before its first new       - the driver's functions in the stack (inlined ones are missing in the record)
//     slab, and how far a page fragment was used               - when a new slab or a new page becomes necessary
//   - which frames came: long, middle or short
//
// The MTU stands nowhere in such a record: it is told by the kind of buffers, and by how many pages a packet-split slot gets.
import { some } from "../base/assert.ts";
import { BadInput } from "../base/bad_input.ts";
import { eventKind, eventShapes } from "../kernel/events.ts";
import { decodeGfp } from "../kernel/facts/gfp.ts";
import type { Release } from "../kernel/release.ts";
import { atLeast } from "../kernel/release.ts";
import type { Machine } from "../model/machine.ts";
import { createMachine } from "../model/machine.ts";
import type { NetDevice } from "../model/net/path/netdevice.ts";
import { frameField, frameKind } from "../model/net/path/wire.ts";
import type { SlabHeap } from "../model/slab/kmalloc.ts";
import type { Before, FrameLength, Plan, Step } from "./driver_frames.ts";
import { frameLengths, planOf, slicesPerPage } from "./driver_frames.ts";
import type { Allocation, DriverName } from "./kmem_trace.ts";
import { namesDriver, readKmemTrace } from "./kmem_trace.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { kernelOfTranscript } from "./transcript_kernel.ts";

type Operation = "open" | "change_mtu" | "set_rx_mode" | "poll";

/** Allocations of one operation of one driver, one after the other in the record. */
interface Group {
  readonly driver: DriverName;
  readonly operation: Operation;
  readonly recorded: Allocation[];
}

/** What the model asked for. */
type Asked = Pick<Allocation, "event" | "gfp" | "a" | "b" | "chain">;

interface Outcome {
  readonly exact: number;
  readonly operations: number;
  readonly first: Difference | undefined;
}

function operationOf(chain: readonly string[]): Operation | undefined {
  const outer = chain.at(-1) ?? "";
  if (/_open$/.test(outer)) return "open";
  if (/_change_mtu$/.test(outer)) return "change_mtu";
  if (/_set_rx_mode$/.test(outer)) return "set_rx_mode";
  return /^(e1000_clean|e1000e_poll|virtnet_poll)$/.test(outer) ? "poll" : undefined;
}

function groupsOf(allocations: readonly Allocation[]): { groups: Group[]; unknown: number } {
  const groups: Group[] = [];
  let unknown = 0;
  for (const a of allocations) {
    const operation = operationOf(a.chain);
    if (operation === undefined || (operation === "poll" && a.slab)) {
      unknown++;
      continue;
    }
    const last = groups.at(-1);
    if (last?.driver === a.driver && last.operation === operation) last.recorded.push(a);
    else groups.push({ driver: a.driver, operation, recorded: [a] });
  }
  return { groups, unknown };
}

/** An MTU with which the driver makes such buffers as the group shows. */
function mtuOf({ recorded }: Group): number {
  const shows = (part: string): boolean => recorded.some((a) => a.chain.some((f) => f.includes(part)));
  if (shows("jumbo")) return 9000;
  if (!shows("_ps")) return 1500;
  let most = 1;
  let pages = 0;
  for (const a of recorded) {
    if (a.event === "mm_page_alloc" && !a.slab && a.a === 0) most = Math.max(most, ++pages);
    else if (a.event === "kmem_cache_alloc") pages = 0;
  }
  return most * 3000;
}

/** A new slab's page belongs to the object that is announced next. */
const cacheKey = (a: Pick<Allocation, "event" | "a" | "b">): string =>
  a.event === "kmalloc" ? `kmalloc ${a.b}` : `cache ${a.a}`;

/** Objects of each cache that could be had before the record shows a new slab of it. */
function freeBefore(recorded: readonly Allocation[]): Map<string, number> {
  const free = new Map<string, number>();
  const closed = new Set<string>();
  recorded.forEach((a, i) => {
    if (a.event === "mm_page_alloc") {
      const next = a.slab ? recorded.slice(i + 1).find((n) => n.event !== "mm_page_alloc") : undefined;
      if (next !== undefined) {
        closed.add(cacheKey(next));
        if (!free.has(cacheKey(next))) free.set(cacheKey(next), 0);
      }
    } else if (!closed.has(cacheKey(a))) free.set(cacheKey(a), (free.get(cacheKey(a)) ?? 0) + 1);
  });
  return free;
}

/** The machine of a replay: one CPU and 256 MB as the recorded one, listening to what drivers ask for. */
interface World {
  readonly machine: Machine;
  readonly asked: Asked[];
  /** Free objects that a cache shall have when it is asked next. */
  prime: Map<string, number>;
  muted: boolean;
  /** While receiving, packets are freed by whoever read them: when a cache needs a new slab is not the driver's doing. */
  withoutSlabs: boolean;
  /** vmalloc() gets its pages in bulk, which announces none but a single one; with page_owner on it asks for each. */
  silentBulks: boolean;
  inHeap: boolean;
  /** Payload bytes sent by flow, and the next flow of one frame. */
  readonly sent: Map<number, number>;
  alone: number;
}

/** sizeof(struct sk_buff) of the recorded kernel; what it was built with decides. */
function skBuffBytesOf(groups: readonly Group[]): number {
  for (const { recorded } of groups)
    for (const a of recorded)
      if (a.event === "kmem_cache_alloc" && a.b === 256 && a.chain.some((f) => /rx_buffers|page_to_skb/.test(f)))
        return a.a;
  return 224;
}

function createWorld(release: Release, drivers: readonly DriverName[], skBuffBytes: number): World {
  let real: SlabHeap | undefined;
  let world: World | undefined;
  const primed = (key: string, take: () => number, give: (address: number) => void): void => {
    const free = world?.muted === false ? world.prime.get(key) : undefined;
    if (free === undefined || world === undefined) return;
    world.prime.delete(key);
    world.muted = true;
    setFree(some(real, "heap"), free, take, give);
    world.muted = false;
  };
  const inHeap = (ask: () => number): number => {
    if (world !== undefined) world.inHeap = true;
    const address = ask();
    if (world !== undefined) world.inHeap = false;
    return address;
  };
  const machine = createMachine({
    release,
    memoryMb: 256,
    cpus: 1,
    skb: { skBuffBytes, fclonesBytes: 2 * skBuffBytes + 8 },
    nics: drivers.map((driver) => ({ driver })),
    failing: {
      pages: (inner) => inner,
      heap(inner) {
        real = inner;
        return {
          ...inner,
          kmalloc(size, gfp) {
            const given = inner.kmallocSizeRoundup(size);
            primed(`kmalloc ${given}`, () => inner.kmalloc(size, gfp), inner.kfree);
            return inHeap(() => inner.kmalloc(size, gfp));
          },
          cacheAlloc(cache, gfp) {
            const { objectSize } = some(inner.caches()[cache], "cache").geometry;
            primed(
              `cache ${objectSize}`,
              () => inner.cacheAlloc(cache, gfp),
              (a) => inner.cacheFree(cache, a),
            );
            return inHeap(() => inner.cacheAlloc(cache, gfp));
          },
          // The kernel announces no object of a bulk, so how full its cache was cannot be known: its slabs are passed over on both sides.
          cacheAllocBulk(cache, gfp, into, from, to) {
            const was = world?.muted ?? true;
            if (world !== undefined) world.muted = true;
            const got = inner.cacheAllocBulk?.(cache, gfp, into, from, to) ?? 0;
            if (world !== undefined) world.muted = was;
            return got;
          },
        };
      },
      asked: () => 0,
      refused: () => 0,
      arm: () => undefined,
    },
  });
  const { journal } = machine;
  world = {
    machine,
    asked: [],
    prime: new Map(),
    muted: true,
    withoutSlabs: false,
    silentBulks: false,
    inHeap: false,
    sent: new Map(),
    alone: firstAlone,
  };
  const w = world;
  const { highmem } = machine.memory.rules.gfp;
  journal.listen(
    (kind, _nanos, _cpu, _ptr, y, z, more) => {
      if (w.muted || (w.withoutSlabs && w.inHeap && kind === eventKind.mm_page_alloc)) return;
      if (w.silentBulks && kind === eventKind.mm_page_alloc && (z & highmem) !== 0 && arrayOf(w.asked) > pointerBytes)
        return;
      const chain = journal.text(journal.caller).split(" < ");
      const event = some(eventShapes[kind], "event").name as Asked["event"];
      if (kind === eventKind.mm_page_alloc) w.asked.push({ event, gfp: z, a: y, b: more, chain });
      else if (kind === eventKind.kmalloc) w.asked.push({ event, gfp: more, a: y, b: z, chain });
      else {
        const { objectSize, size } = some(some(real, "heap").caches()[y], "cache").geometry;
        w.asked.push({ event, gfp: z, a: objectSize, b: size, chain });
      }
    },
    "mm_page_alloc",
    "kmalloc",
    "kmem_cache_alloc",
  );
  return world;
}

/** Bytes of the array of page pointers that vmalloc() asked for last. */
const pointerBytes = 8;
const arrayOf = (asked: readonly Asked[]): number => asked.findLast((a) => a.event === "kmalloc")?.a ?? 0;

/** Whether the record shows an array of several pages of vmalloc() and none of the pages. */
const bulksAreSilent = (recorded: readonly Allocation[]): boolean =>
  recorded.some(
    (a, i) =>
      a.mapped &&
      a.event === "kmalloc" &&
      a.gfp !== 0 &&
      a.a > pointerBytes &&
      a.a % pointerBytes === 0 &&
      recorded[i - 1]?.vmapArea === true &&
      recorded[i + 1]?.mapped !== true,
  );

/** Fills up what a cache has, then leaves `free` objects free, each in a slab of its own so that none is discarded. */
function setFree(heap: SlabHeap, free: number, take: () => number, give: (address: number) => void): void {
  const probe = take();
  if (probe < 0) return;
  const cache = heap.engine.cacheOf(probe);
  if (cache < 0) {
    give(probe);
    return;
  }
  const objects = heap.caches()[cache]?.geometry.objects ?? 1;
  const slabs = (): number => heap.engine.counts(cache).slabs;
  for (const before = slabs(); slabs() === before; ) take();
  for (let i = 1; i < objects; i++) take();
  const loose: number[] = [];
  for (let n = 0; n < free; n++) {
    loose.push(take());
    for (let i = 1; i < objects; i++) take();
  }
  for (const address of loose) give(address);
}

/** A frame; those of one flow follow each other, and one without a flow is alone in its own. */
function arrive(world: World, device: NetDevice, length: FrameLength, flow?: number): void {
  const { frames } = world.machine;
  const frame = frames.take();
  const payload = frameLengths[length];
  const own = flow ?? world.alone++;
  const sent = world.sent.get(own) ?? 0;
  world.sent.set(own, sent + payload);
  frames.W[frame + frameField.LEN] = payload;
  frames.W[frame + frameField.KIND] = frameKind.tcp;
  frames.W[frame + frameField.FLOW] = own;
  frames.W[frame + frameField.SEQ] = sent;
  device.driver.frameArrived(frame);
}

/** Flows of one frame begin behind those that a plan names. */
const firstAlone = 1_000_000;
const budget = 64;
/** virtio_net refills at such a budget only when half of the ring is empty, so what each frame does is seen before any refill. */
const withoutRefill = 512;

/** net_rx_action() polls again as long as a poll uses its budget up: more frames may have come than one takes. */
function pollAll({ driver }: NetDevice): void {
  while (driver.poll(budget) >= budget);
}

function take(world: World, device: NetDevice, steps: readonly Step[]): void {
  const eachAlone = device.driver.name === "virtio_net";
  for (const step of steps)
    if (step === "poll") pollAll(device);
    else {
      arrive(world, device, step.frame, step.flow);
      if (eachAlone) device.driver.poll(withoutRefill);
    }
}

/** Brings ring, slices and pieces into the state that a plan begins with. */
function bringTo(world: World, device: NetDevice, before: Before): void {
  const { skbs } = world.machine;
  const gfp = skbs.config.gfp.atomic;
  const long = (count: number): Step[] => new Array<Step>(count).fill({ frame: "long" });
  if (before.refilled > 0) take(world, device, [...long(before.refilled), "poll"]);
  take(world, device, long(before.empty));
  if (before.short) take(world, device, [{ frame: "short" }, "poll"]);
  // Until a page is begun for them; kernels that have no slices begin none.
  world.muted = false;
  world.asked.length = 0;
  const begun = (): boolean => world.asked.some((a) => a.event === "mm_page_alloc");
  for (let tries = 0; tries < slicesPerPage && !begun(); tries++) skbs.kfreeSkb(skbs.napiAllocSkb(64, gfp));
  world.muted = true;
  for (let left = slicesPerPage - 1; left > before.slices && begun(); left--) skbs.kfreeSkb(skbs.napiAllocSkb(64, gfp));
  for (let cut = 0; cut < before.pieces; cut++) skbs.kfreeSkb(skbs.netdevAllocSkb(1522, gfp));
  world.asked.length = 0;
}

const multicastsOf = (group: readonly Allocation[]): number | undefined => {
  const table = group.find((a) => a.event === "kmalloc" && a.chain[0]?.endsWith("_set_rx_mode"));
  if (table === undefined) return undefined;
  return table.driver === "virtio_net" ? (table.a - 8) / 6 : table.driver === "e1000e" ? table.a / 6 : undefined;
};

function runGroup(world: World, device: NetDevice, group: Group, plan: Plan | undefined, nth: number): void {
  const { driver } = device;
  const { recorded, operation } = group;
  world.withoutSlabs = operation === "poll";
  if (plan !== undefined && operation === "poll" && nth === 0) bringTo(world, device, plan.before);
  world.asked.length = 0;
  world.prime = world.withoutSlabs ? new Map() : freeBefore(recorded);
  const count = multicastsOf(recorded);
  if (count !== undefined && operation !== "set_rx_mode") driver.setRxMode?.(count);
  world.muted = false;
  if (operation === "open") {
    device.mtu = mtuOf(group);
    device.running = driver.open();
  } else if (operation === "change_mtu") driver.changeMtu(mtuOf(group));
  else if (operation === "poll") take(world, device, plan?.steps[nth] ?? []);
  else
    for (let before = -1; world.asked.length < recorded.length && world.asked.length > before; ) {
      before = world.asked.length;
      driver.setRxMode?.(multicastsOf(recorded.slice(before)));
    }
  world.muted = true;
}

/** Inlined functions are missing in a recorded stack: what is there must stand in the model's chain, in order, down to the outermost. */
function chainAgrees(recorded: readonly string[], model: readonly string[]): boolean {
  let at = 0;
  for (const f of model) if (recorded[at] === f) at++;
  return at === recorded.length && recorded.at(-1) === model.at(-1);
}

const agrees = (k: Allocation, m: Asked | undefined): boolean =>
  m !== undefined &&
  k.event === m.event &&
  k.gfp === m.gfp &&
  k.a === m.a &&
  k.b === m.b &&
  chainAgrees(k.chain, m.chain);

function describe(a: Asked | undefined, release: Release): string {
  if (a === undefined) return "nothing more";
  const what = a.event === "mm_page_alloc" ? `order=${a.a} migratetype=${a.b}` : `bytes_req=${a.a} bytes_alloc=${a.b}`;
  return `${a.event} ${what} gfp=${decodeGfp(a.gfp >>> 0, release.version).text} from ${a.chain.join(" < ")}`;
}

/** Opens a card that the record does not open. */
function prepare(world: World, device: NetDevice, groups: readonly Group[]): void {
  const first = groups.find((g) => g.driver === device.driver.name);
  if (first === undefined || first.operation === "open") return;
  const shows = groups.find((g) => g.driver === first.driver && g.operation !== "set_rx_mode") ?? first;
  device.mtu = shows.operation === "change_mtu" ? (mtuOf(shows) === 1500 ? 3000 : 1500) : mtuOf(shows);
  world.machine.up(device);
}

/** Frames for the polls of each card. */
function plansOf(groups: readonly Group[]): Map<DriverName, Plan> {
  const plans = new Map<DriverName, Plan>();
  for (const driver of new Set(groups.map((g) => g.driver))) {
    const own = groups.filter((g) => g.driver === driver);
    const polled = own.filter((g) => g.operation === "poll").map((g) => g.recorded);
    const opened = own.some((g) => g.operation === "open" || g.operation === "change_mtu");
    // e1000 and e1000e cut their pieces from one page.
    const shared = groups.find((g) => g.driver !== "virtio_net")?.driver !== driver;
    if (polled.length > 0) plans.set(driver, planOf(driver, polled, opened ? "opened" : shared ? "shared" : "unknown"));
  }
  return plans;
}

function outcomeOf(release: Release, groups: readonly Group[]): Outcome {
  const drivers = [...new Set(groups.map((g) => g.driver))];
  const world = createWorld(release, drivers, skBuffBytesOf(groups));
  const { devices } = world.machine;
  world.silentBulks = groups.some((g) => bulksAreSilent(g.recorded));
  for (const device of devices) prepare(world, device, groups);
  const plans = plansOf(groups);
  const polled = new Map<DriverName, number>();
  let exact = 0;
  let operations = 0;
  let first: Difference | undefined;
  for (const group of groups) {
    const device = some(devices[drivers.indexOf(group.driver)], "device");
    const nth = polled.get(group.driver) ?? 0;
    runGroup(world, device, group, plans.get(group.driver), nth);
    if (group.operation === "poll") polled.set(group.driver, nth + 1);
    const { recorded } = group;
    const more = world.asked.length > recorded.length ? 1 : 0;
    operations += recorded.length + more;
    recorded.forEach((k, i) => {
      const m = world.asked[i];
      if (agrees(k, m)) {
        exact++;
        return;
      }
      first ??= {
        line: k.line,
        operation: `${group.driver} ${group.operation}, allocation ${i + 1} of ${recorded.length}`,
        kernel: describe(k, release),
        model: describe(m, release),
        reasons: [`The model was run with MTU ${device.mtu}.`],
      };
    });
    if (more === 1)
      first ??= {
        line: recorded.at(-1)?.line ?? 1,
        operation: `${group.driver} ${group.operation}, behind allocation ${recorded.length}`,
        kernel: describe(undefined, release),
        model: describe(world.asked[recorded.length], release),
        reasons: [`The model was run with MTU ${device.mtu}.`],
      };
  }
  return { exact, operations, first };
}

function replay(input: TranscriptInput): Replayed {
  const nothing: Replayed = {
    operations: 0,
    exact: 0,
    firstDifference: undefined,
    compared: "no allocation of a driver that the model has",
  };
  if (!input.lines.some(namesDriver)) return nothing;
  const { release } = kernelOfTranscript(input, {});
  if (!atLeast(release, [6, 1]))
    throw new BadInput(
      "What drivers ask for is compared from Linux 6.1 on: before, objects of a node were announced by events of their own.",
      { file: input.path, line: 1 },
      "Leave these traces out.",
    );
  const { allocations, passedOver } = readKmemTrace(input, release.version);
  const { groups, unknown } = groupsOf(allocations);
  if (groups.length === 0) return nothing;
  const { exact, operations, first } = outcomeOf(release, groups);
  const cards = [
    ...new Set(
      groups.map((g) => `${g.driver} ${g.operation}${/mtu|poll/.test(g.operation) ? ` (as at MTU ${mtuOf(g)})` : ""}`),
    ),
  ].join(", ");
  return {
    operations,
    exact,
    firstDifference: first,
    compared: `${cards}: allocations by the driver's own functions; passed over: ${passedOver + unknown} that protocols, interrupt setup or others made below them`,
  };
}

/** ftrace texts of the kmem events with stacks; such without a driver in them have nothing to compare. */
export const driverRingsReplayer: Replayer = {
  kind: "driver_rings",
  formats: [],
  sniff: (firstLine) => /^# tracer: nop\s*$/.test(firstLine),
  replay,
};
