// Programs as a test meets them from outside: started, listened to until they have said something, stopped. And a machine of 6.1 as files, for a
// watch to look at. For tests only; not in the package.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

const root = join(import.meta.dirname, "../..");
/** The built command line; a build elsewhere can be tested too. */
export const main = join(process.env["SKBLAB_DIST"] ?? join(root, "dist"), "cli/main.js");

/** How long a state is waited for: it guards against one that never comes, and not against a machine that is busy. */
const patienceSeconds = 180;

export interface Running {
  /** What it wrote so far. */
  readonly out: () => string;
  readonly err: () => string;
  /** Waits until both together match. Throws with what it said when it ends before that, or when the time is up. */
  says(form: RegExp, seconds?: number): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Signals it and waits for its end. */
  stop(name?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

export function startProgram(program: string, words: readonly string[], env: NodeJS.ProcessEnv = process.env): Running {
  const child = spawn(program, words, { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err, over] = ["", "", false];
  child.stdout.on("data", (d: Buffer) => {
    out += d.toString();
  });
  child.stderr.on("data", (d: Buffer) => {
    err += d.toString();
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      over = true;
      resolve(code ?? signal);
    });
  });
  return {
    out: () => out,
    err: () => err,
    async says(form, seconds = patienceSeconds) {
      for (const end = Date.now() + seconds * 1000; ; await wait(20)) {
        const last = over || Date.now() > end;
        const found = form.exec(`${out}\n${err}`);
        if (found !== null) return found;
        if (last)
          throw new Error(
            `${program} ${over ? "ended" : `ran for ${seconds} s`} without ${form}. It said: ${out}${err}`,
          );
      }
    },
    signal: (name) => void child.kill(name),
    ended,
    stop(name = "SIGTERM") {
      child.kill(name);
      return ended;
    },
  };
}

/** `skblab WORDS…` of the build, which has to be there. */
export const startCommand = (words: readonly string[]): Running => startProgram(process.execPath, [main, ...words]);

/** Waits for a state, not for a time. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  seconds = patienceSeconds,
): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !(await holds()); await wait(20))
    if (Date.now() > end) throw new Error(`In ${seconds} s it did not come to this: ${what}`);
}

/** The /proc of a machine of 6.1 as files below `proc`: what is named here, else the fixtures. */
export function writeMachine(proc: string, texts: Readonly<Record<string, string>>): void {
  const all = { version: "Linux version 6.1.192 (x) #1 SMP\n", uptime: "100.5 3\n", ...texts };
  for (const [name, text] of Object.entries(all)) {
    mkdirSync(dirname(join(proc, name)), { recursive: true });
    writeFileSync(join(proc, name), text);
  }
}

/** A log's lines as /dev/kmsg gives them, numbered from `from`. */
export const asRecords = (log: string, from = 0): string =>
  log
    .trimEnd()
    .split("\n")
    .map((l, i) => `4,${from + i},${(from + i) * 10},-;${l.replace(/^\[ *[\d.]+\] /, "")}\n`)
    .join("");

export const logFixture = (name: string): string => readFileSync(join(root, "fixtures/logs", name), "utf8");
export const procFixture = (name: string): string => readFileSync(join(root, "fixtures/proc", name), "utf8");

/** A sweep of six short runs. */
export const smallSweep = `kind: experiment
seeds: 3
metrics: [failureShare, goodputMbit]
base:
  kind: machine
  release: 2.6.24-x86_64
  memoryMb: 64
  nics: [{ driver: ringnic, settings: { rx_ring: 32, refill: after } }]
  traffic: [{ framesPerSecond: 20000, burst: 16 }]
  reader: { everyMicros: 10000, rcvbufKb: 8192 }
  load: { kilopages: 40, jobs: 4, pagesPerMilli: 200 }
  millis: 40
sweep: [{ path: nics.0.mtu, values: [1500, 9000] }]
`;
