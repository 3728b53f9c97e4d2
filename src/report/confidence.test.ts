// Which finding tells why, and how sure a verdict is: of one that the text leaves open nobody can be.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { explain } from "../diagnosis/explain.ts";
import type { DiagnosedIncident } from "../diagnosis/finding.ts";
import { confidence, whyText } from "./confidence.ts";

const fault = async (address: string): Promise<DiagnosedIncident> => {
  const log = [
    `BUG: unable to handle page fault for address: ${address}`,
    "CPU: 1 PID: 0 Comm: swapper/1 Not tainted 5.10.0-23-amd64 #1 Debian 5.10.179-1",
    "RIP: 0010:skb_release_data+0x6d/0x190",
  ].join("\n");
  return (await explain({ log })).incidents[0] as DiagnosedIncident;
};

test.each([
  ["0000000000000018", "act", /^High: /],
  // Overwritten, or an element far behind a null pointer: the registers would have told.
  ["0000000000040000", "unknown", /^Limited: /],
])("a fault at %s: %s, %s", async (address, severity, words) => {
  const i = await fault(address);
  expect(i.severity).toBe(severity);
  expect(confidence(i)).toMatch(words);
});

test("why: what lies behind a refusal is told before the zones that refused; of a single page the zones tell most", async () => {
  const log = readFileSync(new URL("../../fixtures/logs/failures_6.1.txt", import.meta.url), "latin1");
  const { incidents } = await explain({ log });
  const whys = new Map(incidents.map((i) => [`${i.kind} of order ${i.order}`, whyText(i)]));
  for (const order of [1, 2, 3, 4, 5])
    expect(whys.get(`alloc_failure of order ${order}`)).toMatch(
      /^This is fragmentation: a single page would have been/,
    );
  expect(whys.get("oom of order 0")).toMatch(/^The machine was really out of memory\./);
  expect(whys.get("alloc_failure of order 0")).toMatch(/refuses it by the watermark test/);
});
