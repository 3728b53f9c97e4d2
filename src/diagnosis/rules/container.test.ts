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
    cause: expect.stringContaining("Most likely a container's memory limit"),
  });
});

// mm/page_alloc.c of 5.10: a charge that the cgroup refuses frees the page again and prints nothing; warn_alloc() reports what the zones refused.
test("where the page allocator itself reports the refusal it was the machine's, whosever the cache is", async () => {
  const text = [
    "[  100.000000] swapper/1: page allocation failure: order:0, mode:0x204020",
    "[  100.000001] CPU: 1 PID: 0 Comm: swapper/1 Not tainted 3.10.0-327.el7.x86_64 #1",
    "[  100.000002] Call Trace:",
    ...["dump_stack", "warn_alloc_failed", "__alloc_pages_nodemask", "new_slab", "__slab_alloc"].map(
      (f) => `[  100.000003]  [<ffffffff81636431>] ${f}+0x19/0x1b0`,
    ),
    "[  100.000004] SLUB: Unable to allocate memory on node -1 (gfp=0x20)",
    "[  100.000005]   cache: kmalloc-1024(1793:c8edefa9), object size: 1024, buffer size: 1024, default order: 3, min order: 0",
    "[  100.000006]   node 0: slabs: 663, objs: 20964, free: 0",
    "",
  ].join("\n");
  const i = await only(text);
  expect(i.kind).toBe("alloc_failure");
  expect(i.cause).not.toMatch(/container/);
  expect(i.findings.find((f) => f.id === "container.limit")?.answer).toBe("no");
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
