// What the reader finds in the images against what the kernel itself said at the same moment: every record of every kind, field by field.

import { beforeAll, describe, expect, test } from "vitest";
import { oneIn } from "../base/size.testkit.ts";
import { oracleImage, oracleNames, oracleTruth, type TruthRecord, whyNoOracle } from "./image.testkit.ts";
import type { Image } from "./image.ts";
import { imageRecords } from "./records.ts";

const why = whyNoOracle();
if (why !== undefined) console.warn(`SKIPPED: images against their truth: ${why}`);

/** What makes a record the same one in both. */
const identity: Readonly<Record<string, readonly string[]>> = {
  meta: [],
  zone: ["i"],
  free: ["zone", "order", "mt"],
  pcp: ["zone", "cpu", "list"],
  blocks: ["zone"],
  vm_node_stat: [],
  pg: ["p"],
  lru: ["list"],
  lrugen: ["gen", "file", "zone"],
  cache: ["a"],
  objs: ["cache"],
  pool: ["a"],
  sock: ["a", "pid", "fd"],
  dev: ["name"],
  qdisc: ["dev", "txq"],
  skb: ["a"],
  fclone_half: ["a"],
};
/** Fields that only the module that wrote the truth can know: its seed, the CPU it ran on, its labels and numbers. */
const unknowable: Readonly<Record<string, readonly string[]>> = {
  meta: ["seed", "vmalloc", "this_cpu", "jiffies", "boot_ns"],
  pool: ["i"],
};

const keyOf = (r: TruthRecord): string => [r.t, ...(identity[r.t] ?? []).map((f) => String(r[f]))].join(" ");

function comparable(r: TruthRecord): TruthRecord {
  const hidden = unknowable[r.t] ?? [];
  return Object.fromEntries(
    Object.entries(r).filter(
      ([name]) => !hidden.includes(name) && !(r.t === "sock" && r.how === "file" && name === "label"),
    ),
  ) as unknown as TruthRecord;
}

function byKind(records: Iterable<TruthRecord>): Map<string, TruthRecord[]> {
  const out = new Map<string, TruthRecord[]>();
  for (const r of records) out.set(r.t, [...(out.get(r.t) ?? []), r]);
  return out;
}

describe.skipIf(why !== undefined).each(oneIn(3, oracleNames))("%s", (name) => {
  let image: Image;
  let found = new Map<string, TruthRecord[]>();
  const truth = why === undefined ? byKind(oracleTruth(name)) : new Map<string, TruthRecord[]>();
  const said = (kind: string): readonly TruthRecord[] => truth.get(kind) ?? [];
  const seen = (kind: string): readonly TruthRecord[] => found.get(kind) ?? [];
  beforeAll(() => {
    image = oracleImage(name);
    found = new Map();
    for (const r of imageRecords(image)) {
      const own = found.get(r.t);
      if (own === undefined) found.set(r.t, [r]);
      else own.push(r);
    }
  });

  test("an undamaged image has no finding, and nothing is missing", () => {
    expect(image.findings.list).toEqual([]);
    expect(image.map.unseen).toBe(0);
  });

  test.each(Object.keys(identity))("every %s record is equal, none is missing, none is too many", (kind) => {
    const wanted = new Map(said(kind).map((r) => [keyOf(r), comparable(r)]));
    // Generations came with 6.1, and Debian turned them on after it.
    if (kind === "lrugen" && name.startsWith("6.1-")) expect(wanted.size).toBe(0);
    else expect(wanted.size).toBeGreaterThan(0);
    // Pools of the system itself, without pages, are not in the truth (README of the images).
    const own = seen(kind).filter((r) => kind !== "pool" || (r.hold as number) > 0);
    const mine = new Map(own.map((r) => [keyOf(r), comparable(r)]));
    expect([...mine.keys()].filter((k) => !wanted.has(k))).toEqual([]);
    for (const [key, record] of wanted) expect(mine.get(key), key).toEqual(record);
  });

  test("the split BTF of modules is read: it knows structs that the kernel does not", () => {
    const names = image.kernel.types.moduleTypes().map((m) => m.name);
    expect(names).toContain("qemu_fw_cfg");
    expect(image.kernel.types.find("fw_cfg_vmcoreinfo")?.sizeBytes).toBe(16);
    // The truth's module was built without BTF for 6.1.
    expect(names.includes("vmc")).toBe(!name.startsWith("6.1-"));
    if (names.includes("vmc"))
      expect(image.kernel.types.find("drv_ring")?.sizeBytes).toBe(said("driver_array")[0]?.size);
  });

  test("the kernel log is the same, line by line", () => {
    expect(said("k").length).toBeGreaterThan(400);
    expect(seen("k").map((r) => r.l)).toEqual(said("k").map((r) => r.l));
    expect(image.log.lost).toBe(0);
  });

  test("what is allocated for the slab and is no live packet is the same set of objects", () => {
    // The names differ: the truth of 6.1 and 6.12 calls objects of the NAPI cache odd or unused, depending on the day it was made.
    const dead = (of: (kind: string) => readonly TruthRecord[]): string[] =>
      ["skb_unused", "skb_odd", "not_skb"].flatMap((t) => of(t).map((r) => r.a as string)).sort();
    expect(dead(seen)).toEqual(dead(said));
  });

  test("every page of a pool has the holders that it really has", () => {
    const poolOf = (records: readonly TruthRecord[]): Map<unknown, unknown> => new Map(records.map((p) => [p.i, p.a]));
    const lasting = new Set(["skb_frag", "skb_head", "leaked", "driver_array"]);
    const set = (records: readonly TruthRecord[], pools: Map<unknown, unknown>): string[] =>
      [
        ...new Set(
          records.filter((r) => lasting.has(r.h as string)).map((r) => `${pools.get(r.pool)} ${r.pfn} ${r.h} ${r.skb}`),
        ),
      ].sort();
    const wanted = set(said("pp"), poolOf(said("pool")));
    expect(wanted.length).toBeGreaterThan(100);
    expect(set(seen("pp"), poolOf(seen("pool")))).toEqual(wanted);
    const [array] = said("driver_array");
    const start = BigInt(`0x${array?.a}`);
    const pointers = seen("pp").filter((r) => r.h === "driver_array");
    expect(pointers.length).toBe(array?.n);
    for (const p of pointers) {
      const at = BigInt(`0x${p.at}`);
      expect(at >= start && at < start + BigInt(array?.size as number)).toBe(true);
      // A variable of the module points to that array: its name comes from the module's own symbols.
      expect(p.what).toMatch(/, to which module vmc: dring points$/);
    }
  });

  test("each packet that the module placed hangs where it placed it, and nowhere else", () => {
    const place: Readonly<Record<string, RegExp>> = {
      "udpA.rx": /^UDP socket .*, rx$/,
      "udpB.rx": /^UDP socket .*, rx$/,
      qdisc: /of stuck0/,
    };
    for (const r of said("own_skb")) {
      const places = image.net.holders.placesOf(BigInt(`0x${r.a}`)).map((p) => p.text);
      const expected = place[r.where as string];
      if (expected === undefined) expect(places, `${r.a} ${r.where}`).toEqual([]);
      else {
        expect(places, `${r.a} ${r.where}`).toHaveLength(1);
        expect(places[0]).toMatch(expected);
      }
    }
  });
});
