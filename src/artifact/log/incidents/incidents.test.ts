// Real logs: what stands in them is read, and the reports of 6.1 are printed again byte by byte.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decodeGfp } from "../../../kernel/facts/gfp.ts";
import { framesOf } from "../../../kernel/readings/call_trace.ts";
import type { Incident, IncidentKind, IncidentOf } from "../../../kernel/readings/incident.ts";
import { linesOf } from "../../../kernel/readings/incident.ts";
import type { LogLine } from "../../../kernel/readings/log_line.ts";
import { repairText } from "../lines.ts";
import { printAllocFailure } from "./alloc_failure_print.ts";
import { printBadPage } from "./bad_page.ts";
import { printStallLine } from "./one_liners.ts";
import { printOom } from "./oom_print.ts";
import { plainLines } from "./plain_lines.ts";
import { readIncidents } from "./read_incidents.ts";
import { printSkbPanicLine } from "./skb_panic.ts";

const fixtures = join(import.meta.dirname, "../../../../fixtures/logs");
const fixture = (name: string): string => readFileSync(join(fixtures, name), "utf8");
const incidentsOf = (name: string): readonly Incident[] => readIncidents(repairText(fixture(name))).incidents;
const only = <K extends IncidentKind>(incidents: readonly Incident[], kind: K): IncidentOf<K>[] =>
  incidents.filter((i) => i.kind === kind) as unknown as IncidentOf<K>[];

const v61 = [6, 1, 192];

describe("a tg3 receive buffer that could not be had, 2.6.24, pasted into a blog (times signs for x, prose glued on)", () => {
  const [incident] = only(incidentsOf("tg3_gentoo_2009.txt"), "alloc_failure");

  test("the first line and who ran", () => {
    expect(incident?.reading).toMatchObject({
      variant: "page",
      comm: "swapper",
      separator: ".",
      order: 1,
      gfp: { mask: 0x4020 },
      process: { pid: 0, comm: "swapper", taint: "Not tainted", release: "2.6.24-gentoo-r8_64-08.19.08", build: "#1" },
    });
    expect(incident?.reading.memInfo).toBeUndefined();
    expect(incident?.missing).toEqual(["mem_info"]);
    expect(incident?.seconds).toBe(4262686.822339);
  });

  test("the stack, with the interrupt context that its markers give", () => {
    const frames = framesOf(incident?.reading.trace ?? { form: "plain", heading: "", items: [] });
    expect(frames.map((f) => f.function)).toEqual(
      expect.arrayContaining(["__alloc_pages", "new_slab", "tg3_alloc_rx_skb", "tg3_poll"]),
    );
    expect(frames[0]).toMatchObject({
      function: "__alloc_pages",
      offset: 0x2e2,
      size: 0x2fb,
      context: "irq",
      address: "ffffffff802555f9",
    });
    expect(frames.find((f) => f.function === "tg3_alloc_rx_skb")).toMatchObject({
      offset: 0xc4,
      size: 0x150,
      context: "irq",
    });
    expect(frames.at(-1)).toMatchObject({ function: "cpu_idle", offset: 0x6f, size: 0x96, context: "task" });
  });

  test("every part names its line", () => {
    const numbers = (part: string): number[] =>
      incident === undefined ? [] : linesOf(incident, part).map((l) => l.line);
    expect(numbers("headline")).toEqual([1]);
    expect(numbers("process")).toEqual([2]);
    expect(numbers("frame:0")).toEqual([5]);
  });
});

describe("a PPC405EX board, 2009, quoted and wrapped by a mailer", () => {
  const incidents = incidentsOf("ppc405ex_emac_2009.txt");

  test("two incidents: a bad page and an oops", () => {
    expect(incidents.map((i) => i.kind)).toEqual(["bad_page", "oops"]);
  });

  test("the bad page", () => {
    const [bad] = only(incidents, "bad_page");
    expect(bad?.reading).toMatchObject({
      comm: "dcb",
      pfn: 0x80db,
      page: "c03d2b60",
      flags: "00044000",
      refcount: 0,
      mapcount: 0,
      mapping: "(null)",
      index: "3718",
      trace: { form: "powerpc" },
    });
    const frames = framesOf(bad?.reading.trace ?? { form: "plain", heading: "", items: [] });
    expect(frames[0]).toMatchObject({ function: "show_stack", reliable: false, stackPointer: "ce871980" });
    expect(frames.map((f) => f.function)).toEqual(
      expect.arrayContaining(["__free_pages_ok", "put_compound_page", "kfree", "skb_release_data"]),
    );
  });

  test("the oops: where, who called, which address, which registers", () => {
    const [oops] = only(incidents, "oops");
    expect(oops?.reading).toMatchObject({
      class: "paging request",
      address: "0004009c",
      dieCounter: 1,
      at: { function: "kfree_skb", offset: 0xc, size: 0x38 },
      link: { function: "emac_poll_tx", offset: 0xbc, size: 0x310 },
      modules: "ds3b3 dma ds3b2",
      process: { comm: "dcb", pid: 770 },
      panic: "Kernel panic - not syncing: Fatal exception in interrupt",
    });
    expect(oops?.reading.registers?.values).toMatchObject({
      NIP: "c017500c",
      DEAR: "0004009c",
      GPR03: "00040000",
      GPR09: "0004009c",
      GPR31: "ce8113c0",
    });
    expect(oops?.reading.code).toMatch(/^Instruction dump: 3d20c02b .*<8003009c>.* 4bffff00$/);
  });
});

/** The report as it stands in the log, without stamps. */
const original = (lines: readonly LogLine[], incident: Incident): string[] =>
  lines.filter((l) => l.line >= incident.firstLine && l.line <= incident.lastLine).map((l) => l.text);

const printed = (incident: Incident): string[] | undefined => {
  switch (incident.kind) {
    case "alloc_failure":
      return printAllocFailure(incident.reading, v61);
    case "oom":
      return printOom(incident.reading, v61);
    case "bad_page":
      return printBadPage(incident.reading, v61);
    case "page_pool_stall":
      return [printStallLine(incident.reading)];
    default:
      return undefined;
  }
};

describe("reports of a running 6.1 are read without loss", () => {
  const files = readdirSync(fixtures).filter((f) => f.endsWith("_6.1.txt"));
  test.each(files)("%s: print(read(x)) = x, and no line of a report is left over", (file) => {
    const lines = plainLines(fixture(file));
    const { incidents, notes } = readIncidents(lines);
    expect(incidents.length).toBeGreaterThan(0);
    expect(notes).toEqual([]);
    for (const incident of incidents) {
      const text = printed(incident);
      if (text !== undefined) expect(text).toEqual(original(lines, incident));
    }
  });

  test("what each holds", () => {
    const kinds = Object.fromEntries(files.map((f) => [f, incidentsOf(f).map((i) => i.kind)]));
    expect(kinds).toEqual({
      "bad_pages_6.1.txt": ["bad_page", "bad_page", "bad_page", "bad_page", "bad_page"],
      "e1000_refill_6.1.txt": ["alloc_failure"],
      "failures_6.1.txt": [
        "alloc_failure",
        "alloc_failure",
        "alloc_failure",
        "alloc_failure",
        "alloc_failure",
        "alloc_failure",
        "oom",
      ],
      "page_pool_stall_6.1.txt": ["driver_line", "page_pool_stall", "page_pool_stall"],
      "slab_oom_6.1.txt": ["oom", "alloc_failure", "oom"],
      "slub_debug_6.1.txt": ["slab_corruption", "oops", "skb_panic", "skb_panic"],
      "warning_6.1.txt": ["oops"],
    });
  });

  test("zones, watermarks, reserve and free lists with their letters", () => {
    const [first] = only(incidentsOf("failures_6.1.txt"), "alloc_failure");
    expect(first?.reading.memInfo?.zones[1]).toMatchObject({
      node: 0,
      name: "DMA32",
      kb: {
        free: 8028,
        boost: 0,
        min: 520,
        low: 648,
        high: 776,
        reserved_highatomic: 0,
        present: 49012,
        managed: 32764,
        free_cma: 0,
      },
      lowmemReserve: [0, 0, 0, 0],
      freeLists: { totalKb: 7984 },
    });
    expect(first?.reading.memInfo?.zones[1]?.freeLists?.blocks.slice(0, 3)).toEqual([
      { order: 0, count: 1994, types: "UM" },
      { order: 1, count: 1, types: "U" },
      { order: 2, count: 0 },
    ]);
    expect(first?.reading.memInfo?.totals).toMatchObject({ free: 3598, free_pcp: 3, slab_unreclaimable: 770 });
    expect(first?.reading.memInfo?.tail).toMatchObject({
      "pages RAM": 16251,
      "pages reserved": 4220,
      "total pagecache pages": 499,
    });
  });

  test("SLUB's own lines belong to the failure before them; its mask lacks what SLUB added", () => {
    const [failure] = only(incidentsOf("slab_oom_6.1.txt"), "alloc_failure");
    expect(failure?.reading.slab).toMatchObject({
      allocator: "SLUB",
      node: -1,
      gfp: { mask: 0xcc0 },
      cache: "dentry",
      objectSize: 192,
      minOrder: 0,
      nodes: [{ node: 0, slabs: 146, objects: 3066, free: 0 }],
    });
    expect(failure?.reading.gfp?.mask).toBe(0xcd0);
  });

  test("the OOM killer: whose limit, who died, or that nobody was left", () => {
    const [first, second] = only(incidentsOf("slab_oom_6.1.txt"), "oom");
    expect(first?.reading).toMatchObject({
      comm: "sh",
      scope: "machine",
      outcome: "killed",
      victim: { pid: 38, comm: "sh" },
    });
    expect(first?.reading.victim?.kb).toMatchObject({ "total-vm": 2256, "shmem-rss": 1536 });
    expect(first?.reading.slabs?.find((s) => s.name === "kmalloc-2k")?.usedKb).toBeGreaterThan(0);
    expect(second?.reading).toMatchObject({
      comm: "init",
      outcome: "panic",
      panic: "Kernel panic - not syncing: System is deadlocked on memory",
    });
  });

  test("a double free of an skb: who allocated the object, who freed it, which byte was touched", () => {
    const [corruption] = only(incidentsOf("slub_debug_6.1.txt"), "slab_corruption");
    expect(corruption?.reading).toMatchObject({
      cache: "skbuff_head_cache",
      problem: "Poison overwritten",
      overwritten: { offset: 6036, found: 0x6a, expected: 0x6b },
      allocated: { function: "__alloc_skb", pid: 48 },
      freed: { function: "kfree_skbmem", pid: 48 },
      slab: { objects: 21, used: 12, flagNames: "slab|head|zone=1" },
      fixes: ["Restoring Poison 0xffff888002d31794-0xffff888002d31794=0x6b", "Marking all objects used"],
    });
    expect(corruption?.reading.freed?.frames.map((f) => f.function)).toContain("kfree_skb_reason");
  });

  test("a put beyond the buffer, and the BUG behind it", () => {
    const [over, under] = only(incidentsOf("slub_debug_6.1.txt"), "skb_panic");
    expect(over?.reading).toMatchObject({
      what: "skb_over_panic",
      len: 193,
      put: 193,
      tail: "c1",
      end: "c0",
      dev: "<NULL>",
    });
    expect(over?.reading.oops).toMatchObject({
      class: "bug",
      source: { file: "net/core/skbuff.c", line: 120 },
      at: { function: "skb_panic" },
      dieCounter: 2,
    });
    expect(under?.reading.what).toBe("skb_under_panic");
    expect(over === undefined ? "" : printSkbPanicLine(over.reading)).toBe(
      linesOf(over ?? { carried: [] }, "headline")[0]?.text,
    );
  });

  test("a fault on freed memory: the poison in the address", () => {
    const [fault] = only(incidentsOf("slub_debug_6.1.txt"), "oops");
    expect(fault?.reading).toMatchObject({
      class: "general protection",
      address: "6b6b6b6b6b6b6b73",
      dieCounter: 1,
      at: { function: "skb_release_data" },
    });
  });
});

describe("the kernel's own names for its masks", () => {
  test("every mask of the 6.1 logs decodes to exactly the text the kernel printed behind it", () => {
    let seen = 0;
    for (const file of readdirSync(fixtures).filter((f) => f.endsWith("_6.1.txt"))) {
      for (const m of fixture(file).matchAll(/0x([0-9a-f]+)\(((?:__)?GFP_[A-Z_|]+)\)/g)) {
        expect(decodeGfp(Number.parseInt(m[1] ?? "", 16), v61).text).toBe(m[2]);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(15);
  });
});

describe("promises of a reader", () => {
  test.each(["tg3_gentoo_2009", "ppc405ex_emac_2009", "e1000_refill_6.1"])("%s: the golden dump", async (name) => {
    const readings = incidentsOf(`${name}.txt`).map((i) => ({
      kind: i.kind,
      lines: [i.firstLine, i.lastLine],
      missing: i.missing,
      carried: Object.fromEntries(i.carried.map((c) => [c.part, c.lines.map((l) => l.line)])),
      reading: i.reading,
    }));
    const golden = join(fixtures, `../incidents/${name}.json`);
    await expect(`${JSON.stringify(readings, null, 1)}\n`).toMatchFileSnapshot(golden);
  });

  const files = readdirSync(fixtures);

  test.each(files)("%s: cut anywhere, the head reads as before and nothing crashes", (file) => {
    const text = fixture(file);
    const whole = readIncidents(repairText(text)).incidents;
    for (let at = 0; at < text.length; at += 997) {
      const part = readIncidents(repairText(text.slice(0, at))).incidents;
      expect(part.length).toBeLessThanOrEqual(whole.length);
      for (const [i, incident] of part.slice(0, -1).entries()) expect(incident.reading).toEqual(whole[i]?.reading);
    }
  });
});

const captures = join(import.meta.dirname, "../../../../../shared/captures");

describe.runIf(existsSync(captures))("every captured log", () => {
  const logs: readonly (readonly [string, Readonly<Partial<Record<IncidentKind, number>>>])[] = [
    ["dmesg/fail64/dmesg.txt", { alloc_failure: 6, oom: 1 }],
    ["dmesg/fail64/console.log", { alloc_failure: 6, oom: 1 }],
    ["dmesg/badpage/dmesg.txt", { bad_page: 5 }],
    ["dmesg/badpage/console.log", { bad_page: 5 }],
    ["dmesg/drvfail_e1000/dmesg.txt", { alloc_failure: 1 }],
    ["dmesg/drvfail_e1000e/console.log", { alloc_failure: 1, oom: 2 }],
    ["dmesg/drvfail_e1000e/console_slab_inode_oom.log", { alloc_failure: 1, oom: 2 }],
    ["dmesg/slubdbg/dmesg.txt", { slab_corruption: 4, oops: 1, skb_panic: 2 }],
    ["dmesg/slubdbg/console.log", { slab_corruption: 4, oops: 1, skb_panic: 2 }],
    ["debian-stock/dmesg.txt", {}],
    ["debian-stock/console.log", {}],
    ["page_pool/console_stall_dmesg.log", { driver_line: 1, page_pool_stall: 2 }],
    ["skb/console.log", { oops: 1 }],
    ["text/text64/console.log", { oom: 2 }],
    ["text/text128/console.log", {}],
    ["driver-rings/console.log", {}],
    ["5.10/dmesg/fail128/dmesg.txt.gz", { alloc_failure: 10, bad_page: 5, oom: 1 }],
    ["5.10/dmesg/slubdbg/dmesg.txt.gz", { slab_corruption: 4, oops: 1, skb_panic: 2 }],
    ["5.10/page_pool/stall_badput_dmesg.txt", { driver_line: 1, page_pool_stall: 2 }],
    ["6.12/dmesg/fail96/dmesg.txt.gz", { alloc_failure: 9, oom: 1, bad_page: 8 }],
    ["6.12/dmesg/drvfail_e1000/dmesg.txt", { alloc_failure: 3, suppressed: 2, oom: 1 }],
    ["6.12/dmesg/ppstall/dmesg.txt", { page_pool_stall: 2, bad_page: 9 }],
    ["6.12/dmesg/slubdbg/dmesg.txt.gz", { slab_corruption: 3, oops: 3, skb_panic: 2 }],
    ["7.2/dmesg/fail128/dmesg.txt.gz", { alloc_failure: 8, bad_page: 8, oom: 1 }],
    ["7.2/dmesg/slubdbg/dmesg.txt.gz", { slab_corruption: 17, oops: 17, skb_panic: 2 }],
    ["7.2/page_pool/stall_badput_dmesg.txt", { driver_line: 1, page_pool_stall: 2, bad_page: 1 }],
  ];
  const textOf = (file: string): string => {
    const bytes = readFileSync(join(captures, file));
    return (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  };
  test.each(logs)("%s holds exactly its incidents", (file, expected) => {
    const counts: Partial<Record<IncidentKind, number>> = {};
    for (const i of readIncidents(repairText(textOf(file))).incidents) counts[i.kind] = (counts[i.kind] ?? 0) + 1;
    expect(counts).toEqual(expected);
  });
});
