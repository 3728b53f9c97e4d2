// The registry of replayers: transcripts of a real kernel replayed on the model. Adding a kind is one line here.
// A replayer is chosen by the content of the first line, never by a file's name.
import { BadInput } from "../base/bad_input.ts";
import { buddyReplayer } from "./buddy.ts";
import { driverRingsReplayer } from "./driver_rings.ts";
import { pageFragReplayer } from "./page_frag.ts";
import { pagePoolReplayer } from "./page_pool.ts";
import type { Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt, requireWhole } from "./replayer.ts";
import { skbFuzzReplayer } from "./skb_fuzz.ts";
import { skbSegmentReplayer } from "./skb_segments.ts";
import { skbTablesReplayer } from "./skb_tables.ts";
import { slabGeometryReplayer } from "./slab_geometry.ts";
import { slubReplayer } from "./slub.ts";

/** All replayers: one line each. */
export const replayers: readonly Replayer[] = [
  buddyReplayer, // the page allocator
  pagePoolReplayer, // page_pool
  skbFuzzReplayer, // sk_buff operations
  skbTablesReplayer, // sk_buff sizes
  skbSegmentReplayer, // GSO segmentation
  slubReplayer, // slab objects and lists
  slabGeometryReplayer, // sizes and orders of every cache
  pageFragReplayer, // page fragments
  driverRingsReplayer, // what network drivers allocate
];

/** The replayer for a file that begins with `firstLine`, or undefined. */
export function replayerFor(firstLine: string): Replayer | undefined {
  return replayers.find((replayer) => replayer.sniff(firstLine));
}

/** Replays one transcript with the replayer its first line asks for; BadInput when no replayer knows it. */
export function replayTranscript(input: TranscriptInput): Replayed & { readonly kind: string } {
  return replayWhole({ ...input, lines: withoutBlankEnd(input.lines) });
}

function replayWhole(input: TranscriptInput): Replayed & { readonly kind: string } {
  const first = input.lines.find((line) => line.trim() !== "") ?? "";
  const replayer = replayerFor(first);
  if (replayer === undefined) throw unknownTranscript(input.path);
  if (first.startsWith("{")) {
    requireWhole(input);
    requireFormat(input, replayer);
  }
  return { kind: replayer.kind, ...replayer.replay(input) };
}

/** Without what a last newline leaves behind it. */
function withoutBlankEnd(lines: readonly string[]): readonly string[] {
  let end = lines.length;
  while (end > 0 && lines[end - 1]?.trim() === "") end--;
  return end === lines.length ? lines : lines.slice(0, end);
}

/** BadInput when the first line names a format that its replayer does not have. */
function requireFormat(input: TranscriptInput, { kind, formats }: Replayer): void {
  const { format } = objectAt(input, 0);
  if (format !== undefined && !formats.some((known) => known === format))
    throw new BadInput(
      `skblab does not replay ${kind} of the format "${format}"; it replays ${formats.join(", ")}.`,
      { file: input.path, line: 1 },
      "Record it with the matching recorder.",
    );
}

/** The sentence for a file that is no transcript we know. */
export function unknownTranscript(path: string): BadInput {
  const kinds = replayers.map((r) => r.kind).join(", ");
  return new BadInput(
    "This is not a transcript that skblab can replay.",
    { file: path, line: 1 },
    `It knows: ${kinds}.`,
  );
}
