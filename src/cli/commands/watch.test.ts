// A recorded hour (generated, with a failure at a known minute) is watched as a live machine is; the live machine itself where there is one.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { parseRelease } from "../../kernel/release.ts";
import { logFixture, procFixture, startCommand, startProgram, until, writeMachine } from "../process.testkit.ts";
import { loopback, metricsText, serveMetrics } from "../watch/exposition.ts";
import type { KernelLine } from "../watch/kmsg.ts";
import { recordLines } from "../watch/kmsg.ts";
import { keepTold, toldIn } from "../watch/told.ts";
import type { Told } from "../watch/watcher.ts";
import { createWatcher } from "../watch/watcher.ts";
import { runCommand } from "./command.testkit.ts";
import { command as metrics } from "./metrics.ts";
import { command as watch } from "./watch.ts";

const root = join(import.meta.dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "skblab-watch-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** The files of a 6.1 machine with `free` pages in DMA32, all of them in blocks of order 3 but for a few, and drops that have risen to `drops`. */
function filesAt(free: number, drops: number) {
  const blocks = Math.floor(free / 8);
  const zoneinfo = procFixture("zoneinfo-6.1")
    .replace(/(zone {4}DMA32\n(?:.*\n)*? {2}pages free {5})\d+/, `$1${free}`)
    .replace(/(zone {4}DMA32\n(?:.*\n)*? {6}nr_free_pages )\d+/, `$1${free}`);
  const buddyinfo = procFixture("buddyinfo-6.1").replace(
    /(zone {4}DMA32).*/,
    `$1 ${[0, 0, 0, blocks, 0, 0, 0, 0, 0, 0, 0].map((n) => `${String(n).padStart(6)} `).join("")}`,
  );
  const vmstat = procFixture("vmstat-6.1").replace(/compact_fail \d+/, `compact_fail ${drops}`);
  return { zoneinfo, buddyinfo, vmstat };
}
const failure: readonly KernelLine[] = logFixture("e1000_refill_6.1.txt")
  .trimEnd()
  .split("\n")
  .map((text, sequence) => ({ sequence, text }));

test("an hour in which room falls and a refill fails at minute 55: told once, with the fall, the counter and the forecast", async () => {
  const seed = 5;
  const random = prng(seed);
  const tellings: [Told, number | undefined, number][] = [];
  let minute = 0;
  const watcher = createWatcher({
    release: parseRelease("6.1.192-x86_64"),
    boot: "b",
    around: [],
    told: (told, last) => tellings.push([told, last, minute]),
  });
  const forecasts: number[] = [];
  for (let second = 0; second <= 3600; second += 10) {
    minute = second / 60;
    const free = Math.round(Math.max(280, 20_000 - second * 6 + (random.unit() - 0.5) * 400));
    watcher.sample(filesAt(free, second < 3000 ? 4 : 4 + (second - 3000)), second);
    if (second === 3300) watcher.lines(failure, second * 1000);
    await watcher.turn(second * 1000);
    const f = watcher.history.forecast({ node: 0, zone: "DMA32", order: 3, context: "atomic" });
    if (second >= 600 && second <= 2400 && f.trend === "falling") forecasts.push(second + f.seconds);
  }
  await watcher.turn(3_700_000, true);
  const incidents = tellings.filter(([t]) => t.diagnosis.incidents.length > 0);
  expect(incidents.map(([, last, m]) => [last, Math.floor(m)])).toEqual([[failure.at(-1)!.sequence, 55]]);
  const [{ diagnosis, before }] = incidents[0]!;
  expect(diagnosis.incidents[0]).toMatchObject({ kind: "alloc_failure", driver: "e1000" });
  expect(before.rises).toContainEqual({ name: "vmstat compact_fail", by: expect.any(Number), rate: 1 });
  const room = before.rooms.find((r) => r.zone === "DMA32" && r.order === 3 && r.context === "atomic")!;
  expect(room.requests!).toBeLessThan(room.earlier!);
  // 20,000 pages fall by 6 a second; room for order 3 ends where the marks are reached, some 3,270 s in.
  expect(forecasts.length, `seed ${seed}`).toBeGreaterThan(150);
  for (const end of forecasts) expect(Math.abs(end - 3270), `seed ${seed}`).toBeLessThan(400);
});

describe("kmsg", () => {
  test("a record is priority, number, microseconds and text; its dictionary and what user space wrote are left out", () => {
    expect(
      recordLines(
        "4,812,5140900000,-;swapper/0: page allocation failure: order:1, mode:0x4020\n SUBSYSTEM=net\n DEVICE=+pci:0000\n",
      ),
    ).toEqual([{ sequence: 812, text: "[ 5140.900000] swapper/0: page allocation failure: order:1, mode:0x4020" }]);
    expect(recordLines("12,813,5,-;systemd[1]: hello\n")).toEqual([]);
    expect(recordLines("no record")).toBeUndefined();
    expect(recordLines("x,y,z;text")).toBeUndefined();
    expect(recordLines("6,1,2,-;two\\x0alines\n")!.map((l) => l.text)).toEqual([
      "[    0.000002] two",
      "[    0.000002] lines",
    ]);
  });
  test("what was told is known after a restart of the watch, and forgotten after one of the machine", () => {
    const file = join(folder, "state.json");
    expect(toldIn(file, "a")).toBeUndefined();
    keepTold(file, { boot: "a", sequence: 17 });
    expect([toldIn(file, "a"), toldIn(file, "b"), toldIn(file, "")]).toEqual([17, undefined, undefined]);
    writeFileSync(file, "{");
    expect(toldIn(file, "a")).toBeUndefined();
  });
});

describe("metrics", () => {
  const proc = join(folder, "proc");
  writeMachine(proc, filesAt(5000, 9));

  test("one sample as Prometheus reads it: room has a number, what could not be read has none", async () => {
    const { written } = await runCommand(metrics, ["--once", "--proc", proc]);
    const text = written.toString();
    expect(text).toMatch(/^skblab_room_requests\{node="0",zone="DMA32",order="3",context="atomic"\} [1-9]\d*$/m);
    expect(text).toMatch(/^skblab_vm_events_total\{event="compact_fail"\} 9$/m);
    expect(text).not.toMatch(/skblab_packet_cache_bytes|NaN|undefined/);
  });
  test("a textfile appears whole, and a directory that is not there is one sentence", async () => {
    await runCommand(metrics, ["--once", "--proc", proc, "--textfile", folder]);
    expect(readFileSync(join(folder, "skblab.prom"), "utf8")).toMatch(/# TYPE skblab_room_requests gauge/);
    await expect(runCommand(metrics, ["--proc", proc, "--textfile", join(folder, "no")])).rejects.toThrow(
      /there is no such directory/,
    );
    await expect(runCommand(metrics, ["--proc", folder])).rejects.toThrow(/not a Linux release/);
  });
  test.skipIf(spawnSync("promtool", ["--version"]).status !== 0)("promtool has nothing to say about it", async () => {
    const { written } = await runCommand(metrics, ["--proc", proc]);
    const done = spawnSync("promtool", ["check", "metrics"], { input: written, encoding: "utf8" });
    expect([done.status, done.stdout + done.stderr]).toEqual([0, ""]);
  });
  test("OpenMetrics ends with its mark and names counters without their suffix in TYPE", async () => {
    const watcher = createWatcher({ release: parseRelease("6.1.192-x86_64"), boot: "", around: [], told: () => {} });
    watcher.sample(filesAt(5000, 9), 1);
    const text = await metricsText(watcher.history, { incidents: [{ kind: "oom", severity: "act", count: 2 }] });
    expect(text).toMatch(/# TYPE skblab_incidents counter\nskblab_incidents_total\{kind="oom",severity="act"\} 2\n/);
    for (const severity of ["corruption", "unknown", "watch", "harmless"])
      expect(text).toContain(`\nskblab_incidents_total{kind="oom",severity="${severity}"} 0\n`);
    expect(text).toMatch(/\} 0\n# EOF\n$/);
  });
  test.skipIf(spawnSync("promtool", ["--version"]).status !== 0)(
    "the alert rules hold what their own tests say",
    () => {
      const done = spawnSync("promtool", ["test", "rules", join(root, "packaging/prometheus/skblab_rules_test.yml")], {
        encoding: "utf8",
      });
      expect([done.status, done.stderr]).toEqual([0, ""]);
    },
  );
  test("every metric that the rules and the dashboard name is one that a sample has", async () => {
    const watcher = createWatcher({ release: parseRelease("6.1.192-x86_64"), boot: "", around: [], told: () => {} });
    const more = {
      slabinfo: procFixture("slabinfo-6.1"),
      "net/dev": procFixture("net_dev-6.1"),
      "net/snmp": procFixture("snmp-6.1"),
      "net/sockstat": procFixture("sockstat-6.1"),
    };
    for (let i = 0; i < 9; i++) watcher.sample({ ...filesAt(9000 - i * 500, 9), ...more }, i);
    const text = await metricsText(watcher.history, { incidents: [] });
    const used = ["skblab_rules.yml", "skblab_dashboard.json"].flatMap(
      (f) => readFileSync(join(root, "packaging/prometheus", f), "utf8").match(/\bskblab_[a-z_]+(?=[[{])/g) ?? [],
    );
    expect(used.length).toBeGreaterThan(8);
    for (const name of new Set(used)) expect(text, name).toMatch(new RegExp(`^${name}\\{`, "m"));
  });
  test("who asks for OpenMetrics gets it, who does not gets the older format, each under its own type", async () => {
    const watcher = createWatcher({ release: parseRelease("6.1.192-x86_64"), boot: "", around: [], told: () => {} });
    watcher.sample(filesAt(5000, 9), 1);
    const server = await serveMetrics(loopback("127.0.0.1:0"), (form) =>
      metricsText(watcher.history, watcher.counts, form),
    );
    try {
      const { port } = server.address() as AddressInfo;
      const asked = async (accept: string): Promise<readonly [type: string | null, body: string]> => {
        const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { accept } });
        return [answer.headers.get("content-type"), await answer.text()];
      };
      const [open, openBody] = await asked("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5");
      expect(open).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
      expect(openBody).toMatch(/# TYPE skblab_incidents counter\n[\s\S]*# EOF\n$/);
      const [plain, plainBody] = await asked("*/*");
      expect(plain).toMatch(/^text\/plain; version=0\.0\.4/);
      expect(plainBody).toMatch(/# TYPE skblab_incidents_total counter\n/);
      expect(plainBody).not.toContain("# EOF");
    } finally {
      server.close();
    }
  });
  test("only the loopback interface is served", () => {
    expect(loopback("127.0.0.1:9417")).toEqual({ host: "127.0.0.1", port: 9417 });
    expect(loopback("[::1]:9417")).toEqual({ host: "::1", port: 9417 });
    for (const bad of ["0.0.0.0:9417", "9417", "10.0.0.1:80", "localhost:70000"])
      expect(() => loopback(bad)).toThrow(/not an address of this machine/);
  });
});

const readable = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
};
test.skipIf(!existsSync("/proc/zoneinfo") || !readable("/dev/kmsg"))(
  "this machine is watched for a second: room is printed, nothing is told twice, and it costs little",
  async () => {
    const state = join(folder, "live.json");
    const args = ["--for", "1", "--interval", "0.3", "--state", state, "--out", join(folder, "live.ndjson")];
    const { written } = await runCommand(watch, args);
    expect(written.toString()).toMatch(/Room: requests that would be granted now/);
    const first = toldIn(state, readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim());
    const again = await runCommand(watch, args);
    expect(again.written.toString()).not.toMatch(/reports? of memory trouble/);
    expect(
      toldIn(state, readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()) ?? first,
    ).toBeGreaterThanOrEqual(first ?? 0);
  },
);

test.skipIf(spawnSync("prometheus", ["--version"]).status !== 0 || !existsSync("/proc/zoneinfo"))(
  "a real Prometheus scrapes a running watch",
  async () => {
    const port = 20_000 + (process.pid % 20_000);
    const watching = startCommand(
      `watch --metrics 127.0.0.1:${port} --interval 0.5 --state ${join(folder, "p.json")}`.split(" "),
    );
    writeFileSync(
      join(folder, "prometheus.yml"),
      `global: { scrape_interval: 1s }\nscrape_configs:\n  - job_name: skblab\n    static_configs: [{ targets: ["127.0.0.1:${port}"] }]\n`,
    );
    const prometheus = startProgram("prometheus", [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "tsdb")}`,
      `--web.listen-address=127.0.0.1:${port + 1}`,
    ]);
    try {
      let values: unknown[] = [];
      await until("Prometheus has scraped the watch", async () => {
        const answer = await fetch(`http://127.0.0.1:${port + 1}/api/v1/query?query=skblab_room_requests`).catch(
          () => undefined,
        );
        values = answer?.ok !== true ? [] : ((await answer.json()) as { data: { result: unknown[] } }).data.result;
        return values.length > 0;
      });
      expect(values.length).toBeGreaterThan(10);
      const status = (path: string, host: string): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          request({ host: "127.0.0.1", port, path, headers: { host } }, (r) => resolve(r.resume().statusCode))
            .on("error", reject)
            .end();
        });
      const asked = [
        await status("/metrics", "evil.example"),
        await status("/", "localhost"),
        await status("/metrics", "localhost"),
      ];
      expect(asked).toEqual([403, 404, 200]);
    } finally {
      await prometheus.stop("SIGKILL");
      await watching.stop();
    }
  },
);

test("bad times and addresses are one sentence", async () => {
  await expect(runCommand(watch, ["--interval", "soon"])).rejects.toThrow("--interval soon is not a time.");
  await expect(runCommand(watch, ["--metrics", "0.0.0.0:1"])).rejects.toThrow(/loopback/);
  await expect(runCommand(watch, ["--proc", folder])).rejects.toThrow(/not a Linux release/);
});
