// A memory image in the page: read where it lies by slices of its File (FileReaderSync in this worker); a packed one is unpacked into a Blob,
// which the browser keeps. The first answer comes without the search of all memory: that is asked for apart, and other workers do it.
import type { LevelledMap } from "../../analysis/map_levels.ts";
import { withLevels } from "../../analysis/map_levels.ts";
import { BadInput } from "../../base/bad_input.ts";
import { openImage } from "../../image/container/open.ts";
import type { PhysicalMemory } from "../../image/container/physical.ts";
import type { RandomBytes } from "../../image/container/random_bytes.ts";
import { type Image, pointerPlan, readImage, withPointers } from "../../image/image.ts";
import { ownerNames } from "../../image/mm/pins.ts";
import { type PointerHits, type PointerPlan, searchPointers } from "../../image/net/pointer_scan.ts";
import { diagnoseImageLog, imageAnswer } from "../../report/image_answer.ts";
import { imagePageMap } from "../../report/image_map.ts";
import { moving } from "./moving.ts";
import type { Progress, Shown } from "./protocol.ts";
import { chunksOf, isPacked } from "./streams.ts";

interface ImageFile {
  readonly name: string;
  readonly blob: Blob;
}

export interface ImageFiles {
  readonly files: readonly ImageFile[];
}

export interface ImageOutput {
  readonly shown: Shown;
  readonly map: LevelledMap;
  /** Pages of pools that no packet explains: how many a search of all memory would look for. */
  readonly open: number;
}

/** What a worker needs to search frames [first, end). */
export interface SearchPart extends ImageFiles {
  readonly plan: PointerPlan;
  readonly first: number;
  readonly end: number;
}

interface Kept {
  readonly image: Image;
  readonly files: readonly ImageFile[];
  readonly nameOf: (pfn: number) => string;
}

/** The image that is open here, for the questions that follow. */
let kept: Kept | undefined;

function opened(): Kept {
  if (kept === undefined) throw new BadInput("The image is no longer in memory.", undefined, "Drop it again.");
  return kept;
}

/** A FileReaderSync exists in workers only; the page's types do not know it. */
interface SyncReader {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}
declare const FileReaderSync: { new (): SyncReader };

/** Opens the image, reads all but what needs a search of all memory, and explains its log. */
export async function imageTask({ files }: ImageFiles, progress: Progress): Promise<ImageOutput> {
  kept = undefined;
  const plain: ImageFile[] = [];
  for (const file of files) plain.push((await isPacked(file.blob)) ? await unpacked(file, progress) : file);
  const image = readImage(memoryOf(plain), {
    pointers: false,
    progress: (what, done) => progress(done, what),
  });
  return keep(image, plain);
}

/** What to search for, cut into parts for so many workers. */
export async function imagePlanTask({ workers }: { readonly workers: number }): Promise<readonly SearchPart[]> {
  const { image, files } = opened();
  const plan = pointerPlan(image);
  const each = Math.ceil(plan.endPfn / Math.max(1, workers));
  return Array.from({ length: Math.ceil(plan.endPfn / each) }, (_, i) => ({
    files,
    plan,
    first: i * each,
    end: Math.min((i + 1) * each, plan.endPfn),
  }));
}

/** Searches one part. Any worker can: it opens the files itself. */
export async function imageSearchTask(part: SearchPart, progress: Progress): Promise<PointerHits> {
  const said = (pfn: number): void =>
    progress((pfn - part.first) / Math.max(1, part.end - part.first), "pointers to pages in flight");
  return searchPointers(memoryOf(part.files), part.plan, part.first, part.end, said);
}

/** The answer with what all parts have found. */
export async function imageFoundTask({ hits }: { readonly hits: PointerHits }): Promise<ImageOutput> {
  const { image, files } = opened();
  return keep(withPointers(image, hits), files);
}

/** Whose a page is, in plain words. */
export async function imagePageTask({ pfn }: { readonly pfn: number }): Promise<string> {
  if (kept === undefined) return "";
  const { map } = kept.image;
  if (pfn >= map.endPfn || map.kind[pfn] === 0) return "no struct page";
  return `${kept.nameOf(pfn)}; refcount ${map.refcount[pfn]}, mapcount word ${map.mapcount[pfn]}, flags 0x${(map.flags[pfn] as number).toString(16)}`;
}

async function keep(image: Image, files: readonly ImageFile[]): Promise<ImageOutput> {
  kept = { image, files, nameOf: ownerNames(image) };
  const map = withLevels(imagePageMap(image.map.kind));
  const shown: Shown = imageAnswer(image, await diagnoseImageLog(image));
  const open = image.net.searched ? 0 : pointerPlan(image).wantedCount;
  return moving({ shown, map, open }, [map.cells, ...map.levels]);
}

const memoryOf = (files: readonly ImageFile[]): PhysicalMemory => openImage(files.map(fileBytes));

function fileBytes({ name, blob }: ImageFile): RandomBytes {
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
        throw new BadInput("It can no longer be read.", { file: name }, "Was it changed or removed? Drop it again.");
      }
    },
  };
}

/** A browser keeps what is unpacked; more than this it should not have to. */
const mostUnpacked = 2 ** 32;
const pieceBytes = 1 << 24;

async function unpacked({ name, blob }: ImageFile, progress: Progress): Promise<ImageFile> {
  const pieces: Blob[] = [];
  let open: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  let inOpen = 0;
  const close = (): void => {
    pieces.push(new Blob(open));
    open = [];
    inOpen = 0;
  };
  for await (const chunk of chunksOf(name, blob, progress)) {
    open.push(chunk.slice());
    inOpen += chunk.length;
    size += chunk.length;
    if (inOpen >= pieceBytes) close();
    if (size > mostUnpacked)
      throw new BadInput(
        "Unpacked it takes more than 4 GiB.",
        { file: name },
        "Unpack it first, then drop the plain file.",
      );
  }
  close();
  return { name, blob: new Blob(pieces) };
}
