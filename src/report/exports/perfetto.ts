// A journal as a Perfetto trace (protobuf, perfetto/trace/trace_packet.proto): an instant event on the track of its CPU for each entry, and
// counters for the samples of a run. Opens in ui.perfetto.dev. Field numbers are those of the public .proto files.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { EventShape } from "../../kernel/events.ts";
import { eventShapes } from "../../kernel/events.ts";
import type { EventNumbers, TextOf } from "./journal_lines.ts";
import { isTextField } from "./journal_lines.ts";

const tracePacket = 1;
const packet = { timestamp: 8, sequence: 10, trackEvent: 11, trackDescriptor: 60 } as const;
const descriptor = { uuid: 1, name: 2, counter: 8 } as const;
const trackEvent = { annotations: 4, type: 9, track: 11, categories: 22, name: 23, counterValue: 30 } as const;
const annotation = { intValue: 4, stringValue: 6, name: 10 } as const;
const eventType = { instant: 3, counter: 4 } as const;
const onlySequence = 1;

/** Tracks: CPUs from 1, counters from 1000. */
const cpuTrack = (cpu: number): number => 1 + cpu;
const counterTrack = (index: number): number => 1000 + index;

const message = (w: BinaryWriter, field: number, fill: () => void): void => {
  w.tag(field, WireType.LengthDelimited).fork();
  fill();
  w.join();
};
const text = (w: BinaryWriter, field: number, value: string): void => {
  w.tag(field, WireType.LengthDelimited).string(value);
};
const number = (w: BinaryWriter, field: number, value: number): void => {
  w.tag(field, WireType.Varint).int64(Math.round(value));
};

/** Names the tracks; comes first in the file. */
export function perfettoHead(cpus: number, counters: readonly string[]): Uint8Array {
  const w = new BinaryWriter();
  const track = (uuid: number, name: string, isCounter: boolean): void =>
    message(w, tracePacket, () => {
      number(w, packet.sequence, onlySequence);
      message(w, packet.trackDescriptor, () => {
        number(w, descriptor.uuid, uuid);
        text(w, descriptor.name, name);
        if (isCounter) message(w, descriptor.counter, () => undefined);
      });
    });
  for (let cpu = 0; cpu < cpus; cpu++) track(cpuTrack(cpu), `CPU ${cpu}`, false);
  counters.forEach((name, i) => {
    track(counterTrack(i), name, true);
  });
  return w.finish();
}

/** One event of the journal. */
export function perfettoEvent(
  kind: number,
  nanos: number,
  cpu: number,
  numbers: EventNumbers,
  textOf: TextOf,
): Uint8Array {
  const shape = eventShapes[kind] as EventShape;
  const w = new BinaryWriter();
  message(w, tracePacket, () => {
    number(w, packet.timestamp, nanos);
    number(w, packet.sequence, onlySequence);
    message(w, packet.trackEvent, () => {
      number(w, trackEvent.type, eventType.instant);
      number(w, trackEvent.track, cpuTrack(cpu));
      text(w, trackEvent.categories, "journal");
      text(w, trackEvent.name, shape.name);
      shape.fields.forEach((field, i) => {
        message(w, trackEvent.annotations, () => {
          text(w, annotation.name, field);
          if (isTextField(field)) text(w, annotation.stringValue, textOf(numbers[i] ?? 0));
          else number(w, annotation.intValue, numbers[i] ?? 0);
        });
      });
    });
  });
  return w.finish();
}

/** The counters' values at one moment, in the order of their names in the head. */
export function perfettoCounters(nanos: number, values: readonly number[]): Uint8Array {
  const w = new BinaryWriter();
  values.forEach((value, i) => {
    message(w, tracePacket, () => {
      number(w, packet.timestamp, nanos);
      number(w, packet.sequence, onlySequence);
      message(w, packet.trackEvent, () => {
        number(w, trackEvent.type, eventType.counter);
        number(w, trackEvent.track, counterTrack(i));
        number(w, trackEvent.counterValue, value);
      });
    });
  });
  return w.finish();
}
