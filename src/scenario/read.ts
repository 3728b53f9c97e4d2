// Reads a scenario file: YAML with places, checked against its kind's schema. Every complaint names file, line and column, and what to write.
import { isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { BadInput } from "../base/bad_input.ts";
import { suggest } from "../base/suggest.ts";
import type { ScenarioKind } from "./kind.ts";
import { scenarioKinds } from "./kinds.ts";
import { renameDriverFiles } from "./own_drivers.ts";

/** A scenario that can run. */
export interface Scenario {
  readonly file: string;
  readonly kind: ScenarioKind;
  readonly settings: unknown;
  /** Where a setting stands in the file. */
  readonly place: Place;
}

const experiment = "experiment";

/** A kind that another command takes: `run` the kinds of kinds.ts, `experiment` its own. */
const isElsewhere = (kind: unknown, here: readonly ScenarioKind[]): boolean =>
  (kind === experiment || scenarioKinds.some((k) => k.kind === kind)) && !here.some((k) => k.kind === kind);

/** What to write for a kind that is missing, by what else stands there. */
function kindToWrite(has: (key: string) => boolean, file: string, kinds: readonly ScenarioKind[]): string {
  const here = kinds.some((k) => k.kind === experiment);
  if (["base", "compare", "ablate", "sweep"].some(has))
    return `Write: kind: experiment${here ? "" : `; then use: skblab experiment ${file}`}`;
  const names = kinds.map((k) => k.kind);
  return here && names.length === 1
    ? "Write: kind: experiment, and the machine under `base`."
    : `Write one of ${names.join(", ")}.`;
}

/** Throws BadInput with the place of the first thing that is wrong. `driverName`: under which name a driver's own file was given. */
export function readScenario(
  file: string,
  text: string,
  kinds: readonly ScenarioKind[] = scenarioKinds,
  driverName: (file: string) => string = (name) => name,
): Scenario {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const at = (offset: number): { file: string; line: number; column: number } => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (text.trim() === "") throw new BadInput("It is empty.", { file }, "A scenario begins with `kind: ...`.");
  const [broken] = doc.errors;
  if (broken !== undefined) throw new BadInput(`This is not YAML: ${broken.message}.`, at(broken.pos[0]));
  if (!isMap(doc.contents))
    throw new BadInput("A scenario is a list of `name: value` lines.", { file, line: 1 }, "Begin with `kind: ...`.");
  const names = kinds.map((k) => k.kind);
  const place = (path: readonly PropertyKey[], key: boolean): { file: string; line: number; column: number } => {
    for (let n = path.length; n > 0; n--) {
      const parent = doc.getIn(path.slice(0, n - 1), true) ?? doc.contents;
      const last = path[n - 1];
      if (isMap(parent)) {
        const pair = parent.items.find((p) => isScalar(p.key) && p.key.value === last);
        const node = key || n < path.length ? pair?.key : (pair?.value ?? pair?.key);
        const range =
          isScalar(node) || isMap(node)
            ? node.range
            : (node as { range?: [number, number, number] } | undefined)?.range;
        if (range !== undefined && range !== null) return at(range[0]);
      }
      const node = doc.getIn(path.slice(0, n), true) as { range?: [number, number, number] } | undefined;
      if (node?.range !== undefined) return at(node.range[0]);
    }
    return { file, line: 1, column: 1 };
  };
  const kindName = doc.get("kind");
  const kind = kinds.find((k) => k.kind === kindName);
  if (kind === undefined) {
    if (kindName === undefined)
      throw new BadInput(
        "The scenario has no `kind`.",
        { file, line: 1 },
        kindToWrite((key) => doc.has(key), file, kinds),
      );
    throw new BadInput(
      `There is no kind of scenario "${kindName}"${isElsewhere(kindName, kinds) ? " here" : ""}.`,
      place(["kind"], false),
      isElsewhere(kindName, kinds)
        ? `Use: skblab ${kindName === experiment ? experiment : "run"} ${file}`
        : suggest(`${kindName}`, names),
    );
  }
  const { kind: _kind, ...rest } = renameDriverFiles(doc.toJS({ maxAliasCount: 100 }), driverName) as Record<
    string,
    unknown
  >;
  return { file, kind, settings: checkSettings(kind, rest, file, place), place };
}

/** Settings as the kind's run() takes them; complaints name `file` and, where `place` knows it, line and column. */
export function checkSettings(
  kind: ScenarioKind,
  given: unknown,
  file: string,
  place: Place = () => ({ file, line: 1, column: 1 }),
): unknown {
  const checked = kind.schema.safeParse(given);
  if (!checked.success) {
    // A key that nobody knows explains the one that is missing.
    const { issues } = checked.error;
    throw complain(issues.find((i) => i.code === "unrecognized_keys") ?? issues[0], kind, place, given);
  }
  try {
    kind.check?.(checked.data);
  } catch (error) {
    if (!(error instanceof BadInput) || error.place !== undefined) throw error;
    const path = /^([\w.[\]]+)/.exec(error.message)?.[1] ?? "";
    const steps = path.split(/[.[\]]+/).filter((p) => p !== "");
    throw new BadInput(
      error.message,
      place(
        steps.map((p) => (/^\d+$/.test(p) ? Number(p) : p)),
        false,
      ),
      error.advice,
    );
  }
  return checked.data;
}

/** Where a setting stands; `key` asks for the name instead of the value. */
export type Place = (path: readonly PropertyKey[], key: boolean) => { file: string; line: number; column: number };

function complain(issue: z.core.$ZodIssue | undefined, kind: ScenarioKind, place: Place, given: unknown): BadInput {
  if (issue === undefined) return new BadInput("This scenario is not valid.");
  const name = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const inside = issue.path.filter((p) => typeof p === "string").join(".");
    return new BadInput(
      inside === "" ? `A scenario of kind ${kind.kind} has no "${key}".` : `There is no "${key}" in ${inside}.`,
      place([...issue.path, key], true),
      suggest(key, keysAt(kind, issue.path, given)),
    );
  }
  if (issue.code === "invalid_union" && issue.discriminator !== undefined) {
    const options = "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
    const said = valueAt(given, issue.path);
    return said === undefined
      ? new BadInput(
          `"${issue.path.slice(0, -1).join(".")}" has no \`${issue.discriminator}\`.`,
          place(issue.path.slice(0, -1), false),
          `Write one of ${options.join(", ")}.`,
        )
      : new BadInput(`"${name}" cannot be "${said}".`, place(issue.path, false), suggest(`${said}`, options));
  }
  if (issue.code === "invalid_value")
    return new BadInput(
      `"${name}" cannot be ${JSON.stringify(valueAt(given, issue.path)) ?? "empty"}.`,
      place(issue.path, false),
      suggest(`${valueAt(given, issue.path) ?? ""}`, issue.values.map(String)),
    );
  if (issue.code === "invalid_type") {
    const said = valueAt(given, issue.path);
    const is =
      said === null
        ? "empty"
        : Array.isArray(said)
          ? "a list"
          : typeof said === "number" || typeof said === "boolean"
            ? String(said)
            : (typeWords[typeof said] ?? "that");
    return new BadInput(
      said === undefined
        ? `"${name}" is missing.`
        : `"${name}" must be ${typeWords[issue.expected] ?? issue.expected}, not ${is}.`,
      place(issue.path, false),
      issue.expected === "string" && typeof said === "number" ? `Put it in quotes: "${said}".` : undefined,
    );
  }
  return new BadInput(`"${name}": ${lowerFirst(issue.message)}.`, place(issue.path, false));
}

const typeWords: Readonly<Record<string, string>> = {
  string: "a text",
  record: "names with values",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a group of settings",
};

const lowerFirst = (text: string): string => text.slice(0, 1).toLowerCase() + text.slice(1).replace(/\.$/, "");

interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  /** Alternatives; a `kind` with a fixed value tells them apart. */
  readonly oneOf?: readonly JsonSchema[];
  readonly const?: unknown;
}

const valueAt = (given: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown> | undefined)?.[step], given);

/** The keys that may stand at a place of a kind's settings. */
function keysAt(kind: ScenarioKind, path: readonly PropertyKey[], given: unknown): string[] {
  let at = z.toJSONSchema(kind.schema, { io: "input", unrepresentable: "any" }) as JsonSchema | undefined;
  for (const step of path) at = typeof step === "number" ? at?.items : at?.properties?.[String(step)];
  const named = valueAt(given, [...path, "kind"]);
  at = at?.oneOf?.find((option) => option.properties?.kind?.const === named) ?? at;
  return Object.keys(at?.properties ?? {});
}
