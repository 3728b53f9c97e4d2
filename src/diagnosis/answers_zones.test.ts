// The answer to zones whose free pages, marks and lists stand on either side of what a request needs, to zones of which a part is lost, and to files
// of several machines and moments.
import { keptAnswers, type Texts } from "./answers_kept.testkit.ts";
import { pagetypeinfo as types } from "./state/zone_files.testkit.ts";

interface Zone {
  readonly node?: number;
  readonly name?: string;
  readonly free: number;
  readonly marks?: readonly [min: number, low: number, high: number];
  readonly managed?: number;
  readonly cma?: number;
  /** lowmem_reserve of each zone above it. */
  readonly reserve?: readonly number[];
}
/** As 6.1 prints a zone (mm/vmstat.c, zoneinfo_show_print()). */
const zoneinfo = (zones: readonly Zone[], nodeStats = true): string =>
  `${zones.map((z, i) => zoneText(z, nodeStats && zones.findIndex((x) => (x.node ?? 0) === (z.node ?? 0)) === i)).join("")}`;
function zoneText(z: Zone, nodeStats: boolean): string {
  const {
    node = 0,
    name = "Normal",
    free,
    marks = [100, 125, 150],
    managed = 90_000,
    cma = 0,
    reserve = [0, 0, 0],
  } = z;
  return [
    `Node ${node}, zone ${name.padStart(8)}`,
    ...(nodeStats ? ["  per-node stats", "      nr_inactive_anon 5"] : []),
    `  pages free     ${free}`,
    "        boost    0",
    `        min      ${marks[0]}`,
    `        low      ${marks[1]}`,
    `        high     ${marks[2]}`,
    "        spanned  100000",
    `        present  ${managed}`,
    `        managed  ${managed}`,
    `        cma      ${cma}`,
    `        protection: (${reserve.join(", ")})`,
    ...(managed === 0 ? [] : [`      nr_free_pages ${free}`, `      nr_free_cma  ${cma}`]),
    "  start_pfn:           4096",
    "",
  ].join("\n");
}
const lists = (rows: readonly (readonly number[])[], names: readonly string[] = ["Normal"], orders = 11): string =>
  rows
    .map(
      (blocks, i) =>
        `Node 0, zone ${(names[i] ?? "Normal").padStart(8)} ${Array.from({ length: orders }, (_, o) => String(blocks[o] ?? 0).padStart(6)).join(" ")} \n`,
    )
    .join("");
const pagesIn = (blocks: readonly number[]): number => blocks.reduce((n, b, o) => n + b * 2 ** o, 0);
const both = (blocks: readonly number[], more: Partial<Zone> = {}): Texts[string] => ({
  "proc/zoneinfo": zoneinfo([{ free: pagesIn(blocks), ...more }]),
  "proc/buddyinfo": lists([blocks]),
});
const uname = (release: string): Texts[string] => ({
  "uname.txt": `Linux host ${release} #1 SMP PREEMPT_DYNAMIC Debian x86_64 GNU/Linux\n`,
});

const marks: Texts = Object.fromEntries(
  [0, 99, 100, 124, 125, 126, 1150].map((free) => [`marks ${free}`, { "proc/zoneinfo": zoneinfo([{ free }]) }]),
);
const rooms: Texts = {
  ...Object.fromEntries(
    (
      [
        [38],
        [39],
        [60, 0, 0, 1],
        [4000],
        [4000, 1],
        [4000, 1, 1],
        [4000, 0, 1],
        [4000, 0, 0, 1],
        [0, 0, 0, 0, 300],
        [99_999],
      ] as const
    ).map((blocks) => [`room ${blocks.join(" ")}`, both(blocks)]),
  ),
  ...Object.fromEntries(
    ["2.6.24", "3.13.0", "4.4.0", "4.19.0", "6.1.0", "6.12.0", "7.2.0"].map((release) => [
      `room of ${release}`,
      { ...both([100, 40, 0, 3]), ...uname(release) },
    ]),
  ),
  "room beside a release that is none": { ...both([100, 40, 0, 3]), ...uname("x6.1") },
  "room with CMA": both([4000, 10, 10, 10], { cma: 3900 }),
  "room without node stats": {
    "proc/zoneinfo": zoneinfo([{ free: 500 }], false),
    "proc/buddyinfo": lists([[100, 40, 20, 30]]),
  },
  "room without node stats, stalls by zone": {
    "proc/zoneinfo": zoneinfo([{ free: 500 }], false),
    "proc/buddyinfo": lists([[100, 40, 20, 30]]),
    "proc/vmstat": "nr_free_pages 5000\nallocstall_normal 3\npgfree 9\npgactivate 1\n",
  },
  "room of types": {
    "proc/zoneinfo": zoneinfo([{ free: 500 }], false),
    "proc/pagetypeinfo": types([
      ["Unmovable", 100, 40],
      ["Movable", 0, 40, 30, 15],
      ["HighAtomic", 0],
    ]),
  },
  "room of types, reserve": {
    "proc/zoneinfo": zoneinfo([{ free: 500 }], false),
    "proc/pagetypeinfo": types([
      ["Unmovable", 100, 40],
      ["Movable", 0, 40, 20, 10],
      ["Reserve", 0, 0, 20, 10],
    ]),
  },
  "room of types, more": {
    "proc/zoneinfo": zoneinfo([{ free: 500 }]),
    "proc/pagetypeinfo": types([
      ["Unmovable", ">100000", 40],
      ["Movable", 0, 40, 20, 10],
      ["HighAtomic", 0],
    ]),
  },
  "room of types, rows lost": {
    "proc/zoneinfo": zoneinfo([{ free: 500 }]),
    "proc/pagetypeinfo": types([["Unmovable", 100, 40]], ["Unmovable", "Movable"]),
  },
  "room, a line cut": {
    "proc/zoneinfo": zoneinfo([{ free: 500 }]),
    "proc/buddyinfo": lists([[100, 40, 20, 30]], ["Normal"], 3),
  },
  "room, orders of both": {
    "proc/zoneinfo": zoneinfo([{ name: "DMA", free: 300, managed: 3900, reserve: [0, 50, 50] }, { free: 500 }]),
    "proc/buddyinfo": lists([[300], [100, 40, 20, 30]], ["DMA", "Normal"]),
  },
  "room, the lower zone kept": {
    "proc/zoneinfo": zoneinfo([{ name: "DMA", free: 300, managed: 3900, reserve: [0, 5000, 5000] }, { free: 90 }]),
    "proc/buddyinfo": lists([[0, 0, 75], [90]], ["DMA", "Normal"]),
  },
  "room, a zone without memory": {
    "proc/zoneinfo": zoneinfo([{ free: 500 }, { name: "Movable", free: 0, marks: [0, 0, 0], managed: 0 }]),
    "proc/buddyinfo": lists([[100, 40, 20, 30]]),
  },
  "room, zones missing": {
    "proc/zoneinfo": zoneinfo([{ name: "DMA", free: 300, managed: 3900, reserve: [0, 50, 500, 500] }]),
    "proc/buddyinfo": lists([[300]], ["DMA"]),
  },
  "room, no zone with memory": {
    "proc/zoneinfo": zoneinfo([{ name: "Movable", free: 0, marks: [0, 0, 0], managed: 0 }]),
  },
  "room, marks cut": { "proc/zoneinfo": zoneinfo([{ free: 500 }]).replace(/.*(?:min|low|high) .*\n/g, "") },
  "room, marks of one cut": {
    "proc/zoneinfo":
      zoneinfo([{ free: 500 }]) +
      zoneinfo([{ name: "Movable", free: 70, managed: 200 }]).replace(/.*(?:min|low|high) .*\n/g, ""),
  },
  "room, the last zone cut": {
    "proc/zoneinfo": zoneinfo([{ free: 500 }, { node: 1, free: 5000 }]).replace(
      / {6}nr_free_cma +0\n {2}start_pfn: +4096\n$/,
      "",
    ),
    "proc/buddyinfo": lists([[100, 40, 20, 30]]),
  },
  "room of nodes": {
    "proc/zoneinfo": zoneinfo([{ free: 90 }, { node: 1, free: 5000 }]),
    "proc/buddyinfo": lists([[90]]) + lists([[5000]]).replace("Node 0", "Node 1"),
  },
};
const blocks: Texts = Object.fromEntries(
  ([[0], [5], [5, 1], [5, 0, 0, 1], [0, 0, 0, 0, 1], [5, 1, 1, 1, 1]] as const).map((row) => [
    `blocks ${row.join(" ")}`,
    { "proc/buddyinfo": lists([row]) },
  ]),
);
const more: Texts = {
  ...blocks,
  "blocks of two zones": { "proc/buddyinfo": lists([[5, 0, 1], [7]], ["DMA", "Normal"]) },
  "blocks, a line cut": { "proc/buddyinfo": lists([[5, 0, 1]], ["Normal"], 3) },
  "blocks of types": {
    "proc/pagetypeinfo": types([
      ["Unmovable", 5, 1],
      ["Movable", 0, 1],
      ["HighAtomic", 0],
    ]),
  },
  "blocks of types, more": {
    "proc/pagetypeinfo": types([
      ["Unmovable", ">100000", 1],
      ["Movable", 0, 1],
    ]),
  },
  "room of two zones": {
    "proc/zoneinfo": zoneinfo([
      { name: "DMA32", free: pagesIn([400, 30]), managed: 40_000, reserve: [0, 0, 90] },
      { free: pagesIn([4000, 10, 5, 9]) },
    ]),
    "proc/buddyinfo": lists(
      [
        [400, 30],
        [4000, 10, 5, 9],
      ],
      ["DMA32", "Normal"],
    ),
  },
  "types of two times": {
    ...both([40]),
    "proc/pagetypeinfo": types([
      ["Reserve", 20],
      ["HighAtomic", 20],
    ]),
  },
  "blocks of types, rows lost": { "proc/pagetypeinfo": types([["Unmovable", 5]], ["Unmovable", "Movable"]) },
  "blocks of types beside buddyinfo": {
    "proc/buddyinfo": lists([[5, 2]]),
    "proc/pagetypeinfo": types([["Unmovable", 5]], ["Unmovable", "Movable"]),
  },
};

const one = zoneinfo([{ free: 99 }]);
const other = zoneinfo([{ free: 5000 }]);
const netstat = (n: number): string =>
  `TcpExt: SyncookiesSent PruneCalled\nTcpExt: 0 ${n}\nIpExt: InOctets\nIpExt: 5\n`;
const snmp = (n: number): string => `Udp: InDatagrams MemErrors\nUdp: 5 ${n}\n`;
const sockstat = (n: number): string =>
  `sockets: used 5\nTCP: inuse 1 orphan 0 tw 7 alloc 2 mem ${n}\nUDP: inuse 1 mem 4\n`;
const machines: Texts = {
  "one of each": { zoneinfo: one, buddyinfo: lists([[99]]), netstat: netstat(1), snmp: snmp(1), sockstat: sockstat(5) },
  folders: { "a/zoneinfo": one, "a/buddyinfo": lists([[99]]), "b/zoneinfo": other, "b/buddyinfo": lists([[5000]]) },
  archives: { "a.tgz:proc/zoneinfo": one, "a.tgz:proc/buddyinfo": lists([[99]]), "b.tgz:proc/zoneinfo": other },
  "twice in a folder": { "a/zoneinfo": one, "a/buddyinfo": lists([[99]]), "a/zoneinfo.2": other },
  "netstat twice": { netstat: netstat(1), snmp: snmp(1), "netstat.2": netstat(9) },
  "sockstat twice": { sockstat: sockstat(1), "sockstat.2": sockstat(9), zoneinfo: one },
  "two samples": { "out/proc/zoneinfo": one, "out/sample2/proc/zoneinfo": other, "out/proc/buddyinfo": lists([[99]]) },
  "one text, three moments": { "watch.txt": `${one}\n-- later --\n${other}\n-- later --\n${zoneinfo([{ free: 77 }])}` },
  "settings of nobody": { "sysctl.txt": "vm.swappiness = 60\n" },
  "not looked at": {
    "extfrag/extfrag_index":
      "Node 0, zone   Normal -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 \n",
  },
};

keptAnswers({ "zones now": { ...marks, ...rooms, ...more }, "machines now": machines });
