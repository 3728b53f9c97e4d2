import { expect, test } from "vitest";
import { readIncidents } from "../artifact/log/incidents/read_incidents.ts";
import { repairText } from "../artifact/log/lines.ts";
import { AskedVersion, compareVersions } from "../kernel/release.ts";
import { buildCase } from "./case.ts";
import { maskOf } from "./mask.ts";
import { caseAt, perCase } from "./per_case.ts";
import { nothingAround } from "./surroundings.ts";
import { wantedOf } from "./wanted.ts";

const text = `swapper/1: page allocation failure: order:1, mode:0x4020
Call Trace:
 warn_alloc_failed+0xec/0x128
 __alloc_pages_nodemask+0x203/0x220
 e1000e_alloc_rx_buffers+0x1a/0x90 [e1000e]
 net_rx_action+0x10/0x20`;

function inferredCase() {
  const incident = readIncidents(repairText(text)).incidents[0];
  if (incident === undefined) throw new Error("no incident");
  const verdict = { release: "2.6.36 to 4.9", certainty: "inferred", version: [3, 10], because: [] } as const;
  return buildCase(incident, "log", verdict, nothingAround);
}

const datesOf = (version: AskedVersion) => new Set(version.dates.map((d) => d.join(".")));

test("a version that remembers is told the same dates by an answer that was known already", () => {
  const [fresh, known] = [inferredCase(), inferredCase()];
  const ask = (c: typeof fresh) => {
    const version = new AskedVersion(c.release.version);
    const at = caseAt(c, version);
    return { answers: [maskOf(at), wantedOf(at)], dates: datesOf(version) };
  };
  const first = ask(fresh);
  expect(first.dates.size).toBeGreaterThan(3);
  expect(ask(fresh)).toEqual(first);
  expect(ask(known)).toEqual(first);
  expect(first.answers).toEqual([maskOf(fresh), wantedOf(fresh)]);
});

test("each version of a case is made once and asked once; one that remembers has a case of its own", () => {
  let asked = 0;
  const newer = perCase((c) => {
    asked++;
    return compareVersions(c.release.version, [4, 15]) >= 0;
  });
  const c = inferredCase();
  expect(caseAt(c, [4, 19])).toBe(caseAt(c, [4, 19]));
  expect([newer(caseAt(c, [4, 19])), newer(caseAt(c, [4, 19])), newer(caseAt(c, [3, 2]))]).toEqual([true, true, false]);
  expect(asked).toBe(2);
  const [one, other] = [new AskedVersion([3, 10]), new AskedVersion([3, 10])];
  expect([newer(caseAt(c, one)), newer(caseAt(c, other))]).toEqual([false, false]);
  expect(asked).toBe(3);
  expect([one.dates, other.dates]).toEqual([[[4, 15]], [[4, 15]]]);
});
