// page-pool-get and page-pool-stats-get of the netdev netlink family (Documentation/netlink/specs/netdev.yaml, 6.8 and newer),
// as ynl prints them: JSON (--output-json), or the Python values that it prints without that option. Several answers may follow each other.
import { type PoolCounter, poolCounters } from "../../kernel/facts/pool_counters.ts";
import type { Counted, CounterSnapshot, PoolState } from "./shape.ts";

type Value = string | number | boolean | null | Value[] | { readonly [key: string]: Value };
interface Place {
  at: number;
  line: number;
}

/** Objects with the line they begin on; undefined when the text is no such list. */
export function readNetlink(
  input: string,
  lines: readonly string[],
  notes: string[],
): { counters: CounterSnapshot[]; states: PoolState[] } {
  const text = lines.join("\n");
  const counters: CounterSnapshot[] = [];
  const states: PoolState[] = [];
  const seen = new Map<string, number>();
  const moment = (key: string): number => {
    const n = seen.get(key) ?? 0;
    seen.set(key, n + 1);
    return n;
  };
  const place: Place = { at: 0, line: 1 };
  const each = (object: { readonly [key: string]: Value }, lineOf: ReadonlyMap<string, number>, line: number): void => {
    const info = object.info;
    const id = number(object.id) ?? (isObject(info) ? number(info.id) : undefined);
    const found: Partial<Record<PoolCounter, Counted>> = {};
    for (const counter of poolCounters) {
      const value = number(object[counter]);
      if (value !== undefined) found[counter] = { value, line: lineOf.get(counter) ?? line };
    }
    if (Object.keys(found).length > 0) {
      const name = id === undefined ? `ifindex ${isObject(info) ? number(info.ifindex) : "?"}` : `pool ${id}`;
      counters.push({ input, name, moment: moment(`stats ${name}`), line, counters: found });
    } else if (
      id !== undefined &&
      ("inflight" in object || "napi-id" in object || "detach-time" in object || "ifindex" in object)
    ) {
      states.push({ input, moment: moment(`pool ${id}`), line, id, ...stateOf(object) });
    }
  };
  try {
    while (skipTo(text, place)) parseValue(text, place, each);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    notes.push(`${input}:${place.line}: ${error.message}`);
  }
  return { counters, states };
}

function stateOf(object: { readonly [key: string]: Value }): Partial<PoolState> {
  const pairs = [
    ["ifindex", object.ifindex],
    ["napiId", object["napi-id"]],
    ["inflight", object.inflight],
    ["inflightBytes", object["inflight-mem"]],
    ["detachTime", object["detach-time"]],
  ] as const;
  return Object.fromEntries(pairs.map(([k, v]) => [k, number(v)]).filter(([, v]) => v !== undefined));
}

const number = (value: Value | undefined): number | undefined => (typeof value === "number" ? value : undefined);
const isObject = (value: Value | undefined): value is { readonly [key: string]: Value } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Moves to the next list or object; false at the end. Lines between answers (a shell prompt, a date) are passed over. */
function skipTo(text: string, place: Place): boolean {
  for (; place.at < text.length; place.at++) {
    const c = text[place.at];
    if (c === "\n") place.line++;
    if (c === "{" || (c === "[" && /^\[\s*[{\]]/.test(text.slice(place.at, place.at + 200)))) return true;
  }
  return false;
}

function skipBlank(text: string, place: Place): void {
  for (; place.at < text.length; place.at++) {
    const c = text[place.at];
    if (c === "\n") place.line++;
    else if (c === "#") {
      // The kernel's documentation shows answers with comments.
      const end = text.indexOf("\n", place.at);
      place.at = (end < 0 ? text.length : end) - 1;
    } else if (c !== " " && c !== "\t" && c !== "\r" && c !== ",") return;
  }
}

type OnObject = (object: { readonly [key: string]: Value }, lineOf: ReadonlyMap<string, number>, line: number) => void;

function parseValue(text: string, place: Place, each: OnObject, depth = 0): Value {
  if (depth > 50) throw new SyntaxError("Lists are nested too deeply.");
  skipBlank(text, place);
  const c = text[place.at];
  if (c === "[") return parseList(text, place, each, depth);
  if (c === "{") return parseObject(text, place, each, depth);
  if (c === '"' || c === "'") return parseString(text, place, c);
  const word = /^[-+\w.]+/.exec(text.slice(place.at, place.at + 64))?.[0];
  if (word === undefined)
    throw new SyntaxError(`Unexpected "${c ?? "end of text"}": this is not a ynl answer, or it is cut off.`);
  place.at += word.length;
  if (/^-?(0x[0-9a-f]+|\d+(\.\d+)?)$/i.test(word)) return Number(word);
  return word === "true" || word === "True" ? true : word === "false" || word === "False" ? false : null;
}

function parseList(text: string, place: Place, each: OnObject, depth: number): Value[] {
  const list: Value[] = [];
  for (place.at++; ; ) {
    skipBlank(text, place);
    if (text[place.at] === "]") break;
    list.push(parseValue(text, place, each, depth + 1));
  }
  place.at++;
  return list;
}

function parseObject(text: string, place: Place, each: OnObject, depth: number): { readonly [key: string]: Value } {
  const line = place.line;
  const object: Record<string, Value> = Object.create(null) as Record<string, Value>;
  const lineOf = new Map<string, number>();
  for (place.at++; ; ) {
    skipBlank(text, place);
    const c = text[place.at];
    if (c === "}") break;
    if (c !== '"' && c !== "'")
      throw new SyntaxError(`A key was expected, not "${c ?? "end of text"}": the answer is cut off or broken.`);
    const key = parseString(text, place, c);
    lineOf.set(key, place.line);
    skipBlank(text, place);
    if (text[place.at] !== ":") throw new SyntaxError(`After "${key.slice(0, 40)}" there is no value.`);
    place.at++;
    // `info` names the pool of its neighbours: it is no pool of its own.
    object[key] = parseValue(text, place, key === "info" ? () => {} : each, depth + 1);
  }
  place.at++;
  each(object, lineOf, line);
  return object;
}

function parseString(text: string, place: Place, quote: string): string {
  const end = text.indexOf(quote, place.at + 1);
  if (end < 0) throw new SyntaxError("A string is not closed: the answer is cut off.");
  const value = text.slice(place.at + 1, end);
  place.at = end + 1;
  return value;
}
