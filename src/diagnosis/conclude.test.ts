// The one sentence of a conclusion, and the one on what follows, for each thing that chooses between them.
import { describe, expect, test } from "vitest";
import { diagnoseTexts } from "./field.testkit.ts";
import type { DiagnosedIncident } from "./finding.ts";
import { killed } from "./rules/killed.testkit.ts";
import { bySyscall } from "./rules/report.testkit.ts";

const told = async (texts: Readonly<Record<string, string>>): Promise<DiagnosedIncident> => {
  const { incidents } = await diagnoseTexts(texts);
  expect(incidents).toHaveLength(1);
  return incidents[0] as DiagnosedIncident;
};
const follows = (i: DiagnosedIncident): string | undefined =>
  i.findings.find((f) => f.id === "judgement.harmless")?.claim;
const stamped = (...lines: readonly string[]): Readonly<Record<string, string>> => ({
  log: lines.map((l, i) => `[  100.${String(i).padStart(6, "0")}] ${l}\n`).join(""),
});

describe("who ran out of memory", () => {
  test.each([
    ["2.6.24", /^Memory ran out, and not by a cgroup's limit; the text does not say whether in the whole machine/],
    ["2.6.25", /^Memory ran out: the machine's, or what a cgroup may have; the report does not say which/],
    ["2.7.1", /^Memory ran out: the machine's, or what a cgroup may have/],
    ["6.1.0", /^Memory ran out: the machine's, or what a cgroup may have/],
  ])("a first line of %s alone", async (release, cause) => {
    const head = "server invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=0";
    expect((await told(stamped(head, `Pid: 77, comm: server Not tainted ${release} #1`))).cause).toMatch(cause);
  });
  test.each([
    ["CONSTRAINT_MEMCG", /^A cgroup reached its memory limit/],
    ["CONSTRAINT_CPUSET", /^Memory ran out on the nodes that a cpuset or a memory policy allows/],
    ["CONSTRAINT_MEMORY_POLICY", /^Memory ran out on the nodes that a cpuset or a memory policy allows/],
    ["CONSTRAINT_NONE", /^The machine was really out of memory: nothing was left to reclaim/],
  ])("%s", async (constraint, cause) => {
    const found = await told(killed({ constraint }));
    expect(found.cause).toMatch(cause);
    expect(follows(found)).toBe("Act on it: the OOM killer had to run.");
  });
  test.each([
    ["Out of memory: compulsory panic_on_oom is enabled", /and vm.panic_on_oom made that a panic\.$/],
    ["Out of memory: system-wide panic_on_oom is enabled", /and vm.panic_on_oom made that a panic\.$/],
    ["System is deadlocked on memory", /really out of memory, and nothing was left to kill\.$/],
    ["Out of memory and no killable processes...", /really out of memory, and nothing was left to kill\.$/],
  ])("panic: %s", async (why, cause) => {
    const found = await told(killed({ end: [`Kernel panic - not syncing: ${why}`] }));
    expect(found.cause).toMatch(cause);
    expect(follows(found)).toBe("Act on it: the machine went down because memory ran out.");
  });
});

test.each([
  [
    "vmalloc error: size 4096, page order 0, failed to allocate pages,",
    /could not get all its pages: memory as a whole/,
  ],
  ["vmalloc error: size 4096, vm_struct allocation failed,", /^A vmalloc of 4 KiB found no free range of addresses/],
  ["vmalloc error: size 4096, odd words,", /^A vmalloc of 4 KiB could not get its pages or its range of addresses/],
  ["vmalloc error: size 0, odd words,", /^vmalloc was asked for 0 bytes: the size is the bug/],
  ["vmalloc: allocation failure: 4096 bytes,", /^A vmalloc of 4 KiB was refused before it took a page/],
])("server: %s", async (words, cause) => {
  expect((await told(stamped(`server: ${words} mode:0xcc0(GFP_KERNEL)`, "CPU: 0 PID: 77 Comm: server"))).cause).toMatch(
    cause,
  );
});

test.each([
  [
    "divide error: 0000 [#1] SMP",
    "act",
    /^my_own divided by zero/,
    /^Act on it: the task, or the whole machine, stopped/,
  ],
  [
    "stack segment: 0000 [#1] SMP",
    "unknown",
    /^my_own faulted; the text does not give the address/,
    /lacks the general registers/,
  ],
  [
    "invalid opcode: 0000 [#1] SMP",
    "unknown",
    /^my_own executed an invalid instruction/,
    /the line that names the check/,
  ],
  [
    "general protection fault: 0000 [#1] SMP",
    "unknown",
    /usually on a pointer that is not a valid/,
    /lacks the general registers/,
  ],
  [
    "BUG: unable to handle page fault for address: 0000000000000008",
    "act",
    /used a NULL pointer at offset 8/,
    /^Act on it/,
  ],
  [
    "BUG: unable to handle page fault for address: ffffb40a4b1fe008",
    "act",
    /a kernel address that is not mapped/,
    /Nor does it show the contrary/,
  ],
])("%s", async (head, severity, cause, consequence) => {
  const found = await told(
    stamped(
      head,
      ...(head.startsWith("BUG") ? ["Oops: 0000 [#1] SMP"] : []),
      "CPU: 1 PID: 77 Comm: server Not tainted 6.1.0 #1",
      "RIP: 0010:my_own+0x12/0x340",
      ...["Call Trace:", " <TASK>", " my_caller+0x1/0x2", ...bySyscall.map((f) => ` ${f}`), " </TASK>"],
      "---[ end trace 0000000000000000 ]---",
    ),
  );
  expect(found.severity).toBe(severity);
  expect(found.cause).toMatch(cause);
  expect(follows(found)).toMatch(consequence);
});

describe("who called the function that stopped, as the link register tells", () => {
  const cause = async (at: string, frames: readonly string[], link = "my_link"): Promise<string> =>
    (
      await told(
        stamped(
          "Unable to handle kernel paging request at virtual address ffffb40a4b1fe008",
          "Internal error: Oops: 96000004 [#1] SMP",
          "CPU: 1 PID: 77 Comm: server Not tainted 6.1.0 #1",
          `pc : ${at}+0x12/0x340`,
          `lr : ${link}+0x12/0x340`,
          "sp : ffff800012345678",
          "Call trace:",
          ...[at, ...frames].map((n) => ` ${n}+0x12/0x340`),
          " el0t_64_sync+0x1a0/0x1a4",
          "---[ end trace 0000000000000000 ]---",
        ),
      )
    ).cause;
  const called = ", called from my_link,";
  test("a helper's link is believed, any other's where the stack shows it among its first four", async () => {
    expect(await cause("memcpy", ["my_a", "my_b"])).toContain(`memcpy${called}`);
    expect(await cause("my_own", ["my_a", "my_b"])).not.toContain("called from");
    expect(await cause("my_own", ["my_a", "my_b", "my_link"])).toContain(`my_own${called}`);
    expect(await cause("my_own", ["my_a", "my_b", "my_c", "my_link"])).not.toContain("called from");
    expect(await cause("memcpy", ["my_a"], "memset")).not.toContain("called from");
    expect(await cause("my_own", ["my_a"], "my_own")).not.toContain("called from");
  });
});
