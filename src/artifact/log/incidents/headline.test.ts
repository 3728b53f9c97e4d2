// The table of headlines: whatever stands in it is found, by the filter, by the scan of a large log, and by its reader.
import { describe, expect, test } from "vitest";
import { sourceOf } from "../../../base/byte_source.ts";
import { messageLines, messageOf } from "../../../kernel/facts/messages.ts";
import { anchors } from "../anchors.ts";
import { repairWindow } from "../lines.ts";
import { scanLog } from "../scan.ts";
import { headlineKind, headlineRows } from "./headline.ts";
import { readIncidents } from "./read_incidents.ts";

const named = headlineRows.map((row) => [row.example, row] as const);

describe("each row of the table is found by a line of its own", () => {
  test.each(named)("%s", async (example, row) => {
    expect(row.words.some((w) => example.includes(w))).toBe(true);
    // No row before it takes its line: every row can be reached.
    expect(headlineRows.find((r) => r.form.test(example))).toBe(row);
    expect(headlineKind(example)).toBe(row.kind);
    const filler = Array.from({ length: 900 }, (_, i) => `[  100.${i}] usb 1-1: new device number ${i}`).join("\n");
    const text = `${filler}\n[  200.000000] ${example}\n${filler}\n`;
    const kinds: string[] = [];
    await scanLog(sourceOf("log", text), (raw) => {
      for (const window of repairWindow(raw).windows)
        kinds.push(...readIncidents(window.lines).incidents.map((i) => i.kind));
    });
    expect(kinds).toEqual([row.kind]);
  });
});

test("a word of the table is long enough for the scan, and has an anchor", () => {
  for (const word of headlineRows.flatMap((r) => r.words)) {
    expect(word.length).toBeGreaterThanOrEqual(4);
    expect(
      anchors.some((a) => word.includes(a.text)),
      word,
    ).toBe(true);
  }
});

test.each(messageLines.map((m) => [m.id, m] as const))("the message %s is known by its own line", (id, m) => {
  expect(messageOf(m.example)?.id).toBe(id);
});

test.each([
  "[<c0013e1c>] (unwind_backtrace+0x0/0xf0) from [<c008e01c>] (warn_alloc_failed+0xc4/0x11c)",
  " __alloc_skb+0x83/0x170",
  "skbuff_head_cache    1024   1024    256   16    1 : tunables    0    0    0 : slabdata     64     64      0",
  "TCP: request_sock_TCP: Possible SYN flooding on port 80. Sending cookies.  Check SNMP counters.",
  "INFO: task kworker/u8:2:1234 blocked for more than 120 seconds.",
  "eth0: link up, 1000Mbps, full-duplex",
  "Subject: page allocation failure: order:1, mode:0x20",
  'Several "page allocation failure. order:1, mode:0x20" messages are seen on the console',
])("%s begins no report", (text) => {
  expect(headlineKind(text)).toBeUndefined();
});
