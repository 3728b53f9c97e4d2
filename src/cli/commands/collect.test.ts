// The script is run for real by each shell that is installed, on a machine whose dmesg and name are given; what it writes is read back.

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tarMembers } from "../../artifact/tar.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { oneIn } from "../../base/size.testkit.ts";
import type { Diagnosis } from "../../diagnosis/finding.ts";
import { collectScript, command } from "./collect.ts";
import { runCommand } from "./command.testkit.ts";
import { command as diagnose } from "./diagnose.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-collect-"));
afterAll(() => rmSync(folder, { recursive: true }));
const linux = process.platform === "linux";
/** The first that is there, which is the poorest of them; in the long run each. */
const shells = oneIn(
  3,
  [["dash"], ["busybox", "ash"], ["bash"]].filter(
    ([program, ...rest]) => linux && spawnSync(program!, [...rest, "-c", "true"]).status === 0,
  ),
);

const log = readFileSync(join(import.meta.dirname, "../../../fixtures/logs/e1000_refill_6.1.txt"), "utf8");
const said = `${log.trimEnd()}\n[  900.000000] eth0: link to 00:1b:21:0a:0b:0c, peer 192.168.7.9 and fe80::1234:5678:9abc:def0 on web17.rack.example.com\n[  900.100000] /home/margrete/x 127.0.0.1 web17 web170 1.2.3.4.5 6.1.0
[  900.200000] UDP: bad checksum. From 192.168.7.9:53 to 192.168.7.9. Sent to 192.168.7.9: and fe80::1234:5678:9abc:def0. and [fe80::1234:5678:9abc:def0]:80
[  900.300000] eth0: MAC=00:1b:21:0a:0b:0c:00:1b:21:0a:0b:0d:08:00 and addr:00:1b:21:0a:0b:0c: up, 00-1b-21-0a-0b-0c at 12:34:56 of 0000:00:03.0
[  900.400000] ib0: link/infiniband 80:00:00:48:fe:80:00:00:00:00:00:00:00:1b:21:0a:0b:0c:02:03
[  900.500000] ll header: 00000000: ff ff ff ff ff ff 00 1b 21 0a 0b 0c 08 00
[  900.600000] skb linear:   00000000: 45 00 00 54 c0 a8 07 09
[  900.700000] audit: type=1112 acct="margrete"
[  900.800000] switch port of 001b.210a.0b0c, firmware 1.001b.210a.0b0c.2\n`;
/** A machine called web17 whose dmesg is `said`; everything else is this machine's. */
function machine(name = "web17", journal = "exit 1"): string {
  const tool = (name: string, body: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  writeFileSync(join(folder, "said"), said);
  tool("dmesg", `cat '${join(folder, "said")}'`);
  tool("uname", `echo ${name}`);
  tool("hostname", "echo rack.example.com");
  tool("journalctl", journal);
  tool("ynl", ynl());
  return folder;
}
/**
 * A stand-in for the kernel's tool: no machine here has a driver with page pools. It prints what `ynl --output-json` prints, one list on one line in
 * Python's spacing (tools/net/ynl/pyynl/cli.py), with the attributes of Documentation/netlink/specs/netdev.yaml; the second time it has moved on.
 */
function ynl(): string {
  const pool = (inflight: number) =>
    `[{"id": 19, "ifindex": 2, "napi-id": 513, "inflight": ${inflight}, "inflight-mem": ${inflight * 4096}}]`;
  const stats = (slow: number) =>
    `[{"info": {"id": 19, "ifindex": 2}, "alloc-fast": 9000, "alloc-slow": ${slow}, "recycle-ring": 7}]`;
  for (const asked of ["get", "stats"]) rmSync(join(folder, `asked-${asked}`), { force: true });
  const answer = (of: string, first: string, later: string) =>
    `if [ -e '${folder}/asked-${of}' ]; then echo '${later}'; else : >'${folder}/asked-${of}'; echo '${first}'; fi`;
  return `case "$*" in
*"--family netdev --dump page-pool-get --output-json") ${answer("get", pool(64), pool(1024))} ;;
*"--family netdev --dump page-pool-stats-get --output-json") ${answer("stats", stats(4), stats(54))} ;;
*) echo "ynl: error: unrecognized arguments" >&2; exit 2 ;;
esac`;
}
function busyboxMachine(name: string): string {
  return `timeout() { shift; "$@"; }
dmesg() { cat '${join(folder, "said")}'; }
uname() { echo ${name}; }
hostname() { echo rack.example.com; }
ynl() {
${ynl()}
}
`;
}
function collected(
  shell: readonly string[],
  script: string,
  env: Readonly<Record<string, string>> = {},
  name = "web17",
  journal = "exit 1",
): Buffer {
  const [program, ...rest] = shell;
  const done = spawnSync(program!, [...rest, "-s"], {
    // A static busybox prefers its own tools to those of PATH: there the machine's are functions.
    input: program === "busybox" ? busyboxMachine(name) + script : script,
    env: { ...process.env, PATH: `${machine(name, journal)}:${process.env.PATH}`, SKBLAB_SECONDS: "0", ...env },
    maxBuffer: 1 << 28,
  });
  expect([done.status, done.stderr.toString()]).toEqual([0, ""]);
  return done.stdout;
}
async function membersOf(tar: Uint8Array): Promise<Map<string, string>> {
  const members = new Map<string, string>();
  const problems: string[] = [];
  for await (const { name, size, source } of tarMembers(sourceOf("t", [tar]), (p) => problems.push(p))) {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) at += await source.read(bytes.subarray(at));
    members.set(name, new TextDecoder().decode(bytes));
  }
  expect(problems).toEqual([]);
  return members;
}

describe.each(shells.map((s) => [s.join(" "), s] as const))("%s", (_, shell) => {
  const file = join(folder, `${shell.at(-1)}.tar`);
  beforeAll(() => writeFileSync(file, collected(shell, collectScript({}))), 120_000);

  test("writes an archive with the host's name on every file; the log is whole, and what could not be read has its reason", async () => {
    const members = await membersOf(readFileSync(file));
    expect([...members.keys()].filter((n) => !n.startsWith("web17/"))).toEqual([]);
    expect(members.get("web17/dmesg.txt")).toBe(said);
    for (const name of ["proc/version", "proc/buddyinfo", "sample2/proc/vmstat", "sysctl.txt", "collect/manifest.txt"])
      expect(members.get(`web17/${name}`) ?? "", name).not.toBe("");
    const unread = members.get("web17/collect/unread.txt")!;
    expect(unread).not.toMatch(/page pools by netlink/);
    // A machine whose debugfs shows nothing says why page_owner is not in the archive.
    if (!existsSync("/sys/kernel/debug/extfrag"))
      expect(unread).toMatch(/page_owner: there is no such file(?: \(debugfs is not mounted.*\))?$/m);
  });

  test("anonymous: the same value gets the same replacement everywhere, what is nobody's stays", async () => {
    const members = await membersOf(collected(shell, collectScript({ anonymous: true })));
    const all = [...members].map(([name, text]) => `${name}\n${text}`).join("\n");
    expect(all).not.toMatch(/00:1b:21|192\.168\.7\.9|fe80::1234|margrete|rack\.example|\bweb17\b/);
    const text = members.get([...members.keys()].find((n) => n.endsWith("/dmesg.txt"))!)!;
    expect(text).toMatch(
      /link to 02(:[0-9a-f]{2}){5}, peer 10(\.\d+){3} and fd00::[0-9a-f:]+ on (host\d+)\.example\.invalid/,
    );
    expect(text).toMatch(/\/home\/user\d+\/x 127\.0\.0\.1 host\d+ web170 1\.2\.3\.4\.5 6\.1\.0/);
    // However an address stands: before a port, at a sentence's end, inside a header or in InfiniBand's length; the same value has one replacement.
    const mac = /link to (\S+),/.exec(text)![1]!;
    const [ip4, ip6] = /peer (\S+) and (\S+) on/.exec(text)!.slice(1, 3);
    expect(text).toContain(`From ${ip4}:53 to ${ip4}. Sent to ${ip4}: and ${ip6}. and [${ip6}]:80`);
    expect(text).toMatch(
      new RegExp(
        `MAC=${mac}(:[0-9a-f]{2}){6}:08:00 and addr:${mac}: up, (\\w\\w-){5}\\w\\w at 12:34:56 of 0000:00:03\\.0`,
      ),
    );
    expect(text).toMatch(/infiniband 02(:[0-9a-f]{2}){19}$/m);
    expect(text).toContain(`ll header: 00000000: ff ff ff ff ff ff ${mac.replaceAll(":", " ")} 08 00`);
    expect(text).not.toMatch(/00[:-]1b[:-]21|1b:21:0a|00 1b 21|80:00:00:48|c0 a8 07 09/);
    // The three groups of Cisco's form are the same MAC; in the middle of a longer row of numbers they are none.
    const cisco = mac.replaceAll(":", "").replace(/^(.{4})(.{4})/, "$1.$2.");
    expect(text).toContain(`switch port of ${cisco}, firmware 1.001b.210a.0b0c.2`);
    const lines = log.split("\n").filter((l) => l !== "");
    expect(text.split("\n").slice(0, lines.length)).toEqual(lines);
  });

  test("anonymous: a host whose name is a word is replaced where only a host can stand, and the word stays", async () => {
    const journal = [
      "[    0.000000] vm kernel: Kernel command line: ro ip=10.9.8.7::10.9.8.1:255.0.0.0:vm:eth0:off hostname=vm quiet",
      "[    1.500000] vm kernel: vm.overcommit_memory is 1; vm",
      "[    1.600000] vm kernel:      device=eth0, hwaddr=x, ipaddr=10.9.8.7, host=vm, domain=, nis-domain=(none)",
      "[    2.000000] vm systemd[1]: Hostname set to <vm>.",
      "[    2.100000] vm rc[7]: Linux vm 6.1.0-9-amd64 #1 SMP",
      "[    2.200000] vm rc[7]: ip=10.9.8.7:::255.0.0.0:vm hostname=vm",
    ];
    const printed = `cat <<'end'\n${journal.join("\n")}\nend`;
    const tar = collected(shell, collectScript({ anonymous: true }), {}, "vm", printed);
    const members = await membersOf(tar);
    const [folder, ...others] = new Set([...members.keys()].map((n) => n.split("/")[0]!));
    expect(others).toEqual([]);
    expect(folder).toMatch(/^host\d+$/);
    const told = members.get(`${folder}/journal-this-boot.txt`)!.trimEnd().split("\n");
    const address = /ip=([\d.]+):/.exec(told[0]!)![1]!;
    expect(told[0]).toMatch(
      new RegExp(`^\\[ {4}0\\.000000\\] ${folder} kernel: .*:${folder}:eth0:off hostname=${folder} quiet$`),
    );
    // Both may also end the line.
    expect(told.at(-1)).toMatch(
      new RegExp(`^\\[ {4}2\\.200000\\] ${folder} rc\\[7\\]: ip=[\\d.:]+:${folder} hostname=${folder}$`),
    );
    expect(told.slice(1, -1)).toEqual([
      `[    1.500000] ${folder} kernel: vm.overcommit_memory is 1; vm`,
      `[    1.600000] ${folder} kernel:      device=eth0, hwaddr=x, ipaddr=${address}, host=${folder}, domain=, nis-domain=(none)`,
      `[    2.000000] ${folder} systemd[1]: Hostname set to <${folder}>.`,
      `[    2.100000] ${folder} rc[7]: Linux ${folder} 6.1.0-9-amd64 #1 SMP`,
    ]);
    // The log itself has no such column: its second word is the kernel's.
    expect(members.get(`${folder}/dmesg.txt`)!.split("\n")[0]).toBe(log.split("\n")[0]);
    expect(members.get(`${folder}/sysctl.txt`)).toMatch(/^vm\./m);
  });

  test("a file that is too large keeps its end where it is a log, and the manifest says so", async () => {
    const members = await membersOf(collected(shell, collectScript({}), { SKBLAB_BYTES: "2000" }));
    const kept = members.get("web17/dmesg.txt")!;
    expect(kept.length).toBeGreaterThan(1900);
    expect(said.endsWith(kept)).toBe(true);
    expect(members.get("web17/collect/manifest.txt")).toMatch(/dmesg\.txt: dmesg cut at 2000 bytes, the tail kept/);
  });

  test("diagnose takes the archive: the failure is found with the host's name on its lines, and what moved between the samples, page pools by the kernel's tool too", async () => {
    const { json, text } = await runCommand(diagnose, [file]);
    const { incidents, samples: all } = json as Diagnosis;
    expect(incidents).toContainEqual(expect.objectContaining({ kind: "alloc_failure", driver: "e1000" }));
    expect(JSON.stringify(incidents)).toContain("web17/dmesg.txt");
    const [samples, ...others] = all!;
    expect(others).toEqual([]);
    expect(samples!.of).toBe(`${file}:web17/`);
    expect(samples!.to! - samples!.from!).toBeGreaterThan(0);
    expect(samples!.moved).toContainEqual({
      counter: "pool 19 alloc-slow",
      by: 50,
      input: `${file}:web17/sample2/page-pool-stats-get.json`,
    });
    expect(samples!.moved.map((m) => m.counter)).not.toContain("pool 19 alloc-fast");
    expect(samples!.pools).toEqual([{ pool: 19, ifindex: 2, before: 64, after: 1024 }]);
    expect(samples!.alone).toEqual([]);
    expect(text).toMatch(/Counters of web17 from [\d.]+ s to [\d.]+ s after boot/);
    expect(text).toMatch(/pool 19 alloc-slow +\+50/);
    expect(text).toMatch(/Page pool 19 of interface 2: 64 pages in flight, then 1,024\./);
  });
});

test("collect --script prints the script, and a time that is none is one sentence", async () => {
  const { written } = await runCommand(command, ["--script", "--anonymous", "--seconds", "3"]);
  expect(written.toString()).toBe(collectScript({ anonymous: true, seconds: "3" }));
  await expect(runCommand(command, ["--script", "--seconds", "soon"])).rejects.toThrow("--seconds soon is not a time.");
});
