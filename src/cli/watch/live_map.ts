// Reads /proc/kpageflags and /proc/kpagecount in slices, at the lowest priority and with pauses, so that a watch goes on beside it.
import { closeSync, openSync, readSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { mapToPng, mapToSvg } from "../../analysis/page_map.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { LiveMap } from "../../live/page_map.ts";
import { createLiveMap, ramOf } from "../../live/page_map.ts";
import type { PinOwners } from "../../live/pin_owners.ts";
import { pinOwners } from "../../live/pin_owners.ts";
import type { Sample } from "../../live/sample.ts";
import type { Document } from "../../report/document.ts";
import { escapeHtml, inertLine } from "../../report/escape.ts";
import type { LiveMapFile, MapCost } from "../../report/live_map.ts";
import { liveMapDocument, liveMapFile, pageMapOf } from "../../report/live_map.ts";
import type { Io } from "../command.ts";
import { takeCensus } from "../input/page_owner.ts";
import { writeOutput } from "../output.ts";
import { textOf } from "./files.ts";

const entryBytes = 8;
/** 512 MiB of memory: some 15 ms of one CPU for both files. */
const sliceFrames = 131_072;
const pauseMillis = 10;

/** The map of this machine. `blockOrder` from /proc/pagetypeinfo. Throws BadInput where /proc/kpageflags may not be read. */
export async function readLiveMap(proc: string, blockOrder: number): Promise<{ map: LiveMap; cost: MapCost }> {
  const path = join(proc, "kpageflags");
  const flags = tryOpen(path);
  if (flags === undefined)
    throw new BadInput(
      "The live map cannot be read.",
      { file: path },
      "Run the watch as root, on a kernel with CONFIG_PROC_PAGE_MONITOR.",
    );
  const counts = tryOpen(join(proc, "kpagecount"));
  const began = performance.now();
  let cpu = 0;
  let entries = 0;
  try {
    const taker = createLiveMap({ frames: framesOf(flags), blockOrder, ram: ramOf(textOf(join(proc, "iomem")) ?? "") });
    const [flagWords, countWords] = [slice(), slice()];
    for (let frame = 0; ; ) {
      const before = process.cpuUsage();
      const n = atLowPriority(() => {
        const got = readEntries(flags, flagWords, frame);
        const counted = counts === undefined || got === 0 ? 0 : readEntries(counts, countWords, frame);
        // A count that is missing at the end (memory came while we read) is taken as not read.
        taker.add(flagWords, counts !== undefined && counted >= got ? countWords : undefined, got);
        entries += got + counted;
        return got;
      });
      const used = process.cpuUsage(before);
      cpu += (used.user + used.system) / 1e6;
      if (n === 0) break;
      frame += n;
      await sleep(pauseMillis);
    }
    return { map: taker.finish(), cost: { seconds: (performance.now() - began) / 1000, cpuSeconds: cpu, entries } };
  } finally {
    closeSync(flags);
    if (counts !== undefined) closeSync(counts);
  }
}

const slice = (): Uint32Array => new Uint32Array((sliceFrames * entryBytes) / 4);

function tryOpen(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch {
    return undefined;
  }
}

/** Whole entries from `frame` on; 0 behind the last one. */
function readEntries(fd: number, into: Uint32Array, frame: number): number {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
  const n = readSync(fd, bytes, 0, bytes.length, frame * entryBytes);
  return Math.floor(n / entryBytes);
}

/** Frames that the file has: it states no size, but a read behind its end gives nothing. */
function framesOf(fd: number): number {
  const one = new Uint32Array(2);
  let low = 0;
  let high = 2 ** 20;
  while (readEntries(fd, one, high) > 0) high *= 2;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (readEntries(fd, one, middle) > 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whoever may lower his priority but not raise it again stays low: on Linux this is the calling thread's. */
function atLowPriority<T>(work: () => T): T {
  const before = getPriority();
  try {
    setPriority(constants.priority.PRIORITY_LOW);
    return work();
  } finally {
    try {
      setPriority(before);
    } catch {
      // The system keeps it low; the watch goes on.
    }
  }
}

export interface TakenMap {
  readonly map: LiveMap;
  readonly document: Document;
}

export interface MapKeeper {
  /** The last map; undefined before the first was read. */
  readonly latest: TakenMap | undefined;
  /** Why the last map could not be read, or not be kept; undefined when it was. */
  readonly failed: string | undefined;
  /** Begins to read a map where none is being read and the last is old enough; resolves when it is there. */
  take(millis: number): Promise<void>;
}

/** A map is read anew at most this often: on 24 GiB that keeps it below 0.3 % of one CPU. */
const mapEveryMillis = 300_000;

export interface MapKeeperOptions {
  readonly proc: string;
  /** /sys/kernel/debug/page_owner; looked at where it can be opened. */
  readonly pageOwner: string;
  readonly io: Io;
  /** The sample before the map, if there is one. */
  readonly sample: () => Sample | undefined;
  /** Keeps it; throws BadInput where it cannot, and is asked again with the next map. */
  readonly taken: (map: TakenMap) => void;
}

/** Pageblock order of x86 and arm64 with pages of 4 KiB; for a machine that does not say its own. */
export const usualBlockOrder = 9;

export function createMapKeeper({ proc, pageOwner, io, sample, taken }: MapKeeperOptions): MapKeeper {
  let latest: TakenMap | undefined;
  let next = 0;
  let running: Promise<void> | undefined;
  let failed: string | undefined;
  const fail = (sentence: string): void => {
    if (sentence !== failed) io.note(inertLine(sentence));
    failed = sentence;
  };
  const read = async (): Promise<void> => {
    const last = sample();
    const { map, cost } = await readLiveMap(proc, last?.pageBlockOrder ?? usualBlockOrder);
    let owners: PinOwners | undefined;
    if (map.fewPinned.length > 0 && readable(pageOwner))
      try {
        owners = pinOwners(map, await takeCensus(pageOwner, { places: true }, io, undefined));
      } catch (error) {
        io.note(`${(error as Error).message} Who owns the pinning pages is not known.`);
      }
    latest = { map, document: liveMapDocument(map, { cost, owners, unmanagedPages: last?.unmanagedPages }) };
    try {
      taken(latest);
      failed = undefined;
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      fail(error.sentence());
    }
  };
  return {
    get latest() {
      return latest;
    },
    get failed() {
      return failed;
    },
    take(millis) {
      if (running === undefined && millis >= next) {
        next = millis + mapEveryMillis;
        running = read()
          .catch((error) => {
            next = Number.POSITIVE_INFINITY;
            fail(
              error instanceof BadInput
                ? error.sentence()
                : `The live map cannot be read: ${(error as Error).message}.`,
            );
          })
          .finally(() => {
            running = undefined;
          });
      }
      return running ?? Promise.resolve();
    },
  };
}

/** Writes a map where the name says how: .json (the page draws it), .png or .svg. */
export function writeMap(path: string, { map }: TakenMap): void {
  writeOutput(path, mapBytes(path, liveMapFile(map)));
}

/** Refuses a name before a watch begins. */
export function checkMapName(path: string): void {
  if (!/\.(json|png|svg)$/i.test(path))
    throw new BadInput(`--map-out writes .json, .png or .svg files, not "${path}".`);
}

function mapBytes(path: string, file: LiveMapFile): string | Uint8Array {
  if (/\.json$/i.test(path)) return `${JSON.stringify(file)}\n`;
  const map = pageMapOf(file, path);
  return /\.png$/i.test(path) ? mapToPng(map) : mapToSvg(map, escapeHtml);
}

const readable = (path: string): boolean => {
  const fd = tryOpen(path);
  if (fd === undefined) return false;
  closeSync(fd);
  return true;
};
