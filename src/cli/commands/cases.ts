// skblab cases: the questions of the conversations that the project began with, answered by running the model.
import { BadInput } from "../../base/bad_input.ts";
import { suggest } from "../../base/suggest.ts";
import { caseDocument, casesDocument, knobsDocument } from "../../report/cases.ts";
import { cases } from "../../scenario/cases/index.ts";
import { readKnobs } from "../../scenario/cases/knobs.ts";
import type { CommandSpec, Io } from "../command.ts";
import { excludes } from "../modes.ts";

export const command: CommandSpec = {
  name: "cases",
  examples: [
    { line: "skblab cases", does: "the list" },
    { line: "skblab cases emac-jumbo", does: "runs one and answers with the numbers of that run" },
    {
      line: "skblab cases emac-jumbo --set mtu=3000 --set burst=64",
      does: "with other settings; `skblab cases ID --knobs` lists them",
    },
    { line: "skblab cases tg3-order1 --format json", does: "the same for programs: answer, claims, what was measured" },
  ],
  configure(cmd, io) {
    cmd
      .argument("[id]", "a case to run")
      .option(
        "--set <key=value>",
        "set a knob of the case; may be repeated",
        (one: string, all: readonly string[] = []) => [...all, one],
      )
      .option("--knobs", "list the knobs and run nothing")
      .action((id: string | undefined, options: Options) => {
        excludes(cmd, "--knobs", ["--set"]);
        return run(id, options, io);
      });
  },
};

interface Options {
  readonly set?: readonly string[];
  readonly knobs?: true;
}

/** `key=value`, split at the first equals sign. */
function readPair(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new BadInput(`--set ${text} is not key=value.`, undefined, "For example --set mtu=3000.");
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

async function run(id: string | undefined, options: Options, io: Io): Promise<void> {
  if (id === undefined && (options.set !== undefined || options.knobs === true))
    throw new BadInput(
      "Name the case whose knobs to set.",
      undefined,
      "For example skblab cases emac-jumbo --set mtu=3000.",
    );
  if (id === undefined)
    return io.answer({
      document: casesDocument(cases),
      json: cases.map(({ id: name, seed, question }) => ({ id: name, seed, question })),
      exit: 0,
    });
  const found = cases.find((c) => c.id === id);
  if (found === undefined)
    throw new BadInput(
      `There is no case "${id}".`,
      undefined,
      suggest(
        id,
        cases.map((c) => c.id),
      ),
    );
  if (options.knobs === true)
    return io.answer({ document: knobsDocument(found), json: { id: found.id, knobs: found.knobs ?? {} }, exit: 0 });
  const set = readKnobs(found, (options.set ?? []).map(readPair));
  const result = found.answer((done, what) => io.progress(found.id, done, what), set);
  await io.answer({ document: caseDocument(found, result), json: result, exit: 0 });
}
