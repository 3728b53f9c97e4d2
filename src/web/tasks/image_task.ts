// A memory image in the page: read where it lies by slices of its File (FileReaderSync in this worker); only a packed one is unpacked into memory.
// The first answer comes without the search of all memory; that is asked for apart, and either is cancelled by ending the worker.
import type { LevelledMap } from "../../analysis/map_levels.ts";
import { withLevels } from "../../analysis/map_levels.ts";
import { gather } from "../../artifact/gather.ts";
import { BadInput } from "../../base/bad_input.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { createCollector } from "../../diagnosis/collect.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import { openImage } from "../../image/container/open.ts";
import type { RandomBytes } from "../../image/container/random_bytes.ts";
import { type Image, pointerPlan, readImage, withPointers } from "../../image/image.ts";
import { joinLog } from "../../image/joined.ts";
import { syslogLines } from "../../image/kernel_log.ts";
import { ownerNames } from "../../image/mm/pins.ts";
import { searchPointers } from "../../image/net/pointer_scan.ts";
import { diagnosisDocument } from "../../report/diagnosis.ts";
import { heading } from "../../report/document.ts";
import { imageDocument, imageJson, joinedDocument } from "../../report/image.ts";
import { imagePageMap } from "../../report/image_map.ts";
import { moving } from "./moving.ts";
import type { Progress, Shown } from "./protocol.ts";
import { chunksOf } from "./streams.ts";

export interface ImageFiles {
  readonly files: readonly { readonly name: string; readonly blob: Blob }[];
}

export interface ImageOutput {
  readonly shown: Shown;
  readonly map: LevelledMap;
  /** Pages of pools that no packet explains: how many a search of all memory would look for. */
  readonly open: number;
}

/** The image that is open here, for the questions that follow. */
let kept: { readonly image: Image; readonly nameOf: (pfn: number) => string } | undefined;

/** A FileReaderSync exists in workers only; the page's types do not know it. */
interface SyncReader {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}
declare const FileReaderSync: { new (): SyncReader };

/** Opens the image, reads all but what needs a search of all memory, and explains its log. */
export async function imageTask({ files }: ImageFiles, progress: Progress): Promise<ImageOutput> {
  kept = undefined;
  const sources: RandomBytes[] = [];
  for (const { name, blob } of files) sources.push(await sourceFor(name, blob, progress));
  const image = readImage(openImage(sources), {
    pointers: false,
    progress: (what, done) => progress(done, what),
  });
  kept = { image, nameOf: ownerNames(image) };
  return output(image);
}

/** Searches all memory for pointers to the pages that no packet explains. */
export async function imageSearchTask(_: object, progress: Progress): Promise<ImageOutput> {
  if (kept === undefined) throw new BadInput("The image is no longer at hand.", undefined, "Drop it again.");
  const plan = pointerPlan(kept.image);
  const hits = searchPointers(kept.image.memory, plan, 0, plan.endPfn, (pfn) =>
    progress(pfn / plan.endPfn, "pointers to pages in flight"),
  );
  const image = withPointers(kept.image, hits);
  kept = { image, nameOf: ownerNames(image) };
  return output(image);
}

/** Whose a page is, in plain words. */
export async function imagePageTask({ pfn }: { readonly pfn: number }): Promise<string> {
  if (kept === undefined) return "";
  const { map } = kept.image;
  if (pfn >= map.endPfn || map.kind[pfn] === 0) return "no struct page";
  return `${kept.nameOf(pfn)}; refcount ${map.refcount[pfn]}, mapcount word ${map.mapcount[pfn]}, flags 0x${(map.flags[pfn] as number).toString(16)}`;
}

async function output(image: Image): Promise<ImageOutput> {
  const map = withLevels(imagePageMap(image.map.kind));
  const joined = joinLog(image);
  const log = await explained(image);
  const shown: Shown = {
    document: [
      ...imageDocument(image),
      ...joinedDocument(joined),
      ...(log === undefined || log.incidents.length === 0 ? [] : [heading(2, "Kernel log"), ...diagnosisDocument(log)]),
    ],
    json: { ...imageJson(image), logJoined: joined, diagnosis: log ?? null },
  };
  const open = image.net.searched ? 0 : pointerPlan(image).wantedCount;
  return moving({ shown, map, open }, [map.cells, ...map.levels]);
}

async function explained(image: Image): Promise<ReturnType<typeof diagnose> | undefined> {
  const { records } = image.log;
  if (records.length === 0) return undefined;
  const text = `${records.map(syslogLines).join("\n")}\n`;
  const collector = createCollector();
  const gathered = await gather(
    (async function* () {
      yield { source: sourceOf(`${image.memory.name}: kernel log`, text), named: true };
    })(),
    { onWindow: collector.onWindow },
  );
  return diagnose(collector.finish(gathered));
}

/** First bytes of .gz, .xz and .zst. */
const packedMarks: readonly (readonly number[])[] = [
  [0x1f, 0x8b],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a],
  [0x28, 0xb5, 0x2f, 0xfd],
];
/** A packed image is held in memory; the page has no more. */
const mostUnpacked = 2 ** 31;

async function sourceFor(name: string, blob: Blob, progress: Progress): Promise<RandomBytes> {
  const head = new Uint8Array(await blob.slice(0, 16).arrayBuffer());
  return packedMarks.some((m) => m.every((b, i) => head[i] === b))
    ? unpacked(name, blob, progress)
    : fileBytes(name, blob);
}

function fileBytes(name: string, blob: Blob): RandomBytes {
  const reader = new FileReaderSync();
  return {
    name,
    size: blob.size,
    read(at, into) {
      if (at < 0 || at >= blob.size) return 0;
      try {
        const part = new Uint8Array(reader.readAsArrayBuffer(blob.slice(at, at + into.length)));
        into.set(part);
        return part.length;
      } catch {
        throw new BadInput(
          "It could not be read any more.",
          { file: name },
          "Was it changed or removed? Drop it again.",
        );
      }
    },
  };
}

async function unpacked(name: string, blob: Blob, progress: Progress): Promise<RandomBytes> {
  const chunks: { readonly at: number; readonly bytes: Uint8Array }[] = [];
  let size = 0;
  for await (const chunk of chunksOf(name, blob, progress)) {
    chunks.push({ at: size, bytes: chunk.slice() });
    size += chunk.length;
    if (size > mostUnpacked)
      throw new BadInput(
        "Unpacked it takes more than 2 GiB.",
        { file: name },
        "Unpack it first, then drop the plain file.",
      );
  }
  return {
    name,
    size,
    read(at, into) {
      const wanted = Math.max(0, Math.min(into.length, size - at));
      let low = 0;
      let high = chunks.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((chunks[middle] as { at: number }).at > at) high = middle;
        else low = middle + 1;
      }
      for (let i = Math.max(0, low - 1), done = 0; done < wanted; i++) {
        const c = chunks[i];
        if (c === undefined) return done;
        const piece = c.bytes.subarray(at + done - c.at, at + wanted - c.at);
        into.set(piece, done);
        done += piece.length;
      }
      return wanted;
    },
  };
}
