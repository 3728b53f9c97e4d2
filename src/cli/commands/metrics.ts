// skblab metrics: one sample of this machine as metrics, for cron and for a look.
import { join } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import { createHistory } from "../../live/history.ts";
import { sampleOf } from "../../live/sample.ts";
import type { CommandSpec } from "../command.ts";
import { writeOutput } from "../output.ts";
import { metricsText } from "../watch/exposition.ts";
import { releaseOf, sampleTexts, uptimeOf } from "../watch/files.ts";

export const command: CommandSpec = {
  name: "metrics",
  raw: true,
  examples: [
    { line: "skblab metrics --once", does: "room, packet caches and drops of this machine, as Prometheus reads them" },
    {
      line: "skblab metrics --once --textfile /var/lib/node_exporter",
      does: "for node_exporter's textfile collector, from cron; the file appears whole",
    },
  ],
  configure(cmd, io) {
    cmd
      .option("--once", "one sample (a series of them is skblab watch)")
      .option("--textfile <dir>", "write skblab.prom there instead of printing")
      .option("--proc <dir>", "read the sample from there", "/proc")
      .action(async (options: { textfile?: string; proc: string }) => {
        const release = releaseOf(options.proc, process.arch);
        if (release === undefined)
          throw new BadInput(
            "It is not a Linux release.",
            { file: join(options.proc, "version") },
            "metrics runs on a Linux machine.",
          );
        const history = createHistory();
        history.add(sampleOf(release, sampleTexts(options.proc), uptimeOf(options.proc) ?? 0));
        const text = await metricsText(history, { incidents: [] }, "text");
        if (options.textfile === undefined) return io.write(text);
        writeOutput(join(options.textfile, "skblab.prom"), text);
      });
  },
};
