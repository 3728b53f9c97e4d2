// Whether tasks have to wait for memory now: pressure stall information (kernel/sched/psi.c). Its text is the same for memory, CPUs and I/O; only
// the file's name says which, so a file without such a name answers nothing.
import type { StateFinding } from "../finding.ts";
import type { MachineFiles } from "./files.ts";
import { quotesIn } from "./files.ts";

/** Percent of the last minute from which waiting is more than a burst. */
const muchWaiting = 10;
const ofMemory = /(?:^|[/.:])pressure[/_.-]memory$|(?:^|[/:])memory\.pressure$/;

export function pressureFindings(files: MachineFiles): StateFinding[] {
  return files.each("pressure").flatMap((f): StateFinding[] => {
    const [some, full] = (["some", "full"] as const).map((who) => f.reading.lines.find((l) => l.who === who));
    if (some === undefined) return [];
    const evidence = quotesIn(f, (text) => /^(?:some|full) avg10=/.test(text)).slice(0, 2);
    if (!ofMemory.test(f.input))
      return [
        {
          id: "state.pressure.unnamed",
          claim: `${f.input} is pressure stall information, and its text does not say of what: memory, CPUs or I/O. Give it under its own name, pressure/memory.`,
          severity: "harmless",
          evidence,
          advice: [],
        },
      ];
    const all = full === undefined ? "" : `, and ${full.avg60} % of it nothing else could run meanwhile`;
    return [
      {
        id: "state.pressure",
        claim:
          some.total === 0
            ? "No task that it counts has had to wait for memory (its total is 0)."
            : `In ${some.avg60} % of the last minute at least one task waited for memory to be reclaimed, compacted or read back${all} (last 10 s: ${some.avg10} %, last 5 min: ${some.avg300} %).`,
        severity: Number(some.avg60) >= muchWaiting ? "watch" : "harmless",
        evidence,
        advice: [],
      },
    ];
  });
}
