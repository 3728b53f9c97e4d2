// collect/samples.txt of an archive that the collect script wrote (cli/collect/collect.sh): /proc/uptime at three moments.
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { SampleTimes } from "../../kernel/readings/sample_times.ts";
import type { TextReader } from "../reader.ts";
import { asText, skipped } from "../reader.ts";

const head = "uptime and idle seconds of the processors at the start, at the first sample's end and at the end:";
const uptime = /^(\d{1,12}\.\d\d) \d{1,15}\.\d\d$/;

export const sampleTimes: TextReader<SampleTimes> = {
  kind: "sample times",
  title: "samples.txt of skblab collect",
  starts: (text) => text === head,
  continues: (text) => uptime.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const uptimes: (readonly [number, string])[] = [];
    for (const source of lines) {
      const seconds = uptime.exec(source.text)?.[1];
      if (seconds !== undefined) uptimes.push([Number(seconds), source.text]);
      else if (source.text !== head) notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "sample times", uptimes }, notes };
  },
  print: ({ uptimes }) => asText([head, ...uptimes.map(([, text]) => text)]),
};
