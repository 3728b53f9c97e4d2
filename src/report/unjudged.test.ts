// A fault of our own keeps a report from being judged: nobody is told that there was none.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import { createCollector } from "../diagnosis/collect.ts";
import { diagnose } from "../diagnosis/diagnose.ts";
import { createFleet } from "../fleet/fleet.ts";
import { recordOf } from "../fleet/host_record.ts";
import { giveFunctionIndex } from "../kernel/facts/functions/index.ts";
import { briefDocument, diagnosisDocument } from "./diagnosis.ts";
import { fleetDocument } from "./fleet.ts";
import { renderText } from "./text.ts";

const log = readFileSync(join(import.meta.dirname, "../../fixtures/logs/e1000_refill_6.1.txt"), "utf8");
const read = async () => {
  const collector = createCollector();
  const items = [{ source: sourceOf("dmesg", log), named: true }];
  return collector.finish(await gather(items, { onWindow: collector.onWindow }));
};
const textOf = (document: Parameters<typeof renderText>[0]): string =>
  renderText(document, { colour: false, width: 200 });
afterAll(() => giveFunctionIndex(() => undefined));

test("an index of functions that cannot be read: the report is counted as not judged, by diagnose and by fleet", async () => {
  giveFunctionIndex(() => undefined);
  expect(diagnose(await read()).incidents).toHaveLength(1);
  giveFunctionIndex(() => {
    throw new Error("network.idx.gz: no such file");
  });
  const d = diagnose(await read());
  expect(d.incidents).toEqual([]);
  for (const document of [diagnosisDocument(d), briefDocument(d)]) {
    expect(textOf(document)).toMatch(/1 report of memory trouble could not be judged/);
    expect(textOf(document)).not.toMatch(/no allocation failure/);
  }
  expect(textOf(diagnosisDocument(d))).toMatch(/network\.idx\.gz: no such file/);
  const fleet = createFleet();
  fleet.add(recordOf("web1", await read(), { year: 2026 }));
  const answer = fleet.answer();
  expect(answer).toMatchObject({ hosts: 1, hostsWithTrouble: 0, hostsUnread: 1 });
  expect(textOf(fleetDocument(answer))).toMatch(/No host could be read and judged[\s\S]*network\.idx\.gz/);
});
