// What follows from a report is of it: the panic behind a fault, the vmalloc report behind the line that says why, the same report pasted twice.
import { expect, test } from "vitest";
import { repairText } from "../lines.ts";
import { tieConsequences, withoutDoubles } from "./consequences.ts";
import { readIncidents } from "./read_incidents.ts";

const tied = (log: string) => tieConsequences(withoutDoubles(readIncidents(repairText(log)).incidents));

const warning = (at: string): string => `[${at}] refcount_t: underflow; use-after-free.
[${at}] WARNING: CPU: 1 PID: 17 at lib/refcount.c:187 refcount_sub_and_test_checked+0x3e/0x50
`;
const panic = (at: string, reason: string): string => `[${at}] Kernel panic - not syncing: ${reason}
[${at}] CPU: 1 PID: 17 Comm: ksoftirqd/1 Not tainted 4.19.67 #1
[${at}] Call Trace:
[${at}]  dump_stack+0x5c/0x78
[${at}]  panic+0xe4/0x24a
[${at}]  sock_wfree+0x4c/0x60
`;

test("a panic that a warning makes is of the warning, with the stack that only the panic prints", () => {
  const [one, ...others] = tied(warning("10.100001") + panic("10.200002", "panic_on_warn set ..."));
  expect(others).toEqual([]);
  expect(one).toMatchObject({
    kind: "oops",
    reading: { class: "warning", panic: expect.stringMatching(/panic_on_warn/), trace: { heading: "Call Trace:" } },
  });
  expect(one?.missing).not.toContain("trace");
});

test.each([
  ["of another reason", "16.200002", "VFS: Unable to mount root fs on unknown-block(0,0)"],
  ["much later", "60.200002", "Fatal exception"],
])("a panic %s is a report of its own", (_, at, reason) => {
  expect(tied(warning("10.100001") + panic(at, reason))).toHaveLength(2);
});

const range = (at: string, bytes: number): string =>
  `[${at}] vmap allocation for size ${bytes} failed: use vmalloc=<size> to increase size\n`;
const vmalloc = (at: string, bytes: number): string =>
  `[${at}] modprobe: vmalloc: allocation failure: ${bytes} bytes, mode:0xcc0(GFP_KERNEL), nodemask=(null)\n`;

test("a vmap line and the vmalloc report of the same request are one; of another size they are two", () => {
  expect(tied(range("5.000001", 36864) + vmalloc("5.000009", 32768))).toMatchObject([
    { kind: "alloc_failure", firstLine: 1, reading: { bytes: 32768, rangeLine: expect.stringMatching(/36864/) } },
  ]);
  expect(tied(range("5.000001", 1048576) + vmalloc("5.000009", 32768))).toHaveLength(2);
  expect(tied(range("5.000001", 8192) + vmalloc("5.000009", 32768))).toHaveLength(2);
});

test("reports that only the rate limit counted are those whose vmap lines stand there", () => {
  const log =
    [1, 2, 3, 4].map((s) => range(`${s}.000001`, 36864)).join("") +
    "[4.000005] warn_alloc: 3 callbacks suppressed\n" +
    vmalloc("4.000009", 32768);
  const failures = tied(log).filter((i) => i.kind === "alloc_failure");
  expect(failures).toHaveLength(4);
  expect(failures.at(-1)?.suppressedBefore).toBe(0);
});

const failure = (prefix: string): string => `${prefix}swapper: page allocation failure: order:0, mode:0x20
${prefix}CPU: 0 PID: 0 Comm: swapper Not tainted 3.18.21 #2
`;

test("a report from dmesg and from syslog is one, and so is its first line quoted above it; the fuller one stays", () => {
  const own = failure("[  100.123456] ");
  expect(tied(own + failure("Nov 20 20:35:16 web1 kernel: [  100.123456] "))).toHaveLength(1);
  const quoted = own.split("\n")[0] as string;
  expect(tied(`${quoted}\n\n${own}`)).toMatchObject([{ firstLine: 3, reading: { process: { release: "3.18.21" } } }]);
});

test("a clock of hundredths, another host and another moment tell two reports", () => {
  expect(tied(failure("[  100.120000] ") + failure("[  100.120000] "))).toHaveLength(2);
  expect(tied(failure("[  100.123456] ") + failure("[  100.123457] "))).toHaveLength(2);
  const host = (name: string) => failure(`Nov 20 20:35:16 ${name} kernel: [  100.123456] `);
  expect(tied(host("web1") + host("web2"))).toHaveLength(2);
});
