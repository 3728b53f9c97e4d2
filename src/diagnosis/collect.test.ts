// What a collector keeps, counts and leaves out of what it is shown, and what it notes of the machine on the way.
import { expect, test } from "vitest";
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import type { CollectOptions } from "./collect.ts";
import { createCollector } from "./collect.ts";
import type { InputRead } from "./diagnose.ts";
import { diagnose, isNotJudged } from "./diagnose.ts";
import { allocFailure, refilling } from "./rules/report.testkit.ts";

const collected = async (
  texts: Readonly<Record<string, string>>,
  options: CollectOptions = {},
): Promise<readonly InputRead[]> => {
  const collector = createCollector(options);
  const items = Object.entries(texts).map(([name, text]) => ({ source: sourceOf(name, text), named: true }));
  return collector.finish(await gather(items, { onWindow: collector.onWindow }));
};
const failure = allocFailure({ comm: "server", order: 1, frames: refilling });
const around = async (text: string): Promise<InputRead["around"]> => {
  const [input] = await collected({ log: text + failure });
  if (input === undefined) throw new Error("nothing was collected");
  return input.around;
};
const line = (text: string): string => `[    1.000000] ${text}\n`;

test("an MTU by what ip prints or a driver says, but for the loopback's; the last one counts", async () => {
  const all = await around(
    [
      "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9000 qdisc mq state UP",
      "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN",
      "e1000 0000:00:03.0 eth1: changing MTU from 1500 to 4000",
      "e1000 0000:00:03.0 eth1: changing MTU from 4000 to 9001",
      "eth2: a line without that number, mtu x",
    ]
      .map(line)
      .join(""),
  );
  expect([...all.mtus].map(([name, { value }]) => `${name} ${value}`)).toEqual(["eth0 9000", "eth1 9001"]);
  expect(all.mtus.get("eth0")?.quote).toMatchObject({ input: "log", line: 1 });
});
test("processors by SLUB's line, the first of them; devices by their drivers' lines; drivers by a renaming", async () => {
  const all = await around(
    [
      "SLUB: HWalign=64, Order=0-3, MinObjects=0, CPUs=4, Nodes=1",
      "SLUB: HWalign=64, Order=0-3, MinObjects=0, CPUs=8, Nodes=1",
      "smsc95xx 1-1.1:1.0 eth0: register 'smsc95xx' at usb-3f980000.usb-1.1",
      "smsc95xx v1.0.4",
      "ax88179_178a 2-1:1.0 eth1: link up",
      "r8169 0000:02:00.0 enp2s0: renamed from eth0",
      "nothing of the kind 1-1.1:1.0",
    ]
      .map(line)
      .join(""),
  );
  expect(all.cpus?.value).toBe(4);
  expect([...all.devices.keys()]).toEqual(["smsc95xx", "ax88179_178a"]);
  expect([...(all.netDrivers ?? [])]).toEqual(["r8169"]);
});
test("of alike reports so many are kept, the others counted by day with the last one's place", async () => {
  const syslog = (at: number, day: string): string =>
    failure.replace(/^\[.*?\] ?/gm, () => `${day} 10:00:${String(at).padStart(2, "0")} web1 kernel: `);
  const text = [1, 2, 3, 4].map((at) => syslog(at, at < 4 ? "Mar  3" : "Mar  4")).join("");
  const [input] = await collected({ log: text }, { keepAlike: 1 });
  expect(input?.incidents.length).toBe(1);
  expect(input?.more?.map((m) => m.count)).toEqual([3]);
  expect([...(input?.more?.[0]?.days ?? [])].map(([day, n]) => `${day.slice(0, 6)} ${n}`)).toEqual([
    "Mar  3 2",
    "Mar  4 1",
  ]);
  const lines = failure.split("\n").length - 1;
  expect(input?.more?.[0]?.last.firstLine).toBe(3 * lines + 1);
  const [all] = await collected({ log: text }, { keepAlike: 4 });
  expect([all?.incidents.length, all?.more?.length ?? 0]).toEqual([4, 0]);
});
test("what came before is left out and said; what has no time to compare stays, and that is said too", async () => {
  const text = [10, 20, 30].map((s) => failure.replace(/^\[ +\d+\./gm, `[   ${s}.`)).join("");
  const before = (seconds: number): NonNullable<CollectOptions["leaveOut"]> => ({
    text: "noon",
    before: (i) => (i.seconds === undefined || seconds === 0 ? undefined : i.seconds < seconds),
  });
  const notes = async (seconds: number): Promise<string> => {
    const [input] = await collected({ log: text }, { leaveOut: before(seconds) });
    return `${input?.incidents.length}: ${input?.notes.map((n) => n.sentence).join(" ")}`;
  };
  expect(await notes(20)).toBe("2: 1 report before noon left out.");
  expect(await notes(29)).toBe("1: 2 reports before noon left out.");
  expect(await notes(1)).toBe("3: ");
  expect(await notes(0)).toMatch(/^3: 3 reports without a time to compare with noon/);
});
test("a note too many is said once", async () => {
  const collector = createCollector();
  const notes = Array.from({ length: 10_003 }, (_, i) => ({ input: "log", line: i + 1, sentence: `note ${i}` }));
  const gathered = await gather([{ source: sourceOf("log", failure), named: true }], {
    onWindow: collector.onWindow,
  });
  const [input] = collector.finish({ ...gathered, notes: [...notes] });
  expect(input?.notes.length).toBe(10_001);
  expect(input?.notes.at(-1)).toEqual({ line: 0, sentence: "More notes than these were left out." });
  expect(isNotJudged("The report in lines 1 to 2 could not be judged: x")).toBe(true);
  expect(isNotJudged("The report in lines 1 to 2 was judged")).toBe(false);
  expect(isNotJudged("It could not be judged")).toBe(false);
});
test("a warning behind a panic is the panic's, for so many lines of one clock", async () => {
  const panic =
    "[  100.000000] Kernel panic - not syncing: Fatal exception in interrupt\n[  100.000001] CPU: 1 PID: 1 Comm: init Not tainted 6.1.0 #1\n";
  const warning = (at: string): string =>
    `[  ${at}] ------------[ cut here ]------------\n[  ${at}] WARNING: CPU: 1 PID: 77 at kernel/smp.c:100 smp_call+0x55/0x70\n[  ${at}] CPU: 1 PID: 77 Comm: init Not tainted 6.1.0 #1\n`;
  const filler = (n: number): string =>
    Array.from({ length: n }, (_, i) => `[  101.${String(i).padStart(6, "0")}] systemd[1]: line ${i}\n`).join("");
  const titles = async (log: string): Promise<readonly string[]> =>
    diagnose(await collected({ log })).incidents.map((i) => i.title);
  expect(await titles(panic + warning("102.000000"))).toContainEqual(expect.stringMatching(/^Warning after the panic/));
  expect(await titles(panic + filler(398) + warning("102.000000"))).toContainEqual(
    expect.stringMatching(/^Warning after the panic/),
  );
  expect(await titles(panic + filler(399) + warning("102.000000"))).toContainEqual(
    expect.stringMatching(/^Kernel warning/),
  );
  expect(await titles(warning("099.000000") + panic)).toContainEqual(expect.stringMatching(/^Kernel warning/));
  expect(await titles(panic + warning(" 10.000000"))).toContainEqual(expect.stringMatching(/^Kernel warning/));
  // One of both without a stamp: the lines tell.
  const bare = (text: string): string => text.replace(/^\[.*?\] /gm, "");
  for (const text of [bare(panic) + warning("102.000000"), panic + bare(warning("1")), bare(panic + warning("1"))])
    expect(await titles(text)).toContainEqual(expect.stringMatching(/^Warning after the panic/));
  expect(await titles(panic + warning("100.000000"))).toContainEqual(expect.stringMatching(/^Warning after the panic/));
});

test("of a thousand looks, devices and drivers each is known; the next is only counted, or not known", async () => {
  const name = (i: number): string =>
    `abcdefghij`.at(i % 10) + [100, 10].map((d) => "klmnopqrst".at((i / d) % 10)).join("") + (i < 1000 ? "" : "z");
  const reports = Array.from({ length: 1001 }, (_, i) =>
    [`swapper: page allocation failure: order:0, mode:0x20`, "Call Trace:", ` [<c0100000>] ${name(i)}_refill+0x1/0x2`]
      .map(line)
      .join(""),
  );
  const [input] = await collected({ log: reports.join("") });
  expect(input?.incidents.length).toBe(1000);
  expect(input?.more?.length ?? 0).toBe(0);
  const devices = Array.from({ length: 1001 }, (_, i) => line(`dev${name(i)} v1.0: renamed from what it was`)).join("");
  const renamed = Array.from({ length: 1001 }, (_, i) =>
    line(`drv${name(i)} 0000:02:00.0 enp2s0: renamed from eth0`),
  ).join("");
  const all = await around(devices + renamed);
  expect([all.devices.size, all.netDrivers?.size]).toEqual([1000, 1000]);
  expect([all.devices.has(`dev${name(999)}`), all.devices.has(`dev${name(1000)}`)]).toEqual([true, false]);
});
test("queues by ethtool -l, where there are any", async () => {
  const channels = (n: number): string =>
    `Channel parameters for eth0:\nPre-set maximums:\nRX:\t\t8\nTX:\t\t8\nOther:\t\t0\nCombined:\t8\nCurrent hardware settings:\nRX:\t\t${n}\nTX:\t\t0\nOther:\t\t0\nCombined:\t${n}\n`;
  const queues = async (n: number): Promise<number | undefined> =>
    (await collected({ log: failure, channels: channels(n) })).find((i) => i.name === "channels")?.around.queues?.value;
  expect([await queues(0), await queues(2)]).toEqual([undefined, 4]);
});
test("what a rate limit left out before a report that is only counted is counted too", async () => {
  const again = (at: number): string => failure.replace(/^\[ +\d+\./gm, `[   ${at}.`);
  const limited = line("warn_alloc: 5 callbacks suppressed");
  const [input] = await collected({ log: again(10) + again(20) + limited + again(30) }, { keepAlike: 1 });
  expect(input?.more?.map((m) => m.count)).toEqual([7]);
});
test("how many reports are held is told while they come", async () => {
  const collector = createCollector();
  expect(collector.kept()).toBe(0);
  await gather(
    ["a", "b"].map((name) => ({ source: sourceOf(name, failure), named: true })),
    { onWindow: collector.onWindow },
  );
  expect(collector.kept()).toBe(2);
});
