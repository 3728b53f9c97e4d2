// One number anywhere in a recording is changed: verify must notice, by a difference or by refusing the file. What may pass are operands, settings
// and starting states, and only where the kernel would have done the same with them: `believed` names them all (docs/fidelity.md says why).
// A few edits a file run always; EDITS=400 runs so many in each, and lists what passed.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { prng } from "../base/prng.ts";
import { sized } from "../base/size.testkit.ts";
import { linesOf } from "../cli/input/transcript.ts";
import { replayTranscript } from "./verify.ts";

type Place = readonly [from: number, to: number, field: string];

/** Where the numbers of a line stand, and what each is called: a path without indexes, or the word before it. */
function numbersIn(line: string): Place[] {
  if (!line.startsWith("{"))
    return [...line.matchAll(/=(\d+)/g)].map((m) => {
      const field = line.slice(0, m.index).split(" ").at(-1) ?? "";
      return [m.index + 1, m.index + m[0].length, field] as const;
    });
  const found: Place[] = [];
  let at = 0;
  const text = (): string => {
    const end = line.indexOf('"', at + 1);
    const said = line.slice(at + 1, end);
    at = end + 1;
    return said;
  };
  const members = (close: string, one: () => void): void => {
    for (at++; line[at] !== close; ) {
      one();
      if (line[at] === ",") at++;
    }
    at++;
  };
  const value = (path: string): void => {
    const from = at;
    if (line[at] === "{")
      members("}", () => {
        const key = text();
        at++;
        value(`${path}.${/^[\d/]+$/.test(key) ? "#" : key}`);
      });
    else if (line[at] === "[") members("]", () => value(path));
    else if (line[at] === '"') {
      if (/\d/.test(text())) found.push([from + 1, at - 1, path]);
    } else {
      while (!",}]".includes(line[at] as string)) at++;
      if (/\d/.test(line.slice(from, at))) found.push([from, at, path]);
    }
  };
  value("");
  return found;
}

/** Line kind and field, as `believed` names them. */
const nameOf = (line: string, field: string): string =>
  line.startsWith("{") ? `${/^\{"t":"(\w+)"/.exec(line)?.[1] ?? "op"}${field}` : field;

/** What a recorder was asked for or told about its machine, and nothing in the transcript says again. */
const settings = /^(run|pool|cache|frag|fuzz)\.(seed|n|mode|kind|napi_ops|note|scenario|comm)$/;
/** Fields whose change may leave everything as it was. */
const believed: Readonly<Record<string, readonly RegExp[]>> = {
  buddy: [
    settings,
    // The recorder's own wishes.
    /^run\.(drain_first|fill_leave|keep|gfp_base|task_flags|min_free_kbytes|rt_task|watermark_boost_factor|migrate_types)$/,
    // Behind the point release stand the package's revision and date.
    /^run\.(release|version)$/,
    // A request that fails at one order fails at the next; a sum that nothing comes near may be another.
    /^a\.o$/,
    // A mask that no step uses under a name of the recorder's own.
    /^run\.gfps\./,
    // The state at the start: what no step touches, or touches alike.
    /^zone\.(flags|watermark_boost|pageblock_flags|nr_reserved_highatomic|nr_free_highatomic)$/,
    /^zone\.pcp\.(lists\.#|free_factor|free_count|high|alloc_factor|flags|batch|high_min|high_max)$/,
  ],
  page_frag: [settings, /^frag\.(release|version)$/, /^fa\.(align|size)$/],
  page_pool: [settings, /^pool\.(release|cpuid|napi|napi_list_owner|frag_api|flags|order|pool_size)$/, /^op\.size$/],
  slub: [
    settings,
    /^cache\.(release|flags|hardened|freelist_random|align|object_size)$/,
    // Which CPU ran a step that every CPU would have done alike.
    /^op\.cpu$/,
  ],
  skb: [
    settings,
    /^fuzz\.(release|version)$/,
    // How that kernel was built; what it works out of it (SKB_…) is compared.
    /^const\.(?!SKB_)/,
    // Numbers of steps may have gaps where the recorder gave one up.
    /^op\.(i|n|size|ntail|nhead|newtail|newhead|slot|then|len|headroom)$/,
    // Kept sk_buffs are counted, not named.
    /^op\.napi\.(skb_top|frag1k|frag)$/,
    /^pages_at_end\.pages$/,
    /^seg\.(case|frag_size|list_size|linear_payload)$/,
    /^seg\.(segs|before|after)\.skb$/,
  ],
};

const root = join(import.meta.dirname, "../../fixtures");
const asked = process.env["EDITS"];
const all = asked === undefined ? sized(1, 3) : Number(asked);

async function filesOf(folder: string): Promise<{ path: string; lines: string[] }[]> {
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((f) => /\.ndjson\.(gz|xz)$/.test(f))
    .sort()
    .filter((_, i) => asked !== undefined || i % 3 === 0)
    .map((f) => join(root, folder, f));
  return await Promise.all(paths.map(async (path) => ({ path, lines: await linesOf(path) })));
}

describe.each(Object.entries(believed))("one changed number in a recording of %s", (folder, fields) => {
  test("is noticed, or is none of what the kernel did", { timeout: 60_000 + all * 20_000 }, async () => {
    const passed = new Map<string, string>();
    let edits = 0;
    for (const { path, lines } of await filesOf(folder)) {
      const { below } = prng(1400 + lines.length);
      const kernel = /\/(5\.10|6\.12|7\.2)/.exec(path)?.[1] ?? "6.1";
      const whole = { "5.10": "5.10.223", "6.1": "6.1.192", "6.12": "6.12.117", "7.2": "7.2.12" }[kernel] as string;
      for (let n = 0; n < all; n++) {
        // First and last lines are few and say most.
        const few = Math.min(3, lines.length);
        const at = [below(few), lines.length - 1 - below(few), below(lines.length)][n % 3] as number;
        const line = lines[at] as string;
        const places = numbersIn(line);
        const names = [...new Set(places.map((p) => p[2]))];
        const name = names[below(names.length)];
        const [from, to, field] = places.filter((p) => p[2] === name)[0] ?? [0, 0, ""];
        if (to === 0) continue;
        const was = line.slice(from, to);
        const now = /^-?\d+$/.test(was)
          ? `${BigInt(was) + 1n}`
          : was.replace(/\d(?=\D*$)/, (digit) => `${(Number(digit) + 1) % 10}`);
        edits++;
        const input = { path, kernel: whole, lines: lines.with(at, line.slice(0, from) + now + line.slice(to)) };
        try {
          if (replayTranscript(input).firstDifference !== undefined) continue;
        } catch (error) {
          if (error instanceof BadInput) continue;
          throw error;
        }
        passed.set(nameOf(line, field), `${path}:${at + 1} ${was} → ${now}`);
      }
    }
    expect(edits).toBeGreaterThanOrEqual(all);
    if (asked !== undefined) console.log(folder, edits, passed);
    const wrongly = [...passed].filter(([name]) => !fields.some((f) => f.test(name)));
    expect(wrongly).toEqual([]);
  });
});
