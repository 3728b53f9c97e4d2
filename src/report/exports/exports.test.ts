// Exports are read back by decoders that did not write them: hyparquet for Parquet, a reader of protobuf's wire format for pprof.
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { toFlameHtml } from "./flame_html.ts";
import type { WeightedStack } from "./stacks.ts";
import { toFolded, toPprof, toSpeedscope } from "./stacks.ts";
import { toCsv, toParquet } from "./tables.ts";

const stacks: readonly WeightedStack[] = [
  { frames: ["alloc_pages", "e1000_refill [e1000]", "net_rx"], pages: 12, records: 3 },
  { frames: ["alloc_pages", "shmem"], pages: 5, records: 5 },
];

/** Fields of a message: number → values, a number for varints, bytes for the rest. */
function message(bytes: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, (number | Uint8Array)[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value = type === WireType.Varint ? Number(reader.uint64()) : reader.bytes();
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

function varints(bytes: Uint8Array): number[] {
  const reader = new BinaryReader(bytes);
  const out: number[] = [];
  while (reader.pos < reader.len) out.push(Number(reader.uint64()));
  return out;
}

test("folded: outermost first, one line a stack, separators inside names replaced", () => {
  expect(toFolded(stacks)).toBe("net_rx;e1000_refill [e1000];alloc_pages 12\nshmem;alloc_pages 5\n");
  expect(toFolded([{ frames: ["a;b\nc"], pages: 1, records: 1 }])).toBe("a_b_c 1\n");
});

test("speedscope: samples lead through the frame table to the same stacks, weights are bytes and add up", () => {
  const file = JSON.parse(toSpeedscope(stacks, "dump", 4096)) as {
    readonly shared: { readonly frames: readonly { readonly name: string }[] };
    readonly profiles: readonly {
      readonly endValue: number;
      readonly samples: readonly (readonly number[])[];
      readonly weights: readonly number[];
    }[];
  };
  const [profile] = file.profiles;
  expect(profile?.samples.map((s) => s.map((i) => file.shared.frames[i]?.name).reverse())).toEqual(
    stacks.map((s) => s.frames),
  );
  expect(profile?.weights).toEqual([12 * 4096, 5 * 4096]);
  expect(profile?.endValue).toBe(17 * 4096);
});

test("pprof: decoded from the wire, locations lead to functions and names, values are pages and bytes", () => {
  const profile = message(toPprof(stacks, 4096));
  const list = (field: number): Uint8Array[] => (profile.get(field) ?? []) as Uint8Array[];
  const strings = list(6).map((b) => new TextDecoder().decode(b));
  expect(strings[0]).toBe("");
  const one = (m: Map<number, (number | Uint8Array)[]>, field: number): number => m.get(field)?.[0] as number;
  expect(
    list(1)
      .map(message)
      .map((m) => [strings[one(m, 1)], strings[one(m, 2)]]),
  ).toEqual([
    ["pages", "count"],
    ["space", "bytes"],
  ]);
  const nameOfFunction = new Map(
    list(5)
      .map(message)
      .map((m) => [one(m, 1), strings[one(m, 2)]]),
  );
  const nameOfLocation = new Map(
    list(4)
      .map(message)
      .map((m) => [one(m, 1), nameOfFunction.get(one(message(m.get(4)?.[0] as Uint8Array), 1))]),
  );
  const samples = list(2).map(message);
  expect(samples.map((m) => varints(m.get(1)?.[0] as Uint8Array).map((id) => nameOfLocation.get(id)))).toEqual(
    stacks.map((s) => s.frames),
  );
  expect(samples.map((m) => varints(m.get(2)?.[0] as Uint8Array))).toEqual([
    [12, 12 * 4096],
    [5, 5 * 4096],
  ]);
});

describe("tables", () => {
  const columns = [
    { name: "symbol", values: ["kmalloc, really", '=HYPERLINK("x")', "zażółć"] },
    { name: "pages", values: [1, 2, 2 ** 40] },
    { name: "share", values: [0.5, 0.25, 0.25] },
  ];

  test("Parquet read back by hyparquet gives every cell", async () => {
    const bytes = toParquet(columns);
    const rows = await parquetReadObjects({ file: new Uint8Array(bytes).buffer });
    expect(rows).toEqual([
      { symbol: "kmalloc, really", pages: 1n, share: 0.5 },
      { symbol: '=HYPERLINK("x")', pages: 2n, share: 0.25 },
      { symbol: "zażółć", pages: 2n ** 40n, share: 0.25 },
    ]);
  });

  test("CSV quotes commas and quotes, and keeps a spreadsheet from running a cell", () => {
    expect(toCsv(columns)).toBe(
      'symbol,pages,share\r\n"kmalloc, really",1,0.5\r\n"\'=HYPERLINK(""x"")",2,0.25\r\nzażółć,1099511627776,0.25\r\n',
    );
  });
});

test("the flame graph is one file that loads nothing, and a hostile symbol stays text", () => {
  const html = toFlameHtml(
    [{ frames: ["</script><script>alert(1)</script>", "a"], pages: 1, records: 1 }],
    "<b>title</b>",
    4096,
  );
  expect(html).not.toContain("<script>alert(1)");
  expect(html).not.toContain("<b>title");
  expect(html).not.toMatch(/(?:src|href)=["']?(?:https?:)?\/\//);
});
