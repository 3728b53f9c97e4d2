// What happens to a machine that is watched: each hardship ends in a sentence, and nothing that was written is lost.
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, describe, expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createHistory } from "../../live/history.ts";
import { remarksOf } from "../../live/remarks.ts";
import type { SampledFile } from "../../live/sample.ts";
import { sampledFiles, sampleOf } from "../../live/sample.ts";
import { minutesBefore, roomChart, roomDocument } from "../../report/live.ts";
import { renderText } from "../../report/text.ts";
import { asRecords, logFixture, procFixture, startCommand, until, writeMachine } from "../process.testkit.ts";
import { createAppender } from "../watch/append.ts";
import { metricsText } from "../watch/exposition.ts";
import type { OneRecord } from "../watch/kmsg.ts";
import { followCommands, openKernelLog, recordReader } from "../watch/kmsg.ts";
import { createPoolKeeper } from "../watch/pools.ts";
import { toldByLines } from "../watch/told.ts";
import { createWatcher } from "../watch/watcher.ts";
import { command as watchCommand } from "./watch.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-hardship-"));
afterAll(() => rmSync(folder, { recursive: true }));
const release = parseRelease("6.1.192-x86_64");
const report = logFixture("e1000_refill_6.1.txt");
const reportLines = report.trimEnd().split("\n").length;

/** A machine's texts; what is no fixture is left out. */
const texts: Partial<Record<SampledFile, string>> = {
  zoneinfo: procFixture("zoneinfo-6.1"),
  buddyinfo: procFixture("buddyinfo-6.1"),
  pagetypeinfo: procFixture("pagetypeinfo-6.1"),
  vmstat: procFixture("vmstat-6.1"),
  slabinfo: procFixture("slabinfo-6.1"),
  "net/dev": procFixture("net_dev-6.1"),
  "net/snmp": procFixture("snmp-6.1"),
  "net/sockstat": procFixture("sockstat-6.1"),
};

describe("fuzzed texts of /proc", () => {
  /** One of the ways in which a text can be wrong. */
  function spoil(text: string, random: ReturnType<typeof prng>): string {
    const at = random.below(text.length + 1);
    switch (random.below(9)) {
      case 0:
        return text.slice(0, at);
      case 1:
        return text.slice(0, at) + String.fromCharCode(random.below(0x1000)) + text.slice(at + 1);
      case 2:
        return text.replace(/\d+/g, (n) =>
          random.chance(0.05) ? random.pick(["-1", "99999999999999999999", "0x1f", "", "1e9", "NaN"]) : n,
        );
      case 3:
        return text
          .split("\n")
          .sort(() => random.unit() - 0.5)
          .join("\n");
      case 4:
        return text + text.slice(at);
      case 5:
        return text.replace(/[A-Za-z_]+/g, (w) =>
          random.chance(0.03)
            ? random.pick(["zone", "Node", "\u202e", "__proto__", "constructor", '"}\n# EOF\n', ""])
            : w,
        );
      case 6:
        return text.replaceAll(" ", random.pick(["\t", "  ", ""]));
      case 7:
        return `${text.slice(0, at)}${"9".repeat(300)}${text.slice(at)}`;
      default:
        return text.replaceAll("\n", random.pick(["\r\n", "\n\n", "\0"]));
    }
  }
  test("never stop a watch, and give no metric that is no number and no line that is none", async () => {
    const seed = 1812;
    const random = prng(seed);
    const watcher = createWatcher({ release, boot: "b", around: [], told: () => {}, mostSamples: 20 });
    for (let round = 0; round < 60; round++) {
      const spoilt: Partial<Record<SampledFile, string>> = {};
      for (const file of sampledFiles) {
        let text = texts[file];
        if (text === undefined) continue;
        if (random.chance(0.5)) for (let n = 1 + random.below(3); n > 0; n--) text = spoil(text, random);
        if (!random.chance(0.05)) spoilt[file] = text;
      }
      const where = `seed ${seed}, round ${round}`;
      watcher.sample(spoilt, round);
      const text = await metricsText(watcher.history, watcher.counts);
      for (const line of text.split("\n"))
        if (!line.startsWith("#") && line !== "")
          expect(line, where).toMatch(
            /^skblab_[a-z_]+(\{[a-z]+="(?:[^"\\]|\\.)*"(?:,[a-z]+="(?:[^"\\]|\\.)*")*\})? \d[\d.e+-]*$/,
          );
      expect(text.match(/^# EOF$/gm), where).toHaveLength(1);
      const shown = renderText(
        [...roomDocument(watcher.history), ...roomChart(watcher.history), ...minutesBefore(watcher.history)],
        { colour: false, width: 100 },
      );
      expect(shown, where).not.toMatch(/NaN|undefined|Infinity|[\u0000-\u0008\u202e]/);
    }
  });
});

describe("the log", () => {
  const record = (sequence: number): Buffer => Buffer.from(`4,${sequence},${sequence * 1000},-;line ${sequence}\n`);
  test("records that were overwritten are counted, across a restart too; a record that is none ends nothing", () => {
    const queue: OneRecord[] = [
      record(5),
      record(6),
      undefined,
      "overwritten",
      record(90),
      Buffer.from("nonsense"),
      record(91),
    ];
    const read = recordReader(() => queue.shift(), 2);
    expect(read()).toMatchObject({ lost: 2, lines: [{ sequence: 5 }, { sequence: 6 }] });
    expect(read()).toMatchObject({ lost: 83, lines: [{ sequence: 90 }, { sequence: 91 }] });
    expect(read()).toEqual({ lost: 0, lines: [] });
  });
  test("without /dev/kmsg the first command that says something is followed, and what its stamps show was told is left out", async () => {
    const say = (text: string): [string, ...string[]] => [
      "sh",
      "-c",
      `printf '%s\\n' ${text
        .split("|")
        .map((t) => `'${t}'`)
        .join(" ")}`,
    ];
    const { log, of } = followCommands(
      [["skblab-no-such-program"], ["false"], say("[    1.000000] old|[    2.000000] new| more of it")],
      (kind) => (kind === "microseconds" ? 1_000_000 : 7),
    );
    const got: string[] = [];
    let ended = "";
    await until("all commands have ended", () => {
      try {
        got.push(...log.read().lines.map((l) => `${l.sequence} ${l.text}`));
      } catch (error) {
        ended = (error as Error).message;
      }
      return ended !== "";
    });
    expect(ended).toMatch(/skblab-no-such-program, false, sh .*: ended/);
    expect([got, of]).toEqual([["2000000 [    2.000000] new", "2000000  more of it"], "microseconds"]);
    log.close();
  });
  test("a recorded log goes on where it was, by its records' numbers or by its stamps", () => {
    const path = join(folder, "kmsg");
    writeFileSync(path, [1, 2, 3].map((n) => record(n).toString()).join(" SUBSYSTEM=net\n"));
    const records = openKernelLog(() => 2, path);
    expect([records.of, records.log.read().lines.map((l) => l.sequence)]).toEqual(["records", [3]]);
    appendFileSync(path, record(4));
    expect(records.log.read().lines.map((l) => l.sequence)).toEqual([4]);
    records.log.close();
  });
});

describe("samples", () => {
  const at = (seconds: number, more: Partial<typeof texts> = {}) => sampleOf(release, { ...texts, ...more }, seconds);
  test("a clock that jumps, an interface that comes and goes, a file that vanishes: a sentence each, and no counter is made up", () => {
    const dev = texts["net/dev"]!;
    const plugged = `${dev.trimEnd()}\n  eth9: 1 1 0 777 0 0 0 0 1 1 0 0 0 0 0 0\n`;
    const history = createHistory();
    const steps: [ReturnType<typeof at>, RegExp[]][] = [
      [at(100), []],
      [at(105, { "net/dev": plugged }), [/Interface eth9 appeared/]],
      [at(110), [/Interface eth9 is gone/]],
      [at(4000), [/No sample for 3890 s: the machine slept/]],
      [at(4005, { vmstat: "" }), [/\/proc\/vmstat can no longer be read/]],
      [at(4010), [/\/proc\/vmstat can be read again/]],
      [at(7), [/\/proc\/uptime went from 4010 to 7: the history starts again/]],
    ];
    for (const [sample, want] of steps) {
      const said = remarksOf(history.samples.at(-1), sample, 5);
      expect(said.length, said.join(" ")).toBe(want.length);
      for (const [i, w] of want.entries()) expect(said[i]).toMatch(w);
      history.add(sample);
      expect(history.rises(1e9)).toEqual([]);
    }
    expect(history.samples.length).toBe(1);
  });
  test("a counter of 32 bits that goes round has risen by what lies between; one that began anew by what it shows", () => {
    const counters = (n: number, seconds: number) => ({ ...at(seconds), counters: new Map([["eth0 rx drop", n]]) });
    const around = createHistory();
    for (const [i, n] of [2 ** 32 - 100, 2 ** 32 - 10, 20].entries()) around.add(counters(n, i));
    expect(around.rises(9)).toEqual([{ name: "eth0 rx drop", by: 120, rate: 60 }]);
    const anew = createHistory();
    for (const [i, n] of [3_000_000_000, 20].entries()) anew.add(counters(n, i));
    expect(anew.rises(9)).toEqual([{ name: "eth0 rx drop", by: 20, rate: 20 }]);
  });
});

test("a page pool that grows is told of; a tool that is missing says nothing of pools, and one that fails later makes none up", async () => {
  const file = join(folder, "pools.json");
  const told = (inflight: number): void =>
    writeFileSync(
      file,
      JSON.stringify([{ id: 5, ifindex: 2, "napi-id": 513, inflight, "inflight-mem": inflight * 4096 }]),
    );
  const pools = createPoolKeeper(`cat '${file}'`, 0);
  const watcher = createWatcher({ release, boot: "b", around: [], told: () => {} });
  for (const [i, inflight] of [40, 60, 900].entries()) {
    told(inflight);
    pools.ask(i);
    await until("the tool has answered", () => pools.latest?.[0]?.inflight === inflight);
    watcher.sample(texts, i * 60, pools.latest);
  }
  expect(watcher.history.poolGrowth(300)).toEqual([{ pool: 5, ifindex: 2, earlier: 40, inflight: 900 }]);
  expect(await metricsText(watcher.history, watcher.counts)).toMatch(
    /^skblab_page_pool_inflight_pages\{pool="5",ifindex="2",leaving="no"\} 900$/m,
  );
  const shown = renderText(minutesBefore(watcher.history), { colour: false, width: 100 });
  expect(shown).toMatch(/Page pools that grew[\s\S]*5\s+index 2\s+40\s+900/);
  rmSync(file);
  pools.ask(9);
  await until("its failure is seen", () => pools.latest === undefined);
  const none = createPoolKeeper("skblab-no-such-tool 2>/dev/null", 0);
  none.ask(0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(none.latest).toBeUndefined();
});

describe("the file of incidents", () => {
  test("what cannot be written is kept and written later, each line whole, with a sentence when it fails and when it works again", () => {
    const path = join(folder, "later/out.ndjson");
    const lines = createAppender(path);
    expect(lines.add("1")).toMatch(/there is no such directory\. Its lines are kept/);
    expect(lines.add("2")).toBeUndefined();
    mkdirSync(join(folder, "later"));
    expect(lines.retry()).toMatch(/can be written again, and has what was kept/);
    expect(readFileSync(path, "utf8")).toBe("1\n2\n");
    // Rotated away: the next line makes a new file.
    renameSync(path, `${path}.1`);
    expect(lines.add("3")).toBeUndefined();
    expect(readFileSync(path, "utf8")).toBe("3\n");
    // A process was killed in the middle of a line.
    appendFileSync(path, '{"half');
    lines.add("4");
    expect(readFileSync(path, "utf8")).toBe('3\n{"half\n4\n');
  });
  test.skipIf(!existsSync("/dev/full"))("a full disk is one sentence", () => {
    const lines = createAppender("/dev/full");
    expect(lines.add("x")).toMatch(/the disk is full/);
    expect([lines.add("y"), lines.waiting]).toEqual([undefined, 2]);
  });
  test.skipIf(process.getuid?.() !== 0 || spawnSync("mount", ["--version"]).status !== 0)(
    "a disk that is really full keeps whole lines only",
    () => {
      const disk = join(folder, "disk");
      mkdirSync(disk);
      // No right to mount (a container): nothing to be shown here.
      if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", disk]).status !== 0) return;
      try {
        const path = join(disk, "out");
        const lines = createAppender(path);
        for (let i = 0; i < 30; i++) lines.add(`${i} ${"x".repeat(5000)}`);
        expect(lines.waiting).toBeGreaterThan(0);
        const kept = readFileSync(path, "utf8");
        expect(kept.endsWith("x\n")).toBe(true);
        expect(
          kept
            .trimEnd()
            .split("\n")
            .every((l) => l.endsWith("x".repeat(5000))),
        ).toBe(true);
        rmSync(path);
        lines.retry();
        expect(lines.waiting).toBeLessThan(30 - kept.trimEnd().split("\n").length);
      } finally {
        spawnSync("umount", [disk]);
      }
    },
  );
});

describe("a watch as a process", () => {
  const proc = join(folder, "proc");
  writeMachine(proc, { ...texts, "sys/kernel/random/boot_id": "boot-1\n" });
  const written = (from: number): string => asRecords(report, from);
  const wordsOf = (name: string): string[] =>
    `--interval 0.2 --proc ${proc} --kmsg ${join(folder, `${name}.kmsg`)} --state ${join(folder, `${name}.state`)}`.split(
      " ",
    );
  const start = (name: string, more: readonly string[] = []) =>
    startCommand(["watch", ...wordsOf(name), "--out", join(folder, `${name}.out`), ...more]);
  const outLines = (name: string): string[] =>
    existsSync(join(folder, `${name}.out`))
      ? readFileSync(join(folder, `${name}.out`), "utf8")
          .split("\n")
          .slice(0, -1)
      : [];

  test("killed without warning and started again: each incident is in the file once; SIGHUP goes on with a new file", async () => {
    writeFileSync(join(folder, "a.kmsg"), written(10));
    const first = start("a");
    await until("an incident is in the file", () => outLines("a").length === 1);
    await first.stop("SIGKILL");
    // Killed before the state was kept: the file's last line says what was told.
    rmSync(join(folder, "a.state"), { force: true });
    expect(toldByLines(join(folder, "a.out"), "boot-1", "records")).toBe(10 + reportLines - 1);
    appendFileSync(join(folder, "a.kmsg"), written(500));
    const second = start("a");
    await until("two incidents are in the file", () => outLines("a").length === 2);
    renameSync(join(folder, "a.out"), join(folder, "a.out.1"));
    second.signal("SIGHUP");
    await second.says(/SIGHUP/);
    appendFileSync(join(folder, "a.kmsg"), written(900));
    await until("an incident is in the file", () => outLines("a").length === 1);
    expect(await second.stop()).toBe(0);
    const counts = [join(folder, "a.out.1"), join(folder, "a.out")].flatMap((f) =>
      readFileSync(f, "utf8")
        .trimEnd()
        .split("\n")
        .map((l) =>
          (JSON.parse(l) as { diagnosis: { incidents: { count: number }[] } }).diagnosis.incidents.map((i) => i.count),
        ),
    );
    expect(counts).toEqual([[1], [1], [1]]);
    expect(readFileSync(join(folder, "a.state"), "utf8")).toContain(`"sequence":${900 + reportLines - 1}`);
    // Another boot counts from the start: the same numbers are other records.
    cpSync(join(folder, "a.state"), join(folder, "c.state"));
    writeFileSync(join(proc, "sys/kernel/random/boot_id"), "boot-2\n");
    writeFileSync(join(folder, "c.kmsg"), written(10));
    const third = start("c", ["--for", "3"]);
    await third.ended;
    expect(outLines("c").length).toBe(1);
    writeFileSync(join(proc, "sys/kernel/random/boot_id"), "boot-1\n");
  });

  test("on a terminal an incident stands below the picture, and in full at the end", async () => {
    writeFileSync(join(folder, "d.kmsg"), written(10));
    const pictures: string[] = [];
    let out = "";
    const cmd = new Command("watch").exitOverride();
    watchCommand.configure(cmd, {
      colour: false,
      width: 100,
      answer: async () => {},
      write: async (data) => {
        out += data.toString();
      },
      show: async (document, after = "") => {
        out += `${renderText(document, { colour: false, width: 100 })}${after}`;
      },
      progress: () => {},
      note: () => {},
      live: async (document) => {
        pictures.push(renderText(document, { colour: false, width: 100 }));
        return true;
      },
    });
    const words = ["--for", "3", ...wordsOf("d")];
    await cmd.parseAsync(words, { from: "user" });
    expect(pictures[0]).not.toMatch(/e1000/);
    expect(pictures.at(-1)).toMatch(/order 3[\s\S]*lately[\s\S]*: Page allocation failure of order \d+ \(e1000/);
    expect(out.match(/report of memory trouble/g)).toHaveLength(1);
  });

  test("what was pending when it was asked to end is told; a textfile's directory that vanishes ends nothing", async () => {
    writeFileSync(join(folder, "b.kmsg"), "");
    const textfiles = join(folder, "textfiles");
    mkdirSync(textfiles);
    const running = start("b", ["--textfile", textfiles]);
    const isThere = (): boolean => existsSync(join(textfiles, "skblab.prom"));
    await until("a textfile is there", isThere);
    rmSync(textfiles, { recursive: true });
    await running.says(/no such directory\. It is tried again at each sample/);
    mkdirSync(textfiles);
    await until("a textfile is there again", isThere);
    appendFileSync(join(folder, "b.kmsg"), written(10));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await running.stop()).toBe(0);
    expect(outLines("b").length).toBe(1);
  });
});
