// A verdict from /proc alone: what the files of a machine say about its memory for packets when no report of trouble is there, how sure that is,
// and which questions they leave open. Every file that was recognised is answered, or named as not looked at.
import type { ProcKind } from "../../kernel/readings/proc.ts";
import type { Release } from "../../kernel/release.ts";
import { parseRelease } from "../../kernel/release.ts";
import type { MachineState, StateFinding } from "../finding.ts";
import { listing } from "../words.ts";
import { countedFindings } from "./counted.ts";
import type { MachineFiles, StateFile } from "./files.ts";
import { isNotLookedAt, machinesOf, quotesIn } from "./files.ts";
import { memoryFindings } from "./memory_now.ts";
import { poolFindings } from "./pools_now.ts";
import { pressureFindings } from "./pressure_now.ts";
import { roomNow } from "./room_now.ts";

const bySeverity: readonly StateFinding["severity"][] = ["act", "watch", "harmless"];

/** What each file would have answered, most wanted first. */
const answers: readonly (readonly [kinds: readonly ProcKind[], file: string, question: string])[] = [
  [["zoneinfo"], "/proc/zoneinfo", "how far memory stands from its marks"],
  [["buddyinfo", "pagetypeinfo"], "/proc/buddyinfo", "how many blocks of each order are free"],
  [["vmstat"], "/proc/vmstat", "whether tasks had to reclaim, and whether compaction fails"],
  [["meminfo"], "/proc/meminfo", "how much of all memory is held by what"],
  [["slabinfo"], "/proc/slabinfo (as root)", "which caches hold packets"],
  [["ethtool -S"], "ethtool -S of each interface", "what its driver was refused and dropped"],
  [
    ["net/netstat", "nstat"],
    "/proc/net/netstat and snmp (or nstat -az)",
    "what TCP and UDP dropped for lack of memory",
  ],
];

/**
 * The states of every machine whose files are there. `releases`: what the inputs state, as printed. `beside`: reports stand beside them, which
 * are of moments of their own.
 */
export function statesOf(files: readonly StateFile[], releases: readonly string[], beside = false): MachineState[] {
  const machines = machinesOf(files);
  const [release = ""] = releases;
  const stated =
    machines.length === 1 && new Set(releases).size === 1 && /^\d+\.\d+/.test(release)
      ? parseRelease(release)
      : undefined;
  return machines.map((m) => {
    const state = stateOf(m, stated);
    return beside && m.tells ? { ...state, summary: `${state.summary} ${ownMoment}` } : state;
  });
}

const ownMoment =
  "They show the moment at which they were read: what memory was like when a report was printed stands in the report alone.";

/** Settings that bear on packet memory, by themselves no trouble. */
const bearing =
  /^(?:vm\.(?:min_free_kbytes|watermark_\w+|lowmem_reserve_ratio|compaction_proactiveness|zone_reclaim_mode)|net\.core\.(?:[rw]mem_\w+|netdev_max_backlog|netdev_budget\w*|optmem_max)|net\.ipv4\.(?:tcp_mem|udp_mem|tcp_[rw]mem|tcp_max_orphans|ipfrag_high_thresh)|net\.netfilter\.nf_conntrack_max)$/;

function settingFindings(files: MachineFiles): StateFinding[] {
  const told = files
    .each("sysctl")
    .flatMap((f) => f.reading.settings.filter((s) => bearing.test(s.key)).map((s) => ({ f, s })))
    .slice(0, 12);
  if (told.length === 0) return [];
  return [
    {
      id: "state.settings",
      claim: `Settings that bear on it: ${listing(told.map(({ s }) => `${s.key} = ${s.value.trim().replace(/\s+/g, " ")}`))}. Whether they suit depends on the memory and the load of the machine.`,
      severity: "harmless",
      evidence: told.flatMap(({ f, s }) => quotesIn(f, (text) => text.startsWith(s.key)).slice(0, 1)),
      advice: [],
    },
  ];
}

function stateOf(files: MachineFiles, stated: Release | undefined): MachineState {
  const { room, findings: ofRoom, computedFor } = roomNow(files, stated);
  const findings = [
    ...ofRoom,
    ...memoryFindings(files),
    ...poolFindings(files),
    ...pressureFindings(files),
    ...settingFindings(files),
    ...countedFindings(files),
  ].sort((a, b) => bySeverity.indexOf(a.severity) - bySeverity.indexOf(b.severity));
  const [worst] = findings;
  const severity = worst?.severity ?? "harmless";
  const unsaid = room.some((r) => r.orders.some((o) => o.least === null));
  const open = [
    ...answers.flatMap(([kinds, file, question]) => (kinds.some((k) => files.has(k)) ? [] : [`${question}: ${file}`])),
    ...(unsaid ? ["which lists hold the free blocks, on which room of high orders depends: /proc/pagetypeinfo"] : []),
  ];
  const notRead = [...new Set(files.all.map((f) => f.reading.kind))].filter(isNotLookedAt);
  return {
    host: files.all[0]?.host ?? null,
    inputs: [...new Set(files.all.map((f) => f.input))],
    summary:
      worst === undefined || !files.tells
        ? "These files were read, but hold nothing from which a shortage could be told: they count beside a report, or beside the files named below."
        : severity === "harmless"
          ? `These files show no shortage of memory at the moment they were read.${open.length > 0 ? " What they leave open is listed below." : ""}`
          : worst.claim,
    severity,
    findings,
    room,
    computedFor,
    open: [...open, ...(notRead.length === 0 ? [] : [`not looked at here: ${listing(notRead)}`])],
  };
}
