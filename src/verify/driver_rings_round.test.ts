// A run of the model printed as ftrace would print it, read back and replayed: does the replayer find what came from allocations alone?
import { expect, test } from "vitest";
import { some } from "../base/assert.ts";
import { prng } from "../base/prng.ts";
import { eventKind, eventShapes } from "../kernel/events.ts";
import { decodeGfp } from "../kernel/facts/gfp.ts";
import { parseRelease } from "../kernel/release.ts";
import { createMachine } from "../model/machine.ts";
import { frameField, frameKind } from "../model/net/path/wire.ts";
import type { SlabHeap } from "../model/slab/kmalloc.ts";
import { driverRingsReplayer } from "./driver_rings.ts";

const release = parseRelease("6.1.192-x86_64");

/** The text of a run in which `driver` at `mtu` receives `frames`, `batch` of them a poll, all of one stream or each of its own. */
function printed(driver: string, mtu: number, frames: readonly number[], batch: number, merged = false): string[] {
  let heap: SlabHeap | undefined;
  let inHeap = false;
  let heard = false;
  const machine = createMachine({
    release,
    memoryMb: 256,
    nics: [{ driver, mtu }],
    skb: { skBuffBytes: 224, fclonesBytes: 456 },
    failing: {
      pages: (inner) => inner,
      heap(inner) {
        heap = inner;
        const within = (ask: () => number): number => {
          inHeap = true;
          const got = ask();
          inHeap = false;
          return got;
        };
        return {
          ...inner,
          kmalloc: (size, gfp) => within(() => inner.kmalloc(size, gfp)),
          cacheAlloc: (cache, gfp) => within(() => inner.cacheAlloc(cache, gfp)),
          cacheAllocBulk: (cache, gfp, into, from, to) =>
            within(() => inner.cacheAllocBulk?.(cache, gfp, into, from, to) ?? 0),
        };
      },
      asked: () => 0,
      refused: () => 0,
      arm: () => undefined,
    },
  });
  const lines = ["# tracer: nop", "#"];
  const { journal } = machine;
  journal.listen(
    (kind, _nanos, _cpu, _ptr, y, z, more) => {
      if (!heard || (inHeap && kind === eventKind.mm_page_alloc)) return;
      const name = some(eventShapes[kind], "event").name;
      const gfp = decodeGfp((kind === eventKind.kmalloc ? more : z) >>> 0, release.version).text;
      const { objectSize = 0, size = 0 } =
        kind === eventKind.kmem_cache_alloc ? (some(heap, "heap").caches()[y]?.geometry ?? {}) : {};
      const what =
        kind === eventKind.mm_page_alloc
          ? `page=0 pfn=0x1 order=${y} migratetype=${more}`
          : kind === eventKind.kmalloc
            ? `call_site=x+0x1/0x2 ptr=0 bytes_req=${y} bytes_alloc=${z}`
            : `call_site=x+0x1/0x2 ptr=0 bytes_req=${objectSize} bytes_alloc=${size}`;
      lines.push(`  swapper-0  [000] ..s..  1.000000: ${name}: ${what} gfp_flags=${gfp}`);
      lines.push(
        "  swapper-0  [000] ..s..  1.000001: <stack trace>",
        ` => ${name === "mm_page_alloc" ? "__alloc_pages" : name}`,
      );
      for (const f of journal.text(journal.caller).split(" < ")) lines.push(` => ${f}`);
      lines.push(" => __napi_poll", " => net_rx_action");
    },
    "mm_page_alloc",
    "kmalloc",
    "kmem_cache_alloc",
  );
  const device = machine.devices[0]!;
  machine.up(device);
  heard = true;
  let sent = 0;
  frames.forEach((bytes, n) => {
    const f = machine.frames.take();
    machine.frames.W[f + frameField.LEN] = bytes;
    machine.frames.W[f + frameField.KIND] = frameKind.tcp;
    machine.frames.W[f + frameField.FLOW] = merged ? 0 : n;
    machine.frames.W[f + frameField.SEQ] = merged ? sent : 0;
    sent += bytes;
    device.driver.frameArrived(f);
    if ((n + 1) % batch !== 0 && n + 1 < frames.length) return;
    device.driver.poll(64);
    // What a poll gathered goes up behind it.
    machine.gro.flush(0);
  });
  return lines;
}

/** Seeds of what is drawn at random. */
const rounds = Number(process.env.ROUNDS ?? 3);
const random = prng(11);
const mix = Array.from({ length: 120 }, () => (random.unit() < 0.2 ? 20 : 1448));
const long = Array.from({ length: 120 }, () => 1448);

const explained = (lines: string[]): void => {
  const { operations, exact, firstDifference } = driverRingsReplayer.replay({
    path: "printed",
    lines,
    kernel: "6.1.192",
  });
  expect(firstDifference).toBeUndefined();
  expect(operations).toBeGreaterThan(5);
  expect(exact).toBe(operations);
};

for (const [driver, mtu, frames, batch] of [
  ["e1000e", 3000, mix, 1],
  ["e1000e", 3000, mix, 7],
  ["e1000e", 9000, long, 5],
  ["e1000e", 1500, long, 4],
  ["e1000", 1500, long, 6],
  ["e1000", 3000, long, 5],
  ["e1000", 9000, long, 1],
  ["virtio_net", 1500, long, 1],
  ["virtio_net", 1500, long, 8],
  ["virtio_net", 1500, long, 20],
  ["e1000", 1500, mix, 1],
  ["e1000", 1500, mix, 8],
] as const)
  test(`${driver} at MTU ${mtu}, ${frames === mix ? "short and long" : "long"} frames, ${batch} a poll: every allocation is explained`, () => {
    explained(printed(driver, mtu, frames, batch));
  });

for (const batch of [3, 20, 64])
  test(`e1000 at MTU 9000, one stream that GRO merges, ${batch} a poll: its sk_buffs are explained`, () =>
    explained(printed("e1000", 9000, long, batch, true)));

test("virtio_net, frames of any length: every allocation is explained", () => {
  for (let seed = 1; seed <= rounds; seed++) {
    const p = prng(seed);
    const drawn = Array.from({ length: 150 }, () => (p.chance(0.6) ? 1448 : p.chance(0.5) ? 600 : 20));
    try {
      explained(printed("virtio_net", 1500, drawn, 1 + p.below(40)));
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
