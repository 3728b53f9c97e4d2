// skblab collect: everything worth having from a machine, also from one that has nothing but a shell.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { BadInput } from "../../base/bad_input.ts";
import type { CommandSpec, Io } from "../command.ts";
import { openOutput } from "../output.ts";

interface Options {
  readonly script?: boolean;
  readonly anonymous?: boolean;
  readonly seconds?: string;
  readonly out?: string;
}

export const command: CommandSpec = {
  name: "collect",
  raw: true,
  examples: [
    {
      line: "skblab collect --script | ssh root@host sh > host.tar",
      does: "from a machine without Node or skblab: a POSIX script, busybox is enough; then: skblab diagnose host.tar",
    },
    {
      line: "skblab collect --script --anonymous > collect.sh",
      does: "a script to copy by hand that replaces host names, users, MAC and IP addresses itself",
    },
    { line: "skblab collect --out this.tar", does: "from this machine (as root it reads more)" },
  ],
  configure(cmd, io) {
    cmd
      .option("--script", "print the script that collects, instead of running it here")
      .option("--anonymous", "replace host names, users, MAC and IP addresses, each by the same name everywhere")
      .option("--seconds <n>", "time between the two samples of every counter", "10")
      .option("--out <file>", "write the archive there instead of to standard output")
      .action((options: Options) => collect(options, io));
  },
};

/** The script with the choices of the command line in it. */
export function collectScript(options: Pick<Options, "anonymous" | "seconds">): string {
  const { seconds = "10" } = options;
  if (!/^\d{1,4}$/.test(seconds))
    throw new BadInput(`--seconds ${seconds} is not a time.`, undefined, "Write a whole number from 0 to 9999.");
  return readFileSync(new URL("../collect/collect.sh", import.meta.url), "utf8")
    .replace("@ANONYMOUS@", options.anonymous === true ? "1" : "0")
    .replace("SKBLAB_SECONDS:-10", `SKBLAB_SECONDS:-${seconds}`);
}

async function collect(options: Options, io: Io): Promise<void> {
  const script = collectScript(options);
  if (options.script === true) return put(options.out, io, (write) => write(script));
  if (process.platform !== "linux")
    throw new BadInput(
      "This is not a Linux machine.",
      undefined,
      "Run: skblab collect --script | ssh root@HOST sh > host.tar",
    );
  if ((options.out === undefined || options.out === "-") && process.stdout.isTTY === true)
    throw new BadInput("The archive would go to the terminal.", undefined, "Add --out host.tar.");
  io.note("Collecting: /proc, the log, ethtool; then the counters a second time.");
  await put(options.out, io, (write) => runHere(script, write));
}

/** Standard output, or a file that appears when all of it is there. */
async function put(
  out: string | undefined,
  io: Io,
  produce: (write: (data: string | Uint8Array) => void | Promise<void>) => void | Promise<void>,
): Promise<void> {
  if (out === undefined || out === "-") return produce((data) => io.write(data));
  const output = openOutput(out);
  try {
    await produce((data) => output.write(data));
    output.commit();
  } finally {
    output.discard();
  }
}

async function runHere(script: string, write: (data: Uint8Array) => void | Promise<void>): Promise<void> {
  const child = spawn("sh", ["-s"], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(script);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("close", resolve);
    child.on("error", reject);
  });
  for await (const chunk of child.stdout) await write(chunk as Uint8Array);
  const code = await ended;
  if (code !== 0)
    throw new BadInput(`The script ended with status ${code ?? "of a signal"}; the archive is incomplete.`);
}
