// The house rules that a machine can check: who may import whom, what a browser room must not touch, no default exports.
// The table is HOUSE.md's with docs/decisions/001; a canary at the end proves that the check bites.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { describe, expect, test } from "vitest";

const src = join(import.meta.dirname, ".");

const belowFaces = [
  "base",
  "kernel",
  "explore",
  "artifact",
  "image",
  "analysis",
  "observe",
  "lab",
  "scenario",
  "verify",
  "diagnosis",
  "fleet",
  "live",
  "prove",
];

const rooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  kernel: ["base"],
  model: ["base", "kernel"],
  explore: ["base", "model"],
  artifact: ["base", "kernel"],
  image: ["base", "kernel", "artifact"],
  analysis: ["base", "kernel", "artifact"],
  observe: ["base", "kernel", "model", "artifact"],
  library: ["base", "kernel", "model"],
  lab: ["base", "kernel", "model", "explore", "artifact", "analysis", "observe"],
  scenario: ["base", "kernel", "model", "explore", "artifact", "analysis", "observe", "lab"],
  verify: ["base", "kernel", "model", "artifact"],
  diagnosis: ["base", "kernel", "model", "artifact", "analysis", "observe"],
  fleet: ["base", "kernel", "artifact", "diagnosis"],
  live: ["base", "kernel", "artifact", "analysis", "diagnosis"],
  prove: ["base", "kernel", "model", "artifact", "image", "analysis", "observe", "scenario", "diagnosis"],
  report: [...belowFaces],
  cli: [...belowFaces, "report"],
  web: [...belowFaces, "report"],
};
const modelRooms = ["sync", "mm", "slab", "net", "kernels", "drivers", "workload"];
/** Files at the top of model/ that every inner room may use. */
const modelGround = ["model/journal.ts", "model/not_modelled.ts"];

interface Import {
  readonly from: string;
  readonly to: string;
}

function importsOf(file: string, text: string): Import[] {
  const statements =
    /^\s*(?:import|export)\b[^"';]*?\bfrom\s+"([^"]+)"|^\s*import\s+"([^"]+)"|\bimport\(\s*"([^"]+)"/gm;
  const specifiers = [...text.matchAll(statements)].map((m) => (m[1] ?? m[2] ?? m[3]) as string);
  return specifiers.map((to) => ({
    from: file,
    to: to.startsWith(".") ? join(file, "..", to).split(sep).join("/") : to,
  }));
}

/** What is wrong with one import, or undefined. Paths are relative to src/. */
function verdict({ from, to }: Import): string | undefined {
  const room = from.split("/")[0] as string;
  const isFace = room === "cli" || room === "web" || !from.includes("/");
  if (to.startsWith("node:")) return isFace ? undefined : `${from} imports ${to}: only cli and web may touch Node`;
  if (!/\.(ts|tsx|css|json)$/.test(to)) {
    const core = ["base", "kernel", "model", "explore"].includes(room);
    return core && !to.startsWith(".") ? `${from} imports the package ${to}: the core has no dependencies` : undefined;
  }
  if (!from.includes("/")) return undefined;
  const target = to.split("/")[0] as string;
  if (target !== room && !rooms[room]?.includes(target))
    return `${from} imports ${to}: room ${room} may not import ${target}`;
  if (room === "model" && target === "model" && !modelGround.includes(to)) {
    const own = modelRooms.indexOf(from.split("/")[1] as string);
    const other = modelRooms.indexOf(to.split("/")[1] as string);
    if (own >= 0 && (other < 0 || other > own))
      return `${from} imports ${to}: inside model, ${modelRooms.join(" < ")} < machine`;
  }
  return undefined;
}

const files = (readdirSync(src, { recursive: true }) as string[])
  .map((f) => f.split(sep).join("/"))
  .filter((f) => /\.(ts|tsx)$/.test(f));
const product = files.filter((f) => !/\.(test|fuzz|testkit)\.tsx?$/.test(f));
const textOf = (file: string): string => readFileSync(join(src, file), "utf8");

describe("the house", () => {
  test("a room imports only from the rooms that the table lists", () => {
    expect(
      product.flatMap((f) =>
        importsOf(f, textOf(f))
          .map(verdict)
          .filter((v) => v !== undefined),
      ),
    ).toEqual([]);
  });

  test("no part of the model reads a release: kernels/ asks the facts and hands parts over; who still does is listed, and the list only shrinks", () => {
    const asks = /\b(atLeast|factAt|mmFact)\(/;
    const still = [
      "model/drivers/e1000.ts",
      "model/drivers/mvneta.ts",
      "model/drivers/setup_memory.ts",
      "model/drivers/tg3.ts",
      "model/drivers/virtio_net.ts",
      "model/machine.ts",
      "model/mm/observe_failure.ts",
      "model/net/path/napi.ts",
      "model/net/skb/frag_designs.ts",
      "model/slab/geometry.ts",
      "model/slab/kmalloc.ts",
      "model/slab/slabinfo.ts",
    ];
    const asking = product.filter((f) => /^model\/(?!kernels\/)/.test(f) && asks.test(textOf(f)));
    expect(asking.filter((f) => !still.includes(f))).toEqual([]);
  });

  test("no import cycle", () => {
    const edges = new Map(product.map((f) => [f, importsOf(f, textOf(f)).map((i) => i.to)]));
    const state = new Map<string, "open" | "done">();
    const cycles: string[] = [];
    const visit = (f: string, path: readonly string[]): void => {
      if (state.get(f) === "open") cycles.push([...path.slice(path.indexOf(f)), f].join(" → "));
      if (state.has(f)) return;
      state.set(f, "open");
      for (const to of edges.get(f) ?? []) if (edges.has(to)) visit(to, [...path, f]);
      state.set(f, "done");
    };
    for (const f of product) visit(f, []);
    expect(cycles).toEqual([]);
  });

  test("the rooms above the faces know no clock, no chance, no DOM", () => {
    const banned =
      /\bMath\.random\b|\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bdocument\.(body|getElement|query)|\bprocess\./;
    const above = product.filter((f) => !/^(cli|web)\//.test(f));
    expect(above.filter((f) => banned.test(textOf(f).replace(/\/\/.*$/gm, "")))).toEqual([]);
  });

  test("a number that a report does not print is unknown to a rule, never 0", () => {
    // isKnown() of kernel/readings/part.ts asks a number that may not be there; what counts from 0 by itself is not a rule's.
    const rules =
      /^(?:diagnosis\/(?:rules\/|(?:conclude|conclude_faults|rebuild|page_records|faults|case|stack|mask|title)\.ts)|kernel\/readings\/)/;
    const checked = product.filter((f) => rules.test(f));
    expect(checked.length).toBeGreaterThan(40);
    expect(checked.filter((f) => /(?:\?\?|\|\|) 0\b/.test(textOf(f)))).toEqual([]);
  });

  test("elsewhere in what judges 0 is what was counted, or what a release does not print", () => {
    // Tallies, places of arrays, lengths and lines begin at 0 by themselves.
    const counted =
      /(?:\.get\([^()]*\)(?:\?\.\w+)?|\]\)?|\.codePointAt\(0\)|\.(?:length|size|suppressedBefore|firstLine|blocks|kept|pages|count)|\bline|\bi\.lines) \?\? 0\b/g;
    // room, machine_said: a boost, CMA and a reserve of releases that print none.
    // wanted: the highest CPU that is named. sorted_text: page_owner_sort prints no order where it sorts by another key.
    const known = /^(?:diagnosis\/(?:room|machine_said|wanted)|analysis\/page_owner\/sorted_text)\.ts$/;
    const checked = product.filter((f) => /^(?:diagnosis|analysis|live|fleet|report)\//.test(f) && !known.test(f));
    expect(checked.length).toBeGreaterThan(140);
    expect(checked.filter((f) => /(?:\?\?|\|\|) 0\b/.test(textOf(f).replace(counted, "")))).toEqual([]);
  });

  test("a finding is asked for by its declared id: isA(), isOf(), findingOf() and answerOf() take no other", () => {
    const byText =
      /\.id (?:===|!==) "(?:[a-z_]+\.[a-z_]+|fragmentation|direction|slab_holds|slab_order)"|\.id\.startsWith\("/;
    const asking = product.filter((f) => /^(?:diagnosis|fleet|live|prove|report|cli|web)\//.test(f));
    // The one place that puts such a finding there itself.
    const still = ["diagnosis/episodes.ts"];
    expect(asking.filter((f) => byText.test(textOf(f)) && !still.includes(f))).toEqual([]);
    expect(byText.test('f.id === "why.refused"')).toBe(true);
  });

  test("what is not there is said by a proof alone: part.ts makes it, and no ground of a no is a count, a fallback or our own words", () => {
    const judging = product.filter((f) => /^(?:diagnosis|analysis|live|fleet|report|kernel)\//.test(f));
    const forged = /\bas (?:unknown as )?(?:Absent|Closed<)|: (?:Absent|Missed|Shown) = \{|\babsent: \{/;
    expect(judging.filter((f) => f !== "kernel/readings/part.ts" && forged.test(textOf(f)))).toEqual([]);
    // A finding is made by its question (question.ts), which asks for the ground; rebuild.ts answers a watermark's test.
    const bare = /\banswer: "no"|\banswer: (?!Answer\b)[^,;]{1,80} : "no"/;
    expect(judging.filter((f) => f !== "diagnosis/rebuild.ts" && bare.test(textOf(f)))).toEqual([]);
    // What was read is named as it was read: the length of a list, a value in place of one that is missing and a text made here are not.
    const made = /\bshown\(\s*(?:["'`]|[^(),]{0,80}(?:\?\?|\|\||\.length\b|\.size\b|===|!==))/;
    expect(judging.filter((f) => made.test(textOf(f)))).toEqual([]);
    // Reports whose kind is the verdict: that no request was refused.
    const kinds = ["bad_page", "skb_panic", "slab_corruption"].map((rule) => `diagnosis/rules/${rule}.ts`);
    expect(judging.filter((f) => /\bbyKind\(c,/.test(textOf(f)))).toEqual(kinds);
    expect(forged.test("return { because } as Absent;")).toBe(true);
    expect(bare.test('answer: frames.length > 0 ? "yes" : "no"')).toBe(true);
    expect(made.test('no("direction", "No.", shown(c.stack.frames.length, lines))')).toBe(true);
    expect(made.test('no("direction", "No.", shown(name ?? "nobody", lines))')).toBe(true);
    expect(made.test('no("direction", "No.", shown(name, lines))')).toBe(false);
  });

  test("no enum, no any, no default export", () => {
    const banned = /^\s*(export )?(const )?enum |: an[y]\b|\bas an[y]\b|<an[y]>|^export default/m;
    const checked = product.filter((f) => !/vite\.config\.ts$/.test(f));
    expect(checked.filter((f) => banned.test(textOf(f).replace(/\/\/.*$|\/\*[\s\S]*?\*\//gm, "")))).toEqual([]);
  });

  test("nothing tracked in src names a path of one machine", () => {
    expect(product.filter((f) => /\/(work\/(main|shared)|root\/|home\/\w)/.test(textOf(f)))).toEqual([]);
  });

  test("canary: the check bites", () => {
    expect(verdict({ from: "base/prng.ts", to: "kernel/release.ts" })).toMatch(/may not import kernel/);
    expect(verdict({ from: "model/mm/zone.ts", to: "model/net/skbuff.ts" })).toMatch(/sync < mm/);
    expect(verdict({ from: "artifact/x.ts", to: "node:fs" })).toMatch(/only cli and web/);
    expect(verdict({ from: "model/mm/zone.ts", to: "zod" })).toMatch(/no dependencies/);
    expect(verdict({ from: "diagnosis/rules.ts", to: "model/mm/watermark.ts" })).toBeUndefined();
    expect(relative(src, src)).toBe("");
  });
});
