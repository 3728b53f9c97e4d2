import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readIncidents } from "../artifact/log/incidents/read_incidents.ts";
import { repairText } from "../artifact/log/lines.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import { ndjsonLine } from "../report/exports/journal_lines.ts";
import { logText } from "../report/kernel_log.ts";
import { scenarioJsonSchema } from "./json_schema.ts";
import type { MachineResult } from "./machine_run.ts";
import { runMachine } from "./machine_run.ts";
import { machineSchema } from "./machine_settings.ts";
import { readScenario } from "./read.ts";

const settings = (given: object) => machineSchema.parse(given);
const pressed = {
  release: "2.6.24-x86_64",
  memoryMb: 128,
  nics: [{ driver: "ringnic", mtu: 9000, settings: { rx_ring: 64, refill: "after" } }],
  traffic: [{ bytes: 8972, framesPerSecond: 10_000, burst: 32 }],
  reader: { everyMicros: 20_000, rcvbufKb: 16_384 },
  load: { kilopages: 40, jobs: 8, pagesPerMilli: 400 },
  millis: 60,
};

describe("a machine under traffic and load", () => {
  test("two runs write the same journal, byte for byte, and another seed another", () => {
    const journal = (seed: number): string => {
      const lines: string[] = [];
      runMachine(
        settings({ ...pressed, millis: 3, seed, memoryMb: 64, load: { kilopages: 18, jobs: 4, pagesPerMilli: 100 } }),
        {
          begin: (j) =>
            void j.listen(
              (kind, nanos, cpu, ...n) => void lines.push(ndjsonLine(kind, nanos, cpu, n, (id) => j.text(id))),
            ),
        },
      );
      return lines.join("\n");
    };
    const first = journal(1);
    expect(first.length).toBeGreaterThan(100_000);
    expect(journal(1) === first).toBe(true);
    expect(journal(2) === first).toBe(false);
  });

  test("looking on changes nothing", () => {
    const plain = runMachine(settings(pressed));
    let samples = 0;
    const watched = runMachine(settings(pressed), {
      begin: (j) => void j.listen(() => undefined),
      sample: () => void samples++,
    });
    expect(samples).toBe(100);
    expect(JSON.stringify(watched)).toBe(JSON.stringify(plain));
  });

  test("order-2 buffers fail under load and order-0 ones do not; the kernel's own report reads back", () => {
    let log = "";
    const jumbo = runMachine(settings(pressed), {
      end(logged) {
        log = logText(logged, pressed.release);
      },
    });
    const plain = runMachine(
      settings({ ...pressed, nics: [{ driver: "ringnic" }], traffic: [{ bytes: 1000, framesPerSecond: 10_000 }] }),
    );
    const failed = (r: MachineResult): number => r.orders.reduce((n, o) => n + o.failed, 0);
    expect(failed(jumbo)).toBeGreaterThan(20);
    expect(failed(plain)).toBe(0);
    expect(log).toMatch(/page allocation failure\. order:2, mode:0x4020/);
    const [incident] = readIncidents(repairText(log)).incidents;
    const back = incident?.reading as AllocFailure;
    expect([back.order, back.gfp?.mask]).toEqual([2, 0x4020]);
    expect(back.memInfo?.zones.length).toBeGreaterThan(0);
  });

  test("every frame is accounted for", () => {
    const r = runMachine(
      settings({
        memoryMb: 64,
        millis: 50,
        nics: [{ driver: "ringnic", mbitPerSecond: 100_000, settings: { rx_ring: 16 } }],
        traffic: [{ burst: 64 }],
      }),
    );
    const [d] = r.devices;
    expect(d?.stats.rxMissed).toBeGreaterThan(0);
    const handled = r.received + r.socketDrops + (d?.stats.rxMissed ?? 0) + (d?.stats.rxDropped ?? 0);
    // What is missing is on the wire or in the ring when time is up.
    expect(r.sent - handled).toBeGreaterThanOrEqual(0);
    expect(r.sent - handled).toBeLessThan(100);
  });

  test("the limit on events ends the run and says so", () => {
    expect(runMachine(settings({ eventsMax: 500 })).end).toBe("events");
  });
});

describe("bad input", () => {
  const complaint = (text: string): string => {
    try {
      readScenario("x.yaml", text);
    } catch (error) {
      return (error as { sentence(): string }).sentence();
    }
    return "";
  };

  test.each([
    ["kind: machine\nnics:\n  - drivr: tg3\n", 'x.yaml:3:5: There is no "drivr" in nics. Did you mean "driver"?'],
    [
      "kind: machine\nmemoryMB: 5\n",
      'x.yaml:2:1: A scenario of kind machine has no "memoryMB". Did you mean "memoryMb"?',
    ],
    ["kind: machin\n", 'x.yaml:1:7: There is no kind of scenario "machin". Did you mean "machine"?'],
    [
      "kind: machine\nmemoryMb: 128\nsysctl:\n  min_free_kbytes: 100000\n",
      "x.yaml:4:20: sysctl.min_free_kbytes of 100000 is more than half of the machine's 128 MB: it would have no memory left to use.",
    ],
    [
      "kind: machine\nmemoryMb: 64\nnics:\n  - driver: ringnic\n    settings: { rx_ring: 60000 }\n",
      "x.yaml:5:26: nics[0].settings.rx_ring: 60000 buffers of 1500 bytes are more than the machine's 64 MB.",
    ],
    ["kind: machine\nrelease: 6.1\n", 'x.yaml:2:10: "release" must be a text, not 6.1. Put it in quotes: "6.1".'],
    ["kind: machine\nmemoryMb: 1.5\n", 'x.yaml:2:11: "memoryMb" must be a whole number, not 1.5.'],
    ["kind: machine\nnics: [{}]\n", 'x.yaml:2:8: "nics.0.driver" is missing.'],
    ["kind: machine\nseed:\n", 'x.yaml:2:6: "seed" must be a number, not empty.'],
    [
      "kind: machine\nnics:\n  - driver: ringnic\n    settings: { rx_rings: 64 }\n",
      'x.yaml:4:27: nics[0].settings.rx_rings: ringnic has no such setting. Did you mean "rx_ring"?',
    ],
    [
      "kind: machine\nnics:\n  - driver: ringnic\n    settings: { refill: sometimes }\n",
      'x.yaml:4:25: nics[0].settings.refill: "sometimes" is not allowed: it must be before or after.',
    ],
    [
      "kind: machine\nrelease: 2.6.24-x86_64\nsysctl: { watermark_scale_factor: 20 }\n",
      "x.yaml:3:35: sysctl.watermark_scale_factor does not exist in 2.6.24-x86_64. It came with 4.6.",
    ],
    [
      "kind: machine\ntraffic: [{ bytes: 4000 }]\n",
      "x.yaml:2:11: traffic[0]: 4000 bytes and 28 of headers do not fit the MTU 1500 of eth0. At most 1472 do.",
    ],
  ])("%j", (text, sentence) => {
    expect(complaint(text)).toBe(sentence);
  });

  test("an unknown driver is named with those there are", () => {
    expect(complaint("kind: machine\nnics: [{ driver: ringnik }]\n")).toMatch(/^x.yaml:2:1\d: .*ringnik.*ringnic/);
  });
});

test("schemas/scenario.schema.json is what the code says (`skblab run --schema`)", () => {
  const file = JSON.parse(readFileSync(new URL("../../schemas/scenario.schema.json", import.meta.url), "utf8"));
  expect(file).toEqual(JSON.parse(JSON.stringify(scenarioJsonSchema())));
});

test("every key of every kind of scenario says in the schema what it is", () => {
  const silent: string[] = [];
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== "object" || node === null) return;
    for (const [key, value] of Object.entries((node as { properties?: object }).properties ?? {}))
      if (value.description === undefined && value.const === undefined) silent.push(`${path}.${key}`);
    for (const [key, value] of Object.entries(node)) walk(value, key === "properties" ? path : `${path}/${key}`);
  };
  walk(scenarioJsonSchema(), "");
  expect(silent).toEqual([]);
});
