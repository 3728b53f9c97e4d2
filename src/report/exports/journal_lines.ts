// A journal as lines of text: NDJSON for programs, and the format of /sys/kernel/tracing/trace, which trace-cmd users and scripts know.
import type { EventShape } from "../../kernel/events.ts";
import { eventShapes } from "../../kernel/events.ts";

/** Numbers of an event by the shape's fields, up to six. */
export type EventNumbers = readonly number[];

const shapeOf = (kind: number): EventShape => eventShapes[kind] as EventShape;

/** Fields that hold the number of a text of the journal. */
const textFields = new Set(["call_site", "text", "hole"]);
export const isTextField = (field: string): boolean => textFields.has(field);

/** Looks texts up by their numbers. */
export type TextOf = (id: number) => string;

/** `{"nanos":1,"cpu":0,"event":"mm_page_alloc","pfn":5,…}` */
export function ndjsonLine(kind: number, nanos: number, cpu: number, numbers: EventNumbers, textOf: TextOf): string {
  const shape = shapeOf(kind);
  let line = `{"nanos":${nanos},"cpu":${cpu},"event":"${shape.name}"`;
  shape.fields.forEach((field, i) => {
    const n = numbers[i] ?? 0;
    line += `,"${field}":${textFields.has(field) ? JSON.stringify(textOf(n)) : n}`;
  });
  return `${line}}`;
}

/** What ftrace writes at the head of a trace. */
export const ftraceHead =
  "# tracer: nop\n#\n#                              _-----=> irqs-off/BH-disabled\n#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n";

/** `          <idle>-0       [000] .....     0.000001: mm_page_alloc: pfn=5 …` */
export function ftraceLine(kind: number, nanos: number, cpu: number, numbers: EventNumbers, textOf: TextOf): string {
  const shape = shapeOf(kind);
  const micros = Math.floor(nanos / 1000);
  const seconds = Math.floor(micros / 1e6);
  const time = `${String(seconds).padStart(5)}.${String(micros % 1e6).padStart(6, "0")}`;
  const fields = shape.fields.map((field, i) => `${field}=${fieldText(shape.name, field, numbers[i] ?? 0, textOf)}`);
  return `          <idle>-0       [${String(cpu).padStart(3, "0")}] ..s1. ${time}: ${shape.name}: ${fields.join(" ")}`;
}

function fieldText(event: string, field: string, n: number, textOf: TextOf): string {
  if (textFields.has(field)) return textOf(n);
  if (field === "pfn" && event !== "page_pool_state_hold") return `0x${(n >>> 0).toString(16)}`;
  if (field === "gfp_flags") return `0x${(n >>> 0).toString(16)}`;
  return String(n);
}
