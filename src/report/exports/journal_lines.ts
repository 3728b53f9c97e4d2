// A journal as lines of text: NDJSON for programs. What ftrace would print is observe/ftrace.ts.
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
