// A per-cgroup copy of a cache, as SLUB named it until 5.8 (mm/slab_common.c memcg_create_kmem_cache()), is a container's; a plain name the machine's.
import { expect, test } from "vitest";
import { allocFailure, answerIn, only, slubFailure } from "./report.testkit.ts";

test("a cache with a cgroup in its name is the container's limit, and that is the cause", async () => {
  const text = slubFailure("kmalloc-192(1024:session-1.scope)", 12);
  expect(await answerIn(text, "container.limit")).toMatchObject({
    answer: "yes",
    claim: expect.stringContaining('session-1.scope"'),
    advice: [{ change: { kind: "limit" } }],
  });
  expect(await only(text)).toMatchObject({
    severity: "act",
    cause: expect.stringContaining("A container's memory limit"),
  });
});

test("a plain name is the machine's own", async () => {
  expect(await answerIn(slubFailure("kmalloc-192", 12), "container.limit")).toMatchObject({
    answer: "no",
    clears: "a container's limit",
    claim: "The cache kmalloc-192 is the machine's own, not a container's.",
  });
});

test("without SLUB's lines, or without the one that names the cache, nothing is asked", async () => {
  expect(await answerIn(allocFailure({}), "container.limit")).toBeUndefined();
  const headless = slubFailure("kmalloc-192", 12)
    .split("\n")
    .filter((line) => !line.includes("cache:"))
    .join("\n");
  expect(await answerIn(headless, "container.limit")).toBeUndefined();
});
