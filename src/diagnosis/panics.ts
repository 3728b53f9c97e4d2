// What a panic says of itself: `Kernel panic - not syncing: REASON`. The reason decides what it means; a pointer or damaged memory has a part
// in it only where the reason says so.
import type { Severity } from "./finding.ts";

export interface PanicSaid {
  readonly key: string;
  /** What happened, as one clause behind "The kernel stopped the machine:". */
  readonly meaning: string;
  readonly severity: Severity;
  /** Whether it has to do with memory; a shortage is neither "no" nor corruption. */
  readonly memory: "shortage" | "corruption" | "none" | "not said";
}

const reasons: readonly (readonly [form: RegExp, said: PanicSaid])[] = [
  [
    /[Oo]ut of memory|deadlocked on memory|[Cc]annot allocate|[Ff]ailed to allocate|[Nn]ot enough memory/,
    { key: "out of memory", meaning: "memory could not be had", severity: "act", memory: "shortage" },
  ],
  [
    /stack-protector|[Cc]orrupted stack end|stack is corrupted/,
    {
      key: "stack overwritten",
      meaning: "a kernel stack was overwritten: the guard value in it had changed",
      severity: "corruption",
      memory: "corruption",
    },
  ],
  [
    /Unable to mount root|[Nn]o (?:working )?init found|Requested init|No filesystem could mount root/,
    { key: "no root", meaning: "it found no root file system or no init to start", severity: "act", memory: "none" },
  ],
  [
    /Attempted to kill (?:init|the idle task)|[Kk]ill init/,
    {
      key: "init ended",
      meaning: "the init process exited; the lines before this one say why",
      severity: "unknown",
      memory: "not said",
    },
  ],
  [
    /hung_task/,
    {
      key: "hung task",
      meaning: "a task waited longer than allowed (hung_task_panic)",
      severity: "act",
      memory: "none",
    },
  ],
  [
    /softlockup|LOCKUP|RCU [Ss]tall|nmi_watchdog/,
    { key: "locked up", meaning: "a CPU made no progress", severity: "act", memory: "none" },
  ],
  [
    /sysrq|SysRq/,
    { key: "on request", meaning: "it was requested with SysRq-c", severity: "harmless", memory: "none" },
  ],
  [
    /panic_on_warn/,
    {
      key: "panic_on_warn",
      meaning: "a warning came before it, and panic_on_warn turns every warning into a panic",
      severity: "unknown",
      memory: "not said",
    },
  ],
  [
    /[Ff]atal [Mm]achine check|[Mm]achine check|NMI: |Uncorrected|[Hh]ardware error/,
    { key: "hardware", meaning: "the hardware reported an error", severity: "act", memory: "none" },
  ],
  [
    /Fatal exception|Aiee|Oops/,
    {
      key: "after a fault",
      meaning: "a fault came before it, and that one is the cause",
      severity: "unknown",
      memory: "not said",
    },
  ],
];

const other: PanicSaid = {
  key: "other",
  meaning: "for the reason in that line",
  severity: "unknown",
  memory: "not said",
};

/** The reason of a panic as printed, without what stands before it. */
export const panicReason = (line: string): string => line.replace(/^Kernel panic - not syncing:? ?/, "").trim();

/** The reason is one whose meaning is known; of another, or of one that is cut, nothing follows. */
export const isKnownPanic = (line: string): boolean => panicSaid(line) !== other;

/** What the reason of a panic means. */
export const panicSaid = (line: string): PanicSaid =>
  reasons.find(([form]) => form.test(panicReason(line)))?.[1] ?? other;
