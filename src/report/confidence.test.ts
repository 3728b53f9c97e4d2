// How sure a verdict is: of one that the text leaves open nobody can be.
import { expect, test } from "vitest";
import { explain } from "../diagnosis/explain.ts";
import type { DiagnosedIncident } from "../diagnosis/finding.ts";
import { confidence } from "./confidence.ts";

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
