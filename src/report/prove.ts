// The proofs of a diagnosis' advice, as tables.
import type { Proof } from "../scenario/prove.ts";
import type { Document } from "./document.ts";
import { heading, list, paragraph, table } from "./document.ts";
import { brief } from "./experiment.ts";

const change = (before: number, after: number): string =>
  before === 0 ? "" : `${after <= before ? "-" : "+"}${Math.abs(((after - before) / before) * 100).toFixed(0)} %`;

export function proofsDocument(proofs: readonly Proof[]): Document {
  return proofs.flatMap((p): Document => {
    if (p.refused !== undefined) return [heading(2, `Tested: ${p.title}`), paragraph(`Nothing was run: ${p.refused}.`)];
    return [
      heading(2, `Tested by running: ${p.title}`),
      paragraph("The report does not say everything; the machine was built with these assumptions:"),
      list(p.assumed),
      table(
        ["change", ">before", ">after", ">difference"],
        p.rows.map((r) => [r.change, brief(r.before), brief(r.after), change(r.before, r.after)]),
        p.measure,
      ),
    ];
  });
}
