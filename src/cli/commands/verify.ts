// skblab verify: replays transcripts of real kernels on the model and says whether every operation came out the same.
import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import { namedRelease } from "../../kernel/release.ts";
import type { Block, Document } from "../../report/document.ts";
import { facts, heading, paragraph, span, table } from "../../report/document.ts";
import type { Difference, Replayed } from "../../verify/replayer.ts";
import { replayerFor, replayTranscript, unknownTranscript } from "../../verify/verify.ts";
import type { CommandSpec, Io } from "../command.ts";
import { firstLineOf, kernelBeside, linesOf } from "../input/transcript.ts";

interface FileResult extends Replayed {
  readonly path: string;
  readonly kind: string;
}

export const command: CommandSpec = {
  name: "verify",
  examples: [
    { line: "skblab verify fixtures/buddy", does: "replay every transcript below a directory" },
    {
      line: "skblab verify --format json fixtures/buddy",
      does: "the same as data: operations, exact, and the first difference of each file",
    },
  ],
  configure(cmd, io) {
    cmd
      .argument("<paths...>", "transcripts (.gz, .xz, .zst or plain), or directories that are searched for them")
      .option("--kernel <release>", "the kernel of transcripts that do not name theirs, such as 6.1.192")
      .option(
        "--as <release>",
        "compare with the rules of this recorded kernel, whatever kernel the transcripts are of",
      )
      .action((paths: string[], options: VerifyOptions) => verify(paths, options, io));
  },
};

interface VerifyOptions {
  readonly kernel?: string;
  readonly as?: string;
}

async function verify(paths: readonly string[], options: VerifyOptions, io: Io): Promise<void> {
  for (const name of [options.kernel, options.as]) if (name !== undefined) namedRelease(name);
  const { chosen, skipped: others } = await choose(paths);
  let skipped = others;
  if (chosen.length === 0)
    throw new BadInput(
      `There is no transcript in ${paths.join(", ")}.`,
      undefined,
      "Name a file or another directory.",
    );
  const files: FileResult[] = [];
  let replayMillis = 0;
  const refused: string[] = [];
  const named = options.as === undefined ? {} : { as: options.as };
  const besides = new Map<string, string | undefined>();
  const beside = async (folder: string): Promise<string | undefined> => {
    if (!besides.has(folder)) besides.set(folder, await kernelBeside(folder));
    return besides.get(folder);
  };
  for (const path of chosen) {
    io.progress("replaying", files.length / chosen.length, path);
    const lines = await linesOf(path);
    const kernel = options.kernel ?? (await beside(dirname(path)));
    const begin = performance.now();
    const replayed = orRefused(() =>
      replayTranscript({ path, lines, ...named, ...(kernel === undefined ? {} : { kernel }) }),
    );
    if (replayed instanceof BadInput) {
      // Alone it is the whole answer; among many it must not hide the others.
      if (chosen.length === 1) throw replayed;
      refused.push(replayed.sentence());
      continue;
    }
    replayMillis += performance.now() - begin;
    // A trace may be of the right kind and hold nothing that the model has.
    if (replayed.operations === 0 && replayed.compared !== undefined) skipped++;
    else files.push({ path, ...replayed });
  }
  io.progress("replaying", 1);
  if (files.length === 0 && refused.length === 0)
    throw new BadInput(
      `Nothing in ${paths.join(", ")} can be compared with the model.`,
      undefined,
      "A trace needs the kmem events with their stacks while virtio_net, e1000 or e1000e is brought up or receives.",
    );
  const operations = files.reduce((n, f) => n + f.operations, 0);
  const exact = files.reduce((n, f) => n + f.exact, 0);
  await io.answer({
    document: draw(files, operations, exact, skipped, replayMillis, refused, options.as),
    json: {
      schema: "skblab.verify/1",
      ...(options.as === undefined ? {} : { comparedWithTheRulesOf: options.as }),
      operations,
      exact,
      files: files.map((f) => ({
        path: f.path,
        kind: f.kind,
        operations: f.operations,
        exact: f.exact,
        firstDifference: f.firstDifference ?? null,
        ...(f.compared === undefined ? {} : { compared: f.compared }),
      })),
      refused,
    },
    exit: refused.length === 0 && exact === operations && files.every((f) => f.firstDifference === undefined) ? 0 : 1,
  });
}

/** What a replay gave, or why the transcript is unusable. */
function orRefused<T>(replay: () => T): T | BadInput {
  try {
    return replay();
  } catch (error) {
    if (error instanceof BadInput) return error;
    throw error;
  }
}

/** The transcripts among the paths; a directory may hold other things, a file that is named must be a transcript. */
async function choose(paths: readonly string[]): Promise<{ chosen: string[]; skipped: number }> {
  const chosen: string[] = [];
  let skipped = 0;
  for (const path of paths) {
    if (path === "-") throw new BadInput("Transcripts are read from files, not from standard input.");
    if (!statSync(path).isDirectory()) {
      if (replayerFor(await firstLineOf(path)) === undefined) throw unknownTranscript(path);
      chosen.push(path);
      continue;
    }
    for (const entry of (readdirSync(path, { recursive: true }) as string[]).sort()) {
      const file = join(path, entry);
      if (!statSync(file).isFile()) continue;
      if (replayerFor(await firstLineOf(file)) === undefined) skipped++;
      else chosen.push(file);
    }
  }
  return { chosen, skipped };
}

function draw(
  files: readonly FileResult[],
  operations: number,
  exact: number,
  skipped: number,
  replayMillis: number,
  refused: readonly string[],
  as: string | undefined,
): Document {
  const differing = files.filter((f) => f.firstDifference !== undefined);
  const verdict =
    files.length === 0
      ? [span(`Nothing was compared: all ${refused.length} transcripts were refused.`, "bad")]
      : differing.length === 0
        ? [
            span(
              `${
                as === undefined
                  ? `All ${operations} operations of ${files.length} transcripts came out exactly as on the real kernel`
                  : `All ${operations} operations of ${files.length} transcripts came out as the rules of Linux ${as} say; that proves nothing about other kernels`
              }${refused.length > 0 ? `; ${refused.length} more were refused` : ""}.`,
              refused.length > 0 ? "warn" : "good",
            ),
          ]
        : [
            span(
              `${exact} of ${operations} operations came out exactly; ${differing.length} of ${files.length} transcripts differ from the model.`,
              "bad",
            ),
          ];
  const rate = replayMillis > 0 ? Math.round((operations / replayMillis) * 1000) : 0;
  const blocks: Block[] = [
    heading(1, "Replay of kernel transcripts"),
    paragraph(verdict),
    facts([
      ["operations", String(operations)],
      ["exact", String(exact)],
      ["replayed at", `${rate} operations a second`],
      ...(skipped > 0 ? [["other files passed over", String(skipped)] as const] : []),
    ]),
    table(
      ["transcript", "kind", ">operations", ">exact"],
      files.map((f) => [f.path, f.kind, String(f.operations), String(f.exact)]),
    ),
  ];
  if (refused.length > 0)
    blocks.push(heading(2, "Refused"), ...refused.map((sentence) => paragraph([span(sentence, "bad")])));
  const compared = files.filter((f) => f.compared !== undefined && f.operations > 0);
  if (compared.length > 0)
    blocks.push(
      heading(2, "What was compared"),
      facts(compared.map((f) => [f.path.split("/").at(-1) ?? f.path, f.compared ?? ""] as const)),
    );
  for (const f of differing)
    if (f.firstDifference !== undefined) blocks.push(...drawDifference(f.path, f.firstDifference));
  return blocks;
}

function drawDifference(path: string, d: Difference): Block[] {
  return [
    heading(2, `${path}:${d.line}`),
    facts([
      ["operation", d.operation],
      ["kernel", d.kernel],
      ["model", d.model],
      ...d.reasons.map((reason, i) => [i === 0 ? "because" : "", reason] as const),
    ]),
  ];
}
