// Pieces of the field's texts that once said more than the whole: one for each way in which a part can pass for something else.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { explain } from "./explain.ts";
import type { Finding } from "./finding.ts";

const lines = (name: string): readonly string[] =>
  readFileSync(new URL(`../../fixtures/field/${name}.txt`, import.meta.url), "utf8").split("\n");

type Loss = (all: readonly string[]) => readonly string[];
const column =
  (n: number): Loss =>
  (all) =>
    all.map((l) => l.slice(0, n));
const without =
  (from: number, to: number): Loss =>
  (all) =>
    all.filter((_, i) => i < from - 1 || i > to - 1);
const upTo =
  (n: number): Loss =>
  (all) =>
    all.slice(0, n);

const piece = async (name: string, loss: Loss) =>
  (await explain({ "x.log": loss(lines(name)).join("\n") })).incidents[0];

const answer = (findings: readonly Finding[] | undefined, id: string): Finding["answer"] | undefined =>
  findings?.find((f) => f.id === id)?.answer;

const whole: Loss = (all) => all;

test("two lines that begin with the kernel's own word have no prefix of that word", async () => {
  const i = await piece("b_tail_no_release", whole);
  expect(answer(i?.findings, "bad_page.reason")).toBe("yes");
  expect(i?.findings.map((f) => f.claim).join(" ")).not.toMatch(/"page dumped because" .*missing|lacks the line/);
});

test.each([
  ["of which its reserves are the next zone's", "b_buddy_cut_516", without(5, 8)],
  ["whose next zone lost its line", "b_zones_whole_ok", without(24, 24)],
])("a zone %s is not said to serve the request", async (_, name, loss) => {
  expect(answer((await piece(name, loss))?.findings, "why.zone.0.DMA")).not.toBe("yes");
});

test("one zone without its reserves is not the machine: its mark is no vm.min_free_kbytes", async () => {
  expect(answer((await piece("b_zones_whole_ok", upTo(22)))?.findings, "min_free.default")).toBe("unknown");
});

test.each([
  ["f_old_269_whole_ok", column(48), [null, "e1000"]],
  ["f_over_vsock_62", column(36), [null, "vhost_vsock"]],
])("a driver's name of %s may be lost, never another", async (name, loss, allowed) => {
  expect(allowed).toContain((await piece(name, loss))?.driver);
});

test("an address of eight digits in a report of 64 bits lost the others", async () => {
  const i = await piece("p_mptcp_kmem", column(72));
  expect(i?.cause).not.toMatch(/NULL/);
  expect(["corruption", "unknown"]).toContain(i?.severity);
});

test("the stack of a fault without its heading may lack its beginning", async () => {
  expect(answer((await piece("p_syz536", without(26, 45)))?.findings, "oops.packet_memory")).toBe("unknown");
});

test("a send that lost the frame that forbids sleeping is not said to ask without need", async () => {
  for (const loss of [without(9, 20), without(11, 17), without(15, 28)])
    expect(answer((await piece("c_xmit", loss))?.findings, "context.atomic_needlessly")).not.toBe("yes");
});

test("flags that lost their last digits are not read as none", async () => {
  expect(answer((await piece("b_head_names_no_release", column(37)))?.findings, "bad_page.flags")).not.toBe("no");
});

test("a panic whose reason is cut says nothing of packets", async () => {
  expect(answer((await piece("f_panic_deadlock_518", column(59)))?.findings, "oops.packet_memory")).not.toBe("no");
});

test("a WARN that says what a driver's line says is explained as that line is", async () => {
  for (const loss of [whole, without(1, 3)])
    expect(answer((await piece("p_or1k_watchdog", loss))?.findings, "driver_line.memory")).toBe("no");
});
