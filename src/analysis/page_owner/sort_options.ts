// The command line of the kernel's page_owner_sort (tools/vm/page_owner_sort.c, 6.1), read into plain options.
import { BadInput } from "../../base/bad_input.ts";

/** What to sort and cull by; the words are the tool's. */
export type SortKey =
  | "pid"
  | "tgid"
  | "name"
  | "stacktrace"
  | "alloc_ts"
  | "free_ts"
  | "txt"
  | "allocator"
  | "num"
  | "page_num";
export type CullKey = "pid" | "tgid" | "name" | "stacktrace" | "free" | "allocator";

export interface SortToolOptions {
  readonly sort: readonly { readonly key: SortKey; readonly sign: 1 | -1 }[];
  readonly cull: ReadonlySet<CullKey>;
  readonly unreleasedOnly: boolean;
  readonly pids: readonly number[] | undefined;
  readonly tgids: readonly number[] | undefined;
  readonly names: readonly string[] | undefined;
}

const words: Readonly<Record<string, SortKey | "free">> = {
  pid: "pid",
  p: "pid",
  tgid: "tgid",
  tg: "tgid",
  name: "name",
  n: "name",
  stacktrace: "stacktrace",
  st: "stacktrace",
  free: "free",
  f: "free",
  txt: "txt",
  T: "txt",
  free_ts: "free_ts",
  ft: "free_ts",
  alloc_ts: "alloc_ts",
  at: "alloc_ts",
  allocator: "allocator",
  ator: "allocator",
};

const letters: Readonly<Record<string, { readonly key: SortKey; readonly sign: 1 | -1 }>> = {
  a: { key: "alloc_ts", sign: 1 },
  m: { key: "page_num", sign: -1 },
  p: { key: "pid", sign: 1 },
  r: { key: "free_ts", sign: 1 },
  s: { key: "stacktrace", sign: 1 },
  t: { key: "num", sign: -1 },
  P: { key: "tgid", sign: 1 },
  n: { key: "name", sign: 1 },
};

const longNames = ["pid", "tgid", "name", "cull", "sort"] as const;

/** Reads the tool's own command line (short letters may stand together, long names may be cut short); the rest are the inputs. */
export function parseSortToolOptions(args: readonly string[]): { options: SortToolOptions; inputs: readonly string[] } {
  let sort: { key: SortKey; sign: 1 | -1 }[] = [];
  const cull = new Set<CullKey>();
  let unreleasedOnly = false;
  let pids: number[] | undefined;
  let tgids: number[] | undefined;
  let names: string[] | undefined;
  const inputs: string[] = [];

  const numbers = (what: string, text: string): number[] =>
    text.split(",").map((n) => {
      if (!/^[ \t\n\v\f\r]*[+-]?\d+$/.test(n))
        throw new BadInput(`wrong/invalid ${what} in from the command line:${text}`);
      return Number(n);
    });
  const long = (name: (typeof longNames)[number], value: string): void => {
    if (name === "pid") pids = numbers("pid", value);
    else if (name === "tgid") tgids = numbers("tgid", value);
    else if (name === "name") names = value.split(",");
    else if (name === "cull") {
      for (const word of value.split(",")) {
        const key = words[word];
        if (
          key === undefined ||
          key === "txt" ||
          key === "free_ts" ||
          key === "alloc_ts" ||
          key === "num" ||
          key === "page_num"
        ) {
          throw new BadInput(
            `wrong argument after --cull option:${value}`,
            undefined,
            "Keys: pid, tgid, name, stacktrace, free, allocator.",
          );
        }
        cull.add(key);
      }
      if (sort.length === 0) sort = [{ key: "num", sign: -1 }];
    } else {
      sort = value.split(",").map((word) => {
        const sign = word.startsWith("-") ? -1 : 1;
        const key = words[word.replace(/^[+-]/, "")];
        if (key === undefined || key === "free") {
          throw new BadInput(
            `wrong argument after --sort option:${value}`,
            undefined,
            "Keys: pid, tgid, name, stacktrace, txt, free_ts, alloc_ts, allocator, each with + or - before it.",
          );
        }
        return { key, sign };
      });
    }
  };

  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === "--") {
      inputs.push(...args.slice(i + 1));
      break;
    }
    if (arg.startsWith("--")) {
      const [word = "", given] = splitOnce(arg.slice(2), "=");
      const found = longNames.filter((n) => n === word || n.startsWith(word));
      const name = longNames.find((n) => n === word) ?? (found.length === 1 ? found[0] : undefined);
      const value = given ?? args[++i];
      if (name === undefined || value === undefined)
        throw new BadInput(`page_owner_sort has no option ${arg}, or it lacks its value.`);
      long(name, value);
    } else if (arg.startsWith("-") && arg !== "-") {
      for (const letter of arg.slice(1)) {
        const single = letters[letter];
        if (single !== undefined) sort = [single];
        else if (letter === "f") unreleasedOnly = true;
        else if (letter !== "d") throw new BadInput(`page_owner_sort has no option -${letter}.`);
      }
    } else inputs.push(arg);
  }
  return { options: { sort, cull, unreleasedOnly, pids, tgids, names }, inputs };
}

function splitOnce(text: string, by: string): [string, string | undefined] {
  const at = text.indexOf(by);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
