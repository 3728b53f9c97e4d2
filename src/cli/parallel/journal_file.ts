// Writes what a run announces to a file as it happens: NDJSON, ftrace's text, Perfetto, or the wire's frames as pcap-ng. Buffered; a full disk is the user's problem in one sentence.

import type { EventName } from "../../kernel/events.ts";
import type { FtraceWriter } from "../../observe/ftrace.ts";
import { createFtrace } from "../../observe/ftrace.ts";
import { ndjsonLine } from "../../report/exports/journal_lines.ts";
import { pcapHead, pcapPacket } from "../../report/exports/pcapng.ts";
import { perfettoCounters, perfettoEvent, perfettoHead } from "../../report/exports/perfetto.ts";
import type { Onlooker, Sample } from "../../scenario/machine_run.ts";
import type { WireFrame } from "../../scenario/wire_tap.ts";
import { type Output, openOutput } from "../output.ts";

export type JournalForm = "ndjson" | "ftrace" | "perfetto" | "pcapng";

const counterNames = ["free pages", "free pages in order 3 and above", "ring buffers", "received", "failures"];
const tcpCounterNames = [
  "payload over TCP",
  "segments retransmitted",
  "receive queues (truesize)",
  "send queues (truesize)",
];
const bufferBytes = 1 << 20;
const bytesMost = 2 ** 30;

/** What is written: events of these names, in this time, all where it is left out. */
export interface EventFilter {
  readonly events?: readonly EventName[];
  /** Simulated nanoseconds since boot, both ends included. */
  readonly between?: readonly [from: number, to: number];
  /** Bytes that the file may have; 1 GiB when left out. */
  readonly bytes?: number;
}

/**
 * An onlooker that writes; `flush` when the run is over, then `output` can be committed; `discard` when it did not get there. `events` counts what
 * was written, `leftOut` what the bound left out.
 */
export function journalFile(
  path: string,
  form: JournalForm,
  cpus: number,
  only: EventFilter = {},
): Onlooker & { readonly output: Output; flush(): void; discard(): void; events(): number; leftOut(): number } {
  const output = openOutput(path);
  let pending: Uint8Array[] = [];
  let bytes = 0;
  let events = 0;
  let leftOut = 0;
  let room = only.bytes ?? bytesMost;
  const encoder = new TextEncoder();
  const flush = (): void => {
    for (const chunk of pending) output.write(chunk);
    pending = [];
    bytes = 0;
  };
  const put = (chunk: Uint8Array): void => {
    room -= chunk.length;
    pending.push(chunk);
    bytes += chunk.length;
    if (bytes > bufferBytes) flush();
  };
  /** An event, unless the file has no room for it: then none is written any more, so that what is there has no hole. */
  const putEvent = (chunk: Uint8Array): void => {
    if (leftOut > 0 || chunk.length > room) leftOut++;
    else {
      put(chunk);
      events++;
    }
  };
  const line = (text: string): Uint8Array => encoder.encode(`${text}\n`);
  if (form === "perfetto") put(perfettoHead(cpus, []));
  let countersNamed = false;
  const [from, to] = only.between ?? [0, Number.POSITIVE_INFINITY];
  return {
    ...(form === "pcapng"
      ? {
          wire(frame: WireFrame) {
            if (frame.nanos < from || frame.nanos > to) return;
            putEvent(pcapPacket(frame, events));
          },
        }
      : {}),
    begin(journal, machine) {
      if (form === "pcapng") {
        put(pcapHead(machine.devices.map(({ name }) => name)));
        return;
      }
      const textOf = (id: number): string => journal.text(id);
      const ftrace: FtraceWriter | undefined = form === "ftrace" ? createFtrace(machine) : undefined;
      if (ftrace !== undefined) put(encoder.encode(ftrace.head));
      journal.listen(
        (kind, nanos, cpu, a, b, c, d, e, f) => {
          if (nanos < from || nanos > to) return;
          const numbers = [a, b, c, d, e, f];
          if (ftrace !== undefined) {
            const text = ftrace.line(kind, nanos, cpu, numbers);
            if (text === undefined) return;
            putEvent(line(text));
          } else if (form === "ndjson") putEvent(line(ndjsonLine(kind, nanos, cpu, numbers, textOf)));
          else putEvent(perfettoEvent(kind, nanos, cpu, numbers, textOf));
        },
        ...(only.events ?? []),
      );
    },
    sample(s: Sample) {
      const nanos = s.millis * 1e6;
      if (form !== "perfetto" || nanos < from || nanos > to || leftOut > 0) return;
      // What is counted depends on the scenario: the first sample shows it.
      if (!countersNamed)
        put(perfettoHead(0, s.tcp === undefined ? counterNames : [...counterNames, ...tcpCounterNames]));
      countersNamed = true;
      const { tcp } = s;
      const more = tcp === undefined ? [] : [tcp.bytes, tcp.retransmitted, tcp.receiveQueueBytes, tcp.sendQueueBytes];
      const values = [s.freePages, s.largeFreePages, s.ringFilled, s.received, s.failures, ...more];
      put(perfettoCounters(nanos, values));
    },
    output,
    flush,
    discard: () => output.discard(),
    events: () => events,
    leftOut: () => leftOut,
  };
}
