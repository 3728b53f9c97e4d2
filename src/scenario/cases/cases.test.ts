import { describe, expect, test } from "vitest";
import { BadInput } from "../../base/bad_input.ts";
import { isLong } from "../../base/size.testkit.ts";
import { emacWritev, tg3Order1 } from "./answers.testkit.ts";
import { cases } from "./index.ts";
import type { KnobValues } from "./knobs.ts";
import { readKnobs } from "./knobs.ts";

const run = (id: string, set: KnobValues = {}): Record<string, string> => {
  const found = cases.find((c) => c.id === id);
  const result = found?.answer(() => undefined, set);
  expect(result?.id).toBe(id);
  expect(result?.claims.every((c) => Object.keys(c.measured).length > 0)).toBe(true);
  return Object.fromEntries(result?.claims.map((c) => [c.id, c.answer]) ?? []);
};

describe("cases answer what reading the source gives", () => {
  test("ids and claims are distinct", () => {
    expect(new Set(cases.map((c) => c.id)).size).toBe(cases.length);
  });

  test("002: a pointer a fragment takes the shared info from 344 to 488 bytes and leaves no room for headers", () => {
    expect(run("frag-destructors")).toEqual({
      "shared-info-grows": "yes",
      "room-left": "no",
      "some-design-is-free": "yes",
    });
  });

  test("004: coalescing must know of pools; releasing, frag_list, refusing and mainline's rule are safe", () => {
    expect(run("page-pool-tcp")).toMatchObject({
      "unaware-safe": "no",
      "release-safe": "yes",
      "frag-list-safe": "yes",
      "refuse-safe": "yes",
      "mainline-safe": "yes",
    });
    if (isLong) expect(run("page-pool-multicast")).toMatchObject({ "mainline-safe": "yes" });
  });

  test.runIf(isLong)("000: MTU 4000 does not fit a page on the EMAC, and is still better than 9000", () => {
    expect(run("emac-jumbo")).toMatchObject({
      "4000-one-page": "no",
      "4000-better-than-9000": "yes",
      "1500-safe": "yes",
    });
  });

  test("000: buffers that were handed up are not the driver's; a copy, a destructor and a page pool are safe", () => {
    expect(run("emac-preallocated")).toEqual({
      "reuse-safe": "no",
      "first-lap-fine": "yes",
      innocent: "yes",
      "fresh-safe": "yes",
      "copy-safe": "yes",
      "destructor-safe": "yes",
      "pool-safe": "yes",
    });
    const found = cases.find((c) => c.id === "emac-preallocated");
    expect(found?.answer(() => undefined).log).toMatch(
      /^kernel BUG at mm\/slub\.c:2751!\n.*\nNIP \S+ kfree\S+\nLR \S+ skb_release_data/,
    );
  });

  test("000: the sending board's traces come from an overlapping free or a stray bit, not from fragmentation", () => {
    const found = cases.find((c) => c.id === "emac-writev");
    const result = found?.answer(() => undefined, emacWritev.knobs);
    const answers = Object.fromEntries(result?.claims.map((c) => [c.id, c.answer]) ?? []);
    expect(answers).toEqual(emacWritev.answers);
    expect(result?.log).toMatch(/flags:00044000 count:0 mapcount:0/);
    expect(result?.log).toMatch(/0x0004009c/);
  });

  test("001: TSO is not the cause; min_free_kbytes is what helps", () => {
    expect(run("tg3-order1", tg3Order1.knobs)).toEqual(tg3Order1.answers);
  });
});

describe("knobs of cases", () => {
  const frag = cases.find((c) => c.id === "frag-destructors") as (typeof cases)[number];

  test("every case has a story, and every default lies within its knob's bounds", () => {
    for (const c of cases) {
      expect(c.story.length, c.id).toBeGreaterThan(100);
      const written = Object.entries(c.knobs ?? {}).map(([key, k]) => [key, String(k.default)] as const);
      expect(readKnobs(c, written)).toEqual(Object.fromEntries(written.map(([key]) => [key, c.knobs?.[key]?.default])));
    }
  });

  test("a knob that is turned changes the answer, and the result says so: on i386 the shared info grows from 188 to 260", () => {
    const turned = frag.answer(
      () => undefined,
      readKnobs(frag, [
        ["release", "3.2-i386"],
        ["packets", "10"],
      ]),
    );
    expect(turned.set).toEqual({ release: "3.2-i386", packets: 10 });
    expect(turned.claims.find((c) => c.id === "shared-info-grows")).toMatchObject({
      answer: "yes",
      measured: { before: 188, after: 260 },
    });
  });

  test.runIf(isLong)("a knob set to its default is no change", () => {
    const few = { packets: 10 };
    expect(frag.answer(() => undefined, { ...few, release: "3.2-x86_64", frameBytes: 0 })).toEqual(
      frag.answer(() => undefined, few),
    );
  });

  test("a wrong key gets the nearest one; a wrong value gets the bounds", () => {
    const read = (key: string, value: string) => (): void => {
      try {
        readKnobs(frag, [[key, value]]);
      } catch (e) {
        if (e instanceof BadInput) throw new Error(e.sentence());
        throw e;
      }
    };
    expect(read("realease", "3.2-i386")).toThrow(/Did you mean "release"/);
    expect(read("__proto__", "1")).toThrow(/has no knob/);
    expect(read("release", "3.2-i38")).toThrow(/Did you mean "3.2-i386"/);
    for (const bad of ["9", "", "1e9", "12.5", "-1", "NaN", "0x"])
      expect(read("packets", bad), bad).toThrow(/whole number from 10 to 10000/);
  });
});
