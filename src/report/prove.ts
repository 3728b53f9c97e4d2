// The proofs of a diagnosis' advice: the machine with its assumptions, the changes best first, what could not be tried.
import { capital } from "../diagnosis/words.ts";
import type { Assumption, Curve, Likeness, Proof, ProofRow } from "../prove/proof.ts";
import type { Block, Document, Text } from "./document.ts";
import { heading, list, paragraph, span, table } from "./document.ts";
import { brief } from "./experiment.ts";

export function proofsDocument(proofs: readonly Proof[]): Document {
  return proofs.flatMap((p) => [heading(2, `Tested by running: ${p.title}`), ...proofBlocks(p)]);
}

function proofBlocks(p: Proof): Block[] {
  const blocks: Block[] = [];
  if (p.refused !== null)
    blocks.push(paragraph([span("Nothing was run: ", "warn"), span(`${p.refused.replace(/\.$/, "")}.`)]));
  if (p.standsFor !== null) blocks.push(paragraph([span("Stands for it. ", "strong"), span(sentence(p.standsFor))]));
  if (p.rows.length > 0) blocks.push(...rowsBlocks(p));
  if (p.curve !== null) blocks.push(...curveBlocks(p.curve));
  if (p.assumptions.length > 0)
    blocks.push(
      paragraph([span("The machine", "strong"), span(", and where each part of it comes from")]),
      list(p.assumptions.map(assumptionText)),
    );
  if (p.likeness.length > 0) blocks.push(likenessBlock(p.likeness));
  if (p.untested.length > 0)
    blocks.push(paragraph([span("Advice that was not run", "strong")]), list(untestedItems(p.untested)));
  return blocks;
}

function rowsBlocks(p: Proof): Block[] {
  const helping = p.rows.filter((r) => r.advised && r.verdict === "lowers");
  const best = helping[0];
  // Most changes meet the same machine: what it does without them is said once.
  const was = p.rows[0]?.before;
  const same = (i: ProofRow["before"]): boolean =>
    i.estimate === was?.estimate && i.low === was.low && i.high === was.high;
  const alone = p.rows.every((r) => same(r.before));
  const losing = p.rows.some((r) => r.lostBefore > 0 || r.lostAfter > 0);
  return [
    paragraph(
      best === undefined
        ? [span("None of the advice that can be run lowers the failures on this machine.", "warn")]
        : [span(`${best.name}: `, "strong"), span(`${changeText(best)}. `, "good"), span(othersText(helping.slice(1)))],
    ),
    table(
      ["change", ...(alone ? [] : [">before"]), ">after", ">difference", "", ...(losing ? [">frames lost"] : [])],
      p.rows.map((r) => [
        [span(r.name, r.advised ? "plain" : "dim"), ...(r.note === null ? [] : [span(` (${r.note})`, "dim")])],
        ...(alone ? [] : [intervalText(r.before)]),
        intervalText(r.after),
        changeText(r),
        verdictText(r),
        ...(losing ? [`${brief(r.lostBefore)} → ${brief(r.lostAfter)}`] : []),
      ]),
      `${alone && was !== undefined ? `Without a change ${brief(was.estimate)} [${brief(was.low)}, ${brief(was.high)}]: ` : ""}${p.measure}${p.seeds < p.seedsPlanned ? `; stopped after ${p.seeds} of ${p.seedsPlanned} sets` : ""}`,
    ),
  ];
}

const othersText = (rows: readonly ProofRow[]): string =>
  rows.length === 0 ? "" : `Also: ${rows.map((r) => `${r.name} (${changeText(r)})`).join("; ")}.`;

/** `-87 %`. */
function changeText({ before, after }: ProofRow): string {
  const [was, is] = [before.estimate, after.estimate];
  if (was === is) return "the same";
  if (was === 0) return `+${brief(is)}`;
  const percent = Math.abs(((is - was) / was) * 100);
  return `${is < was ? "-" : "+"}${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

const intervalText = (i: ProofRow["before"]): Text => [
  span(brief(i.estimate), "strong"),
  ...(i.low === i.high ? [] : [span(`  [${brief(i.low)}, ${brief(i.high)}]`, "dim")]),
];

const verdictText = (r: ProofRow): Text => [
  span(r.verdict, r.verdict === "lowers" ? "good" : r.verdict === "raises" ? "bad" : "dim"),
];

/** `memory: 1,024 MB (from the report). Why.  [line 12]` */
function assumptionText(a: Assumption): Text {
  const said = a.from === "report" || a.from === "computed";
  const [first] = a.evidence;
  const more = a.evidence.length > 1 ? ` and ${a.evidence.length - 1} more` : "";
  return [
    span(`${a.what}: `, "strong"),
    span(`${a.value} `),
    span(`(${a.from === "report" ? "from the report" : a.from}) `, said ? "good" : "warn"),
    span(a.because.replace(/^computed: /, ""), "dim"),
    ...(first === undefined ? [] : [span(`  [line ${first.line}${more}]`, "dim")]),
  ];
}

/** Advice that is not run for the same reason stands together. */
function untestedItems(untested: Proof["untested"]): readonly Text[] {
  const whys = [...new Set(untested.map((u) => u.why))];
  return whys.map((why): Text => {
    const actions = untested.filter((u) => u.why === why).map((u) => u.action.replace(/\.$/, ""));
    return [span(`${capital(why)}: `, "dim"), span(`${actions.join("; ")}.`)];
  });
}

const likenessBlock = (rows: readonly Likeness[]): Block =>
  table(
    ["at the first failure", ">in the report", ">in the machine", ""],
    rows.map((l) => [
      l.what,
      amount(l, l.report),
      amount(l, l.machine),
      [span(l.alike ? "alike" : "unlike", l.alike ? "good" : l.matters ? "bad" : "warn")],
    ]),
    "Is it the report's machine?",
  );

const amount = ({ what }: Likeness, x: number): string =>
  what.startsWith("share") ? `${(x * 100).toFixed(x > 0 && x < 0.1 ? 1 : 0)} %` : brief(x);

function curveBlocks({ what, points, helps, knee }: Curve): Block[] {
  return [
    table(
      [`>${what}`, ">failures"],
      points.map((p, i) => [
        [
          span(p.value.toLocaleString("en-US"), p.value === knee ? "strong" : "plain"),
          ...(i === 0 ? [span(" (as it was)", "dim")] : []),
        ],
        intervalText(p.rate),
      ]),
      knee === null
        ? `How much is enough? ${helps ? "The largest value that was run helps most: no knee in sight" : "No value that was run lowers the failures"}`
        : `How much is enough? ${knee.toLocaleString("en-US")} gives nine tenths of what any value gives`,
    ),
  ];
}

const sentence = (text: string): string => `${capital(text).replace(/\.$/, "")}.`;
