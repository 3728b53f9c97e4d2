// /proc/net/dev, sockstat and softnet_stat (net/core/net-procfs.c, net/ipv4/proc.c, net/ipv6/proc.c).
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { NetDev, SockStat, SoftnetStat } from "../../kernel/readings/netstat.ts";
import type { TextReader } from "../reader.ts";
import { asText, skipped } from "../reader.ts";

const words = (text: string): string[] => text.trim().split(/\s+/);
const devHead = /^Inter-\|\s+Receive\s+\|\s+Transmit$/;
const devNames = /^ face \|([\w ]+)\|([\w ]+)$/;
const devRow = /^\s*(\S+?):((?:\s*\d+)(?:\s+\d+){14,17})$/;

const rxWidths = [7, 7, 4, 4, 4, 5, 10, 9];
const txWidths = [8, 7, 4, 4, 4, 5, 7, 10];

export const netDev: TextReader<NetDev> = {
  kind: "net/dev",
  title: "/proc/net/dev",
  starts: (text) => devHead.test(text),
  continues: (text) => devNames.test(text) || devRow.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const devices: NetDev["devices"][number][] = [];
    let receive: string[] = [];
    let transmit: string[] = [];
    for (const source of lines) {
      const names = devNames.exec(source.text);
      const match = devRow.exec(source.text);
      if (names !== null) [receive, transmit] = [words(names[1]!), words(names[2]!)];
      else if (match !== null) {
        const numbers = words(match[2]!).map(Number);
        const half = receive.length === 0 ? 8 : receive.length;
        devices.push({ name: match[1]!, receive: numbers.slice(0, half), transmit: numbers.slice(half) });
      } else if (!devHead.test(source.text)) notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "net/dev", receive, transmit, devices }, notes };
  },
  print({ devices }) {
    const row = (numbers: readonly number[], widths: readonly number[]): string =>
      numbers.map((n, i) => String(n).padStart(widths[i] ?? 0)).join(" ");
    return asText([
      "Inter-|   Receive                                                |  Transmit",
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed",
      ...devices.map((d) => `${d.name.padStart(6)}: ${row(d.receive, rxWidths)} ${row(d.transmit, txWidths)}`),
    ]);
  },
};

const sockLine = /^(sockets|TCP6?|UDP6?|UDPLITE6?|RAW6?|FRAG6?|MPTCP6?):((?: \w+ \d+)+)\s*$/;

export const sockStat: TextReader<SockStat> = {
  kind: "sockstat",
  title: "/proc/net/sockstat",
  starts: (text) => /^(?:sockets: used \d+|TCP6: inuse \d+)\s*$/.test(text),
  continues: (text) => sockLine.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const protocols: SockStat["protocols"][number][] = [];
    for (const source of lines) {
      const match = sockLine.exec(source.text);
      if (match === null) notes.push(skipped(source, this.title));
      else {
        const pairs = words(match[2]!);
        const values = Array.from(
          { length: pairs.length / 2 },
          (_, i) => [pairs[2 * i]!, Number(pairs[2 * i + 1])] as const,
        );
        protocols.push({ name: match[1]!, values });
      }
    }
    return { reading: { kind: "sockstat", protocols }, notes };
  },
  print: ({ protocols }) =>
    asText(protocols.map((p) => `${p.name}:${p.values.map(([n, v]) => ` ${n} ${v}`).join("")}`)),
};

const softRow = /^[0-9a-f]{8}(?: [0-9a-f]{8}){8,14}\s*$/;

export const softnetStat: TextReader<SoftnetStat> = {
  kind: "softnet_stat",
  title: "/proc/net/softnet_stat",
  starts: (text) => softRow.test(text),
  continues: (text) => softRow.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const cpus: number[][] = [];
    for (const source of lines) {
      if (softRow.test(source.text)) cpus.push(words(source.text).map((w) => Number.parseInt(w, 16)));
      else notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "softnet_stat", cpus }, notes };
  },
  print: ({ cpus }) => asText(cpus.map((row) => row.map((n) => n.toString(16).padStart(8, "0")).join(" "))),
};
