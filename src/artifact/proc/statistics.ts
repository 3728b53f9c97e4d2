// Counters by name: `ethtool -S` (ethtool.c), /proc/net/snmp and /proc/net/netstat (net/ipv4/proc.c), nstat (iproute2, misc/nstat.c),
// `netstat -s` (net-tools, statistics.c).
import type { EthtoolStatistics } from "../../kernel/readings/ethtool.ts";
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { NetCounters, Nstat } from "../../kernel/readings/netstat.ts";
import type { Read, SourceLine, TextReader } from "../reader.ts";
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

/** `netstat -s` (statistics.c of net-tools 2.10) puts some counters into words, and prints the others by their names. */
const sentences: readonly (readonly [protocol: string, name: string, before: string, behind: string])[] = [
  ["Ip", "InDiscards", "", " incoming packets discarded"],
  ["Ip", "OutDiscards", "", " outgoing packets dropped"],
  ["Ip", "ReasmFails", "", " packet reassemblies failed"],
  ["Udp", "RcvbufErrors", "", " receive buffer errors"],
  ["Udp", "SndbufErrors", "", " send buffer errors"],
  ["TcpExt", "PruneCalled", "", " packets pruned from receive queue because of socket buffer overrun"],
  ["TcpExt", "RcvPruned", "", " packets pruned from receive queue"],
  ["TcpExt", "OfoPruned", "", " packets dropped from out-of-order queue because of socket buffer overrun"],
  ["TcpExt", "TCPRcvCollapsed", "", " packets collapsed in receive queue due to low socket buffer"],
  ["TcpExt", "TCPAbortOnMemory", "", " connections aborted due to memory pressure"],
  ["TcpExt", "TCPMemoryPressures", "TCP ran low on memory ", " times"],
  ["TcpExt", "ListenOverflows", "", " times the listen queue of a socket overflowed"],
  ["TcpExt", "ListenDrops", "", " SYNs to LISTEN sockets dropped"],
];
const section = /^([A-Z][A-Za-z0-9]{1,15}):\s*$/;
/** A line of a section: a counter by its name, a sentence with its number, or a heading within the section. */
const sentence = /^ {4,8}[A-Za-z0-9][^|]{0,120}$/;
const startsSection = /^(?:Ip|Icmp|Tcp|Udp|TcpExt|IpExt|Ip6|Udp6):/;
const byName = /^ {4}([A-Z]\w{1,40}): (-?\d{1,20})$/;

/** Of a sentence the counter's name, where one is known here, or its words. */
function counterOf(protocol: string, text: string): readonly [name: string, value: number] | undefined {
  const plain = byName.exec(text);
  if (plain !== null) return [plain[1]!, Number(plain[2])];
  const number = /(?<![\w.])\d{1,20}(?![\w.])/.exec(text);
  if (number === null) return undefined;
  const [before, behind] = [text.slice(0, number.index), text.slice(number.index + number[0].length)];
  const known = sentences.find((s) => s[0] === protocol && before === `    ${s[2]}` && behind === s[3]);
  return [known?.[1] ?? `${before}%${behind}`, Number(number[0])];
}

function sentenceOf(protocol: string, name: string, value: number): string {
  const known = sentences.find((s) => s[0] === protocol && s[1] === name);
  if (known !== undefined) return `    ${known[2]}${value}${known[3]}`;
  return name.startsWith(" ") ? name.replace("%", String(value)) : `    ${name}: ${value}`;
}

/** The sections of `netstat -s`; a heading within one begins a section of its own. */
function readSentences(lines: readonly SourceLine[], title: string): Read<NetCounters> {
  const notes: LogNote[] = [];
  const protocols: { name: string; counters: (readonly [string, number])[] }[] = [];
  for (const source of lines) {
    const { text } = source;
    const last = protocols.at(-1);
    const counter = sentence.test(text) ? counterOf(last?.name.trim() ?? "", text) : undefined;
    if (section.test(text)) protocols.push({ name: text.replace(/:\s*$/, ""), counters: [] });
    else if (counter !== undefined && last !== undefined) last.counters.push(counter);
    else if (/^ {4,8}\w.*:$/.test(text)) protocols.push({ name: text.slice(0, -1), counters: [] });
    else notes.push(skipped(source, title));
  }
  return { reading: { kind: "net/netstat", form: "netstat -s", protocols }, notes };
}

export const netCounters: TextReader<NetCounters> = {
  kind: "net/netstat",
  title: "/proc/net/netstat or snmp",
  starts: (text, next) =>
    (named.test(text) && (next === undefined || valued.test(next))) ||
    (next !== undefined && section.test(text) && startsSection.test(text) && sentence.test(next)),
  continues: (text) => named.test(text) || valued.test(text) || section.test(text) || sentence.test(text),
  read(lines) {
    if (lines.some((l) => section.test(l.text))) return readSentences(lines, "netstat -s");
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
  print: ({ protocols, form }) =>
    asText(
      protocols.flatMap(({ name, counters }) =>
        form === "netstat -s"
          ? [`${name}:`, ...counters.map(([n, v]) => sentenceOf(name, n, v))]
          : [`${name}: ${counters.map(([n]) => n).join(" ")}`, `${name}: ${counters.map(([, v]) => v).join(" ")}`],
      ),
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
