// Gathers one input: takes repaired lines window by window, lets the readers have them, and keeps what they found with its lines.
import { findReadings } from "../artifact/embedded.ts";
import { readIncidents } from "../artifact/log/incidents/read_incidents.ts";
import type { FoundReading } from "../artifact/reader.ts";
import { featureName } from "../kernel/readings/ethtool.ts";
import type { Incident } from "../kernel/readings/incident.ts";
import type { LogLine, LogNote } from "../kernel/readings/log_line.ts";
import type { ReleaseVerdict } from "../kernel/readings/release_verdict.ts";
import type { InputRead } from "./diagnose.ts";
import type { Quote } from "./finding.ts";
import type { Surroundings, Told } from "./surroundings.ts";
import { verdictOf } from "./verdict.ts";

/** More incidents of one kind than this are counted, not kept: a log may hold a million alike. */
const keepPerKind = 5000;

export interface Gatherer {
  /** Lines of one window, in order. */
  take(lines: readonly LogLine[], notes: readonly LogNote[]): void;
  finish(size: { readonly bytes?: number; readonly lines?: number }): InputRead;
}

export function gatherer(name: string): Gatherer {
  const incidents: { incident: Incident; verdict: ReleaseVerdict }[] = [];
  const notes: LogNote[] = [];
  const kept = new Map<string, number>();
  const sysctls = new Map<string, Told<string>>();
  const offloads = new Map<string, Told<"on" | "off">>();
  const mtus = new Map<string, Told<number>>();
  const single: { offloadDevice?: string; driver?: Told<string>; memTotalKb?: Told<number>; cpus?: Told<number> } = {};

  const quoteAt = (lines: readonly LogLine[], line: number, wanted: RegExp | undefined): Quote => {
    const at = lines.find((l) => l.line >= line && (wanted === undefined || wanted.test(l.text)));
    return { input: name, line: at?.line ?? line, text: at?.raw ?? "" };
  };

  const absorb = (found: FoundReading, lines: readonly LogLine[]): void => {
    const { reading, firstLine } = found;
    const has = (text: string): RegExp => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    if (reading.kind === "sysctl")
      for (const s of reading.settings)
        if (!sysctls.has(s.key))
          sysctls.set(s.key, { value: s.value.trim(), quote: quoteAt(lines, firstLine, has(s.key)) });
    if (reading.kind === "ethtool -k") {
      single.offloadDevice ??= reading.device;
      for (const f of reading.features) {
        const key = featureName(f.name);
        const old: Readonly<Record<string, string>> = { "large-receive-offload": "large-receive-offload" };
        if (!offloads.has(key))
          offloads.set(old[key] ?? key, { value: f.on ? "on" : "off", quote: quoteAt(lines, firstLine, has(f.name)) });
      }
    }
    if (reading.kind === "ethtool -i") {
      const driver = reading.fields.find(([n]) => n === "driver")?.[1];
      if (driver !== undefined) single.driver ??= { value: driver, quote: quoteAt(lines, firstLine, /driver:/) };
    }
    if (reading.kind === "meminfo") {
      const total = reading.fields.find((f) => f.name === "MemTotal")?.value;
      if (total !== undefined) single.memTotalKb ??= { value: total, quote: quoteAt(lines, firstLine, /MemTotal/) };
    }
  };

  const lineFacts = (l: LogLine): void => {
    const quote = { input: name, line: l.line, text: l.raw };
    const mtu =
      /\b([\w.@-]+): .*\bmtu (\d{2,5})\b/.exec(l.text) ??
      /(?:^|\s)([\w.-]+): changing MTU from \d+ to (\d+)/.exec(l.text);
    if (mtu?.[1] !== undefined && mtu[2] !== undefined && !/^lo\b/.test(mtu[1]))
      mtus.set(mtu[1], { value: Number(mtu[2]), quote });
    const cpus = /SLUB: .*\bCPUs=(\d+)/.exec(l.text)?.[1];
    if (cpus !== undefined) single.cpus ??= { value: Number(cpus), quote };
  };

  return {
    take(lines, more) {
      notes.push(...more);
      for (const l of lines) lineFacts(l);
      const read = readIncidents(lines);
      notes.push(...read.notes);
      for (const incident of read.incidents) {
        const n = (kept.get(incident.kind) ?? 0) + 1;
        kept.set(incident.kind, n);
        if (n <= keepPerKind) incidents.push({ incident, verdict: verdictOf(incident, lines) });
      }
      for (const found of findReadings(lines)) {
        absorb(found, lines);
        // Lines of a log that only look like a table are no news.
        if (found.reading.kind !== "sysctl") notes.push(...found.notes);
      }
    },
    finish(size) {
      for (const [kind, n] of kept)
        if (n > keepPerKind)
          notes.push({
            line: 0,
            sentence: `Only the first ${keepPerKind} of ${n} reports (${kind}) were explained one by one; the others were left out.`,
          });
      const around: Surroundings = { sysctls, offloads, mtus, ...single };
      return { name, ...size, incidents, notes, around };
    },
  };
}
