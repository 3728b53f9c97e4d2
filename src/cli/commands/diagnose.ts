// skblab diagnose FILE…: what happened to the memory of packets, why, how sure that is, and what would change it.
import { statSync } from "node:fs";
import { gather } from "../../artifact/gather.ts";
import { BadInput } from "../../base/bad_input.ts";
import { createSievingCollector } from "../../diagnosis/collect.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import type { Diagnosis, Severity } from "../../diagnosis/finding.ts";
import { bySeverity, severities } from "../../diagnosis/finding.ts";
import { assumableKeys, assuming, readAssumed, refuseNeedless } from "../../prove/assume.ts";
import type { Job, Outcome } from "../../prove/batch.ts";
import { measuredAdvice } from "../../prove/measured.ts";
import type { Proof } from "../../prove/proof.ts";
import type { ProveInput } from "../../prove/prove.ts";
import { provedDiagnosis } from "../../prove/proved.ts";
import { briefDocument, diagnosisDocument, whyUnread } from "../../report/diagnosis.ts";
import { paragraph } from "../../report/document.ts";
import { type ExplainedLine, explainDocument, explainLine } from "../../report/explain_reading.ts";
import { junitOf } from "../../report/exports/junit.ts";
import { sarifOf } from "../../report/exports/sarif.ts";
import { proofsDocument } from "../../report/prove.ts";
import type { CommandSpec, Io } from "../command.ts";
import { giveFunctionIndexFile } from "../function_index.ts";
import { isImageFile } from "../input/image.ts";
import { openInputs } from "../input/open.ts";
import type { Since } from "../input/since.ts";
import { parseSince } from "../input/since.ts";
import { excludes, goesWith, refuse } from "../modes.ts";
import { writeOutputs } from "../output.ts";
import { packageVersion } from "../version.ts";

export const command: CommandSpec = {
  name: "diagnose",
  examples: [
    {
      line: "skblab diagnose fixtures/logs/tg3_gentoo_2009.txt",
      does: "explain every memory failure in a log (.gz, .xz, .zst, .zip and tar are opened too)",
    },
    {
      line: "dmesg | skblab diagnose -",
      does: "the same for the running kernel; for the boot before it: journalctl -k -b -1",
    },
    {
      line: "skblab diagnose fixtures/logs/tg3_gentoo_2009.txt fixtures/proc/ethtool-g fixtures/proc/ethtool-i",
      does: "settings in other files count as evidence: ethtool -k, -g, -l, -i, sysctl -a, /proc/buddyinfo ...",
    },
    {
      line: "skblab diagnose fixtures/logs --format json",
      does: "every file of a directory or of a support bundle, for a program",
    },
    {
      line: "skblab diagnose fixtures/logs/tg3_gentoo_2009.txt --prove",
      does: "test the advice by running it: by how much does each change lower the failures?",
    },
    { line: "skblab diagnose fixtures/logs/failures_6.1.txt --format markdown", does: "for a bug report" },
    {
      line: "skblab diagnose fixtures/logs/tg3_gentoo_2009.txt --brief --fail-on corruption",
      does: "one line per incident, and exit code 1 when memory was corrupted: for cron and CI",
    },
    {
      line: "skblab diagnose fixtures/logs/tg3_gentoo_2009.txt --sarif skblab.sarif --junit skblab.xml",
      does: "for CI systems where a kernel log is a test artifact",
    },
    { line: "skblab diagnose --follow /var/log/kern.log --brief", does: "a line for each incident as it is written" },
  ],
  configure(cmd, io) {
    cmd
      .argument(
        "[files...]",
        "kernel logs, support bundles, directories, memory images (as `skblab image`), or - for standard input",
      )
      .option("--prove", "test the advice: build such a machine in the model, and run it with each change")
      .option(
        "--assume <key=value>",
        `with --prove: what the inputs do not say of the machine (${assumableKeys.join(", ")}); may be repeated`,
        (text: string, all: readonly string[] = []) => [...all, text],
      )
      .option("--explain-reading", "show, line by line, what was read as transport and what as the kernel's own text")
      .option("--brief", "one line per incident, worst first")
      .option("--since <time>", 'only reports from then on: "2026-11-29 22:00", 22:00 (today), 2h (ago), boot+3600')
      .option(
        "--follow <file>",
        "explain the file, then each incident as it is written (a rotated file is found again)",
      )
      .option("--sarif <file>", "write the incidents as SARIF too, for code hosts and CI")
      .option("--junit <file>", "write them as a JUnit report too; --fail-on says what fails (default: watch)")
      .addOption(
        cmd
          .createOption("--fail-on <severity>", "exit with 1 when an incident is at least this bad; for cron and CI")
          .choices(severities.filter((s) => s !== "harmless")),
      )
      .action(async (files: string[], options: Options) => {
        excludes(cmd, "--explain-reading", [...ofReports, "--prove", "--assume", "--follow"]);
        excludes(cmd, "--follow", ["--prove", "--assume", "--sarif", "--junit"]);
        excludes(cmd, "--prove", ["--brief"]);
        goesWith(cmd, ["--assume"], "--prove");
        if (files.length > 0 && files.every(isImageFile)) {
          refuse(
            cmd,
            [...ofReports, "--assume", "--explain-reading", "--follow"],
            "is for logs, and these are memory images",
          );
          // The log lies in the image, and the machine to prove anything on is the image itself.
          const { answerImage } = await import("./image.ts");
          await answerImage(files, { prove: options.prove === true }, io);
          return;
        }
        if (options.explainReading === true) {
          const lines = await explained(files);
          await io.answer({ document: explainDocument(lines), json: { lines }, exit: 0 });
          return;
        }
        const assumed = readAssumed(options.assume ?? []);
        const since = options.since === undefined ? undefined : parseSince(options.since);
        if (options.follow !== undefined) {
          if (files.length > 0) throw new BadInput("--follow takes one file, and no others.");
          return followOne(options.follow, since, options, io, cmd.opts<{ format?: string }>().format === "json");
        }
        if (files.length === 0)
          throw new BadInput("No file is named.", undefined, "Name kernel logs, or - for standard input.");
        giveFunctionIndexFile();
        const collector = createSievingCollector({ leaveOut: since });
        const total = sizeOf(files);
        const gathered = await gather(openInputs(files), {
          onWindow: collector.onWindow,
          sieve: collector.sieve,
          progress: (input, bytes) =>
            io.progress("reading", total === undefined ? undefined : Math.min(1, bytes / total), input),
        });
        io.progress("reading", 1);
        const whole = diagnose(collector.finish(gathered));
        const diagnosis = since === undefined ? whole : { ...whole, since: since.text };
        const [first] = diagnosis.inputs;
        if (first !== undefined && diagnosis.inputs.every((i) => whyUnread(i) !== undefined)) {
          throw new BadInput(whyUnread(first) as string, { file: first.name });
        }
        // The machines and their scenarios are loaded only where something is to be proved: a log is explained in half the time.
        refuseNeedless(diagnosis.incidents, assumed);
        const given = diagnosis.incidents.map((i) => assuming(i, assumed));
        const proofs = options.prove === true ? await proveOnAllCores(given, io) : undefined;
        const measured = proofs?.map((proof, i) => measuredAdvice(diagnosis.incidents[i]?.advice ?? [], proof));
        const incidents = diagnosis.incidents.map((incident, i) => ({
          ...incident,
          advice: measured?.[i] ?? incident.advice,
        }));
        writeReports({ ...diagnosis, incidents }, options);
        await io.answer({
          document:
            options.brief === true
              ? briefDocument(diagnosis)
              : [...diagnosisDocument(diagnosis, measured), ...proofsDocument(proofs ?? [])],
          json: proofs === undefined ? diagnosis : provedDiagnosis(diagnosis, proofs),
          exit:
            options.failOn !== undefined &&
            [...incidents, ...(diagnosis.states ?? [])].some((i) => atLeastAsBad(i.severity, options.failOn))
              ? 1
              : 0,
        });
      });
  },
};

/** `--sarif` and `--junit`: both or neither. */
function writeReports(diagnosis: Diagnosis, { sarif, junit, failOn }: Options): void {
  const files: [string, string][] = [];
  if (sarif !== undefined) files.push([sarif, `${JSON.stringify(sarifOf(diagnosis, packageVersion()), null, 1)}\n`]);
  if (junit !== undefined) files.push([junit, junitOf(diagnosis, failOn)]);
  writeOutputs(files);
}

/** Ctrl-C ends the runs, not the answer: what was measured by then is told. */
async function proveOnAllCores(incidents: readonly ProveInput[], io: Io): Promise<readonly Proof[]> {
  const { openPool, proveAllWith } = await import("../parallel/prove_all.ts");
  const pool = openPool();
  let stop = (): void => {};
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  process.once("SIGINT", stop);
  const run = async (proof: Job): Promise<Outcome> => (await pool.run([{ proof }]))[0] as Outcome;
  let best = "";
  try {
    return await proveAllWith(incidents, (job) => Promise.race([stopped, run(job)]), {
      progress: (done, what) => io.progress("testing the advice", done, `${what}${best}`),
      soFar: (proofs) => {
        best = bestSoFar(proofs);
      },
    });
  } finally {
    process.off("SIGINT", stop);
    io.progress("testing the advice", 1);
    await pool.close();
  }
}

/** The first advice that lowers the failures, of the first cause that has one; for a progress line. */
function bestSoFar(proofs: readonly (Proof | undefined)[]): string {
  const row = proofs.flatMap((p) => p?.rows ?? []).find((r) => r.advised && r.verdict === "lowers");
  return row === undefined ? "" : `; so far ${row.name} lowers them`;
}

/** What is said of reports, not of an image or of how a text was read. */
const ofReports = ["--brief", "--since", "--sarif", "--junit", "--fail-on"];

interface Options {
  readonly prove?: boolean;
  readonly assume?: readonly string[];
  readonly explainReading?: boolean;
  readonly brief?: boolean;
  readonly failOn?: Severity;
  readonly since?: string;
  readonly follow?: string;
  readonly sarif?: string;
  readonly junit?: string;
}

/** Prints each diagnosis as it comes (as one line of JSON where JSON was asked for); then how many there were. */
async function followOne(
  path: string,
  leaveOut: Since | undefined,
  { brief, failOn }: Options,
  io: Io,
  json: boolean,
): Promise<void> {
  let incidents = 0;
  let bad = false;
  const { follow } = await import("../watch/follow.ts");
  await follow({
    path,
    io,
    leaveOut,
    async told(d) {
      incidents += d.incidents.length;
      bad ||= d.incidents.some((i) => atLeastAsBad(i.severity, failOn));
      const document = brief === true ? briefDocument(d) : diagnosisDocument(d);
      await (json ? io.write(`${JSON.stringify(d)}\n`) : io.show(document, brief === true ? "" : "\n"));
    },
  });
  await io.answer({
    document: [paragraph(`${incidents} ${incidents === 1 ? "incident" : "incidents"} reported.`)],
    json: { schema: "skblab.follow/1", incidents },
    exit: bad ? 1 : 0,
  });
}

const atLeastAsBad = (severity: Severity, limit: Severity | undefined): boolean =>
  limit !== undefined && bySeverity(severity, limit) <= 0;

/** Most lines that are shown: a log full of reports has no end of them. */
const mostExplained = 20_000;

async function explained(files: readonly string[]): Promise<ExplainedLine[]> {
  const lines: ExplainedLine[] = [];
  await gather(openInputs([...files]), {
    onWindow: ({ input, window }) => {
      for (const line of window.lines) if (lines.length < mostExplained) lines.push(explainLine(input, line));
    },
  });
  return lines;
}

/** Bytes of the only file, for the progress bar; undefined when it cannot be known. */
function sizeOf(files: readonly string[]): number | undefined {
  const [only] = files;
  if (files.length !== 1 || only === undefined || only === "-" || /\.(gz|xz|zst|bz2|tgz|zip)$/.test(only))
    return undefined;
  try {
    const stats = statSync(only);
    return stats.isFile() && stats.size > 0 ? stats.size : undefined;
  } catch {
    return undefined;
  }
}
