// Memory that files beside a report print is what its machine starts from: free lists by type, marks, pageblocks, and pages in use page for page.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { explain } from "../diagnosis/explain.ts";
import type { DiagnosedIncident } from "../diagnosis/finding.ts";
import type { Built } from "./machine.ts";
import { buildMachine } from "./machine.ts";
import { prove } from "./prove.ts";

const root = new URL("../../", import.meta.url);
const textOf = (name: string): string => readFileSync(new URL(name, root), "utf8");
const log = textOf("fixtures/diagnosis/order3_worker_6.1.txt");
const proc = (...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((n) => [n, textOf(`fixtures/proc/${n}-6.1`)]));
const dump = gunzipSync(readFileSync(new URL("fixtures/page_owner/6.1-loaded.txt.gz", root)));

async function incidentOf(inputs: Parameters<typeof explain>[0]): Promise<DiagnosedIncident> {
  const [incident] = (await explain(inputs)).incidents;
  if (incident === undefined) throw new Error("no incident");
  return incident;
}
function builtOf(incident: DiagnosedIncident): Built {
  const built = buildMachine(incident, incident.order ?? 0, true);
  if (typeof built === "string") throw new Error(built);
  return built;
}
const zonesOf = (built: Built) => built.stateUnder({}, 0).zones;
const said = ({ assumptions }: Built, what: string) => assumptions.find((a) => a.what === what);

describe("a report without its zones, beside /proc", () => {
  const headOnly = log.slice(0, log.indexOf("[    5.922812] Mem-Info:"));

  test("starts from zoneinfo's marks and pagetypeinfo's lists, and says that they are of another moment", async () => {
    const built = builtOf(await incidentOf({ log: headOnly, ...proc("zoneinfo", "pagetypeinfo", "buddyinfo") }));
    expect([built.printed, built.atFailure]).toEqual([true, false]);
    const [dma, dma32] = zonesOf(built);
    expect(dma?.marks).toMatchObject({ min: 46, low: 57, high: 68, reserve: [0, 95, 95, 95] });
    const movable = [182, 318, 177, 90, 59, 6, 0, 1, 0, 1, 0];
    expect(dma32?.free.filter((b) => b.types === "M")).toEqual(
      movable.flatMap((count, order) => (count === 0 ? [] : [{ order, count, types: "M" }])),
    );
    expect(dma32?.ground).toEqual([
      { types: "U", count: 12 },
      { types: "M", count: 39 },
      { types: "E", count: 5 },
    ]);
    expect(said(built, "memory's state")?.because).toMatch(
      /the report prints no zones: \/proc\/zoneinfo and \/proc\/pagetypeinfo, of another moment/,
    );
    expect(said(built, "vm.min_free_kbytes")).toMatchObject({ value: String((46 + 281) * 4), from: "report" });
  });

  test("with buddyinfo alone the lists have no types; without zoneinfo a load fills the machine", async () => {
    const [, dma32] = zonesOf(builtOf(await incidentOf({ log: headOnly, ...proc("zoneinfo", "buddyinfo") })));
    expect(dma32?.free[0]).toEqual({ order: 0, count: 200, types: "" });
    expect(builtOf(await incidentOf({ log: headOnly, ...proc("pagetypeinfo") })).printed).toBe(false);
  });

  test("its proof says so", async () => {
    const proof = prove(await incidentOf({ log: headOnly, ...proc("zoneinfo", "pagetypeinfo") }), () => {}, 2);
    expect(proof.refused).toBeNull();
    expect(proof.standsFor).toMatch(/those of the files beside it, of another moment/);
  });
});

describe("a report with its zones", () => {
  test("keeps its own lists beside files of another moment, and takes the types of pageblocks from them", async () => {
    const alone = builtOf(await incidentOf({ log }));
    const beside = builtOf(await incidentOf({ log, ...proc("zoneinfo", "pagetypeinfo", "buddyinfo") }));
    expect(zonesOf(beside).map(({ ground: _, ...z }) => z)).toEqual(zonesOf(alone));
    expect(zonesOf(beside).map((z) => z.ground?.length)).toEqual([2, 3]);
    expect(said(beside, "types of pageblocks")).toMatchObject({ value: "shared as printed", from: "report" });
  });

  test("lies in memory as page_owner lists it, page for page", async () => {
    const built = builtOf(await incidentOf({ log, page_owner: [dump] }));
    const letters = zonesOf(built).flatMap((z) =>
      [...(z.held?.runs ?? "").matchAll(/(\d+)([A-Z.])/g)].map(([, n, letter]) => [letter, Number(n)] as const),
    );
    const pages = (letter: string): number => letters.reduce((n, [l, count]) => n + (l === letter ? count : 0), 0);
    const listed = dump.toString("latin1").matchAll(/order (\d+), .*\nPFN \d+ type (\w)/g);
    const want = { U: 0, M: 0, R: 0 };
    for (const [, order, type] of listed) want[type as keyof typeof want] += 2 ** Number(order);
    expect([pages("U"), pages("M"), pages("E")]).toEqual([want.U, want.M, want.R]);
    expect(said(built, "where memory in use lies")).toMatchObject({ value: "page for page as listed", from: "report" });
  });

  test("a dump of another machine, or of more memory than is modeled so, is not used, and the reason is said", async () => {
    const why = async (text: string): Promise<string | undefined> => {
      const built = builtOf(await incidentOf({ log, page_owner: text }));
      expect(zonesOf(built)[0]?.held).toBeUndefined();
      return said(built, "where memory in use lies")?.because;
    };
    const at = (pfn: number, order: number): string =>
      `Page allocated via order ${order}, mask 0xcc0(GFP_KERNEL), pid 1, tgid 1 (init), ts 1 ns, free_ts 0 ns\nPFN ${pfn} type Unmovable Block ${pfn >> 9} type Unmovable Flags 0x0()\n get_page_from_freelist+0x1/0x2\n\n`;
    expect(await why(Array.from({ length: 20 }, (_, i) => at(4096 + i * 1024, 10)).join(""))).toMatch(
      /more than the report's machine has there/,
    );
    expect(await why(at(4096, 0) + at(4096 + 300_000, 0))).toMatch(/more than 512 MB/);
  });
});
