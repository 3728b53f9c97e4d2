// dmesg.txt, messages and the journal of one bundle tell each event once each.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { explain } from "./explain.ts";

const log = readFileSync(new URL("../../fixtures/logs/e1000_refill_6.1.txt", import.meta.url), "utf8");
const lines = log
  .trimEnd()
  .split("\n")
  .map((l) => /^\[\s*(\d+)\.(\d+)\] ?(.*)$/.exec(l) ?? [])
  .map(([whole = "", seconds = "0", micros = "0", text = ""]) => ({ whole, seconds: Number(seconds), micros, text }));
type Line = (typeof lines)[number];
const began = Date.UTC(2026, 10, 29, 3, 4, 0);
const clock = (l: Line): string => new Date(began + 1000 * l.seconds).toISOString().slice(11, 19);
const each = (form: (l: Line) => string): string => `${lines.map(form).join("\n")}\n`;

const dmesg = log;
const messages = each((l) => `Nov 29 ${clock(l)} web1 kernel: ${l.whole}`);
const journal = each((l) => `Nov 29 ${clock(l)} web1 kernel: ${l.text}`);
const json = each((l) =>
  JSON.stringify({
    __REALTIME_TIMESTAMP: String((began + 1000 * l.seconds) * 1000 + Number(l.micros)),
    _HOSTNAME: "web1",
    MESSAGE: l.text,
  }),
);

const counts = async (inputs: Readonly<Record<string, string>>): Promise<number[]> =>
  (await explain(inputs)).incidents.map((i) => i.count);

describe("one report in several texts of a machine", () => {
  test.each([
    ["dmesg and messages", { dmesg, messages }],
    ["messages and journal", { messages, journal }],
    ["dmesg and journal, which have no clock in common", { dmesg, journal }],
    ["the journal as text and as JSON", { journal, json }],
    ["all four", { dmesg, messages, journal, json }],
  ])("%s: counted once", async (_, inputs) => {
    expect(await counts(inputs)).toEqual([1]);
  });
  test("without any clock by its eight lines or more, to the letter", async () => {
    const report = (frames: number): string =>
      [
        "sh: page allocation failure: order:1, mode:0x20",
        "Pid: 38, comm: sh Not tainted 2.6.32 #1",
        "Call Trace:",
        ...Array.from({ length: frames }, (_, i) => ` [<c010000${i}>] own_${i}+0x1/0x2`),
      ].join("\n");
    expect(await counts({ a: report(5), b: report(5) })).toEqual([1]);
    expect(await counts({ a: report(4), b: report(4) })).toEqual([2]);
    expect(await counts({ a: report(5), b: report(5).replace("own_2", "own_7") })).toEqual([2]);
  });
  const once = "TCP: out of memory -- consider tuning tcp_mem";
  test("a line of a message is known again by its machine and its second", async () => {
    const inputs = {
      messages: `Nov 29 03:04:05 web1 kernel: [    5.100000] ${once}\nNov 29 03:04:05 web1 kernel: [    5.200000] ${once}\n`,
      journal: `Nov 29 03:04:05 web1 kernel: ${once}\nNov 29 03:04:05 web1 kernel: ${once}\n`,
    };
    expect(await counts(inputs)).toEqual([2]);
  });
});

describe("what is not one event", () => {
  const line = "TCP: out of memory -- consider tuning tcp_mem\n";
  test("the same line of texts that name no machine", async () => {
    expect(await counts({ a: line, b: line })).toEqual([2]);
    const dated = `[Sun Nov 29 03:04:05 2026] ${line}`;
    expect(await counts({ a: dated, b: dated })).toEqual([2]);
  });
  test("the same report at another time since boot", async () => {
    const later = each((l) => `[${String(l.seconds + 100).padStart(5)}.${l.micros}] ${l.text}`);
    expect(await counts({ dmesg, later })).toEqual([2]);
  });
  test("the same report a day later, or more than a minute", async () => {
    expect(await counts({ journal, later: journal.replaceAll("Nov 29", "Nov 30") })).toEqual([2]);
    const minutes = (n: number): string =>
      journal.replaceAll(
        /(\d\d):(\d\d):(\d\d)/g,
        (_, h, m, s) => `${h}:${String(Number(m) + n).padStart(2, "0")}:${s}`,
      );
    expect(await counts({ journal, later: minutes(2) })).toEqual([2]);
    expect(await counts({ journal, again: minutes(1) })).toEqual([1]);
  });
  test("the same report of another machine", async () => {
    expect(await counts({ journal, other: journal.replaceAll("web1", "web2") })).toEqual([1, 1]);
  });
});
