// The script is run for real by each shell that is installed, on a machine whose dmesg and name are given; what it writes is read back.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { tarMembers } from "../../artifact/tar.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { collectScript, command } from "./collect.ts";
import { runCommand } from "./command.testkit.ts";
import { command as diagnose } from "./diagnose.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-collect-"));
afterAll(() => rmSync(folder, { recursive: true }));
const linux = process.platform === "linux";
const shells = [["dash"], ["bash"], ["busybox", "ash"]].filter(
  ([program, ...rest]) => linux && spawnSync(program!, [...rest, "-c", "true"]).status === 0,
);

const log = readFileSync(join(import.meta.dirname, "../../../fixtures/logs/e1000_refill_6.1.txt"), "utf8");
const said = `${log.trimEnd()}\n[  900.000000] eth0: link to 00:1b:21:0a:0b:0c, peer 192.168.7.9 and fe80::1234:5678:9abc:def0 on web17.rack.example.com\n[  900.100000] /home/margrete/x 127.0.0.1 web17 web170 1.2.3.4.5 6.1.0\n`;
/** A machine called web17 whose dmesg is `said`; everything else is this machine's. */
function machine(): string {
  const tool = (name: string, body: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  writeFileSync(join(folder, "said"), said);
  tool("dmesg", `cat '${join(folder, "said")}'`);
  tool("uname", "echo web17");
  tool("hostname", "echo rack.example.com");
  tool("journalctl", "exit 1");
  return folder;
}
function busyboxMachine(): string {
  return `timeout() { shift; "$@"; }
dmesg() { cat '${join(folder, "said")}'; }
uname() { echo web17; }
hostname() { echo rack.example.com; }
`;
}
function collected(shell: readonly string[], script: string, env: Readonly<Record<string, string>> = {}): Buffer {
  const [program, ...rest] = shell;
  const done = spawnSync(program!, [...rest, "-s"], {
    // A static busybox prefers its own tools to those of PATH: there the machine's are functions.
    input: program === "busybox" ? busyboxMachine() + script : script,
    env: { ...process.env, PATH: `${machine()}:${process.env.PATH}`, SKBLAB_SECONDS: "0", ...env },
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
  test("writes an archive with the host's name on every file; the log is whole, and what could not be read has its reason", async () => {
    const members = await membersOf(collected(shell, collectScript({})));
    expect([...members.keys()].filter((n) => !n.startsWith("web17/"))).toEqual([]);
    expect(members.get("web17/dmesg.txt")).toBe(said);
    for (const name of ["proc/version", "proc/buddyinfo", "sample2/proc/vmstat", "sysctl.txt", "collect/manifest.txt"])
      expect(members.get(`web17/${name}`) ?? "", name).not.toBe("");
    expect(members.get("web17/collect/unread.txt")).toMatch(/page pools by netlink|everything/);
  }, 120_000);

  test("anonymous: the same value gets the same replacement everywhere, what is nobody's stays", async () => {
    const members = await membersOf(collected(shell, collectScript({ anonymous: true })));
    const all = [...members].map(([name, text]) => `${name}\n${text}`).join("\n");
    expect(all).not.toMatch(/00:1b:21|192\.168\.7\.9|fe80::1234|margrete|rack\.example|\bweb17\b/);
    const text = members.get([...members.keys()].find((n) => n.endsWith("/dmesg.txt"))!)!;
    expect(text).toMatch(
      /link to 02(:[0-9a-f]{2}){5}, peer 10(\.\d+){3} and fd00::[0-9a-f:]+ on (host\d+)\.example\.invalid/,
    );
    expect(text).toMatch(/\/home\/user\d+\/x 127\.0\.0\.1 host\d+ web170 1\.2\.3\.4\.5 6\.1\.0/);
    const lines = log.split("\n").filter((l) => l !== "");
    expect(text.split("\n").slice(0, lines.length)).toEqual(lines);
  }, 120_000);

  test("a file that is too large keeps its end where it is a log, and the manifest says so", async () => {
    const members = await membersOf(collected(shell, collectScript({}), { SKBLAB_BYTES: "2000" }));
    const kept = members.get("web17/dmesg.txt")!;
    expect(kept.length).toBeGreaterThan(1900);
    expect(said.endsWith(kept)).toBe(true);
    expect(members.get("web17/collect/manifest.txt")).toMatch(/dmesg\.txt: dmesg cut at 2000 bytes, the tail kept/);
  }, 120_000);
});

test.skipIf(shells.length === 0)(
  "diagnose takes the archive: the failure is found, with the host's name on its lines",
  async () => {
    const file = join(folder, "host.tar");
    writeFileSync(file, collected(shells[0]!, collectScript({})));
    const { json } = await runCommand(diagnose, [file]);
    const { incidents } = json as { incidents: readonly { kind: string; driver: string | null }[] };
    expect(incidents).toContainEqual(expect.objectContaining({ kind: "alloc_failure", driver: "e1000" }));
    expect(JSON.stringify(incidents)).toContain("web17/dmesg.txt");
  },
  120_000,
);

test("collect --script prints the script, and a time that is none is one sentence", async () => {
  const { written } = await runCommand(command, ["--script", "--anonymous", "--seconds", "3"]);
  expect(written.toString()).toBe(collectScript({ anonymous: true, seconds: "3" }));
  await expect(runCommand(command, ["--script", "--seconds", "soon"])).rejects.toThrow("--seconds soon is no time.");
});
