// Counters by name: `ethtool -S` (ethtool.c), /proc/net/snmp and /proc/net/netstat (net/ipv4/proc.c), nstat (iproute2, misc/nstat.c).
import type { EthtoolStatistics } from "../../kernel/readings/ethtool.ts";
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { NetCounters, Nstat } from "../../kernel/readings/netstat.ts";
import type { TextReader } from "../reader.ts";
import { asText, rounded, skipped } from "../reader.ts";

const counter = /^ {5}(\S[^:]{0,63}): (\d+)$/;

export const ethtoolStatistics: TextReader<EthtoolStatistics> = {
  kind: "ethtool -S",
  title: "ethtool -S",
  starts: (text, next) => text === "NIC statistics:" && (next === undefined || next === "" || counter.test(next)),
  continues: (text) => counter.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const counters: (readonly [string, number])[] = [];
    for (const source of lines) {
      const match = counter.exec(source.text);
      if (match !== null) {
        counters.push([match[1]!, Number(match[2])]);
        notes.push(...rounded(source));
      } else if (source.text !== "NIC statistics:") notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "ethtool -S", counters }, notes };
  },
  print: ({ counters }) => asText(["NIC statistics:", ...counters.map(([name, value]) => `     ${name}: ${value}`)]),
};

const protocol = "(?:Ip|IpExt|Icmp|IcmpMsg|Tcp|TcpExt|Udp|UdpLite|MPTcpExt)";
const named = new RegExp(`^${protocol}:(?: [A-Za-z]\\w*)+ ?$`);
const valued = new RegExp(`^(${protocol}):((?: -?\\d+)+) ?$`);

export const netCounters: TextReader<NetCounters> = {
  kind: "net/netstat",
  title: "/proc/net/netstat or snmp",
  starts: (text, next) => named.test(text) && (next === undefined || valued.test(next)),
  continues: (text) => named.test(text) || valued.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const protocols: NetCounters["protocols"][number][] = [];
    let names: string[] = [];
    for (const source of lines) {
      const values = valued.exec(source.text);
      if (values === null && named.test(source.text)) names = source.text.trim().split(" ").slice(1);
      else if (values !== null) {
        const numbers = values[2]!.trim().split(" ").map(Number);
        if (numbers.length !== names.length)
          notes.push({
            line: source.line,
            sentence: `Line ${source.line} has ${numbers.length} numbers for ${names.length} names: those without a partner were dropped.`,
          });
        protocols.push({
          name: values[1]!,
          counters: names.slice(0, numbers.length).map((name, i) => [name, numbers[i]!] as const),
        });
      } else notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "net/netstat", protocols }, notes };
  },
  print: ({ protocols }) =>
    asText(
      protocols.flatMap(({ name, counters }) => [
        `${name}: ${counters.map(([n]) => n).join(" ")}`,
        `${name}: ${counters.map(([, v]) => v).join(" ")}`,
      ]),
    ),
};

const nstatHead = /^#(?:kernel|\d+\.\d+ sampling_interval=.{1,80})$/;
const nstatLine = /^([A-Z]\w{1,60}) {1,40}(\d{1,20})( {1,40}-?\d{1,20}\.\d)$/;

export const nstat: TextReader<Nstat> = {
  kind: "nstat",
  title: "nstat",
  starts: (text, next) => nstatHead.test(text) && (next === undefined || next === "" || nstatLine.test(next)),
  continues: (text) => nstatLine.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const counters: Nstat["counters"][number][] = [];
    for (const source of lines) {
      const match = nstatLine.exec(source.text);
      if (match !== null) {
        counters.push({ name: match[1]!, value: Number(match[2]), rest: match[3]! });
        notes.push(...rounded(source));
      } else if (!nstatHead.test(source.text)) notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "nstat", counters }, notes };
  },
  print: ({ counters }) =>
    asText(["#kernel", ...counters.map((c) => `${c.name.padEnd(32)}${String(c.value)}${c.rest}`)]),
};
