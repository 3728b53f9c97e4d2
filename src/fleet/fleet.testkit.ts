// Records as the command makes them, from texts in memory.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { InputItem } from "../artifact/gather.ts";
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import { createHostCollector } from "./host_collector.ts";
import { hostOfInput } from "./host_name.ts";
import type { HostRecord } from "./host_record.ts";

const logs = join(import.meta.dirname, "../../fixtures/logs");
export const fixture = (name: string): string => readFileSync(join(logs, name), "utf8").trimEnd();

/** The records of texts that are read together, by name; `host` is that of the files. */
export async function recordsOf(texts: Readonly<Record<string, string>>, host: string): Promise<HostRecord[]> {
  const collector = createHostCollector(
    (input) => hostOfInput(input, host, undefined),
    () => undefined,
    { year: 2026 },
  );
  const items = Object.entries(texts).map(([name, text]): InputItem => ({ source: sourceOf(name, text), named: true }));
  return collector.finish(await gather(items, { onWindow: collector.onWindow }));
}

/** A log as the syslog of its host wrote it on a day of March. */
export const syslog = (log: string, host: string, day: number): string =>
  log
    .split("\n")
    .map((l) => `Mar ${String(day).padStart(2)} 03:14:07 ${host} kernel: ${l}`)
    .join("\n");
