import { expect, test } from "vitest";
import { fixture, recordsOf, syslog } from "../fleet/fleet.testkit.ts";
import { createFleet } from "../fleet/fleet.ts";
import { causeDetails, fleetDocument } from "./fleet.ts";
import { readFleetAnswer } from "./fleet_read.ts";
import { renderText } from "./text.ts";

async function answer() {
  const fleet = createFleet();
  for (const [h, name] of [
    "failures_6.1.txt",
    "bad_pages_6.1.txt",
    "e1000_refill_6.1.txt",
    "page_pool_stall_6.1.txt",
  ].entries())
    for (const r of await recordsOf({ "messages.txt": syslog(fixture(name), `web${h}`, 3 + h) }, `web${h}`))
      fleet.add(r);
  return fleet.answer();
}

test("what was printed is read back, with the whole diagnosis of each example", async () => {
  const a = await answer();
  expect(readFleetAnswer(JSON.stringify(a))).toEqual(JSON.parse(JSON.stringify(a)));
  expect(a.causes.every((c) => c.example.diagnosis !== null)).toBe(true);
});

test("another text is refused with a sentence that says where", async () => {
  const a = JSON.parse(JSON.stringify(await answer()));
  expect(readFleetAnswer("host,cause")).toMatch(/not JSON/);
  expect(readFleetAnswer('{"schema":"skblab.diagnosis/1"}')).toMatch(/not an answer of skblab fleet: schema/);
  a.causes[0].hosts = "<img src=x onerror=alert(1)>";
  expect(readFleetAnswer(JSON.stringify(a))).toMatch(/causes\.0\.hosts/);
});

test("the answer fits one screen and begins with the worst; a cause says what, where, since when and where to start", async () => {
  const a = await answer();
  const text = renderText(fleetDocument(a), { colour: false, width: 120 });
  expect(text.split("\n").length).toBeLessThan(60);
  expect(a.causes[0]?.severity).toBe("corruption");
  const [cause] = a.causes;
  const details = renderText(causeDetails(cause!, a.hosts), { colour: false, width: 200 });
  expect(details).toMatch(/Start with +host web1: skblab diagnose messages.txt \(line \d+\)/);
  expect(details).toMatch(/Seen +2026-03-04 03:14/);
});
