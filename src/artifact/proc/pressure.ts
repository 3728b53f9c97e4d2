// Pressure stall information (kernel/sched/psi.c psi_show, since 4.20).
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { Pressure } from "../../kernel/readings/pressure.ts";
import type { TextReader } from "../reader.ts";
import { asText, skipped } from "../reader.ts";

const row = /^(some|full) avg10=(\d{1,3}\.\d\d) avg60=(\d{1,3}\.\d\d) avg300=(\d{1,3}\.\d\d) total=(\d{1,20})$/;

export const pressure: TextReader<Pressure> = {
  kind: "pressure",
  title: "/proc/pressure",
  starts: (text) => row.test(text),
  continues: (text) => row.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const read: Pressure["lines"][number][] = [];
    for (const source of lines) {
      const [, who, avg10 = "", avg60 = "", avg300 = "", total] = row.exec(source.text) ?? [];
      if (who === "some" || who === "full") read.push({ who, avg10, avg60, avg300, total: Number(total) });
      else notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "pressure", lines: read }, notes };
  },
  print: ({ lines }) =>
    asText(lines.map((l) => `${l.who} avg10=${l.avg10} avg60=${l.avg60} avg300=${l.avg300} total=${l.total}`)),
};
