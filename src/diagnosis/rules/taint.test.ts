// Whether the kernel had seen damage before, and foreign code, by the letters of the process line (kernel/panic.c taint_flags) and the marks of the modules.
import { describe, expect, test } from "vitest";
import { answerIn } from "./report.testkit.ts";

/** An oops of 6.1 with these taint letters and modules. */
const oops = (letters: string, modules = "e1000", at = "skb_release_data+0x9a/0x1f0", release = "6.1.192"): string =>
  [
    "BUG: unable to handle page fault for address: ffff8880dead0000",
    "#PF: supervisor read access in kernel mode",
    "Oops: 0000 [#1] PREEMPT SMP NOPTI",
    `CPU: 0 PID: 77 Comm: cat ${letters === "" ? "Not tainted" : `Tainted: ${letters}`} ${release} #1`,
    `RIP: 0010:${at}`,
    "Code: 48 89 df",
    "RAX: 0000000000000000 RBX: ffff8880dead0000 RCX: 0000000000000000",
    "Call Trace:",
    " <TASK>",
    " consume_skb+0x37/0x90",
    " tcp_recvmsg+0x7f/0x1e0",
    " __x64_sys_recvfrom+0x25/0x30",
    " do_syscall_64+0x2f/0x50",
    " entry_SYSCALL_64_after_hwframe+0x4b/0xb5",
    " </TASK>",
    `Modules linked in: ${modules}`,
    "---[ end trace 0000000000000000 ]---",
  ]
    .map((line, i) => `[  200.0000${10 + i}] ${line}\n`)
    .join("");

describe("damage before", () => {
  test.each([
    ["G    B            ", "a bad page or a slab error (B)"],
    ["G      D          ", "an oops or BUG (D)"],
    ["G   M             ", "a machine check (M)"],
  ])("%s is named", async (letters, says) => {
    const found = await answerIn(oops(letters), "taint.first");
    expect(found).toMatchObject({ answer: "no", claim: expect.stringContaining(says) });
    expect(found?.advice[0]?.command).toContain("journalctl -k -b");
  });

  test("a warning before (W) is no damage", async () => {
    expect((await answerIn(oops("G        W         "), "taint.first"))?.answer).not.toBe("no");
  });
});

describe("foreign code", () => {
  test.each([
    ["2.6.32", "unknown"],
    ["3.1.10", "unknown"],
    ["3.2.0", undefined],
    ["4.1.0", undefined],
  ])("whether %s marks its modules", async (release, answer) => {
    const found = await answerIn(oops("", "mod_a", "skb_release_data+0x9a/0x1f0", release), "taint.foreign");
    expect(found?.answer).toBe(answer);
  });
  test.each([
    [6, /Loaded: mod_0, mod_1, mod_2, mod_3, mod_4 and mod_5\.$/],
    [7, /Loaded: mod_0, mod_1, mod_2, mod_3, mod_4 and mod_5, and 1 more\.$/],
  ])("of %i modules that no letter tells apart six are named", async (n, says) => {
    const modules = Array.from({ length: n }, (_, i) => `mod_${i}`).join(" ");
    const found = await answerIn(oops("", modules, "skb_release_data+0x9a/0x1f0", "2.6.32"), "taint.foreign");
    expect(found).toMatchObject({ answer: "unknown", claim: expect.stringMatching(says) });
  });

  test("a module marked O is named, and whether it stands on the stack", async () => {
    const found = await answerIn(oops("G           O      ", "e1000 l7fw(O)"), "taint.foreign");
    expect(found).toMatchObject({
      answer: "yes",
      claim: expect.stringContaining("Out-of-tree code is loaded (l7fw)."),
    });
    expect(found?.claim).toContain("None of its functions is on this stack");
    expect(found?.claim).not.toContain("proprietary");
  });

  test("a stack of which lines are missing does not say that none of its functions is on it", async () => {
    const cut = oops("G           O      ", "e1000 l7fw(O)").replace(/.*sys_recvfrom.*\n/, "");
    const found = await answerIn(cut, "taint.foreign");
    expect(found?.claim).toContain("The part of the stack that is there shows none of its functions.");
  });

  test("a proprietary one is called so", async () => {
    const found = await answerIn(oops("P           O      ", "e1000 nvidia(PO)"), "taint.foreign");
    expect(found?.claim).toContain("(nvidia), some of it proprietary");
  });

  test("where it stopped in the module itself, that comes first", async () => {
    const found = await answerIn(
      oops("G           O      ", "e1000 l7fw(O)", "l7_match+0x9a/0x1f0 [l7fw]"),
      "taint.foreign",
    );
    expect(found?.claim).toContain("It stopped in l7_match of l7fw itself: look there first.");
  });

  test("no letter and no mark: nothing is said", async () => {
    expect(await answerIn(oops(""), "taint.foreign")).toBeUndefined();
    expect(await answerIn(oops("G        W         "), "taint.foreign")).toBeUndefined();
  });

  test("before 3.2 no letter tells it: the modules are named, and nothing is claimed", async () => {
    const found = await answerIn(oops("G        W         ", "e1000 l7fw", undefined, "2.6.32"), "taint.foreign");
    expect(found).toMatchObject({ answer: "unknown", claim: expect.stringContaining("Loaded: e1000 and l7fw.") });
    expect(
      await answerIn(oops("G        W         ", "e1000 l7fw", undefined, "3.2.0"), "taint.foreign"),
    ).toBeUndefined();
  });
});
