// A value given by hand takes the place of an assumption and of nothing else; the proof says where it came from.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { explain } from "../diagnosis/explain.ts";
import { assumableKeys, assumables, assuming, givenBecause, readAssumed, refuseNeedless } from "./assume.ts";
import { buildMachine } from "./machine.ts";

const log = "fixtures/logs/tg3_gentoo_2009.txt";
const text = readFileSync(new URL(`../../${log}`, import.meta.url), "utf8");
const incidentOf = async (more: Readonly<Record<string, string>> = {}) => {
  const [incident] = (await explain({ [log]: text, ...more })).incidents;
  if (incident === undefined) throw new Error("no incident");
  return incident;
};

test("each part that can be given is one that the proof's machine has, and shows with what was given", async () => {
  const incident = await incidentOf();
  const values = { memoryMb: 512, minFreeKb: 2048, cpus: 3, mtu: 1400, rxRing: 100 };
  expect(Object.keys(values)).toEqual(assumableKeys);
  const before = buildMachine(incident, 1, false);
  const after = buildMachine(assuming(incident, values), 1, false);
  if (typeof before === "string" || typeof after === "string") throw new Error(`${before} ${after}`);
  for (const key of assumableKeys) {
    const of = (b: typeof before) => b.assumptions.find((a) => a.what === assumables[key].what);
    expect(of(before)?.from, key).toBe("assumed");
    expect([of(after)?.from, of(after)?.because], key).toEqual(["given", givenBecause]);
    expect(of(after)?.value, key).toContain(String(values[key]));
  }
  expect([after.minFreeKb, after.rxRing, after.lowmemKb]).toEqual([2048, 100, 512 * 1024]);
});

test("what the inputs say stands; a value that none of them needs is refused", async () => {
  const incident = await incidentOf({ "sysctl.txt": "vm.min_free_kbytes = 4096\n" });
  const told = incident.machine.minFreeKb;
  expect(told?.value).toBe(4096);
  expect(assuming(incident, { minFreeKb: 999_999 }).machine.minFreeKb).toEqual(told);
  expect(() => refuseNeedless([incident], { minFreeKb: 999_999 })).toThrow(/the inputs say it themselves/);
  const other = await incidentOf();
  expect(() => refuseNeedless([incident, other], { minFreeKb: 999_999 })).not.toThrow();
});

test("readings on both sides of each bound, and what is none, in one sentence", () => {
  expect(readAssumed(["mtu=9000", "cpus=1"])).toEqual({ mtu: 9000, cpus: 1 });
  for (const key of assumableKeys) {
    const { least, most } = assumables[key];
    expect(readAssumed([`${key}=${least}`, `${key}=${most}`])).toEqual({ [key]: most });
    for (const text of [`${key}=${least - 1}`, `${key}=${most + 1}`, `${key}=`, key, `${key}=1e3`, `${key}=-5`])
      expect(() => readAssumed([text]), text).toThrow(/--assume \w+ is "/);
  }
  expect(() => readAssumed(["turbo=1"])).toThrow('--assume has no "turbo"');
});

test.each([
  ["tg3", "assumed", 1],
  ["ice", "report", 4],
])("the queues of ethtool -l on %s: %s", async (driver, from, queues) => {
  const channels = readFileSync(new URL("../../fixtures/proc/ethtool-l", import.meta.url), "utf8");
  const incident = await incidentOf({ "ethtool-l": channels });
  expect(incident.machine.queues?.value).toBe(4);
  const built = buildMachine({ ...incident, driver }, 1, false);
  const alone = buildMachine({ ...(await incidentOf()), driver }, 1, false);
  if (typeof built === "string" || typeof alone === "string") throw new Error(`${built} ${alone}`);
  expect(built.assumptions.find((a) => a.what === "receive queues")).toMatchObject({ value: String(queues), from });
  expect([built.queues, built.ringPages]).toEqual([queues, queues * alone.ringPages]);
});
