import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runCommand } from "./command.testkit.ts";
import { command } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-run-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const write = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};
const machine = write(
  "machine.yaml",
  `kind: machine
release: 2.6.24-x86_64
memoryMb: 64
nics: [{ driver: tg3, mbitPerSecond: 10000 }]
traffic: [{ framesPerSecond: 400000, burst: 32 }]
reader: { everyMicros: 100000, rcvbufKb: 163840 }
load: { kilopages: 40, jobs: 4, pagesPerMilli: 200 }
millis: 6
`,
);

describe("skblab run --log and --proc", () => {
  test("write what the kernel would have said and shown, into folders that are made, and change neither answer nor journal", async () => {
    const plain = await runCommand(command, [machine, "--journal", at("plain.ndjson")]);
    const args = ["--log", at("new/run.log"), "--proc", at("new/files"), "--journal", at("logged.ndjson")];
    const logged = await runCommand(command, [machine, ...args]);
    expect(JSON.stringify(logged.json)).toBe(JSON.stringify(plain.json));
    expect(readFileSync(at("logged.ndjson")).equals(readFileSync(at("plain.ndjson")))).toBe(true);
    expect(readFileSync(at("new/run.log"), "utf8")).toMatch(
      /^\[ {4}0\.\d{6}\] swapper: page allocation failure\. order:1, mode:0x4020\n/,
    );
    expect(readdirSync(at("new/files/proc")).sort()).toEqual([
      "buddyinfo",
      "net",
      "pagetypeinfo",
      "slabinfo",
      "zoneinfo",
    ]);
    expect(readFileSync(at("new/files/ethtool-S-eth0.txt"), "utf8")).toMatch(/^NIC statistics:\n {5}rx_octets: [1-9]/);
    expect(logged.notes.join()).toMatch(/files written below/);
  });

  test("the journal names who asked: the call site of a kmalloc is the driver's, of a refused request the functions it came back through", () => {
    const lines = readFileSync(at("plain.ndjson"), "utf8").split("\n");
    const sites = (event: string): Set<string> =>
      new Set(
        lines.flatMap((l) =>
          l.includes(`"event":"${event}"`) ? [(JSON.parse(l) as { call_site: string }).call_site] : [],
        ),
      );
    expect([...sites("kmalloc")]).toContain("tg3_alloc_rx_skb < tg3_rx < tg3_poll");
    expect([...sites("allocation_refused")]).toEqual(["new_slab", "kmalloc", "__alloc_skb", "__netdev_alloc_skb"]);
  });

  test("a log is of one machine: two scenarios, or many machines, are refused in a sentence", async () => {
    await expect(runCommand(command, [machine, machine, "--log", at("x.log")])).rejects.toThrow(/name one scenario/);
    const many = write("many.yaml", "kind: page-pool-tcp\n");
    await expect(runCommand(command, [many, "--proc", at("x")])).rejects.toThrow(/not one machine/);
    await expect(runCommand(command, [machine, "--log", `${machine}/x`])).rejects.toThrow(
      "It cannot be written: a part of the path is not a directory.",
    );
  });

  test("a directory is named where a scenario was meant", async () => {
    await expect(runCommand(command, [folder])).rejects.toMatchObject({
      place: { file: folder },
      advice: "Name a file.",
    });
  });
});
