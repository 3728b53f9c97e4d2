// Texts that are lists of names and numbers: /proc/meminfo (fs/proc/meminfo.c), /proc/vmstat (mm/vmstat.c), sysctl(8).
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { MemInfoField, MemInfoFile } from "../../kernel/readings/meminfo.ts";
import type { Sysctl, SysctlSetting } from "../../kernel/readings/sysctl.ts";
import type { VmStat } from "../../kernel/readings/vmstat.ts";
import type { TextReader } from "../reader.ts";
import { asText, rounded, skipped } from "../reader.ts";

const memLine = /^([A-Z][\w()]*):\s+(\d+)( kB)?\s*$/;

export const meminfo: TextReader<MemInfoFile> = {
  kind: "meminfo",
  title: "/proc/meminfo",
  starts: (text) => /^MemTotal:\s+\d+ kB\s*$/.test(text),
  continues: (text) => memLine.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const fields: MemInfoField[] = [];
    let width = 24;
    for (const source of lines) {
      const match = memLine.exec(source.text);
      if (match === null) {
        notes.push(skipped(source, this.title));
        continue;
      }
      notes.push(...rounded(source));
      if (match[1] === "MemTotal") width = match[1].length + /:\s+\d+/.exec(source.text)![0].length;
      fields.push({
        name: match[1]!,
        value: Number(match[2]),
        ...(match[3] === undefined ? {} : { unit: "kB" as const }),
      });
    }
    return { reading: { kind: "meminfo", width, fields }, notes };
  },
  print: ({ fields, width }) =>
    asText(
      fields.map(({ name, value, unit }) => {
        const head = `${name}:`.padEnd(width - 8);
        return `${head}${String(value).padStart(width - head.length)}${unit === undefined ? "" : ` ${unit}`}`;
      }),
    ),
};

const counter = /^([a-z][a-z0-9_]+) (\d+)$/;

export const vmstat: TextReader<VmStat> = {
  kind: "vmstat",
  title: "/proc/vmstat",
  starts: (text, next) => /^nr_(?:free_pages|dirty) \d+$/.test(text) && (next === undefined || counter.test(next)),
  continues: (text) => counter.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const counters: (readonly [string, number])[] = [];
    for (const source of lines) {
      const match = counter.exec(source.text);
      if (match === null) notes.push(skipped(source, this.title));
      else {
        counters.push([match[1]!, Number(match[2])]);
        notes.push(...rounded(source));
      }
    }
    return { reading: { kind: "vmstat", counters }, notes };
  },
  print: ({ counters }) => asText(counters.map(([name, value]) => `${name} ${value}`)),
};

const setting = /^((?:abi|crypto|debug|dev|fs|kernel|net|sunrpc|user|vm)\.[\w./:*-]+)(?: = |=| =)(.*)$/;

export const sysctl: TextReader<Sysctl> = {
  kind: "sysctl",
  title: "sysctl output",
  starts: (text) => setting.test(text),
  continues: (text) => setting.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const settings: SysctlSetting[] = [];
    for (const source of lines) {
      const match = setting.exec(source.text);
      if (match === null) notes.push(skipped(source, this.title));
      else settings.push({ key: match[1]!, value: match[2]! });
    }
    return { reading: { kind: "sysctl", settings }, notes };
  },
  print: ({ settings }) => asText(settings.map((s) => `${s.key} = ${s.value}`)),
};
