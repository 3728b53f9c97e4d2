// From a driver's request to the page order that a failure would print: the driver's facts, the pads of that release, and the slab
// geometry of the model. Also the table of MTUs.
import type { BufferRequest, DriverFacts, RxMachine } from "../kernel/facts/drivers/driver.ts";
import { rxRuleAt } from "../kernel/facts/drivers/index.ts";
import { cacheLineOf, type MemoryRequest, memoryOf, padsOf } from "../kernel/facts/drivers/rx_path.ts";
import type { SlabAllocator } from "../kernel/facts/slab.ts";
import { type AskedVersion, askedMemo, type Release } from "../kernel/release.ts";
import { defaultAllocator, type KmallocAnswer, type KmallocGeometry, kmallocGeometry } from "../model/slab/geometry.ts";
import type { MtuRow, MtuTable } from "./finding.ts";
import { sharedInfoBytes } from "./shared_info.ts";
import { size } from "./words.ts";

/** Everything the arithmetic of buffers needs to know of a machine. */
export interface BufferMachine {
  readonly release: Release;
  readonly rx: RxMachine;
  readonly kmalloc: KmallocGeometry;
  readonly allocator: SlabAllocator;
}

/** What is worked out for a machine: all of it but the release. */
type Worked = Omit<BufferMachine, "release">;

const worked = askedMemo<Worked>(1000);

/** How each machine is named, and made once more with a version that remembers what it is asked. */
const named = new WeakMap<
  BufferMachine,
  { readonly key: string; readonly anew: (version: AskedVersion) => BufferMachine }
>();

/** The same machine is asked for again and again: one log holds many reports of it. */
export function bufferMachine(
  release: Release,
  pageKb: number,
  cpus: number,
  allocator?: SlabAllocator,
): BufferMachine {
  const kind = allocator ?? defaultAllocator(release);
  const key = `${release.version.join(".")} ${release.arch} ${pageKb} ${cpus} ${kind}`;
  const make = (version: readonly number[]): BufferMachine => ({
    release: { ...release, version },
    ...worked(key, version, (asked) => workOut({ ...release, version: asked }, pageKb, cpus, kind)),
  });
  const machine = make(release.version);
  named.set(machine, { key, anew: make });
  return machine;
}

function workOut(release: Release, pageKb: number, cpus: number, kind: SlabAllocator): Worked {
  const pageSize = pageKb * 1024;
  const cacheLine = cacheLineOf(release.arch);
  return {
    rx: { pageSize, cacheLine, ...padsOf(release), sharedInfo: sharedInfoBytes(release) },
    kmalloc: kmallocGeometry(release, { allocator: kind, cpus, pageSize, cacheLine }),
    allocator: kind,
  };
}

/** One piece of a receive buffer, down to the pages. */
export interface Piece {
  readonly request: BufferRequest;
  readonly memory: MemoryRequest;
  /** For kmalloc: which bucket, which slab. */
  readonly slab: KmallocAnswer | undefined;
  /** The order that a failure of this piece prints: the last one tried. */
  readonly order: number;
  /** `kmalloc-2048 (order-1 slab, no fall-back)`. */
  readonly words: string;
}

/** The pieces of one buffer of a driver at an MTU. `sleeping`: the ring is made by a caller that may wait. */
export function piecesOf(driver: DriverFacts, mtu: number, m: BufferMachine, sleeping: boolean): readonly Piece[] {
  const rule = rxRuleAt(driver, m.release.version);
  if (rule === undefined) return [];
  return rule.rule.buffers(mtu, m.rx).map((request) => pieceOf(request, m, sleeping));
}

/** What the driver asks for once the setting that makes its buffers smaller is set; undefined where nobody read that. */
export function curedPieces(driver: DriverFacts, mtu: number, m: BufferMachine): readonly Piece[] | undefined {
  const cure = rxRuleAt(driver, m.release.version)?.rule.cure;
  return cure?.buffers?.(mtu, m.rx).map((request) => pieceOf(request, m, false));
}

/** What other chips of the driver ask for; the MTU plays no part. */
export function otherPieces(driver: DriverFacts, m: BufferMachine, sleeping: boolean): readonly Piece[] {
  const others = rxRuleAt(driver, m.release.version)?.rule.others;
  return others === undefined ? [] : others(m.rx).map((request) => pieceOf(request, m, sleeping));
}

function pieceOf(request: BufferRequest, m: BufferMachine, sleeping: boolean): Piece {
  const memory = memoryOf(request, m.release, m.rx, sleeping);
  const times = request.count === undefined ? "" : `${request.count} × `;
  switch (memory.allocator) {
    case "kmalloc": {
      if (memory.smallHead !== undefined)
        return {
          request,
          memory,
          slab: undefined,
          // An object of some hundred bytes: one page is a slab of them.
          order: 0,
          words: `${times}an object of skbuff_small_head (${memory.smallHead} bytes, order 0 if need be)`,
        };
      const slab = m.kmalloc.forSize(memory.bytes);
      const words =
        slab.kind === "large"
          ? `one block of order ${slab.order} (kmalloc of ${memory.bytes} bytes)`
          : `${slab.bucket} (order-${slab.order} slab${slab.mayFallBack ? `, order ${slab.minOrder} if need be` : slab.order > 0 ? ", no fall-back" : ""})`;
      return { request, memory, slab, order: slab.minOrder, words: `${times}${words}` };
    }
    case "page_frag":
      return {
        request,
        memory,
        slab: undefined,
        order: 0,
        words:
          memory.triedOrder === 0
            ? `${times}a slice of a page (order 0)`
            : `${times}a fragment of a page (order ${memory.triedOrder} tried silently, order 0 if need be)`,
      };
    case "pages":
    case "page_pool":
      return {
        request,
        memory,
        slab: undefined,
        order: memory.order,
        words: `${times}${memory.order === 0 ? "a single page" : `a block of order ${memory.order} (${size(memory.bytes)})`}${memory.allocator === "page_pool" ? " from a page_pool" : ""}`,
      };
  }
}

const mtuLeast = 68;
const mtuMost = 16384;

const tables = askedMemo<MtuTable | undefined>(4000);

/** Which order each MTU needs with this driver on that kernel; worked out once, for one log's reports ask for the same again and again. */
export function mtuTable(driver: DriverFacts, m: BufferMachine): MtuTable | undefined {
  const own = named.get(m);
  if (own === undefined) return makeTable(driver, m);
  return tables(`${driver.name} ${own.key}`, m.release.version, (version) => makeTable(driver, own.anew(version)));
}

function makeTable(driver: DriverFacts, m: BufferMachine): MtuTable | undefined {
  const rule = rxRuleAt(driver, m.release.version);
  if (rule === undefined || rule.rule.notRead === true || rule.rule.noBuffers === true) return undefined;
  const most = Math.min(driver.mtuMax, mtuMost);
  const allocators = new Set<MtuTable["allocators"][number]>();
  const rows = rowsOf(mtuLeast, most, (mtu) => {
    const pieces = piecesOf(driver, mtu, m, false);
    for (const { memory } of pieces) allocators.add(memory.allocator);
    const order = Math.max(0, ...pieces.map((p) => p.order));
    return { order, needs: pieces.map((p) => `${p.request.holds}: ${wordsForTable(p)}`) };
  });
  const zero = rows.filter((r) => r.order === 0).at(-1);
  return {
    driver: driver.name,
    orderZeroUpTo: zero?.to ?? null,
    rows,
    allocators: [...allocators],
    assumes: [
      `${m.allocator.toUpperCase()}, pages of ${m.rx.pageSize / 1024} KiB, skb_shared_info of ${m.rx.sharedInfo} bytes`,
      rule.source,
      ...(rule.rule.unless === undefined ? [] : [`unless: ${rule.rule.unless}`]),
      ...(driver.limits ?? []).map((l) => `${l.name}: at most ${l.bytes} bytes`),
    ],
  };
}

type Needs = Pick<MtuRow, "order" | "needs">;

const sameNeeds = (a: Needs, b: Needs): boolean =>
  a.order === b.order && a.needs.length === b.needs.length && a.needs.every((n, i) => n === b.needs[i]);

/** So far the table looks ahead at first: what a stretch needs at both ends it needs between them too, for buffers only grow with the MTU. */
const stride = 64;

/** Neighbouring MTUs with the same needs as one row each. */
export function rowsOf(from: number, to: number, needsAt: (mtu: number) => Needs): MtuRow[] {
  const rows: MtuRow[] = [];
  for (let mtu = from; mtu <= to; ) {
    const own = needsAt(mtu);
    const end = endOf(own, mtu, to, needsAt);
    rows.push({ from: mtu, to: end, ...own });
    mtu = end + 1;
  }
  return rows;
}

/** The last MTU up to `to` that needs what `from` does. */
function endOf(own: Needs, from: number, to: number, needsAt: (mtu: number) => Needs): number {
  let [same, other] = [from, to + 1];
  for (let ahead = stride; same < to; ahead *= 2) {
    const mtu = Math.min(same + ahead, to);
    if (!sameNeeds(own, needsAt(mtu))) {
      other = mtu;
      break;
    }
    same = mtu;
  }
  while (other - same > 1) {
    const middle = (same + other) >>> 1;
    if (sameNeeds(own, needsAt(middle))) same = middle;
    else other = middle;
  }
  return same;
}

/** Bytes change with every MTU; the table groups by what is asked of the page allocator. */
function wordsForTable(p: Piece): string {
  return p.slab?.kind === "large" ? `one block of order ${p.order} (${size(p.slab.usable)})` : p.words;
}
