// Room and marks: how many requests of each order the model's watermark test grants on the zones of /proc/zoneinfo, buddyinfo and pagetypeinfo.
import { grouped } from "../../base/grouped.ts";
import type { BuddyInfo, BuddyInfoZone } from "../../kernel/readings/buddyinfo.ts";
import { ordersPart } from "../../kernel/readings/buddyinfo.ts";
import { rowsPart } from "../../kernel/readings/pagetypeinfo.ts";
import { nothingMissing } from "../../kernel/readings/part.ts";
import { zoneLinesPart, zoneValue } from "../../kernel/readings/zoneinfo.ts";
import type { Release } from "../../kernel/release.ts";
import { formatRelease } from "../../kernel/release.ts";
import type { Quote, StateFinding, StateRoom } from "../finding.ts";
import { zoneTypesOf } from "../rebuild.ts";
import type { LiveZone, Room } from "../room.ts";
import { liveZones, roomContexts, roomOf } from "../room.ts";
import { count, listing } from "../words.ts";
import type { MachineFiles } from "./files.ts";
import { quotesIn } from "./files.ts";

/** Packet memory asks for no more: PAGE_ALLOC_COSTLY_ORDER, and what page_frag and most jumbo buffers take. */
const packetOrders = 4;

export interface RoomNow {
  readonly room: readonly StateRoom[];
  readonly findings: readonly StateFinding[];
  readonly computedFor: string | null;
}

/** One release for each test that fits what the files print: without a stated release all of them are asked. */
function candidates(files: MachineFiles): readonly Release[] {
  const nodeStats = files.one("zoneinfo")?.zones.some((z) => z.fields.some((x) => x.group === "node stat")) === true;
  const types = new Set(files.one("pagetypeinfo")?.free.map((r) => r.type));
  const perZoneStalls = files.one("vmstat")?.counters.some(([n]) => /^allocstall_/.test(n)) === true;
  const since44 = nodeStats || perZoneStalls || types.has("HighAtomic");
  const before44 = types.has("Reserve");
  const versions = [
    // Files of two times say neither.
    ...(since44 && !before44 ? [] : [[2, 6, 32]]),
    ...(before44 && !since44
      ? []
      : [
          [4, 19],
          [6, 12],
        ]),
  ];
  return versions.map((version) => ({ version, arch: "x86_64" }));
}

export function roomNow(files: MachineFiles, stated: Release | undefined): RoomNow {
  const zoneinfo = files.one("zoneinfo");
  const types = freeOfTypes(files);
  const short = files.has("buddyinfo") ? undefined : types?.short;
  // Where the kernel stopped counting or rows are lost, the lists hold more than they say: no room can be computed of that.
  const buddyinfo = files.one("buddyinfo") ?? (short !== undefined ? undefined : types?.free);
  if (zoneinfo === undefined) {
    const free = files.one("buddyinfo") ?? types?.free;
    return free === undefined ? nothing : blocksOnly(files, free, short);
  }
  // Where lines were cut at a column the last digits of any number may be missing.
  if (zoneinfo.zones.some((z) => nothingMissing(zoneLinesPart(z)) === undefined))
    return { ...nothing, findings: [cutZones(files, [])] };
  // Of a line that is cut no room can be computed: blocks of the orders behind serve smaller requests too.
  const freeOf = (z: BuddyInfoZone): number | undefined => {
    const own = zoneinfo.zones.find((x) => x.node === z.node && x.zone === z.zone);
    return own === undefined ? undefined : (zoneValue(own, "nr_free_pages") ?? zoneValue(own, "free"));
  };
  const lists: BuddyInfo | undefined = buddyinfo && {
    ...buddyinfo,
    zones: buddyinfo.zones.filter((z) => nothingMissing(ordersPart(z, freeOf(z))) !== undefined),
  };
  // Zones without memory stay in what is asked: lowmem_reserve is an index over all of them.
  const asked = liveZones(zoneinfo, lists, files.one("pagetypeinfo")).map(withoutLists);
  const zones = asked.filter((z) => z.managed > 0);
  // A zone without its marks was cut; without any zone there is nothing to be asked.
  if (zones.length === 0 || asked.length < zoneinfo.zones.length)
    return { ...nothing, findings: [cutZones(files, zones), ...markFindings(files, zones)] };
  const releases = stated === undefined ? candidates(files) : [stated];
  const orders = Math.max(1, ...zones.map((z) => z.state.orders?.length ?? 0));
  const answers = releases.map((r) => roomOf(r, asked, orders));
  const room = zones.flatMap((z) =>
    roomContexts.flatMap((context): StateRoom[] => {
      const of = answers.map((rooms) =>
        rooms.filter((r) => r.node === z.node && r.zone === z.name && r.context === context),
      );
      const [first = []] = of;
      if (first.length === 0) return [];
      const known = z.state.orders?.length ?? 1;
      return [
        {
          node: z.node,
          zone: z.name,
          context,
          orders: first.slice(0, known).map((_, order) => rangeOf(of.map((rooms) => rooms[order]))),
          kept: of.every((rooms) => rooms[0]?.kept === true),
        },
      ];
    }),
  );
  return {
    room,
    findings: [
      ...(zonesAreMissing(asked) ? [cutZones(files, zones)] : orderFindings(files, room)),
      ...markFindings(files, zones),
    ],
    computedFor:
      stated === undefined
        ? `the rules of ${listing(releases.map((r) => formatRelease(r).split(" ")[0] ?? ""))}: the files do not state their release`
        : formatRelease(stated),
  };
}

/**
 * Whether zones with memory are not in the text: lowmem_reserve of a node's lowest zone rises at each zone above it that has memory
 * (setup_per_zone_lowmem_reserve(), mm/page_alloc.c).
 */
function zonesAreMissing(zones: readonly LiveZone[]): boolean {
  return [...new Set(zones.map((z) => z.node))].some((node) => {
    const own = zones.filter((z) => z.node === node);
    const names = zoneTypesOf(
      { zones: own.map((z) => ({ name: z.name, lowmemReserve: z.state.lowmemReserve })) },
      "x86_64",
    );
    const reserve = own.find((z) => z.managed > 0)?.state.lowmemReserve ?? [];
    return reserve.some(
      (pages, i) => i > 0 && pages > (reserve[i - 1] ?? 0) && !own.some((z) => z.name === names[i] && z.managed > 0),
    );
  });
}

const cutZones = (files: MachineFiles, zones: readonly LiveZone[]): StateFinding => ({
  id: "state.room",
  claim:
    "The text does not say how much room there is: in its /proc/zoneinfo, zones that have memory or their marks are missing. Take it as a whole.",
  severity: "harmless",
  evidence:
    zones.length > 0
      ? zones.slice(0, 2).flatMap((z) => zoneLines(files, z.node, z.name))
      : files.quote("zoneinfo", ", zone ", 2),
  advice: [],
});

const nothing: RoomNow = { room: [], findings: [], computedFor: null };

/** Without free lists the test of a single page can still be asked: it compares counters only. */
const withoutLists = (z: LiveZone): LiveZone =>
  z.state.orders !== undefined
    ? z
    : {
        ...z,
        lists: undefined,
        state: { ...z.state, orders: [{ blocks: z.state.free - z.state.freeCma, letters: "U" }] },
      };

function rangeOf(rooms: readonly (Room | undefined)[]): StateRoom["orders"][number] {
  const numbers = rooms.map((r) => r?.requests);
  const known = numbers.filter((n) => n !== undefined);
  return known.length < numbers.length
    ? { least: null, most: null }
    : { least: Math.min(...known), most: Math.max(...known) };
}

/** pagetypeinfo has the same blocks, by type. `short`: why there are more than it says: the kernel stopped counting (>100000, since 5.5), or rows are lost. */
function freeOfTypes(
  files: MachineFiles,
): { readonly free: BuddyInfo; readonly short: string | undefined } | undefined {
  const types = files.one("pagetypeinfo");
  if (types === undefined || types.free.length === 0) return undefined;
  const rows = rowsPart(types);
  const zones = new Map<string, { node: number; zone: string; free: number[] }>();
  for (const r of types.free) {
    const own = zones.get(`${r.node} ${r.zone}`) ?? { node: r.node, zone: r.zone, free: r.free.map(() => 0) };
    r.free.forEach((f, order) => {
      own.free[order] = (own.free[order] ?? 0) + f.blocks;
    });
    zones.set(`${r.node} ${r.zone}`, own);
  }
  return {
    free: { kind: "buddyinfo", zones: [...zones.values()] },
    short: types.free.some((r) => r.free.some((f) => f.more))
      ? "the kernel stopped counting"
      : rows.state === "cut"
        ? `the text lacks ${rows.lacks}`
        : undefined,
  };
}

const freeLines = (files: MachineFiles): readonly Quote[] => [
  ...files.each("buddyinfo").flatMap((f) => quotesIn(f, () => true)),
  ...(files.has("buddyinfo") ? [] : files.each("pagetypeinfo").flatMap((f) => quotesIn(f, (t) => / type /.test(t)))),
];

const zoneLines = (files: MachineFiles, node: number, zone: string): readonly Quote[] =>
  files.each("zoneinfo").flatMap((f) => {
    const at = f.lines.findIndex((l) => {
      const head = /^Node (\d+), zone +(\S+)\s*$/.exec(l.text);
      return Number(head?.[1]) === node && head?.[2] === zone;
    });
    return f.lines
      .slice(at, at + 80)
      .filter((l, i) => i === 0 || /^\s+(?:pages free|min|low|high) +\d+$/.test(l.text))
      .slice(0, 5)
      .map((l) => ({ input: f.input, line: l.line, text: l.text }));
  });

/** What an atomic request gets of each order, over all zones: one that may use them all falls back from zone to zone. */
function orderFindings(files: MachineFiles, room: readonly StateRoom[]): StateFinding[] {
  const atomic = room.filter((r) => r.context === "atomic");
  const orders = Math.min(packetOrders, Math.max(0, ...atomic.map((r) => r.orders.length)));
  const sums = Array.from({ length: orders }, (_, order) => {
    const of = atomic.map((r) => r.orders[order] ?? { least: null, most: null });
    return of.some((o) => o.least === null)
      ? undefined
      : { least: sum(of.flatMap((o) => o.least ?? [])), most: sum(of.flatMap((o) => o.most ?? [])) };
  });
  const words = sums.map((s, order) => `order ${order}: ${s === undefined ? "not said" : rangeWords(s.least, s.most)}`);
  const gone = sums.findIndex((s) => s?.most === 0);
  const evidence = [
    ...freeLines(files).slice(0, 6),
    ...atomic
      .filter((r) => !r.kept)
      .flatMap((r) => zoneLines(files, r.node, r.zone))
      .slice(0, 10),
  ];
  if (words.length === 0 || sums.every((s) => s === undefined)) return [];
  const told = `Atomic requests, as a driver's refill makes them, that would be granted one after the other, over all zones: ${words.join(", ")}.`;
  const pcp = "Pages on the lists of each CPU are not in these numbers.";
  if (gone < 0) return [{ id: "state.room", claim: `${told} ${pcp}`, severity: "harmless", evidence, advice: [] }];
  return [
    {
      id: "state.room",
      claim: `No atomic request of order ${gone}${gone + 1 < orders ? " or more" : ""} would be granted in the zones that were read. ${told} ${pcp}`,
      severity: gone === 0 ? "act" : "watch",
      evidence,
      advice:
        gone === 0
          ? []
          : [
              {
                change: { kind: "compact_memory" },
                action: "Compact memory",
                changes: "makes large blocks of scattered free pages, for a while",
                costs: "CPU time once, and pauses for tasks whose pages move",
                command: "echo 1 > /proc/sys/vm/compact_memory",
              },
            ],
    },
  ];
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
const rangeWords = (least: number, most: number): string =>
  least === most ? grouped(least) : `${grouped(least)} to ${grouped(most)}`;

/** How far each zone stands from its marks. */
function markFindings(files: MachineFiles, zones: readonly LiveZone[]): StateFinding[] {
  return zones.map((z) => {
    const { free, min, low, high } = z.state;
    const name = `Zone ${z.name} of node ${z.node}`;
    const evidence = zoneLines(files, z.node, z.name);
    const marks = `${count(free, "page")} free; min ${grouped(min)}, low ${grouped(low)}, high ${grouped(high)}`;
    const at = (claim: string, severity: StateFinding["severity"]): StateFinding => ({
      id: "state.marks",
      claim,
      severity,
      evidence,
      advice: [],
    });
    if (free < min)
      return at(
        `${name} is ${count(min - free, "page")} below its min mark (${marks}): what may not use the reserves has to reclaim first.`,
        "watch",
      );
    if (free < low)
      return at(
        `${name} is ${count(low - free, "page")} below its low mark (${marks}): kswapd is at work there.`,
        "harmless",
      );
    return at(`${name} is ${count(free - low, "page")} above its low mark (${marks}).`, "harmless");
  });
}

/** Free blocks without marks: what the lists hold is the most that could be granted. */
function blocksOnly(files: MachineFiles, { zones }: BuddyInfo, short: string | undefined): RoomNow {
  const supply = (order: number): number =>
    sum(zones.map((z) => sum(z.free.map((blocks, o) => (o < order ? 0 : blocks * 2 ** (o - order))))));
  const orders = Math.min(packetOrders, Math.max(0, ...zones.map((z) => z.free.length)));
  if (orders === 0) return nothing;
  const most = Array.from({ length: orders }, (_, o) => supply(o));
  const cut = zones.map((z) => ordersPart(z, undefined)).find((part) => part.state === "cut");
  const lacks = short ?? (cut === undefined ? undefined : `the text lacks ${cut.lacks}`);
  const gone = lacks === undefined ? most.indexOf(0) : -1;
  const bound = lacks === undefined ? "at most this much" : `at least this much, for ${lacks}`;
  const told = `The free lists hold ${bound}: ${most.map((n, o) => `order ${o}: ${grouped(n)}`).join(", ")} blocks, larger ones split. The marks, which refuse before the lists are empty, are in /proc/zoneinfo.`;
  return {
    ...nothing,
    findings: [
      {
        id: "state.blocks",
        claim:
          gone < 0
            ? told
            : `In the zones that were read there is no free block of order ${gone}${gone + 1 < orders ? " or more" : ""}: such a request gets one only from the lists of a CPU, or after reclaim and compaction. ${told}`,
        severity: gone < 0 ? "harmless" : gone === 0 ? "act" : "watch",
        evidence: freeLines(files).slice(0, 8),
        advice: [],
      },
    ],
  };
}
