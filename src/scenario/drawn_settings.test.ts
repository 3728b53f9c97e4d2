// Every driver with settings drawn within their bounds, on releases of all ages: a run has a result, or one sentence says why there is none. Which MTUs
// a driver takes with which settings is its own to say, so that they are drawn from all that some driver takes. DRAWN=2000 tries more.

import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";
import { sized } from "../base/size.testkit.ts";
import type { DriverMaker, SettingSpec } from "../model/drivers/driver.ts";
import { drivers } from "../model/drivers/drivers.ts";
import { runMachine } from "./machine_run.ts";
import { machineSchema } from "./machine_settings.ts";

const machinesPerDriver = Number(process.env["DRAWN"] ?? sized(8, 12));
const random = prng(Number(process.env["DRAWN_SEED"] ?? 20_261_130));
const versions = [
  "2.6.12",
  "2.6.24",
  "2.6.32",
  "3.10",
  "4.4",
  "4.19",
  "5.4",
  "5.10",
  "5.15",
  "6.1",
  "6.6",
  "6.12",
  "7.2",
  "7.3",
];
const masks = ["GFP_ATOMIC", "GFP_KERNEL", "GFP_ATOMIC | __GFP_NOWARN", "GFP_ATOMIC | __GFP_COMP | __GFP_NOWARN"];
const mtus = [68, 128, 256, 576, 1280, 1500, 2030, 2304, 3498, 4000, 4080, 9000, 9194, 9702, 9978, 16_384, 65_521];

/** Half of the numbers near an end of their range, where rules bend. */
function drawn(spec: SettingSpec, chance: Prng): number | string | boolean {
  if ("words" in spec) return chance.pick(spec.words);
  if ("mask" in spec) return chance.pick(masks);
  if (!("least" in spec)) return chance.chance(0.5);
  const { least, most } = spec;
  const near = Math.min(most - least, 3);
  return chance.pick([
    least + chance.below(near + 1),
    most - chance.below(near + 1),
    least + chance.below(Math.min(most - least, 600) + 1),
    spec.otherwise,
  ]);
}

function scenario(driver: DriverMaker, chance: Prng): object {
  const settings: Record<string, number | string | boolean> = {};
  for (const [name, spec] of Object.entries(driver.settings ?? {}))
    if (chance.chance(0.4)) settings[name] = drawn(spec, chance);
  const queues = chance.chance(0.3) ? Math.min(driver.queuesMost ?? 1, 1 + chance.below(4)) : 1;
  const nic = { driver: driver.name, queues, settings };
  return {
    release: `${chance.pick(versions)}-x86_64`,
    memoryMb: chance.pick([64, 128]),
    cpus: Math.max(queues, 1 + chance.below(2)),
    millis: chance.pick([1, 4]),
    seed: chance.below(1000),
    eventsMax: 60_000,
    nics: [chance.chance(0.4) ? nic : { ...nic, mtu: chance.pick(mtus) }],
    traffic: [
      {
        framesPerSecond: chance.pick([20_000, 200_000]),
        flows: 1 + chance.below(8),
        ...(chance.chance(0.3) ? { bytes: 1 + chance.below(1400) } : {}),
      },
    ],
    ...(chance.chance(0.3) ? { tcp: [{ direction: chance.pick(["in", "out"]), bytes: 65_536 }] } : {}),
  };
}

describe("settings drawn within their bounds never show a bug of the model's own", () => {
  test.each(drivers.map((d) => [d.name, d] as const))("%s", (name, driver) => {
    const chance = random.fork(name);
    const wrong: string[] = [];
    let ran = 0;
    for (let i = 0; i < machinesPerDriver; i++) {
      const given = scenario(driver, chance);
      try {
        if (runMachine(machineSchema.parse(given)).devices.length === 1) ran++;
      } catch (error) {
        if (!(error instanceof BadInput)) wrong.push(`${JSON.stringify(given)}: ${String(error).slice(0, 300)}`);
        else if (error.message.includes("\n") || !/[.;]$/.test(error.message))
          wrong.push(`${JSON.stringify(given)}: ${error.message}`);
      }
    }
    expect(wrong.slice(0, 4)).toEqual([]);
    expect(ran).toBeGreaterThan(sized(0, 1));
  });
});

// Found by more of them: it was a double free in the model's own allocator, and so told as a bug of the model's.
test("a driver that frees packets twice, because it is told to, is told on; the run goes to its end", () => {
  const wrong = { tx_lock: false, tx_free_twice_every: 3 };
  const result = runMachine(
    machineSchema.parse({
      release: "4.4-x86_64",
      memoryMb: 64,
      millis: 4,
      seed: 163,
      nics: [{ driver: "ibm_emac", settings: { rx_ring: 424, ...wrong } }],
      tcp: [{ direction: "in", bytes: 65_536 }],
    }),
  );
  expect(JSON.stringify(result)).toContain("double free: kfree_skb of skb");
});
