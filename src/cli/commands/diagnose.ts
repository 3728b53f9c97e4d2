// skblab diagnose FILE…: what happened to the memory of packets, why, how sure that is, and what would change it.
import { statSync } from "node:fs";
import { Option } from "commander";
import { gather } from "../../artifact/gather.ts";
import { BadInput } from "../../base/bad_input.ts";
import { createCollector } from "../../diagnosis/collect.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import type { Severity } from "../../diagnosis/finding.ts";
import { measuredAdvice } from "../../prove/measured.ts";
import { briefDocument, diagnosisDocument, whyUnread } from "../../report/diagnosis.ts";
import { type ExplainedLine, explainDocument, explainLine } from "../../report/explain_reading.ts";
import { proofsDocument } from "../../report/prove.ts";
import type { CommandSpec } from "../command.ts";
import { giveFunctionIndexFile } from "../function_index.ts";
import { openInputs } from "../input/open.ts";

export const command: CommandSpec = {
  name: "diagnose",
  examples: [
    {
      line: "skblab diagnose fixtures/logs/tg3_gentoo_2009.txt",
      does: "explain every memory failure in a log (.gz, .xz, .zst and tar are opened too)",
    },
    {
      line: "dmesg | skblab diagnose -",
      does: "the same for the running kernel; for the boot before it: journalctl -k -b -1",
    },
    {
      line: "skblab diagnose fixtures/logs/tg3_gentoo_2009.txt fixtures/proc/ethtool-g fixtures/proc/ethtool-i",
      does: "settings in other files count as evidence: ethtool -k, -g, -i, sysctl -a, /proc/buddyinfo ...",
    },
    {
      line: "skblab diagnose fixtures/logs --format json",
      does: "every file of a directory or of a support bundle, for a program",
    },
    {
      line: "skblab diagnose fixtures/logs/tg3_gentoo_2009.txt --prove",
      does: "test the advice by running: by how much does each change lower the failures?",
    },
    { line: "skblab diagnose fixtures/logs/failures_6.1.txt --format markdown", does: "for a bug report" },
    {
      line: "skblab diagnose fixtures/logs/tg3_gentoo_2009.txt --brief --fail-on corruption",
      does: "one line an incident, and exit code 1 when memory was corrupted: for cron and CI",
    },
  ],
  configure(cmd, io) {
    cmd
      .argument("<files...>", "kernel logs, support bundles, directories, or - for standard input")
      .option("--prove", "test the advice: build such a machine in the model, and run it with each change")
      .option(
        "--explain-reading",
        "show what was taken for transport and what for the kernel's own words, line by line",
      )
      .option("--brief", "one line an incident, worst first")
      .addOption(
        new Option(
          "--fail-on <severity>",
          "exit with 1 when an incident is at least this bad; for cron and CI",
        ).choices(["corruption", "act", "watch"]),
      )
      .action(async (files: string[], options: Options) => {
        if (options.explainReading === true) {
          const lines = await explained(files);
          await io.answer({ document: explainDocument(lines), json: { lines }, exit: 0 });
          return;
        }
        giveFunctionIndexFile();
        const collector = createCollector();
        const total = sizeOf(files);
        const gathered = await gather(openInputs(files), {
          onWindow: collector.onWindow,
          progress: (input, bytes) =>
            io.progress("reading", total === undefined ? undefined : Math.min(1, bytes / total), input),
        });
        io.progress("reading", 1);
        const diagnosis = diagnose(collector.finish(gathered));
        const [first] = diagnosis.inputs;
        if (first !== undefined && diagnosis.inputs.every((i) => whyUnread(i) !== undefined)) {
          throw new BadInput(whyUnread(first) as string, { file: first.name });
        }
        // The machines and their scenarios are loaded only where something is to be proved: a log is explained in half the time.
        const proofs =
          options.prove === true
            ? (await import("../../prove/prove.ts")).proveAll(diagnosis.incidents, (done, what) =>
                io.progress("testing the advice", done, what),
              )
            : undefined;
        if (proofs !== undefined) io.progress("testing the advice", 1);
        const measured = proofs?.map((proof, i) => measuredAdvice(diagnosis.incidents[i]?.advice ?? [], proof));
        const incidents = diagnosis.incidents.map((incident, i) => ({
          ...incident,
          advice: measured?.[i] ?? incident.advice,
        }));
        await io.answer({
          document:
            options.brief === true
              ? briefDocument(diagnosis)
              : [...diagnosisDocument(diagnosis, measured), ...proofsDocument(proofs ?? [])],
          json: proofs === undefined ? diagnosis : { ...diagnosis, incidents, proofs },
          exit: options.failOn !== undefined && incidents.some((i) => atLeastAsBad(i.severity, options.failOn)) ? 1 : 0,
        });
      });
  },
};

interface Options {
  readonly prove?: boolean;
  readonly explainReading?: boolean;
  readonly brief?: boolean;
  readonly failOn?: Severity;
}

const bySeverity: readonly Severity[] = ["corruption", "act", "watch", "harmless"];
const atLeastAsBad = (severity: Severity, limit: Severity | undefined): boolean =>
  limit !== undefined && bySeverity.indexOf(severity) <= bySeverity.indexOf(limit);

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
  if (files.length !== 1 || only === undefined || only === "-" || /\.(gz|xz|zst|bz2|tgz)$/.test(only)) return undefined;
  try {
    const stats = statSync(only);
    return stats.isFile() && stats.size > 0 ? stats.size : undefined;
  } catch {
    return undefined;
  }
}
