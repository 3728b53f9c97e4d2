// The case of the 256 preallocated buffers: handed to the stack, and put into the ring again as if they were still the driver's.
import { parseRelease } from "../../kernel/release.ts";
import { createMachine } from "../../model/machine.ts";
import type { OwnershipFault } from "../../model/net/ownership.ts";
import { createLink, frameField, frameKind } from "../../model/net/wire.ts";
import { pagePoolKinds } from "../page_pool_kinds.ts";
import type { DesignResult } from "../page_pool_run.ts";
import type { Case } from "./case.ts";
import { judge, judgeIf } from "./case.ts";

interface Outcome {
  readonly faults: number;
  readonly first: OwnershipFault | undefined;
  /** Frames that had gone up when the first fault was seen, and when that was. */
  readonly firstAfterFrames: number;
  readonly firstAtMicros: number;
  readonly received: number;
}

const frames = 1000;
const ring = 256;

/** Frames of MTU 9000 into a plain card on a 405EX's kernel, with every sk_buff watched. `slowest` packets wait in the socket. */
export function receiveWatched(buffers: "preallocated" | "fresh", slowest: number): Outcome {
  const faults: OwnershipFault[] = [];
  let firstAfterFrames = 0;
  let firstAtMicros = 0;
  let received = 0;
  const machine = createMachine({
    release: parseRelease("2.6.31-ppc32"),
    memoryMb: 128,
    seed: 1,
    nics: [{ driver: "ringnic", mtu: 9000, settings: { buffers, rx_ring: ring } }],
    owned: {
      onFault(fault) {
        if (faults.push(fault) > 1) return;
        firstAfterFrames = received;
        firstAtMicros = Math.round(machine.clock.now() / 1000);
      },
    },
  });
  const [device] = machine.devices;
  if (device === undefined || !machine.up(device))
    return { faults: 0, first: undefined, firstAfterFrames, firstAtMicros, received };
  const queue: number[] = [];
  machine.receive.protocol(frameKind.udp, (skb) => {
    received++;
    queue.push(skb);
    if (queue.length > slowest) machine.skbs.consumeSkb(queue.shift() as number);
  });
  const link = createLink(
    machine.clock,
    machine.frames,
    { bitsPerSecond: 1e9, delayNanos: 1000, loss: 0 },
    machine.random.fork("wire"),
    (f) => device.driver.frameArrived(f),
  );
  const send = machine.clock.handler((i) => {
    const f = machine.frames.take();
    machine.frames.W[f + frameField.LEN] = 8900;
    machine.frames.W[f + frameField.KIND] = frameKind.udp;
    machine.frames.W[f + frameField.SEQ] = i;
    link.send(f);
    if (i + 1 < frames) machine.clock.after(100_000, send, i + 1);
  });
  machine.clock.after(0, send, 0);
  machine.clock.run(1e9, 1e6);
  return { faults: faults.length, first: faults[0], firstAfterFrames, firstAtMicros, received };
}

export const emacPreallocated: Case = {
  id: "emac-preallocated",
  seed: "000",
  question: "May a driver keep 256 preallocated buffers of four pages, hand them to the stack and use them again?",
  run: "A ring of 256 buffers for MTU 9000 on 2.6.31, 1000 frames, every sk_buff and page watched: the ring keeps its buffers, or takes fresh ones; the application reads at once, or late. Beside it, a page pool whose pages come back.",
  wouldChange:
    "A stack that gives the buffer back to the driver instead of freeing it: a page pool, a destructor for the fragment, or a copy.",
  answer(progress) {
    progress(0.1, "preallocated buffers, read at once");
    const kept = receiveWatched("preallocated", 0);
    progress(0.4, "preallocated buffers, read late");
    const late = receiveWatched("preallocated", 64);
    progress(0.6, "fresh buffers");
    const fresh = receiveWatched("fresh", 64);
    progress(0.8, "a page pool");
    const kind = pagePoolKinds.find((k) => k.kind === "page-pool-multicast");
    const pools = kind?.run(kind.schema.parse({ designs: ["pp-recycle"] })) as readonly DesignResult[] | undefined;
    const pool = pools?.[0];
    const safe = kept.faults === 0 && late.faults === 0;
    return {
      id: "emac-preallocated",
      answer: safe
        ? "Yes: no buffer was touched by two owners."
        : `No: the first fault (${kept.first?.kind}, in ${kept.first?.operation}) comes after ${kept.firstAfterFrames} frames, ${kept.firstAtMicros} µs into the run: ` +
          `${kept.first?.sentence}. Fresh buffers: ${fresh.faults} faults.`,
      claims: [
        {
          id: "reuse-safe",
          claim: "Buffers that were handed to the stack may be put back into the ring as they are.",
          answer: judge(safe),
          measured: { faults: kept.faults, faultsWhenReadLate: late.faults, frames },
        },
        {
          id: "first-lap-fine",
          claim: "Nothing goes wrong in the first lap around the ring: a short test passes.",
          answer: judgeIf(kept.faults > 0, kept.firstAfterFrames >= ring - 1),
          measured: {
            framesBeforeTheFirstFault: kept.firstAfterFrames,
            ring,
            firstFault: kept.first?.kind ?? "none",
            operation: kept.first?.operation ?? "none",
          },
        },
        {
          id: "fresh-safe",
          claim: "With a fresh buffer for each that is handed up nothing is touched by two owners.",
          answer: judge(fresh.faults === 0 && fresh.received > 0),
          measured: { faults: fresh.faults, received: fresh.received },
        },
        {
          id: "pool-safe",
          claim: "Buffers may be used again when the stack gives them back to a page pool.",
          answer: judgeIf(
            pool !== undefined,
            (pool?.leaked ?? 1) + (pool?.corrupted ?? 1) === 0 && (pool?.recycled ?? 0) > 0,
          ),
          measured: { recycled: pool?.recycled ?? 0, leaked: pool?.leaked ?? 0, corrupted: pool?.corrupted ?? 0 },
        },
      ],
      picture: {
        title: "faults in 1000 frames",
        unit: "",
        bars: [
          { label: "preallocated, read at once", value: kept.faults },
          { label: "preallocated, read late", value: late.faults },
          { label: "fresh buffers", value: fresh.faults },
          { label: "page pool", value: (pool?.leaked ?? 0) + (pool?.corrupted ?? 0) },
        ],
      },
    };
  },
};
