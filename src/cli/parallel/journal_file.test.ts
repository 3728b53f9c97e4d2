// What a run writes is read back by readers that did not write it: Perfetto by a reader of protobuf's wire format, event for event against NDJSON.
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { afterAll, describe, expect, test } from "vitest";
import { type Onlooker, runMachine } from "../../scenario/machine_run.ts";
import { machineSchema } from "../../scenario/machine_settings.ts";
import { type EventFilter, type JournalForm, journalFile } from "./journal_file.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-journal-"));
afterAll(() => rmSync(folder, { recursive: true }));

const settings = machineSchema.parse({
  release: "6.1-x86_64",
  memoryMb: 64,
  cpus: 2,
  millis: 3,
  nics: [{ driver: "ringnic", queues: 2, settings: { rx_ring: 16 } }],
  traffic: [{ framesPerSecond: 20_000, flows: 8 }],
});

/** The file of a run, what the writer says of it. */
function written(form: JournalForm, only: EventFilter = {}): { file: string; events: number; leftOut: number } {
  const file = join(folder, `${form}-${Object.keys(only).join("")}`);
  const writer = journalFile(file, form, settings.cpus, only);
  const onlooker: Onlooker = {
    begin: (journal, machine) => writer.begin?.(journal, machine),
    sample: (sample, done) => writer.sample?.(sample, done),
    ...(writer.wire === undefined ? {} : { wire: writer.wire }),
  };
  runMachine(settings, onlooker);
  writer.flush();
  writer.output.commit();
  return { file, events: writer.events(), leftOut: writer.leftOut() };
}

type Field = number | Uint8Array;
function message(bytes: Uint8Array): Map<number, Field[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Field[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value = type === WireType.Varint ? Number(reader.int64()) : reader.bytes();
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}
const number = (m: Map<number, Field[]>, field: number): number => m.get(field)?.[0] as number;
const inner = (m: Map<number, Field[]>, field: number): Map<number, Field[]> =>
  message(m.get(field)?.[0] as Uint8Array);
const text = (m: Map<number, Field[]>, field: number): string =>
  new TextDecoder().decode(m.get(field)?.[0] as Uint8Array);

interface Traced {
  readonly tracks: ReadonlyMap<number, { readonly name: string; readonly counter: boolean }>;
  readonly events: readonly (readonly [at: number, track: string, name: string, fields: Record<string, unknown>])[];
  readonly counters: readonly (readonly [at: number, name: string, value: number])[];
}

/** Field numbers of trace_packet.proto, track_descriptor.proto and track_event.proto. */
function traceOf(file: string): Traced {
  const tracks = new Map<number, { name: string; counter: boolean }>();
  const events: Traced["events"][number][] = [];
  const counters: Traced["counters"][number][] = [];
  for (const bytes of message(readFileSync(file)).get(1) ?? []) {
    const packet = message(bytes as Uint8Array);
    expect(number(packet, 10)).toBe(1);
    if (packet.has(60)) {
      const track = inner(packet, 60);
      tracks.set(number(track, 1), { name: text(track, 2), counter: track.has(8) });
      continue;
    }
    const event = inner(packet, 11);
    const track = tracks.get(number(event, 11));
    if (track === undefined) throw new Error("an event before its track");
    expect(number(event, 9)).toBe(track.counter ? 4 : 3);
    if (track.counter) counters.push([number(packet, 8), track.name, number(event, 30)]);
    else
      events.push([
        number(packet, 8),
        track.name,
        text(event, 23),
        Object.fromEntries(
          (event.get(4) ?? []).map((note) => {
            const m = message(note as Uint8Array);
            return [text(m, 10), m.has(6) ? text(m, 6) : number(m, 4)];
          }),
        ),
      ]);
  }
  return { tracks, events, counters };
}

interface Line {
  readonly event: string;
  readonly nanos: number;
  readonly cpu: number;
  readonly [field: string]: unknown;
}
const linesOf = (file: string): Line[] =>
  readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

describe("a Perfetto trace", () => {
  const whole = written("perfetto");
  const trace = traceOf(whole.file);
  const lines = linesOf(written("ndjson").file);

  test("has every event of the run once, on the track of its CPU, at its time, with its fields", () => {
    expect(trace.events.length).toBe(whole.events);
    expect(trace.events.length).toBeGreaterThan(300);
    expect(new Set(trace.events.map(([, track]) => track))).toEqual(new Set(["CPU 0", "CPU 1"]));
    expect(trace.events).toEqual(
      lines.map(({ event, nanos, cpu, ...fields }) => [Math.round(nanos), `CPU ${cpu}`, event, fields]),
    );
  });

  test("has counters beside them, which rise with what came", () => {
    const names = [...trace.tracks.values()].filter((t) => t.counter).map((t) => t.name);
    expect(names).toEqual(["free pages", "free pages in order 3 and above", "ring buffers", "received", "failures"]);
    const received = trace.counters.filter(([, name]) => name === "received").map(([, , value]) => value);
    expect(received.length).toBeGreaterThan(2);
    expect(received).toEqual([...received].sort((a, b) => a - b));
    expect(received.at(-1)).toBeGreaterThan(10);
    expect(trace.counters.every(([at]) => at >= 0 && at <= 3e6)).toBe(true);
  });

  test("between two times has what lies between them, counters too", () => {
    const between = [1e6, 2e6] as const;
    const part = traceOf(written("perfetto", { between }).file);
    const inside = (at: number): boolean => at >= 1e6 && at <= 2e6;
    expect(part.events).toEqual(trace.events.filter(([at]) => inside(at)));
    expect(part.counters).toEqual(trace.counters.filter(([at]) => inside(at)));
    expect(Math.min(part.events.length, part.counters.length)).toBeGreaterThan(0);
  });
});

describe.each(["ndjson", "ftrace", "perfetto", "pcapng"] as const)("%s", (form) => {
  test("keeps to its bound: the beginning of the whole file, and a count of what is left out", () => {
    const whole = written(form);
    const bytes = Math.floor(statSync(whole.file).size / 2);
    const part = written(form, { bytes });
    expect(statSync(part.file).size).toBeLessThanOrEqual(bytes);
    expect(statSync(part.file).size).toBeGreaterThan(bytes / 2);
    expect(part.events + part.leftOut).toBe(whole.events);
    expect(Math.min(part.events, part.leftOut)).toBeGreaterThan(0);
    if (form !== "perfetto") {
      const begun = readFileSync(part.file);
      expect(readFileSync(whole.file).subarray(0, begun.length).equals(begun)).toBe(true);
    }
  });

  test("between two times is a part of the whole", () => {
    const part = written(form, { between: [1e6, 2e6] });
    expect(part.events).toBeGreaterThan(0);
    expect(part.events).toBeLessThan(written(form).events);
  });
});

test("events by name: no other is in the file", () => {
  const { file } = written("ndjson", { events: ["consume_skb", "kmalloc"] });
  const names = new Set(linesOf(file).map(({ event }) => event));
  expect(names).toEqual(new Set(["consume_skb", "kmalloc"]));
});
