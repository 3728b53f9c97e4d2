// One job read to the end: everything of its files, host by host. A broken file costs that file.
import { gather } from "../../artifact/gather.ts";
import { createCollector } from "../../diagnosis/collect.ts";
import type { HostRecord } from "../../fleet/host_record.ts";
import { hostRecords } from "../../fleet/host_record.ts";
import { giveFunctionIndexFile } from "../function_index.ts";
import { openInputs } from "../input/open.ts";
import type { Job } from "./jobs.ts";
import { hostOfInput } from "./jobs.ts";

export interface JobOptions {
  /** Source of `--host-from`. */
  readonly hostFrom: string | undefined;
  readonly year: number;
}

export async function readJob(job: Job, options: JobOptions): Promise<HostRecord[]> {
  const from = options.hostFrom === undefined ? undefined : new RegExp(options.hostFrom);
  try {
    giveFunctionIndexFile();
    const collector = createCollector();
    const gathered = await gather(openInputs(job.files), { onWindow: collector.onWindow });
    const records = hostRecords(
      collector.finish(gathered),
      (input) => hostOfInput(input, job.host, from),
      options.year,
    );
    const unopened = gathered.notes.filter(
      (n) => n.line === undefined && /cannot be|could not be|damaged|ends inside/.test(n.sentence),
    );
    const [first, ...rest] = records;
    if (first === undefined)
      return [
        empty(
          job.host,
          unopened.map((n) => `${n.input}: ${n.sentence}`),
        ),
      ];
    return [{ ...first, notes: unopened.map((n) => `${n.input}: ${n.sentence}`) }, ...rest];
  } catch (error) {
    return [
      empty(job.host, [
        `${job.files.join(", ")} was left out: ${error instanceof Error ? error.message : String(error)}`,
      ]),
    ];
  }
}

const empty = (host: string, notes: readonly string[]): HostRecord => ({
  schema: "skblab.fleet-host/1",
  host,
  facts: {},
  incidents: [],
  inputs: 1,
  notes,
});
