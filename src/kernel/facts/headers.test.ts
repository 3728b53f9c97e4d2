// The bits of the gfp mask and the members of structs against the headers of trees of the kernel's source (scripts/mark-survey.mjs).
//   ANSWERS=write npx vitest run src/kernel/facts/headers.test.ts    writes fixtures/answers/members.txt anew
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type FieldDecl, parseFields } from "../layout/notation.ts";
import { compareVersions, type Fact, factAt, parseRelease } from "../release.ts";
import { gfpCombination, gfpEraAt, gfpMask } from "./gfp.ts";
import { gfpCombinations, gfpEras } from "./gfp_eras.ts";
import { surveyOf, type Tree } from "./kernel_names.testkit.ts";
import { kpf, kpfHigh } from "./kpageflags.ts";
import { structDeclarations, structSource } from "./structs.ts";

const kept = join(import.meta.dirname, "../../../fixtures/answers/members.txt");
const gfp = surveyOf("gfp");
const members = surveyOf("members");

describe("the gfp mask", () => {
  /** Name and value of everything that a tree's header defines. */
  const valuesIn = (tree: Tree): ReadonlyMap<string, number> =>
    new Map(
      gfp.keys
        .filter((key) => gfp.has(key, tree))
        .map((key) => key.split(" ") as [string, string])
        .map(([name, value]) => [name, Number(value)]),
    );
  const bits = [...new Set(gfpEras.flatMap((era) => era.bits.split(" ")))].filter((name) => name !== ".");
  const combinations = [...new Set(gfpCombinations.map((c) => c.name))].filter((name) => name !== "GFP_DMA");
  const compared = gfp.trees.flatMap((tree) => {
    const values = valuesIn(tree);
    const era = gfpEraAt(tree.version);
    return [
      ...bits.map((name) => ({ tree, name, header: values.get(`__GFP_${name}`), fact: era && gfpMask(name, era) })),
      ...combinations.map((name) => ({
        tree,
        name,
        header: values.get(name),
        fact: gfpCombination(name, tree.version),
      })),
    ];
  });
  test("every name that the header and the facts have has one value", () => {
    const both = compared.filter((c) => c.header !== undefined && c.header !== 0 && c.fact !== undefined);
    expect(
      both.filter((c) => c.header !== c.fact).map((c) => `${c.tree.release} ${c.name} ${c.header} ${c.fact}`),
    ).toEqual([]);
    expect(both.length).toBeGreaterThan(900);
  });
  test("a name that the one has the other has too", () => {
    const missing = compared.flatMap(({ tree, name, header, fact }) =>
      // Before HARDWALL (2.6.16) GFP_USER is GFP_KERNEL, which is named.
      (header ?? 0) !== 0 && fact === undefined && !(name === "GFP_USER" && header === 0xd0)
        ? [`${tree.release} ${name}: only in the header`]
        : header === undefined && fact !== undefined
          ? [`${tree.release} ${name}: only in the facts`]
          : [],
    );
    expect(missing).toEqual([]);
  });
});

test("bits of /proc/kpageflags have the numbers of every tree that names them", () => {
  const numbers = surveyOf("kpageflags");
  const facts = new Map<string, number>([
    ...Object.entries(kpf),
    ...Object.entries(kpfHigh).map(([name, bit]) => [name, bit + 32] as const),
  ]);
  const asked = numbers.keys.filter((key) => facts.has(key.split(" ")[0] as string));
  expect(asked.filter((key) => Number(key.split(" ")[1]) !== facts.get(key.split(" ")[0] as string))).toEqual([]);
  const named = new Set(asked.map((key) => key.split(" ")[0]));
  expect([...facts.keys()].filter((name) => !named.has(name))).toEqual([]);
});

describe("structs", () => {
  /** Members, those of blocks within among them. */
  const namesOf = (fields: readonly FieldDecl[]): readonly string[] =>
    fields.flatMap(({ name, type }) => [name, ...(type.kind === "block" ? namesOf(type.fields) : [])]);
  const declared = Object.entries(structDeclarations).map(([tag, facts]) => ({
    tag,
    facts: facts.map(
      (f): Fact<ReadonlySet<string>> => ({
        ...f,
        value: new Set(namesOf(parseFields(f.value)).filter((name) => name !== "")),
      }),
    ),
  }));
  /** `3.10 3.13`: the trees of a key. */
  const said = (trees: readonly Tree[]): string => trees.map((t) => t.release).join(" ");
  // A declaration holds until the next that was read (structs.ts); what a tree between the two has otherwise is listed, and is little.
  test("where the struct of a tree differs from the declaration in force, and nowhere else", () => {
    const different = declared.flatMap(({ tag, facts }) => {
      const all = [...new Set(facts.flatMap((f) => [...f.value]))].sort();
      const trees = members.treesOf(tag);
      return all.flatMap((name) => {
        const wrong = (has: boolean): string =>
          said(
            trees.filter(
              (t) => members.has(`${tag} ${name}`, t) === has && factAt(facts, t.version)?.value.has(name) === !has,
            ),
          );
        return [
          ...(wrong(true) === "" ? [] : [`${tag}.${name}: not declared, there in ${wrong(true)}`]),
          ...(wrong(false) === "" ? [] : [`${tag}.${name}: declared, not there in ${wrong(false)}`]),
        ];
      });
    });
    if (process.env.ANSWERS === "write") writeFileSync(kept, `${different.join("\n")}\n`);
    expect(different).toEqual(readFileSync(kept, "utf8").trimEnd().split("\n"));
    const asked = declared.flatMap(({ tag, facts }) =>
      members.treesOf(tag).flatMap((t) => [...(factAt(facts, t.version)?.value ?? [])]),
    );
    expect(asked.length).toBeGreaterThan(2500);
  });
  test("a declaration tells where it was read, and whether the release asked for is newer than every reading", () => {
    const of = (name: string, release: string) => structSource(name, parseRelease(release));
    expect(of("sk_buff", "2.6.24")?.source).toMatch(/2\.6\.24/);
    expect(of("no_such", "6.1")).toBeUndefined();
    expect(of("llist_node", "2.6.24")).toBeUndefined();
    expect([of("sk_buff", "2.6.24")?.newest, of("sk_buff", "7.2")?.newest, of("list_head", "5.10")?.newest]).toEqual([
      false,
      true,
      false,
    ]);
    // A name of another time for the same struct.
    expect(of("skb_frag_t", "6.1")?.source ?? of("skb_frag", "6.1")?.source).toMatch(/bvec/);
  });
  test("declarations are in order, oldest first", () => {
    for (const { facts } of declared)
      for (const [i, f] of facts.entries())
        if (i > 0) expect(compareVersions(facts[i - 1]?.since ?? [], f.since)).toBeLessThan(0);
  });
});
