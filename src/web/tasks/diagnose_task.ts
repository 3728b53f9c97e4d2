// `skblab diagnose` in the worker: the same gather, the same rules, the same Document and JSON.
import type { InputItem } from "../../artifact/gather.ts";
import { gather } from "../../artifact/gather.ts";
import { isTar, tarMembers } from "../../artifact/tar.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { ByteSource } from "../../base/byte_source.ts";
import { readHead, sourceOf, withHead } from "../../base/byte_source.ts";
import { joinBytes } from "../../base/bytes.ts";
import { createCollector } from "../../diagnosis/collect.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import { functionIndexAsked } from "../../kernel/facts/functions/index.ts";
import { diagnosisDocument, whyUnread } from "../../report/diagnosis.ts";
import type { GivenFile } from "./files.ts";
import { expanded, plainText } from "./files.ts";
import { loadFunctionIndex } from "./function_index.ts";
import type { Progress, Shown } from "./protocol.ts";
import { chunksOf } from "./streams.ts";

export interface DiagnoseInput {
  readonly files: readonly GivenFile[];
}

export interface DiagnoseOutput {
  readonly shown: Shown;
  /** The lines of small inputs, so that evidence can be shown in its place; by input name. Of others they are asked for (logLines). */
  readonly texts: Readonly<Record<string, readonly string[]>>;
}

const shownBytesMax = 4 << 20;
/** Of all inputs together. */
const shownBytesInAll = 64 << 20;

export async function diagnoseTask(input: DiagnoseInput, progress: Progress): Promise<DiagnoseOutput> {
  const collector = createCollector();
  const damage = new Map<string, string>();
  const seen = new SeenBytes();
  const gathered = await gather(itemsOf(input.files, progress, damage, seen), { onWindow: collector.onWindow });
  const collected = collector.finish(gathered);
  let diagnosis = diagnose(collected);
  if (functionIndexAsked() && (await loadFunctionIndex())) diagnosis = diagnose(collected);
  const [first] = diagnosis.inputs;
  const unread = diagnosis.inputs.map((i) => ((i.lines ?? 0) === 0 ? (damage.get(i.name) ?? whyUnread(i)) : undefined));
  if (first !== undefined && unread[0] !== undefined && unread.every((w) => w !== undefined))
    throw new BadInput(unread[0], { file: first.name });
  const told = new Set(diagnosis.incidents.flatMap((i) => i.occurrences.map((o) => o.input)));
  const wanted = diagnosis.inputs.filter((i, at) => told.has(i.name) || at === 0).map((i) => i.name);
  return { shown: { document: diagnosisDocument(diagnosis), json: diagnosis }, texts: seen.lines(wanted) };
}

/** Keeps what streams by of small inputs: their lines stand beside the findings. */
class SeenBytes {
  private readonly kept = new Map<string, { parts: Uint8Array[]; bytes: number }>();
  private inAll = 0;

  watch(source: ByteSource): ByteSource {
    const own = { parts: [] as Uint8Array[], bytes: 0 };
    this.kept.set(source.name, own);
    return {
      ...source,
      read: async (into) => {
        const n = await source.read(into);
        own.bytes += n;
        if (own.bytes > shownBytesMax || this.inAll + n > shownBytesInAll) {
          this.inAll -= own.parts.reduce((sum, p) => sum + p.length, 0);
          own.parts = [];
          own.bytes = Number.POSITIVE_INFINITY;
        } else if (n > 0) {
          own.parts.push(into.slice(0, n));
          this.inAll += n;
        }
        return n;
      },
    };
  }

  lines(names: readonly string[]): Record<string, readonly string[]> {
    const texts: Record<string, readonly string[]> = {};
    for (const name of names) {
      const own = this.kept.get(name);
      if (own === undefined || own.bytes > shownBytesMax) continue;
      const text = plainText(joinBytes(own.parts));
      if (text !== undefined) texts[name] = text.split("\n");
    }
    return texts;
  }
}

/** Every input; of a damaged one `damage` holds what is wrong with it, for one of which nothing could be read. */
async function* itemsOf(
  files: readonly GivenFile[],
  progress: Progress,
  damage: Map<string, string>,
  seen: SeenBytes,
): AsyncGenerator<InputItem> {
  const problemsOfZip: InputItem[] = [];
  for await (const { name, blob, named } of expanded(files, (zip, sentence) =>
    problemsOfZip.push({ name: zip, sentence }),
  )) {
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
      yield { source: seen.watch(whole), named };
      for (const sentence of problems) yield { name, sentence };
      continue;
    }
    for await (const member of tarMembers(whole, (sentence) => problems.push(sentence))) {
      yield { source: seen.watch(member.source), named: false };
    }
    for (const sentence of problems) yield { name, sentence };
  }
  yield* problemsOfZip;
}

/** What could be unpacked of a damaged or cut file is read; `onProblem` hears one sentence about the rest, as on the command line. */
export async function* untilDamaged(
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
