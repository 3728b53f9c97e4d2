import { describe, expect, test } from "vitest";
import { BadInput } from "../../base/bad_input.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createMachine } from "../machine.ts";
import type { DriverMaker, DriverSettings } from "./driver.ts";
import { settingsOf } from "./driver.ts";
import { drivers } from "./drivers.ts";

const release = parseRelease("6.1-x86_64");
/** Jumbo frames, where the card takes them: mt76 never does, and others not all with a program. */
const mtuOf = ({ name }: DriverMaker, { xdp }: DriverSettings): number =>
  name === "mt76" || xdp !== undefined ? 1500 : 4000;
const machineWith = (driver: DriverMaker, settings: DriverSettings = {}, on = release) =>
  createMachine({ release: on, memoryMb: 64, nics: [{ driver, mtu: mtuOf(driver, settings), settings }] });

test("an MTU that a driver refuses is refused as the card is plugged in, in its words", () => {
  const nics = (driver: string, settings: DriverSettings) => [{ driver, mtu: 4000, settings }];
  const plugged =
    (driver: string, settings: DriverSettings = {}) =>
    () =>
      createMachine({ release, memoryMb: 64, nics: nics(driver, settings) });
  expect(plugged("mt76")).toThrow("nics[0].mtu: mt76 of 6.1-x86_64 refuses it: mtu 4000 is not between 256 and 2304.");
  expect(plugged("ice", { xdp: "pass" })).toThrow(BadInput);
  expect(plugged("ice")).not.toThrow();
});

/** Settings that 6.1 has not: the release that has, and what else they need. */
const later: Readonly<Record<string, readonly [release: string, settings: DriverSettings]>> = {
  "ice header_split": ["7.2.12-x86_64", {}],
  "gve header_split": ["6.12.117-x86_64", { format: "DQO" }],
  "gve lro": ["6.12.117-x86_64", { format: "DQO" }],
};

describe.each(drivers.map((d) => [d.name, d] as const))("%s", (_name, driver) => {
  test("reads every setting that it declares and no other", () => {
    const read = new Set<string>();
    const make: DriverMaker["make"] = (parts, host, settings) => {
      const noting = new Proxy(settings, {
        get(all, name: string) {
          read.add(name);
          return all[name];
        },
      });
      return driver.make(parts, host, noting);
    };
    // What a setting turns on may read another one.
    for (const settings of [{}, ...(driver.settings?.["pool"] === undefined ? [] : [{ pool: 256 }])]) {
      const machine = machineWith({ ...driver, make }, settings);
      expect(machine.devices.every((d) => machine.up(d))).toBe(true);
    }
    expect([...read].sort()).toEqual(Object.keys(driver.settings ?? {}).sort());
  });

  test("goes up with each setting at its least, and refuses what lies beyond, of another kind, or is unknown", () => {
    expect(() => settingsOf(driver, { nonsense: 1 }, release)).toThrow(BadInput);
    for (const [name, spec] of Object.entries(driver.settings ?? {})) {
      const least =
        "words" in spec
          ? (spec.words.at(-1) ?? "")
          : "mask" in spec
            ? "GFP_ATOMIC | __GFP_NOWARN"
            : "least" in spec
              ? spec.least
              : !spec.otherwise;
      const need = later[`${driver.name} ${name}`];
      if (need !== undefined) expect(() => machineWith(driver, { [name]: least })).toThrow(BadInput);
      const machine =
        need === undefined
          ? machineWith(driver, { [name]: least })
          : machineWith(driver, { ...need[1], [name]: least }, parseRelease(need[0]));
      expect(machine.devices.map((d) => [name, machine.up(d)])).toEqual([[name, true]]);
      for (const wrong of [
        "least" in spec ? spec.least - 1 : "most" in spec ? 1.5 : 7,
        "least" in spec ? 1.5 : "no such word",
      ])
        expect(() => settingsOf(driver, { [name]: wrong }, release), `${name}: ${wrong}`).toThrow(
          "mask" in spec ? /must be|names no such word, which/ : /must be/,
        );
    }
  });
});
