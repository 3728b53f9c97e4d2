// `skblab diagnose` in the worker: the same gather, the same rules, the same Document and JSON.
import type { InputItem } from "../../artifact/gather.ts";
import { gather } from "../../artifact/gather.ts";
import { isTar, tarMembers } from "../../artifact/tar.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { ByteSource } from "../../base/byte_source.ts";
import { readHead, sourceOf, withHead } from "../../base/byte_source.ts";
import { createCollector } from "../../diagnosis/collect.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import { functionIndexAsked } from "../../kernel/facts/functions/index.ts";
import { diagnosisDocument, whyUnread } from "../../report/diagnosis.ts";
import { loadFunctionIndex } from "./function_index.ts";
import type { Progress, Shown } from "./protocol.ts";
import { chunksOf } from "./streams.ts";

export interface DiagnoseInput {
  /** What was pasted; "" for nothing. */
  readonly pasted: string;
  readonly files: readonly { readonly name: string; readonly blob: Blob }[];
}

export interface DiagnoseOutput {
  readonly shown: Shown;
  /** The lines of a pasted text or small file, so that evidence can be shown in its place; by input name. */
  readonly texts: Readonly<Record<string, readonly string[]>>;
}

const shownBytesMax = 4 << 20;

export async function diagnoseTask(input: DiagnoseInput, progress: Progress): Promise<DiagnoseOutput> {
  const collector = createCollector();
  const damage = new Map<string, string>();
  const gathered = await gather(itemsOf(input, progress, damage), { onWindow: collector.onWindow });
  const collected = collector.finish(gathered);
  let diagnosis = diagnose(collected);
  if (functionIndexAsked() && (await loadFunctionIndex())) diagnosis = diagnose(collected);
  const [first] = diagnosis.inputs;
  const unread = diagnosis.inputs.map((i) => ((i.lines ?? 0) === 0 ? (damage.get(i.name) ?? whyUnread(i)) : undefined));
  if (first !== undefined && unread[0] !== undefined && unread.every((w) => w !== undefined))
    throw new BadInput(unread[0], { file: first.name });
  const texts: Record<string, readonly string[]> = {};
  if (input.pasted !== "") texts[pastedName] = input.pasted.split("\n");
  for (const { name, blob } of input.files) {
    if (blob.size > shownBytesMax) continue;
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of untilDamaged(
      chunksOf(name, blob, () => undefined),
      () => undefined,
    )) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > shownBytesMax) break;
    }
    if (text.length <= shownBytesMax && !text.includes("\0")) texts[name] = text.split("\n");
  }
  return { shown: { document: diagnosisDocument(diagnosis), json: diagnosis }, texts };
}

/** The name that a pasted text has in answers. */
export const pastedName = "pasted";

/** Every input; of a damaged one `damage` holds what is wrong with it, for one of which nothing could be read. */
async function* itemsOf(
  input: DiagnoseInput,
  progress: Progress,
  damage: Map<string, string>,
): AsyncGenerator<InputItem> {
  if (input.pasted !== "") yield { source: sourceOf(pastedName, input.pasted), named: true };
  for (const { name, blob } of input.files) {
    const problems: string[] = [];
    const packed = chunksOf(name, blob, (done, note) => progress(done, `${name}: ${note}`));
    const source = sourceOf(
      name,
      untilDamaged(packed, (sentence) => {
        problems.push(sentence);
        damage.set(name, sentence);
      }),
    );
    const head = await readHead(source, 512);
    const whole: ByteSource = withHead(head, source);
    if (!isTar(head)) {
      yield { source: whole, named: true };
      for (const sentence of problems) yield { name, sentence };
      continue;
    }
    for await (const member of tarMembers(whole, (sentence) => problems.push(sentence))) {
      yield { source: member.source, named: false };
    }
    for (const sentence of problems) yield { name, sentence };
  }
}

/** What could be unpacked of a damaged or cut file is read; `onProblem` hears one sentence about the rest, as on the command line. */
async function* untilDamaged(
  chunks: AsyncIterable<Uint8Array>,
  onProblem: (sentence: string) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    onProblem(`${error.message} ${bytes} bytes could be unpacked.`);
  }
}
