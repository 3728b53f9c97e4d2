// Could the caller have waited, and did it ask as if it could not? By mask and by where it ran.
import { describe, expect, test } from "vitest";
import { allocFailure, answerIn, bySoftirq, bySyscall, only } from "./report.testkit.ts";

const id = "context.atomic_needlessly";
const atomic = "0xa20(GFP_ATOMIC)";
const kernel = "0xcc0(GFP_KERNEL)";
const alloc = ["kmalloc_large_node+0x7a/0x90", "run_write+0x79a/0x954 [ora_misc]"];

/** e1000 fills its ring while its MTU is changed, as in fixtures/logs/e1000_refill_6.1.txt. */
const opened = [
  "e1000_alloc_jumbo_rx_buffers+0x125/0x190",
  "e1000_configure+0x2c2/0x300",
  "e1000_up+0xd/0x70",
  "e1000_change_mtu+0x9a/0x120",
  "dev_set_mtu_ext+0xca/0x1d0",
  "dev_set_mtu+0x27/0x50",
  "run_write+0x79a/0x954 [ora_misc]",
  ...bySyscall,
];

describe("a mask that may not wait", () => {
  test("in a softirq: rightly so", async () => {
    const found = await answerIn(
      allocFailure({
        mask: atomic,
        frames: ["__netdev_alloc_skb+0x9b/0x160", "e1000_alloc_rx_buffers+0x1/0x2", ...bySoftirq],
      }),
      id,
    );
    expect(found).toMatchObject({
      answer: "no",
      claim: expect.stringContaining("rightly so (GFP_ATOMIC): it ran in a softirq"),
    });
  });

  test("in a task that does something else: its stack does not say whether it could have waited", async () => {
    const found = await answerIn(allocFailure({ mask: atomic, frames: [...alloc, ...bySyscall] }), id);
    expect(found).toMatchObject({ answer: "unknown", advice: [] });
  });

  test("where an interface is brought up: needlessly, and what to do is said by order", async () => {
    const found = await answerIn(allocFailure({ mask: atomic, frames: opened, memInfo: [] }), id);
    expect(found).toMatchObject({ answer: "yes" });
    expect(found?.claim).toContain("the kernel would have reclaimed memory for it");
    expect(found?.advice.map((a) => a.change.kind)).toEqual(["code", "drop_caches"]);
    expect(found?.advice[1]?.command).toBe("sync; echo 1 > /proc/sys/vm/drop_caches");
  });

  test.each([
    [1, /reclaimed memory for it/, /compact_memory$/],
    [3, /reclaimed memory for it/, /compact_memory$/],
    [4, /helps little/, /compact_memory$/],
  ])("of order %s", async (order, says, command) => {
    const found = await answerIn(allocFailure({ order, mask: "0x40a20(GFP_ATOMIC|__GFP_COMP)", frames: opened }), id);
    expect(found?.claim).toMatch(says);
    expect(found?.advice[1]?.command).toMatch(command);
  });

  test("under a function where nobody may sleep: rightly so", async () => {
    const frames = [
      "new_slab+0x1/0x2",
      "___slab_alloc+0x1/0x2",
      "kmem_cache_alloc_node+0x1/0x2",
      "__alloc_skb+0x1/0x2",
      "ora_xmit+0x1/0x2 [ora_misc]",
      "dev_hard_start_xmit+0x1/0x2",
      "__dev_queue_xmit+0x1/0x2",
      ...bySyscall,
    ];
    expect(await answerIn(allocFailure({ mask: atomic, frames }), id)).toMatchObject({
      answer: "no",
      claim: expect.stringContaining("under dev_hard_start_xmit"),
    });
  });

  test("that asks for no reserve: its caller can do without", async () => {
    const found = await answerIn(allocFailure({ mask: "0x800(GFP_NOWAIT)", frames: [...alloc, ...bySyscall] }), id);
    expect(found).toMatchObject({ answer: "no", claim: expect.stringContaining("can do without the memory") });
  });
});

describe("a mask that may wait", () => {
  test("in a task: it could reclaim, for a block above order 3 not for long", async () => {
    const said = async (order: number) =>
      (
        await answerIn(
          allocFailure({ order, mask: "0x40cc0(GFP_KERNEL|__GFP_COMP)", frames: [...alloc, ...bySyscall] }),
          id,
        )
      )?.claim;
    expect(await said(3)).toMatch(/could reclaim memory for it before it gave up\.$/);
    expect(await said(4)).toMatch(/above order 3 it does not try for long\.$/);
  });

  test("by kswapd itself: reclaim does not reclaim for itself", async () => {
    const frames = [
      "new_slab+0x1/0x2",
      "kmem_cache_alloc+0x1/0x2",
      "ora_scan+0x1/0x2 [ora_misc]",
      "shrink_slab+0x1/0x2",
      "balance_pgdat+0x1/0x2",
      "kswapd+0x1/0x2",
      "kthread+0x1/0x2",
      "ret_from_fork+0x1/0x2",
    ];
    expect(await answerIn(allocFailure({ comm: "kswapd0", mask: kernel, frames }), id)).toMatchObject({
      answer: "no",
      claim: expect.stringContaining("the task was freeing memory itself"),
    });
  });
});

test("without a stack nothing is asked", async () => {
  const text = allocFailure({ memInfo: [] }).split("\n").slice(0, 2).join("\n");
  expect(await answerIn(text, id)).toBeUndefined();
});

test("a mask without a flag is no GFP_NOWAIT: its caller passed none", async () => {
  const i = await only(allocFailure({ mask: "0x0()", order: 0, frames: [...alloc, ...bySyscall] }));
  const claims = i.findings.map((f) => f.claim).join(" ");
  expect(claims).toContain("0x0 = no flag at all");
  expect(claims).not.toMatch(/can do without/);
});
