// What counters say has happened since boot: reclaim by tasks, compaction, the OOM killer, packets dropped and why. A counter has no time: one
// look tells that it happened, a second one whether it goes on.

import { softnetSum } from "../../analysis/counters.ts";
import { grouped } from "../../base/grouped.ts";
import { every, seenOf } from "../../kernel/readings/part.ts";
import { zoneCountersPart } from "../../kernel/readings/vmstat.ts";
import type { StateFinding } from "../finding.ts";
import { count, listing } from "../words.ts";
import type { MachineFiles, StateFile } from "./files.ts";
import { quotesIn } from "./files.ts";

const again = "Since boot; a second look tells whether it goes on.";

export function countedFindings(files: MachineFiles): StateFinding[] {
  return [...devices(files), ...protocols(files), ...reclaim(files), ...softnet(files), ...interfaces(files)];
}

const found = (
  id: string,
  claim: string,
  severity: StateFinding["severity"],
  evidence: StateFinding["evidence"],
): StateFinding => ({ id, claim, severity, evidence, advice: [] });

/** /proc/vmstat (mm/vmstat.c): allocstall is one counter up to 4.9 and one a zone since. */
function reclaim(files: MachineFiles): StateFinding[] {
  const [file] = files.each("vmstat");
  if (file === undefined) return [];
  const { counters } = file.reading;
  const all = (pattern: RegExp): number | undefined => {
    const own = counters.filter(([name]) => pattern.test(name));
    return own.length === 0 ? undefined : own.reduce((n, [, value]) => n + value, 0);
  };
  const lines = (pattern: RegExp) => quotesIn(file, (text) => pattern.test(text)).slice(0, 6);
  const out: StateFinding[] = [];
  const part = zoneCountersPart(file.reading, "allocstall");
  const stalls = seenOf(part)?.reduce((n, value) => n + value, 0);
  const pages = all(/^pgalloc_/);
  if (stalls !== undefined)
    out.push(
      found(
        "state.allocstall",
        stalls === 0
          ? every(part, (n) => n === 0) !== undefined
            ? "No task has had to reclaim memory by itself since boot: kswapd was always ahead (allocstall is 0)."
            : `The allocstall counters that are in the text are 0; it does not say whether a task has had to reclaim memory by itself: it lacks ${part.state === "cut" ? part.lacks : "others"}.`
          : `Tasks had to reclaim memory by themselves ${count(stalls, "time")}${pages === undefined || pages === 0 ? "" : `, in ${grouped(pages)} pages handed out`}: in such moments requests that may not wait live on the reserves. ${again}`,
        "harmless",
        lines(/^allocstall/),
      ),
    );
  const [tried, failed] = [all(/^compact_stall /) ?? all(/^compact_stall$/), all(/^compact_fail$/)];
  if (tried !== undefined && failed !== undefined && tried > 0)
    out.push(
      found(
        "state.compaction",
        `Of ${count(tried, "direct compaction")} ${grouped(failed)} made no block that was large enough${failed * 2 > tried ? ": large blocks are hard to make here" : ""}. ${again}`,
        "harmless",
        lines(/^compact_(?:stall|fail) /),
      ),
    );
  const kills = all(/^oom_kill$/);
  if (kills !== undefined && kills > 0)
    out.push(
      found(
        "state.oom_kill",
        `The OOM killer has killed ${count(kills, "process", "processes")} since boot, of the machine's memory or of a container's limit. Its reports are in the kernel's log.`,
        "watch",
        lines(/^oom_kill /),
      ),
    );
  return out;
}

function softnet(files: MachineFiles): StateFinding[] {
  const [file] = files.each("softnet_stat");
  if (file === undefined) return [];
  const dropped = softnetSum(file.reading, "dropped");
  const squeezed = softnetSum(file.reading, "time_squeeze");
  if (dropped === undefined || squeezed === undefined) return [];
  const rows = quotesIn(file, () => true).slice(0, 4);
  if (dropped === 0)
    return [
      found(
        "state.softnet",
        `The CPUs listed have dropped no packet at their backlog since boot${squeezed === 0 ? "" : `; ${count(squeezed, "time")} a poll ended with work left (time_squeeze), which is a matter of CPU time`}.`,
        "harmless",
        rows,
      ),
    ];
  return [
    {
      ...found(
        "state.softnet",
        `${count(dropped, "packet")} dropped because a CPU's backlog queue was full (net.core.netdev_max_backlog): its CPU was late, memory was not short. ${again}`,
        "watch",
        rows,
      ),
      advice: [
        {
          change: { kind: "setting", name: "net.core.netdev_max_backlog", value: "" },
          action: "Spread the load over CPUs (RPS, queues), or allow a longer backlog",
          changes: "packets wait in memory where they are dropped now",
          costs: "memory and delay: each waiting packet holds its buffer",
          command: "sysctl net.core.netdev_max_backlog",
        },
      ],
    },
  ];
}

interface Meaning {
  readonly protocol: string;
  readonly name: string;
  /** With the number in front. */
  readonly says: string;
  readonly severity: StateFinding["severity"];
}

/** Names of net/ipv4/proc.c (snmp4_net_list, snmp4_udp_list, snmp4_ipstats_list). */
const meanings: readonly Meaning[] = [
  {
    protocol: "TcpExt",
    name: "PFMemallocDrop",
    says: "packets dropped because their buffers came from the emergency reserve: memory was below its min mark",
    severity: "watch",
  },
  {
    protocol: "TcpExt",
    name: "TCPMemoryPressures",
    says: "times TCP came under memory pressure (tcp_mem)",
    severity: "watch",
  },
  {
    protocol: "TcpExt",
    name: "TCPAbortOnMemory",
    says: "connections ended for lack of memory (tcp_mem, or too many orphans)",
    severity: "watch",
  },
  {
    protocol: "TcpExt",
    name: "RcvPruned",
    says: "packets dropped from a socket's receive queue that was over its limit",
    severity: "harmless",
  },
  {
    protocol: "TcpExt",
    name: "OfoPruned",
    says: "packets dropped from out-of-order queues to make room",
    severity: "harmless",
  },
  {
    protocol: "TcpExt",
    name: "TCPRcvQDrop",
    says: "packets dropped at a socket whose receive queue was full",
    severity: "harmless",
  },
  {
    protocol: "TcpExt",
    name: "TCPBacklogDrop",
    says: "packets dropped at a socket that its owner held for too long",
    severity: "harmless",
  },
  {
    protocol: "TcpExt",
    name: "PruneCalled",
    says: "times a socket's queue was squeezed to stay within its buffer",
    severity: "harmless",
  },
  {
    protocol: "TcpExt",
    name: "TCPWqueueTooBig",
    says: "times a send queue was too large to split a packet of it",
    severity: "harmless",
  },
  {
    protocol: "Udp",
    name: "MemErrors",
    says: "datagrams dropped because UDP sockets together held all that udp_mem allows",
    severity: "watch",
  },
  {
    protocol: "Udp",
    name: "RcvbufErrors",
    says: "datagrams dropped at a socket whose own buffer was full: its reader was late",
    severity: "harmless",
  },
  {
    protocol: "Udp",
    name: "SndbufErrors",
    says: "datagrams not sent for lack of buffer space or memory",
    severity: "harmless",
  },
  {
    protocol: "Udp6",
    name: "MemErrors",
    says: "IPv6 datagrams dropped because UDP sockets together held all that udp_mem allows",
    severity: "watch",
  },
  {
    protocol: "Ip",
    name: "InDiscards",
    says: "packets discarded by IP although nothing was wrong with them: for lack of memory, among other reasons",
    severity: "harmless",
  },
  {
    protocol: "Ip",
    name: "OutDiscards",
    says: "packets discarded on the way out although nothing was wrong with them",
    severity: "harmless",
  },
  {
    protocol: "Ip",
    name: "ReasmFails",
    says: "failures to reassemble fragments: fragments that did not arrive, or no memory for them (ipfrag_high_thresh)",
    severity: "harmless",
  },
];

function protocols(files: MachineFiles): StateFinding[] {
  const counted: readonly { file: StateFile; key: string; at: string; value: number; meaning: Meaning }[] = [
    ...files
      .each("net/netstat")
      .flatMap((file) =>
        file.reading.protocols.flatMap((p) =>
          p.counters.map(([name, value]) => ({ file, key: `${p.name}${name}`, at: `${p.name}:`, value })),
        ),
      ),
    ...files
      .each("nstat")
      .flatMap((file) => file.reading.counters.map(({ name, value }) => ({ file, key: name, at: `${name} `, value }))),
  ].flatMap((c) => {
    const meaning = meanings.find((m) => `${m.protocol}${m.name}` === c.key);
    return meaning === undefined ? [] : [{ ...c, meaning }];
  });
  if (counted.length === 0) return [];
  const risen = counted.filter((c) => c.value > 0);
  const linesOf = (file: StateFile, at: string) => quotesIn(file, (text) => text.startsWith(at)).slice(0, 2);
  if (risen.length === 0)
    return [
      found(
        "state.protocols",
        `The counters of memory and drops that these files have are 0: ${listing([...new Set(counted.map((c) => c.meaning.name))])}.`,
        "harmless",
        counted.slice(0, 1).flatMap((c) => linesOf(c.file, c.at)),
      ),
    ];
  return risen.map(({ file, meaning, value, at }) =>
    found(
      `state.${meaning.protocol}.${meaning.name}`,
      `${grouped(value)} ${meaning.says} (${meaning.protocol} ${meaning.name}). ${again}`,
      meaning.severity,
      linesOf(file, at),
    ),
  );
}

/** A driver's own counters have names of its own; these words in them mean the same everywhere. */
const refused = (name: string): boolean =>
  /no_?mem|(?:^|_)oom(?:_|$)/i.test(name) || (/alloc|skb|buf|page|refill/i.test(name) && /fail|err/i.test(name));
const unserved = /no_?buf|no_?dma_?res|out_of_buf|missed|fifo|no_desc|nodesc|rx_discards?$|rx_over|ring_full|no_rx/i;

function devices(files: MachineFiles): StateFinding[] {
  return files.each("ethtool -S").flatMap((file): StateFinding[] => {
    const risen = file.reading.counters.filter(([name, value]) => value > 0 && !/^rx_pp_|^(?:\w+\.)?pp_/.test(name));
    const told = (counters: readonly (readonly [string, number])[]): string =>
      listing(counters.slice(0, 6).map(([name, value]) => `${name} ${grouped(value)}`));
    const lines = (counters: readonly (readonly [string, number])[]) =>
      quotesIn(file, (text) => counters.slice(0, 6).some(([name]) => text.trimStart().startsWith(`${name}:`)));
    const failed = risen.filter(([name]) => refused(name) && !/csum|checksum|crc|length|align/i.test(name));
    const missed = risen.filter(([name]) => unserved.test(name) && !failed.some(([n]) => n === name));
    const out: StateFinding[] = [];
    if (failed.length > 0)
      out.push(
        found(
          "state.device.refused",
          `${file.input} says that the driver was refused memory: ${told(failed)}. ${again}`,
          "watch",
          lines(failed),
        ),
      );
    if (missed.length > 0)
      out.push(
        found(
          "state.device.missed",
          `${file.input} says that packets found no buffer or no room: ${told(missed)}. The ring was empty because memory was refused, or because its CPU was late: ${failed.length > 0 ? "the driver's own refusals are in the same file" : "the counters named here do not say which"}. ${again}`,
          "watch",
          lines(missed),
        ),
      );
    if (out.length === 0)
      out.push(
        found(
          "state.device",
          `None of the ${count(file.reading.counters.length, "counter")} in ${file.input} whose name tells of refused memory or missing buffers has risen. Names differ from driver to driver: one that says it in other words was not recognized.`,
          "harmless",
          quotesIn(file, () => true).slice(0, 1),
        ),
      );
    return out;
  });
}

/** /proc/net/dev: `drop` and `fifo` of each interface, whose reasons are the driver's own. */
function interfaces(files: MachineFiles): StateFinding[] {
  return files.each("net/dev").flatMap((file): StateFinding[] => {
    const risen = file.reading.devices.flatMap((d) => {
      const of = (names: readonly string[], values: readonly number[], side: string): string[] =>
        names.flatMap((name, i) =>
          (name === "drop" || name === "fifo") && (values[i] ?? 0) > 0
            ? [`${side} ${name} ${grouped(values[i] ?? 0)}`]
            : [],
        );
      const told = [...of(file.reading.receive, d.receive, "rx"), ...of(file.reading.transmit, d.transmit, "tx")];
      return told.length === 0 ? [] : [{ name: d.name, told }];
    });
    if (risen.length === 0) return [];
    return [
      found(
        "state.interfaces",
        `Interfaces have dropped packets: ${listing(risen.slice(0, 6).map((r) => `${r.name} (${r.told.join(", ")})`))}. /proc/net/dev does not say why (drop also counts packets of protocols that nobody here listens to); ethtool -S of the interface may. ${again}`,
        "harmless",
        quotesIn(file, (text) => risen.slice(0, 6).some((r) => text.trimStart().startsWith(`${r.name}:`))),
      ),
    ];
  });
}
