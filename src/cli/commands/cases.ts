// skblab cases: the questions of the conversations that the project began with, answered by running the model.
import { BadInput } from "../../base/bad_input.ts";
import { caseDocument, casesDocument } from "../../report/cases.ts";
import { cases } from "../../scenario/cases/index.ts";
import { suggest } from "../../scenario/read.ts";
import type { CommandSpec, Io } from "../command.ts";

export const command: CommandSpec = {
  name: "cases",
  examples: [
    { line: "skblab cases", does: "the list" },
    { line: "skblab cases emac-jumbo", does: "runs one, and answers with the numbers of that run" },
    { line: "skblab cases tg3-order1 --format json", does: "the same for programs: answer, claims, what was measured" },
  ],
  configure(cmd, io) {
    cmd.argument("[id]", "a case to run").action((id: string | undefined) => run(id, io));
  },
};

async function run(id: string | undefined, io: Io): Promise<void> {
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
  const result = found.answer((done, what) => io.progress(found.id, done, what));
  await io.answer({ document: caseDocument(found, result), json: result, exit: 0 });
}
