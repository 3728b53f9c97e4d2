// What may stand at a place of a scenario file, by its published schema: keys with their meaning, and values where only some are allowed. Works on
// a text that is being written, so by indentation and brackets and not by a YAML parser.

/** One thing that may stand there. */
export interface Completion {
  /** What is put in the place of `prefix`. */
  readonly insert: string;
  readonly label: string;
  /** One line of meaning, from the schema. */
  readonly detail: string;
}

export interface Completions {
  readonly at: "key" | "value";
  /** What was written of it already, from `from` to the caret. */
  readonly prefix: string;
  readonly from: number;
  readonly items: readonly Completion[];
}

/** The part of JSON Schema that scenario files use. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly items?: boolean | Schema;
  readonly prefixItems?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

/** A step into the file: a key, or an item of a list (undefined). */
type Step = string | undefined;

/** A mapping that is open at the caret: the way to it, and the keys and plain values it has so far. */
interface Place {
  readonly path: readonly Step[];
  readonly written: ReadonlyMap<string, string>;
  /** The key whose value is being written; undefined where a key is. */
  readonly key: Step;
  readonly prefix: string;
}

/** Completions for the text before and after the caret; none inside a comment or where nothing is known. */
export function completionsAt(schema: Schema, text: string, caret: number): Completions {
  const place = placeAt(text, caret);
  const nothing: Completions = { at: "key", prefix: "", from: caret, items: [] };
  if (place === undefined) return nothing;
  const { key, prefix } = place;
  const maps = narrowed(wayOf(schema, place.path, text), schema, place.written);
  const items =
    key === undefined
      ? keysOf(maps, schema, place)
      : valuesOf(
          maps.flatMap((m) => memberOf(m, key, schema)),
          schema,
          prefix,
        );
  return { at: key === undefined ? "key" : "value", prefix, from: caret - prefix.length, items };
}

const kindOf = (text: string): string | undefined => /^kind:[ \t]{0,9}([\w-]{1,60})/m.exec(text)?.[1];
/** An experiment's base is a scenario as in a file of its own, with its own kind. */
const innerKindOf = (text: string): string | undefined => /^[ \t]{1,40}kind:[ \t]{0,9}([\w-]{1,60})/m.exec(text)?.[1];

const wayOf = (schema: Schema, path: readonly Step[], text: string): readonly Schema[] =>
  path[0] === "base"
    ? walk(schema, schema, path.slice(1), innerKindOf(text))
    : walk(schema, schema, path, kindOf(text));

interface Open {
  /** Column of its keys; of a list's items the column of the dash. */
  readonly column: number;
  readonly step: Step;
}

function placeAt(text: string, caret: number): Place | undefined {
  const lines = text.slice(0, caret).split("\n");
  const here = lines.pop() ?? "";
  if (/(?:^|\s)#/.test(here)) return undefined;
  let open: Open[] = [];
  for (const line of lines) if (!/^\s*(?:#|$)/.test(line)) open = opened(open, line);
  const { column, dashes, rest } = headOf(here);
  // Of the line itself: lists and mappings that it leaves, then what it opens.
  const base = stackAt(open, column, dashes).map((o) => o.step);
  const inner = column + dashes.length * 2;
  const flow = flowAt(rest);
  if (flow.depth === 0) {
    const pair = /^([\w-]{1,80}):(?:[ \t]+(.{0,200}))?$/.exec(rest);
    const written = siblings(text, lines.length, inner);
    if (pair === null) return { path: base, written, key: undefined, prefix: rest };
    return pair[2] === undefined && !rest.endsWith(" ")
      ? undefined
      : { path: base, written, key: pair[1], prefix: pair[2] ?? "" };
  }
  return { path: [...base, ...flow.path], written: flow.written, key: flow.key, prefix: flow.prefix };
}

/** What is still open on a line, and the items that its dashes begin. */
function stackAt(open: readonly Open[], column: number, dashes: readonly number[]): Open[] {
  let stack = open.filter(
    (o) => o.column < column || (dashes.length > 0 && o.step !== undefined && o.column === column),
  );
  for (const dash of dashes)
    stack = [...stack.filter((o) => o.column < dash || o.step !== undefined), { column: dash, step: undefined }];
  return stack;
}

/** Indentation, the dashes of lists, and what follows them. */
function headOf(line: string): { readonly column: number; readonly dashes: readonly number[]; readonly rest: string } {
  const column = /^ */.exec(line)?.[0].length ?? 0;
  let rest = line.slice(column);
  const dashes: number[] = [];
  while (/^-(?: |$)/.test(rest)) {
    dashes.push(column + dashes.length * 2);
    rest = rest.slice(1).replace(/^ /, "");
  }
  return { column, dashes, rest: rest.replace(/^ +/, "") };
}

function opened(open: readonly Open[], line: string): Open[] {
  const { column, dashes, rest } = headOf(line);
  const stack = stackAt(open, column, dashes);
  const key = /^([\w-]{1,80}):[ \t]*(?:#.*)?$/.exec(rest)?.[1];
  return key === undefined ? stack : [...stack, { column: column + dashes.length * 2, step: key }];
}

/** Keys with plain values of the block mapping that the line is in, before and after it. */
function siblings(text: string, line: number, column: number): ReadonlyMap<string, string> {
  const lines = text.split("\n");
  const found = new Map<string, string>();
  const look = (i: number): boolean => {
    const { column: own, dashes, rest } = headOf(lines[i] ?? "");
    if (rest === "" || rest.startsWith("#")) return true;
    const at = own + dashes.length * 2;
    if (at < column) return false;
    const pair = at === column ? /^([\w-]{1,80}):[ \t]*([^#\n]{0,200})/.exec(rest) : null;
    if (pair !== null && i !== line) found.set(pair[1] ?? "", (pair[2] ?? "").trim());
    // A dash begins the mapping: what stands before it is another item's.
    return dashes.length === 0 || at > column;
  };
  const { dashes } = headOf(lines[line] ?? "");
  if (dashes.length === 0) for (let i = line - 1; i >= 0 && look(i); i--);
  for (let i = line + 1; i < lines.length; i++) {
    if (headOf(lines[i] ?? "").dashes.length > 0 && headOf(lines[i] ?? "").column <= column) break;
    if (!look(i)) break;
  }
  return found;
}

interface Flow {
  readonly depth: number;
  readonly path: readonly Step[];
  readonly written: ReadonlyMap<string, string>;
  readonly key: Step;
  readonly prefix: string;
}

/** The bracket that is open at the end of a line: `nics: [{ driver: tg3, mt`. */
function flowAt(rest: string): Flow {
  const head = /^([\w-]{1,80}):[ \t]+/.exec(rest);
  const stack: { readonly map: boolean; readonly written: Map<string, string>; key: Step; from: number }[] = [];
  let from = head === null ? 0 : head[0].length;
  const close = (top: (typeof stack)[number] | undefined, at: number): void => {
    if (top?.map === true && top.key !== undefined) top.written.set(top.key, rest.slice(top.from, at).trim());
  };
  for (let i = from; i < rest.length; i++) {
    const c = rest[i];
    const top = stack.at(-1);
    if (c === "{" || c === "[") stack.push({ map: c === "{", written: new Map(), key: undefined, from: i + 1 });
    else if (c === "}" || c === "]") {
      close(top, i);
      stack.pop();
    } else if (c === "," && top !== undefined) {
      close(top, i);
      top.key = undefined;
      top.from = i + 1;
    } else if (c === ":" && top?.map === true && top.key === undefined) {
      top.key = rest.slice(top.from, i).trim();
      top.from = i + 1;
    }
  }
  const top = stack.at(-1);
  if (top === undefined) return { depth: 0, path: [], written: new Map(), key: undefined, prefix: rest.slice(from) };
  from = top.from;
  const path: Step[] = head === null ? [] : [head[1]];
  for (const s of stack.slice(0, -1)) path.push(s.map ? s.key : undefined);
  const prefix = rest.slice(from).replace(/^\s+/, "");
  if (top.map) return { depth: stack.length, path, written: top.written, key: top.key, prefix };
  // Within a list of plain values the value is that of an item.
  return { depth: stack.length, path: path.slice(0, -1), written: new Map(), key: path.at(-1), prefix };
}

const isMap = (s: Schema): boolean => s.properties !== undefined || typeof s.additionalProperties === "object";

/** The schema itself and every alternative that it allows, references followed. */
function alternatives(s: Schema, root: Schema, depth = 0): readonly Schema[] {
  if (depth > 8) return [];
  if (s.$ref !== undefined) {
    const target = s.$ref
      .replace(/^#\//, "")
      .split("/")
      .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], root);
    return target === undefined ? [] : alternatives(target as Schema, root, depth + 1);
  }
  const more = [...(s.anyOf ?? []), ...(s.oneOf ?? []), ...(s.allOf ?? [])];
  return [s, ...more.flatMap((a) => alternatives(a, root, depth + 1))];
}

function memberOf(s: Schema, key: string, root: Schema): readonly Schema[] {
  const own = s.properties?.[key] ?? (typeof s.additionalProperties === "object" ? s.additionalProperties : undefined);
  return own === undefined ? [] : alternatives(own, root);
}

const itemsOf = (s: Schema, root: Schema): readonly Schema[] =>
  [...(typeof s.items === "object" ? [s.items] : []), ...(s.prefixItems ?? [])].flatMap((i) => alternatives(i, root));

/** Every schema that the way leads to; at the top the alternative of the file's kind. */
function walk(schema: Schema, root: Schema, path: readonly Step[], kind: string | undefined): readonly Schema[] {
  const all = alternatives(schema, root);
  const own = all.filter((s) => s.properties?.["kind"]?.const === kind);
  let at: readonly Schema[] = own.length > 0 ? own : [schema];
  for (const step of path) at = at.flatMap((s) => (step === undefined ? itemsOf(s, root) : memberOf(s, step, root)));
  // A list's item may be written where a list is expected: `- ` was not typed yet.
  return at.some(isMap) ? at.filter(isMap) : at;
}

/** Of alternatives that a key with a fixed value tells apart, those that fit what is written. */
const narrowed = (maps: readonly Schema[], root: Schema, written: ReadonlyMap<string, string>): readonly Schema[] => {
  const fits = maps.filter((m) =>
    [...written].every(([key, value]) => {
      const fixed = memberOf(m, key, root).flatMap((s) => (s.const === undefined ? [] : [String(s.const)]));
      return fixed.length === 0 || fixed.includes(value);
    }),
  );
  return fits.length > 0 ? fits : maps;
};

const firstLine = (text: string | undefined): string => (text ?? "").split("\n")[0] ?? "";

function keysOf(maps: readonly Schema[], root: Schema, { written, prefix }: Place): readonly Completion[] {
  const found = new Map<string, Completion>();
  for (const m of maps)
    for (const [key, s] of Object.entries(m.properties ?? {})) {
      if (written.has(key) || found.has(key) || !key.startsWith(prefix)) continue;
      const opens = alternatives(s, root).some(isMap) || alternatives(s, root).some((a) => a.type === "array");
      found.set(key, { insert: opens ? `${key}:` : `${key}: `, label: key, detail: firstLine(s.description) });
    }
  return [...found.values()];
}

function valuesOf(schemas: readonly Schema[], root: Schema, prefix: string): readonly Completion[] {
  const found = new Map<string, Completion>();
  const offer = (value: unknown, detail: string): void => {
    const text = String(value);
    if (typeof value === "object" || !text.startsWith(prefix) || found.has(text)) return;
    found.set(text, { insert: text, label: text, detail });
  };
  for (const s of schemas.flatMap((x) => [x, ...(x.type === "array" ? itemsOf(x, root) : [])])) {
    if (s.const !== undefined) offer(s.const, firstLine(s.description));
    for (const v of s.enum ?? []) offer(v, s.enum?.length === 1 ? firstLine(s.description) : "");
    if (s.type === "boolean") for (const v of [true, false]) offer(v, s.default === v ? "default" : "");
    else if (s.default !== undefined && s.enum === undefined) offer(s.default, "default");
  }
  return [...found.values()];
}
