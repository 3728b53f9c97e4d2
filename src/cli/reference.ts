// The reference: every command with its options, exit codes, metrics and the keys of scenario files, out of the code that has them. docs/reference.md
// is this text (reference.test.ts); what a thing is for, and how to use it, the other pages say.
import type { Argument, Command } from "commander";
import { capital } from "../diagnosis/words.ts";
import { familyKinds } from "../live/openmetrics.ts";
import type { Block } from "../report/document.ts";
import { heading, paragraph, table } from "../report/document.ts";
import { renderMarkdown } from "../report/markdown.ts";
import { scenarioJsonSchema } from "../scenario/json_schema.ts";
import { scenarioKinds } from "../scenario/kinds.ts";
import { exitCodes } from "./exit_codes.ts";
import { buildProgram } from "./program.ts";
import { commands } from "./registry.ts";

const argumentText = (a: Argument): string => {
  const name = `${a.name()}${a.variadic ? "..." : ""}`;
  return a.required ? `<${name}>` : `[${name}]`;
};

function commandBlocks(sub: Command): Block[] {
  const options = sub.options.filter((o) => !o.hidden);
  return [
    heading(2, ["skblab", sub.name(), ...sub.registeredArguments.map(argumentText)].join(" ")),
    paragraph(`${capital(sub.summary())}.`),
    ...(sub.registeredArguments.some((a) => a.description !== "")
      ? [
          table(
            ["argument", "what it is"],
            sub.registeredArguments.map((a) => [a.name(), a.description]),
          ),
        ]
      : []),
    table(
      ["option", "what it does", "default"],
      options.map((o) => [
        o.flags,
        `${o.description}${o.argChoices === undefined ? "" : ` (${o.argChoices.join(", ")})`}`,
        o.defaultValue === undefined || o.defaultValue === false ? "" : String(o.defaultValue),
      ]),
    ),
  ];
}

interface Described {
  readonly description?: string;
  readonly default?: unknown;
  readonly title?: string;
  readonly properties?: Readonly<Record<string, Described>>;
}

const defaultText = (value: unknown): string =>
  value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);

/** Keys of the outermost level; what they hold stands in the schema. */
const kindBlocks = (kind: Described): Block[] => [
  heading(3, `kind: ${kind.title ?? ""}`),
  paragraph(`${capital(kind.description ?? "")}.`),
  table(
    ["key", "what it is", "default"],
    Object.entries(kind.properties ?? {})
      .filter(([key]) => key !== "kind")
      .map(([key, p]) => [key, p.description ?? "", defaultText(p.default)]),
  ),
];

/** The whole of it as Markdown. */
export async function referenceMarkdown(): Promise<string> {
  const whole = await Promise.all(
    commands.map(async ({ name }) => (await buildProgram([name])).commands.find((c) => c.name() === name)),
  );
  const { oneOf } = scenarioJsonSchema() as { readonly oneOf: readonly Described[] };
  return `${renderMarkdown([
    heading(1, "Reference"),
    paragraph(
      "Written from the code: commands, exit codes, metrics and keys as this version has them. Shapes of JSON answers are in schemas/ (diagnosis, image, scenario); each answer names its own in its member schema.",
    ),
    ...whole.flatMap((sub) => (sub === undefined ? [] : commandBlocks(sub))),
    heading(2, "Exit codes"),
    table(
      [">code", "meaning"],
      exitCodes.map(([code, meaning]) => [String(code), meaning]),
    ),
    heading(2, "Metrics of a running machine"),
    paragraph(
      "skblab watch --metrics, --textfile and skblab metrics. A counter's name ends in _total as it is printed.",
    ),
    table(
      ["name", "type", "what it is"],
      familyKinds.map((f) => [`${f.name}${f.type === "counter" ? "_total" : ""}`, f.type, f.help]),
    ),
    heading(2, "Measures of an experiment"),
    ...scenarioKinds.flatMap(({ kind, metrics = [] }) =>
      metrics.length === 0
        ? []
        : [
            table(
              ["name", "unit", "what it is"],
              metrics.map((m) => [m.name, m.unit, m.means]),
              `kind: ${kind}`,
            ),
          ],
    ),
    heading(2, "Keys of scenario files"),
    ...oneOf.flatMap(kindBlocks),
  ]).trimEnd()}\n`;
}
