// What each given file is, and which pages have an answer to it. `identify` decides; nothing that is recognised is sent where it would be told
// that all is well.
import { identify } from "../../artifact/identify.ts";
import { isEmptyReading, readPools } from "../../artifact/page_pool/read.ts";
import { isTar } from "../../artifact/tar.ts";
import { isZip } from "../../artifact/zip.ts";
import { BadInput } from "../../base/bad_input.ts";
import { startsWithBytes } from "../../base/bytes.ts";
import type { GivenFile } from "./files.ts";
import { headOf, plainText, zipFiles } from "./files.ts";

/** Pages that take files, by the name they have in an address. */
export type TakingPage = "diagnose" | "memory" | "pools" | "census" | "image" | "packet" | "scenarios";

export interface Identified {
  /** In a few words: `a kernel log`. */
  readonly says: string;
  /** The best first; empty when no page can do anything with it. */
  readonly offers: readonly TakingPage[];
  /** It can report trouble by itself; other files say more beside one that can. */
  readonly tells: boolean;
  /** Why it is not taken; undefined when it is. */
  readonly refused: string | undefined;
}

const headBytes = 1 << 18;

export async function identifyTask({
  files,
}: {
  readonly files: readonly GivenFile[];
}): Promise<readonly Identified[]> {
  const all: Identified[] = [];
  for (const file of files) {
    try {
      all.push(await identified(file));
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      all.push(refuse(error.sentence()));
    }
  }
  return all;
}

const refuse = (refused: string): Identified => ({ says: "not taken", offers: [], tells: false, refused });
const taken = (says: string, offers: readonly TakingPage[], tells = false): Identified => ({
  says,
  offers,
  tells,
  refused: undefined,
});

async function identified(file: GivenFile): Promise<Identified> {
  const packed = new Uint8Array(await file.blob.slice(0, 512).arrayBuffer());
  if (isZip(packed)) {
    const members = await zipFiles(file, () => undefined);
    if (members.length === 0) return refuse(`${file.name}: The zip archive has no files.`);
    return archive(members.map((m) => m.name));
  }
  const head = await headOf(file, headBytes);
  if (head.length === 0)
    return refuse(file.blob.size === 0 ? `${file.name} is empty.` : `${file.name} unpacks to nothing.`);
  if (isTar(head)) return archive([]);
  if (isImage(head)) return taken("a memory image", ["image"]);
  if (new TextDecoder().decode(head.subarray(0, 40)).startsWith('{"schema":"skblab.live-map/1"'))
    return taken("a map of a running machine", ["memory"]);
  const types = kernelTypes(head);
  if (types !== undefined) return taken(types, ["packet"]);
  const text = plainText(head);
  const [what] = identify(text === undefined ? head : new TextEncoder().encode(text));
  if (what === undefined || what.kind === "binary")
    return refuse(`${file.name} was not taken. ${what?.because ?? ""}`.trim());
  return ofText(file.name, text ?? "", what.kind);
}

function archive(names: readonly string[]): Identified {
  const free = names.some((n) => /(^|[/:._-])(buddyinfo|pagetypeinfo|page_owner)/.test(n));
  const files =
    names.length === 0 ? "an archive" : `an archive of ${names.length} ${names.length === 1 ? "file" : "files"}`;
  return taken(files, free ? ["diagnose", "memory"] : ["diagnose"], true);
}

/** Kernel types are in a BTF file, an ELF file that is no core, or a bootable image. */
function kernelTypes(head: Uint8Array): string | undefined {
  if (startsWithBytes(head, [0x9f, 0xeb], 0) || startsWithBytes(head, [0xeb, 0x9f], 0)) return "kernel types (BTF)";
  const elf = startsWithBytes(head, [0x7f, 0x45, 0x4c, 0x46], 0);
  if (elf && (head[16] ?? 0) + (head[17] ?? 0) !== 4) return "a kernel or module";
  return startsWithBytes(head, [0x48, 0x64, 0x72, 0x53], 0x202) ? "a bootable kernel" : undefined;
}

/** A dump of kdump, or an ELF core. */
function isImage(head: Uint8Array): boolean {
  const starts = (text: string): boolean => startsWithBytes(head, [...new TextEncoder().encode(text)], 0);
  const core = starts("\u007fELF") && (head[16] ?? 0) + (head[17] ?? 0) === 4;
  return core || starts("KDUMP   ") || starts("makedumpfile");
}

function ofText(name: string, text: string, kind: string): Identified {
  if (/^kind:\s*\S/m.test(text) && !/^\s*\[/.test(text)) return taken("a scenario", ["scenarios"]);
  const pools = poolsIn(name, text);
  switch (kind) {
    case "kernel log":
    case "json lines":
      return taken(
        kind === "kernel log" ? "a kernel log" : "JSON, one record per line",
        pools ? (kind === "kernel log" ? ["diagnose", "pools"] : ["pools", "diagnose"]) : ["diagnose"],
        true,
      );
    case "page_owner":
      return taken("a page_owner dump", ["census", "memory"]);
    case "buddyinfo":
    case "pagetypeinfo":
      return taken(`/proc/${kind}`, ["memory", "diagnose"]);
    case "ftrace":
      return pools
        ? taken("a trace of page pools", ["pools"])
        : refuse(`${name} was not taken. It is a trace without events of page pools; those of kmem are not read here.`);
    case "text":
      if (pools) return taken("counters of page pools", ["pools"]);
      return taken("text of no known kind", ["diagnose"], true);
    default:
      return pools ? taken(kind, ["pools", "diagnose"]) : taken(kind, ["diagnose"]);
  }
}

const poolsIn = (name: string, text: string): boolean => !isEmptyReading(readPools(name, text));
