// What the reader finds in the images against what the kernel itself said at the same moment: every record of every kind, field by field.
import { afterAll, describe, expect, test } from "vitest";
import { oracleImage, oracleNames, oracleTruth, type TruthRecord, whyNoOracle } from "./image.testkit.ts";
import type { Image } from "./image.ts";
import { imageRecords } from "./records.ts";

const why = whyNoOracle();
if (why !== undefined) console.warn(`SKIPPED: images against their truth: ${why}`);

/** What makes a record the same one in both; a counter where the order is the identity. */
const identity: Readonly<Record<string, readonly string[]>> = {
  meta: [],
  zone: ["i"],
  free: ["zone", "order", "mt"],
  pcp: ["zone", "cpu", "list"],
  blocks: ["zone"],
  pg: ["p"],
  cache: ["a"],
  objs: ["cache"],
};
/** Fields that only the module that wrote the truth can know: its seed, the CPU it ran on, its labels. */
const unknowable: Readonly<Record<string, readonly string[]>> = {
  meta: ["seed", "version", "vmalloc", "this_cpu", "jiffies", "boot_ns"],
};

const keyOf = (r: TruthRecord): string => [r.t, ...(identity[r.t] ?? []).map((f) => String(r[f]))].join(" ");
const withoutUnknowable = (r: TruthRecord): TruthRecord =>
  Object.fromEntries(
    Object.entries(r).filter(([name]) => !(unknowable[r.t] ?? []).includes(name)),
  ) as unknown as TruthRecord;

describe.skipIf(why !== undefined).each(oracleNames)("%s", (name) => {
  let image: Image | undefined;
  const read = (): Image => {
    image ??= oracleImage(name);
    return image;
  };
  afterAll(() => {
    image = undefined;
  });
  const truth = why === undefined ? oracleTruth(name) : [];

  test("an undamaged image has no finding", () => {
    expect(read().findings.list).toEqual([]);
  });

  test.each(Object.keys(identity))("every %s record is equal, none is missing, none is too many", (kind) => {
    const wanted = new Map(truth.filter((r) => r.t === kind).map((r) => [keyOf(r), withoutUnknowable(r)]));
    expect(wanted.size).toBeGreaterThan(0);
    const found = new Map<string, TruthRecord>();
    for (const r of imageRecords(read())) if (r.t === kind) found.set(keyOf(r), r);
    expect([...found.keys()].filter((k) => !wanted.has(k))).toEqual([]);
    for (const [key, record] of wanted) expect(found.get(key), key).toEqual(record);
  });
});
