// packaging/slurm as it is, on a real Slurm: slurmctld and two slurmd on this machine, munge between them. A task of a fleet is killed in its middle and
// put into the queue again; then a sweep runs by the same file. What is merged at the end is what one run here says, byte for byte. Debian: slurmctld slurmd slurm-client munge, as root.
import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Running } from "../process.testkit.ts";
import { main, smallSweep, startProgram, until } from "../process.testkit.ts";

const root = join(import.meta.dirname, "../../..");
const tools = ["munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "sinfo"];
const missing = tools.filter((t) => spawnSync("sh", ["-c", `command -v ${t}`]).status !== 0);
const cannot =
  process.getuid?.() !== 0 ? "it takes root" : missing.length > 0 ? `${missing.join(", ")} not installed` : undefined;
if (cannot !== undefined) console.warn(`The job array is not tried on Slurm: ${cannot}.`);

/** A cluster of one machine with two nodes; nothing of it lies outside of `at`. */
function configuration(at: string, port: number): string {
  const host = hostname().split(".")[0];
  return `ClusterName=skblab
SlurmctldHost=${host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=${at}/munge.socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
SlurmctldPort=${port}
SlurmctldPidFile=${at}/slurmctld.pid
SlurmdPidFile=${at}/slurmd.%n.pid
SlurmctldLogFile=${at}/slurmctld.log
SlurmdLogFile=${at}/slurmd.%n.log
StateSaveLocation=${at}/state
SlurmdSpoolDir=${at}/spool.%n
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SlurmdParameters=config_overrides
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
KillWait=2
NodeName=n1 NodeHostname=${host} NodeAddr=127.0.0.1 Port=${port + 1} CPUs=2 RealMemory=2000
NodeName=n2 NodeHostname=${host} NodeAddr=127.0.0.1 Port=${port + 2} CPUs=2 RealMemory=2000
PartitionName=all Nodes=n1,n2 Default=YES State=UP
`;
}

test.skipIf(cannot !== undefined)(
  "a job array on two nodes, a task killed in its middle and requeued: the merged answer is the local one, byte for byte",
  async () => {
    const at = mkdtempSync(join(tmpdir(), "skblab-slurm-"));
    chmodSync(at, 0o755);
    const [logs, out] = [join(at, "logs"), join(at, "records")];
    for (const d of ["state", "spool.n1", "spool.n2"]) mkdirSync(join(at, d));
    for (let h = 0; h < 60; h++) {
      mkdirSync(join(logs, `web${h}`), { recursive: true });
      copyFileSync(
        join(root, `fixtures/logs/${h % 3 === 0 ? "failures_6.1" : "e1000_refill_6.1"}.txt`),
        join(logs, `web${h}/dmesg.txt`),
      );
    }
    writeFileSync(join(at, "skblab"), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
    writeFileSync(join(at, "slurm.conf"), configuration(at, 20_000 + (process.pid % 10_000) * 4));
    writeFileSync(join(at, "munge.key"), randomBytes(128), { mode: 0o400 });
    const env = { ...process.env, SLURM_CONF: join(at, "slurm.conf"), SKBLAB: join(at, "skblab") };
    const say = (program: string, ...args: string[]): string =>
      execFileSync(program, args, { env, encoding: "utf8", cwd: at }).trim();
    const daemons: Running[] = [];
    const daemon = (program: string, ...args: string[]): void => void daemons.push(startProgram(program, args, env));
    const munge = [
      "key-file=munge.key",
      "socket=munge.socket",
      "pid-file=munged.pid",
      "log-file=munged.log",
      "seed-file=munged.seed",
    ];
    try {
      daemon("munged", "--foreground", "--force", ...munge.map((m) => `--${m.replace("=", `=${at}/`)}`));
      await until("munge answers", () => existsSync(join(at, "munge.socket")));
      daemon("slurmctld", "-D");
      for (const node of ["n1", "n2"]) daemon("slurmd", "-D", "-N", node);
      await until("both nodes are idle", () =>
        /^idle 2$/m.test(spawnSync("sinfo", ["-h", "-o", "%T %D"], { env, encoding: "utf8" }).stdout),
      );
      const script = join(root, "packaging/slurm/skblab-parts.sh");
      const submit = (...words: string[]): string =>
        say("sbatch", "--parsable", "--array=1-3", "-o", `${at}/%a.log`, "--open-mode=append", script, ...words);
      const job = submit(out, "fleet", logs);
      const part = join(out, "fleet-2-of-3.ndjson");
      await until(
        "the second task has read two hosts",
        () => existsSync(part) && readFileSync(part, "utf8").split("\n").length > 3,
      );
      say("scontrol", "requeue", `${job}_2`);
      await until("all tasks are done", () => say("squeue", "-h") === "", 180);
      expect(say("scontrol", "show", "job", `${job}_2`)).toMatch(/JobState=COMPLETED[\s\S]*Restarts=1/);
      expect(readFileSync(join(at, "2.log"), "utf8"), "it went on, it did not begin again").toMatch(
        /\d+ of 20 were read before/,
      );
      const merged = say(join(at, "skblab"), "merge", out, "--format", "json");
      expect(merged).toBe(say(join(at, "skblab"), "fleet", logs, "--format", "json"));
      expect(JSON.parse(merged)).toMatchObject({ hosts: 60, hostsWithTrouble: 60 });

      const [sweep, runs] = [join(at, "sweep.yaml"), join(at, "runs")];
      writeFileSync(sweep, smallSweep);
      submit(runs, "experiment", sweep);
      await until("all parts of the sweep are done", () => say("squeue", "-h") === "", 180);
      expect(say(join(at, "skblab"), "merge", runs)).toBe(say(join(at, "skblab"), "experiment", sweep));
    } finally {
      await Promise.all(daemons.reverse().map((d) => d.stop()));
      rmSync(at, { recursive: true, force: true });
    }
  },
);
