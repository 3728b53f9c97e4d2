// A cache holds much: a GiB, or a tenth of the machine (rules/slab_holds.ts).
import { expect, test } from "vitest";
import { answerIn, only, slubFailure } from "./report.testkit.ts";

/** Slabs of one page in a GiB. */
const gib = 262_144;
const ram = (kb: number) => ({ meminfo: `MemTotal:       ${kb} kB\nMemFree:        1000 kB\n` });

test("a GiB in slabs is said, a page less is not", async () => {
  expect(await answerIn(slubFailure("dentry", gib), "slab_holds")).toMatchObject({
    answer: "yes",
    claim: expect.stringContaining("The cache dentry holds at least 1 GiB, and not one of its objects is free"),
  });
  expect(await answerIn(slubFailure("dentry", gib - 1), "slab_holds")).toBeUndefined();
});

test("slabs of order 1 count twice", async () => {
  expect(await answerIn(slubFailure("dentry", gib / 2, 0, 1), "slab_holds")).toMatchObject({ answer: "yes" });
  expect(await answerIn(slubFailure("dentry", gib / 2 - 1, 0, 1), "slab_holds")).toBeUndefined();
});

test("a tenth of the machine is said, less is not, and without the machine's memory nothing is", async () => {
  const tenth = slubFailure("dentry", 1024);
  expect(await answerIn(tenth, "slab_holds", ram(40_960))).toMatchObject({ answer: "yes" });
  expect(await answerIn(tenth, "slab_holds", ram(40_961))).toBeUndefined();
  expect(await answerIn(tenth, "slab_holds")).toBeUndefined();
});

test("objects that are free are not left out of the sentence", async () => {
  const found = await answerIn(slubFailure("dentry", gib, 7), "slab_holds");
  expect(found?.claim).not.toContain("not one of its objects is free");
  expect(found?.advice[0]).toMatchObject({
    change: { kind: "code" },
    command: expect.stringContaining("/slab/dentry/"),
  });
});

test("SLAB's nodes are full where all their objects are taken, though none is said to be free", async () => {
  const slab = (...objects: readonly string[]): string =>
    [
      "SLAB: Unable to allocate memory on node 0 (gfp=0x20)",
      "  cache: dentry, object size: 192, order: 0",
      ...objects.map((o, node) => `  node ${node}: slabs: ${gib}/${gib}, objs: ${o}, free: 5`),
    ].join("\n");
  const full = async (...objects: readonly string[]) =>
    /not one of its objects is free/.test((await answerIn(slab(...objects), "slab_holds"))?.claim ?? "");
  expect([
    await full("20/20"),
    await full("19/20"),
    await full("20/20", "20/20"),
    await full("20/20", "19/20"),
  ]).toEqual([true, false, true, false]);
});

test("it is the cause, and to be acted on", async () => {
  const incident = await only(slubFailure("dentry", gib));
  expect(incident.severity).toBe("act");
  expect(incident.cause).toContain("holds at least 1 GiB");
  expect((await only(slubFailure("dentry", 100))).cause).not.toContain("holds at least");
});
