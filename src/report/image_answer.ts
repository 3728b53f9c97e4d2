// The whole answer about a memory image, as every face gives it: what was read, the proof where one was asked for, the log explained, and
// what the log names looked up in memory.
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import { createCollector } from "../diagnosis/collect.ts";
import { diagnose } from "../diagnosis/diagnose.ts";
import type { Diagnosis } from "../diagnosis/finding.ts";
import type { Image } from "../image/image.ts";
import { joinLog } from "../image/joined.ts";
import { syslogLines } from "../image/kernel_log.ts";
import { diagnosisDocument } from "./diagnosis.ts";
import type { Block, Document } from "./document.ts";
import { heading, paragraph } from "./document.ts";
import { imageDocument, imageJson, joinedDocument } from "./image.ts";

/** The log in the image, explained like every log; undefined when it has no record. */
export async function diagnoseImageLog(image: Image): Promise<Diagnosis | undefined> {
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

/** What was proved on the model, as blocks and as data. */
export interface ImageProofPart {
  readonly blocks: readonly Block[];
  readonly json: unknown;
}

/** Document and JSON value (schema skblab.image/1). */
export function imageAnswer(
  image: Image,
  log: Diagnosis | undefined,
  proof?: ImageProofPart,
): { readonly document: Document; readonly json: Record<string, unknown> } {
  const joined = joinLog(image);
  return {
    document: [...imageDocument(image), ...(proof?.blocks ?? []), ...logBlocks(image, log), ...joinedDocument(joined)],
    json: {
      ...imageJson(image),
      ...(proof === undefined ? {} : { proof: proof.json }),
      logJoined: joined,
      diagnosis: log ?? null,
    },
  };
}

function logBlocks(image: Image, log: Diagnosis | undefined): readonly Block[] {
  if (log === undefined) return [];
  if (log.incidents.length > 0) return [heading(2, "Kernel log"), ...diagnosisDocument(log)];
  const { records } = image.log;
  return [
    heading(2, "Kernel log"),
    paragraph(`${records.length} records are in the ring; diagnose finds nothing in them to explain.`),
  ];
}
