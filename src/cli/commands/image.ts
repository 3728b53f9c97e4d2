// skblab image FILE: what the memory of a machine was, who held packets and pages of page pools, and whether its structures agree.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buddyinfo } from "../../artifact/proc/buddyinfo.ts";
import { pagetypeinfo } from "../../artifact/proc/pagetypeinfo.ts";
import { slabinfo } from "../../artifact/proc/slabinfo.ts";
import { zoneinfo } from "../../artifact/proc/zoneinfo.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { ProveInput } from "../../diagnosis/machine_told.ts";
import { openImage } from "../../image/container/open.ts";
import { type Image, readImage } from "../../image/image.ts";
import { pinsOf } from "../../image/mm/pins.ts";
import { imageBuddyinfo, imagePagetypeinfo, imageSlabinfo, imageZoneinfo } from "../../image/readings.ts";
import { imageRecords } from "../../image/records.ts";
import type { ImageAnswer, RequestAgain } from "../../prove/image_machine.ts";
import { imageProofDocument } from "../../report/image.ts";
import { diagnoseImageLog, type ImageProofPart, imageAnswer } from "../../report/image_answer.ts";
import type { CommandSpec, Io } from "../command.ts";
import { giveFunctionIndexFile } from "../function_index.ts";
import { answerCoarse } from "../image/coarse.ts";
import { searchImage } from "../image/search.ts";
import { openImageFiles } from "../input/image.ts";
import { goesWith } from "../modes.ts";
import { type Output, openOutput, writeOutputs } from "../output.ts";

export interface ImageOptions {
  readonly live?: boolean;
  readonly records?: string;
  readonly proc?: string;
  readonly prove?: boolean;
  readonly order?: string;
  /** False: --no-search. */
  readonly search?: boolean;
}

const kcore = "/proc/kcore";

export const command: CommandSpec = {
  name: "image",
  examples: [
    {
      line: "skblab image vmcore",
      does: "read a memory image (kdump, virsh dump --memory-only, qemu's dump-guest-memory): packets, page pools, free lists, integrity",
    },
    { line: "skblab image vmcore.1 vmcore.2", does: "all parts of a split dump" },
    { line: "sudo skblab image --live", does: "the running machine, through /proc/kcore; it changes while it is read" },
    {
      line: "skblab image vmcore --records found.ndjson",
      does: "everything that was found, one JSON object per line: every page, free list, slab cache, socket, sk_buff",
    },
    {
      line: "skblab image vmcore --proc then",
      does: "the files of /proc as they were: then/buddyinfo, pagetypeinfo, slabinfo, zoneinfo",
    },
    {
      line: "skblab image vmcore --prove --order 3",
      does: "boot the model from the image: would a block be granted now or after compaction, and whose pages pin blocks",
    },
    { line: "skblab image vmcore --format json", does: "the answer as data" },
  ],
  configure(cmd, io) {
    cmd
      .argument("[files...]", "the image; all parts of a split one; .xz, .zst and .gz are unpacked into memory")
      .option("--live", "read the running machine through /proc/kcore (root only)")
      .option("--records <file>", "write what was found as NDJSON")
      .option("--proc <dir>", "write buddyinfo, pagetypeinfo, slabinfo and zoneinfo as /proc would have shown them")
      .option("--no-search", "do not search all memory for pointers to pages that no packet holds")
      .option("--prove", "boot the model from the image and ask it for blocks of every order")
      .option("--order <n>", "with --prove: the order to examine (default: the smallest that is refused)")
      .action((files: string[], options: ImageOptions) => {
        goesWith(cmd, ["--order"], "--prove");
        return answerImage(files, options, io);
      });
  },
};

export async function answerImage(files: readonly string[], options: ImageOptions, io: Io): Promise<void> {
  const order = orderOf(options.order);
  const isLive = options.live === true || (files.length === 1 && files[0] === kcore);
  if (isLive && files.some((f) => f !== kcore))
    throw new BadInput("--live reads the running machine.", undefined, "Leave the file out.");
  if (!isLive && files.length === 0)
    throw new BadInput("Which image?", undefined, "Give a file, or --live for the running machine.");
  if (isLive && !existsSync(kcore)) {
    const needs = (["records", "proc", "prove"] as const).find((name) => options[name] !== undefined);
    if (needs !== undefined)
      throw new BadInput(
        `--${needs} needs a memory image, and this kernel has no ${kcore}.`,
        undefined,
        "Leave it out: page flags can be read.",
      );
    return answerCoarse(io, "/proc");
  }
  const { sources, files: direct, close } = await openImageFiles(isLive ? [kcore] : files);
  try {
    const first = readImage(openImage(sources, isLive), {
      pointers: false,
      progress: (what, done) => io.progress("reading", done, what),
    });
    const found =
      options.search === false
        ? first
        : await searchImage(first, {
            files: direct,
            progress: (done) => io.progress("reading", done, "pointers to pages in flight"),
          });
    io.progress("reading", 1);
    giveFunctionIndexFile();
    const log = await diagnoseImageLog(found);
    const proof = options.prove === true ? await proved(found, order, log?.incidents ?? []) : undefined;
    const records = options.records === undefined ? [] : [recordsIn(found, options.records)];
    writeOutputs(options.proc === undefined ? [] : procFiles(found, options.proc), { parents: true, also: records });
    await io.answer({
      ...imageAnswer(found, log, proof),
      // A running machine changes under the reader: what does not fit together there proves nothing.
      exit: found.findings.list.length > 0 && !isLive ? 1 : 0,
    });
  } finally {
    close();
  }
}

/** `--order`; whether the machine has it is known when the image is read. */
function orderOf(text: string | undefined): number | undefined {
  if (text !== undefined && !/^\d{1,2}$/.test(text))
    throw new BadInput(`--order ${text} is not an order.`, undefined, "Write a whole number, 0 or more.");
  return text === undefined ? undefined : Number(text);
}

async function proved(
  found: Image,
  order: number | undefined,
  incidents: readonly ProveInput[],
): Promise<ImageProofPart> {
  const highest = Math.max(0, found.zones.orders - 1);
  if (order !== undefined && order > highest)
    throw new BadInput(`This machine has no order ${order}.`, undefined, `It has orders 0 to ${highest}.`);
  const { askAgain, askerOf, askOrders } = await import("../../prove/image_machine.ts");
  let answer: ImageAnswer | string;
  let again: readonly RequestAgain[] = [];
  try {
    const asker = askerOf(found);
    answer = askOrders(found, asker);
    again = askAgain(asker, incidents);
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    answer = error.message;
  }
  const refused = typeof answer === "string" ? undefined : answer.orders.find((o) => !o.atomic)?.order;
  const pins = pinsOf(found, order ?? refused ?? Math.min(9, highest));
  return { blocks: imageProofDocument(answer, pins, again), json: { answer, again, pins } };
}

/** The file with every record in it, to be committed. */
function recordsIn(found: Image, file: string): Output {
  const output = openOutput(file);
  try {
    let lines: string[] = [];
    for (const record of imageRecords(found)) {
      lines.push(JSON.stringify(record));
      if (lines.length < 1000) continue;
      output.write(`${lines.join("\n")}\n`);
      lines = [];
    }
    lines.push(JSON.stringify({ t: "end" }));
    output.write(`${lines.join("\n")}\n`);
    return output;
  } catch (error) {
    output.discard();
    throw error;
  }
}

/** What the files of /proc would have said at that moment, for whatever reads them. */
function procFiles(found: Image, folder: string): [path: string, text: string][] {
  const texts = {
    buddyinfo: buddyinfo.print(imageBuddyinfo(found)),
    pagetypeinfo: pagetypeinfo.print(imagePagetypeinfo(found)),
    slabinfo: slabinfo.print(imageSlabinfo(found)),
    zoneinfo: zoneinfo.print(imageZoneinfo(found)),
  };
  return Object.entries(texts).map(([name, text]) => [join(folder, name), text]);
}
