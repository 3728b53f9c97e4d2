// One job read to the end: everything of its files, host by host. A broken file costs that file.
import type { InputItem } from "../../artifact/gather.ts";
import { emptySentence, gather } from "../../artifact/gather.ts";
import { readHead, withHead } from "../../base/byte_source.ts";
import { createHostCollector } from "../../fleet/host_collector.ts";
import { hostOfInput, hostSaid, saysHost } from "../../fleet/host_name.ts";
import type { HostRecord } from "../../fleet/host_record.ts";
import type { Year } from "../../kernel/readings/date.ts";
import { giveFunctionIndexFile } from "../function_index.ts";
import { openInputs } from "../input/open.ts";
import type { Job } from "./jobs.ts";

export interface JobOptions {
  /** Source of `--host-from`. */
  readonly hostFrom: string | undefined;
  readonly year: Year;
}

/** `early` takes records that cannot wait for the end, `progress` the bytes of the file that is being read. */
export async function readJob(
  job: Job,
  options: JobOptions,
  early: (records: readonly HostRecord[]) => void,
  progress?: (bytes: number) => void,
): Promise<HostRecord[]> {
  giveFunctionIndexFile();
  const from = options.hostFrom === undefined ? undefined : new RegExp(options.hostFrom);
  const nameOf = (input: string): string => hostOfInput(input, job.host, from);
  const groups = new Groups(openInputs(job.files), nameOf);
  const records: HostRecord[] = [];
  try {
    while (await groups.more()) {
      const collector = createHostCollector(nameOf, () => groups.stated, options.year);
      const gathered = await gather(groups.next(), {
        onWindow: (found) => {
          collector.onWindow(found);
          const ready = collector.early();
          if (ready.length > 0) early(ready);
        },
        ...(progress === undefined ? {} : { progress: (_input, bytes) => progress(bytes) }),
      });
      const own = collector.finish(gathered);
      const unopened = gathered.notes.filter((n) => n.unread === true).map((n) => `${n.input}: ${n.sentence}`);
      if (own.length === 0) own.push(unread(groups.stated ?? groups.host, []));
      if (gathered.inputs.every((i) => i.bytes === 0) && unopened.length === 0) unopened.push(emptySentence);
      const [first, ...rest] = own as [HostRecord];
      records.push({ ...first, notes: [...first.notes, ...unopened] }, ...rest);
      if (records.length > 200) early(records.splice(0));
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    records.push(unread(job.host, [`${job.files.slice(0, 3).join(", ")} was left out: ${why}`]));
  }
  return records.length === 0 ? [unread(job.host, [])] : records;
}

/** A host of which nothing could be read. */
export const unread = (host: string, notes: readonly string[]): HostRecord => ({
  schema: "skblab.fleet-host/2",
  host,
  facts: {},
  incidents: [],
  inputs: 1,
  unread: true,
  notes,
});

/** A stream of inputs, cut where the host changes (an archive with a folder a host): each machine's are gathered by themselves. */
class Groups {
  host = "";
  /** What a file of the group says that the machine is called. */
  stated: string | undefined;
  private readonly items: AsyncIterator<InputItem>;
  private readonly nameOf: (input: string) => string;
  private ahead: InputItem | undefined;

  constructor(items: AsyncIterable<InputItem>, nameOf: (input: string) => string) {
    this.items = items[Symbol.asyncIterator]();
    this.nameOf = nameOf;
  }

  async more(): Promise<boolean> {
    if (this.ahead !== undefined) return true;
    const next = await this.items.next();
    this.ahead = next.done === true ? undefined : next.value;
    return this.ahead !== undefined;
  }

  async *next(): AsyncGenerator<InputItem> {
    this.stated = undefined;
    const first = this.ahead as InputItem;
    this.host = this.nameOf(inputOf(first));
    while ((await this.more()) && this.nameOf(inputOf(this.ahead as InputItem)) === this.host) {
      const item = this.ahead as InputItem;
      this.ahead = undefined;
      yield "source" in item && saysHost(item.source.name) ? await this.listenTo(item) : item;
    }
  }

  private async listenTo(item: Extract<InputItem, { source: unknown }>): Promise<InputItem> {
    const head = await readHead(item.source, 300);
    this.stated ??= hostSaid(new TextDecoder().decode(head));
    return { ...item, source: withHead(head, item.source) };
  }
}

const inputOf = (item: InputItem): string => ("source" in item ? item.source.name : item.name);
