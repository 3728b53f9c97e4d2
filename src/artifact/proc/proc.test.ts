// The four promises, kept for every fixture: a golden dump, recognised without its name, printed as it was read, read in 100-byte chunks.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inChunks, sourceOf } from "../../base/byte_source.ts";
import { featureName } from "../../kernel/readings/ethtool.ts";
import type { ProcKind, ProcReading } from "../../kernel/readings/proc.ts";
import { sysctlNumber } from "../../kernel/readings/sysctl.ts";
import { zonePagesets, zoneProtection, zoneValue } from "../../kernel/readings/zoneinfo.ts";
import { findReadings } from "../embedded.ts";
import { gather } from "../gather.ts";
import { identify } from "../identify.ts";
import type { FoundReading } from "../reader.ts";
import { textReaders } from "../readers.ts";

const root = join(import.meta.dirname, "../../..");
const folder = join(root, "fixtures/proc");
const fixtures = readdirSync(folder).filter((f) => /-/.test(f) || f.startsWith("ethtool"));
const textOf = (file: string): string => readFileSync(join(folder, file), "utf8");

const kinds: Readonly<Record<string, ProcKind>> = {
  extfrag_index: "extfrag",
  extfrag_unusable_index: "extfrag",
  net_dev: "net/dev",
  netstat: "net/netstat",
  snmp: "net/netstat",
  "netstat-s": "net/netstat",
  slabtop: "slabinfo",
};
function kindOf(file: string): string {
  const name = file.startsWith("ethtool") ? file.split("-").slice(0, 2).join(" -") : file.replace(/-\d.*$/, "");
  return kinds[name] ?? name;
}

function readText(text: string): FoundReading[] {
  const lines = text.replace(/\n$/, "").split("\n");
  return findReadings(lines.map((t, i) => ({ line: i + 1, text: t })));
}
function print(reading: ProcReading): string {
  return textReaders.find((r) => r.kind === reading.kind)!.print(reading);
}

describe.each(fixtures)("%s", (file) => {
  const text = textOf(file);
  test("is recognised without its name, beyond doubt", () => {
    expect(identify(new TextEncoder().encode(text))[0]).toMatchObject({ kind: kindOf(file), certainty: "certain" });
  });
  test("is one reading without a note, and prints as it was read", () => {
    const found = readText(text);
    expect(found.map((f) => f.notes)).toEqual([[]]);
    expect(print(found[0]!.reading)).toBe(text);
  });
  test("means what the golden dump says", async () => {
    await expect(`${JSON.stringify(readText(text)[0]?.reading, null, 1)}\n`).toMatchFileSnapshot(
      join(folder, "golden", `${file}.json`),
    );
  });
  test("is read in chunks of 100 bytes like in one piece", async () => {
    const whole = await gather([{ source: sourceOf("x", text), named: true }]);
    const chunks = await gather([{ source: inChunks(sourceOf("x", text), 100), named: true }]);
    expect(chunks).toEqual(whole);
    expect(whole.readings.map((r) => r.reading)).toEqual(readText(text).map((r) => r.reading));
  });
});

describe("inside a larger text", () => {
  const bundle = fixtures.map((f) => `==== ${f} ====\n${textOf(f)}`).join("\nsome prose between\n");
  const expected = fixtures.map((f) => readText(textOf(f))[0]!.reading);

  test("every fixture is found in one pasted file", () => {
    expect(readText(bundle).map((f) => f.reading)).toEqual(expected);
  });
  test("the scanner finds them in a log, whatever stands around (counters of the network and ethtool -i need a file of their own)", async () => {
    const noise = `${"[    1.000000] nothing\n".repeat(2000)}`;
    const { readings } = await gather([{ source: sourceOf("log", noise + bundle + noise), named: true }]);
    const found = new Set(readings.map((r) => JSON.stringify(r.reading)));
    const missing = fixtures.filter((_, i) => !found.has(JSON.stringify(expected[i])));
    expect(missing.filter((f) => !/^(softnet_stat|netstat|snmp|ethtool-[iS])/.test(f))).toEqual([]);
  });
  test("a script that wrote them to syslog does not hide them", async () => {
    const log = textOf("buddyinfo-6.1").replace(/^/gm, "Jun 25 03:14:07 web1 kernel: [    1.000000] ");
    const { readings } = await gather([{ source: sourceOf("log", log.trimEnd()), named: true }]);
    expect(readings.map((r) => r.reading)).toEqual([readText(textOf("buddyinfo-6.1"))[0]?.reading]);
  });
  test("quoted in a mail and with carriage returns", async () => {
    const mail = `Hello,\n\n${textOf("ethtool-k-old").replace(/^/gm, "> ").replace(/\n/g, "\r\n")}`;
    const { readings } = await gather([{ source: sourceOf("mail", mail), named: true }]);
    expect(readings[0]?.reading).toMatchObject({ kind: "ethtool -k", device: "eth0" });
  });
});

describe("meaning", () => {
  const only = (file: string): ProcReading => readText(textOf(file))[0]!.reading;
  test("zoneinfo: watermarks, protection and per-CPU lists by name", () => {
    const info = only("zoneinfo-6.1");
    if (info.kind !== "zoneinfo") throw new Error(info.kind);
    const dma32 = info.zones.find((z) => z.zone === "DMA32")!;
    expect([zoneValue(dma32, "min"), zoneValue(dma32, "managed"), zoneValue(dma32, "start_pfn")]).toEqual([
      281, 24543, 4096,
    ]);
    expect(zoneProtection(info.zones[0]!)).toEqual([0, 95, 95, 95]);
    expect(zonePagesets(dma32).map((p) => [p.cpu, p.values.get("count")])).toEqual([
      [0, 0],
      [1, 5],
    ]);
  });
  test("the two extfrag files are told apart by content", () => {
    expect([only("extfrag_index-6.1"), only("extfrag_unusable_index-6.1")]).toMatchObject([
      { which: "index" },
      { which: "unusable" },
    ]);
    expect(readText("Node 0, zone DMA 0.100 0.200\n")[0]?.reading).toMatchObject({ which: "unknown" });
  });
  test("names of old offloads are those of today", () => {
    const info = only("ethtool-k-old");
    if (info.kind !== "ethtool -k") throw new Error(info.kind);
    expect(info.features.filter((f) => f.on).map((f) => featureName(f.name))).toContain("tcp-segmentation-offload");
  });
  test("a blog's prose behind a value is passed over with a note", () => {
    const found = readText(
      "Offload parameters for eth0:\nrx-checksumming: on\ngeneric segmentation offload: off-and-\n",
    )[0]!;
    expect(found.reading).toMatchObject({
      features: [{ on: true }, { name: "generic segmentation offload", on: false }],
    });
    expect(found.notes).toEqual([{ line: 3, sentence: expect.stringContaining("-and-") }]);
  });
  test("a counter below zero is rounded, and a note says so", () => {
    const found = readText("nr_free_pages 18446744073709551615\nnr_mapped 3\n")[0]!;
    expect(found.notes).toEqual([{ line: 1, sentence: expect.stringMatching(/18446744073709551615 .* rounded/) }]);
  });
  test("sysctl values, spaced or not", () => {
    const info = readText("vm.min_free_kbytes = 11495\nnet.ipv4.tcp_mem=1 2 3\n")[0]!.reading;
    if (info.kind !== "sysctl") throw new Error(info.kind);
    expect([sysctlNumber(info, "vm.min_free_kbytes"), sysctlNumber(info, "net.ipv4.tcp_mem")]).toEqual([
      11495,
      undefined,
    ]);
  });
});

test("what nothing is known about is text; a binary and an empty input say so", () => {
  const of = (t: string | Uint8Array): unknown =>
    identify(typeof t === "string" ? new TextEncoder().encode(t) : t)[0]?.kind;
  expect(of("hello\nworld\n")).toBe("text");
  expect(of("")).toBe("empty");
  expect(of(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 1, 1]))).toBe("binary");
  expect(of(new Uint8Array(5000))).toBe("binary");
  expect(of("[    0.000000] Linux version 6.1\n[    0.000001] x\n")).toBe("kernel log");
  expect(of("Hi,\n> swapper: page allocation failure. order:1\n")).toBe("kernel log");
  expect(
    identify(new TextEncoder().encode(`${textOf("buddyinfo-6.1")}[    1.000000] Mem-Info:\n`))
      .map((i) => i.kind)
      .sort(),
  ).toEqual(["buddyinfo", "kernel log"]);
});

const captures = join(root, "../shared/captures");
test.skipIf(!existsSync(captures))("every /proc text of the captures prints as it was read", () => {
  const names =
    /(?:buddyinfo|pagetypeinfo|zoneinfo|meminfo|vmstat|slabinfo|extfrag\w*|\/dev|sockstat|softnet_stat|sysctl)[^/.]*(?:\.txt)?$/;
  const files = (readdirSync(captures, { recursive: true }) as string[]).filter(
    (f) => names.test(f) && !/trace|buddyinfo_before_each/.test(f) && statSync(join(captures, f)).isFile(),
  );
  expect(files.length).toBeGreaterThan(100);
  for (const file of files) {
    const text = readFileSync(join(captures, file), "utf8");
    const found = readText(text);
    expect(found.map((f) => print(f.reading)).join(""), file).toBe(text);
    expect(
      found.flatMap((f) => f.notes),
      file,
    ).toEqual([]);
  }
});
