// Log lines that are JSON objects: journalctl -o json (systemd.journal-fields(7)), the json-file driver of Docker, and the shapes of log
// collectors that keep the line in `message`, `msg` or `textPayload`. What is not one of them stays as it is.

/** The line inside, and what its envelope says. */
export interface JsonLine {
  readonly text: string;
  readonly seconds?: number;
  readonly wallClock?: string;
  readonly level?: number;
  readonly host?: string;
}

const keys = ["MESSAGE", "log", "message", "msg", "textPayload", "_raw", "short_message", "stringValue"] as const;
const names = keys.join("|");
const sign = new RegExp(`^\\{\\s*".*"(?:${names})"\\s*:|^\\{\\s*"(?:${names})"\\s*:`);
/** Objects in which collectors and searches keep the record. */
const inside = ["jsonPayload", "_source", "result", "body"] as const;

/** The line inside a JSON envelope; undefined when `line` is not one. */
export function unwrapJson(line: string): JsonLine | undefined {
  if (!line.startsWith("{") || !/\}[\s,\]]{0,4}$/.test(line) || !sign.test(line)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line.slice(0, line.lastIndexOf("}") + 1));
  } catch {
    return undefined;
  }
  const outer = value as Readonly<Record<string, unknown>>;
  const inner = inside.map((k) => outer[k]).find((v) => typeof v === "object" && v !== null && !Array.isArray(v));
  const fields = inner === undefined ? outer : { ...outer, ...inner };
  const message = keys.map((k) => textOf(fields[k])).find((t) => t !== undefined);
  if (message === undefined) return undefined;
  const text = speaker(fields) + message;
  // dmesg --json: {"pri": 6, "time": 12.345678, "msg": "…"}
  const micros =
    typeof fields.time === "number"
      ? fields.time * 1e6
      : Number(fields._SOURCE_MONOTONIC_TIMESTAMP ?? fields.__MONOTONIC_TIMESTAMP ?? Number.NaN);
  const real = Number(fields.__REALTIME_TIMESTAMP ?? Number.NaN);
  const time = fields.time ?? fields.timestamp ?? fields["@timestamp"];
  const wallClock =
    Number.isFinite(real) && real > 0 && real < 8e18
      ? isoTime(real / 1000)
      : typeof time === "string"
        ? time
        : undefined;
  const level = Number(fields.PRIORITY ?? (typeof fields.pri === "number" ? fields.pri & 7 : Number.NaN));
  const host = hostIn(fields);
  return {
    text: withoutNewlines(text),
    ...(Number.isFinite(micros) ? { seconds: micros / 1e6 } : {}),
    ...(wallClock === undefined ? {} : { wallClock }),
    ...(level >= 0 && level <= 7 ? { level } : {}),
    ...(host === undefined ? {} : { host }),
  };
}

/** Where collectors write the machine, first the journal's own field; Kubernetes' node goes before the pod that a collector runs in. */
const hostFields: readonly (readonly string[])[] = [
  ["_HOSTNAME"],
  ["kubernetes", "host"],
  ["kubernetes", "node_name"],
  ["kubernetes", "pod_node_name"],
  ["kubernetes", "node", "name"],
  ["resource", "labels", "node_name"],
  ["host", "name"],
  ["host", "hostname"],
  ["host"],
  ["hostname"],
  ["node_name"],
];

function hostIn(fields: Readonly<Record<string, unknown>>): string | undefined {
  for (const path of hostFields) {
    let value: unknown = fields;
    for (const key of path) value = (value as Readonly<Record<string, unknown>> | null | undefined)?.[key];
    if (typeof value === "string" && value !== "") return value;
  }
  return undefined;
}

function withoutNewlines(text: string): string {
  let end = text.length;
  while (text[end - 1] === "\n") end--;
  return text.slice(0, end);
}

/** What a daemon said keeps its name, so that nobody takes it for the kernel's. */
function speaker(fields: Readonly<Record<string, unknown>>): string {
  const name = fields.SYSLOG_IDENTIFIER ?? fields._COMM;
  const kernel = fields._TRANSPORT === "kernel" || name === "kernel" || name === undefined;
  return kernel || typeof name !== "string" ? "" : `${name}: `;
}

/** journald writes a message that is not UTF-8 as a list of bytes. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value) || !value.every((b) => typeof b === "number")) return undefined;
  return new TextDecoder().decode(Uint8Array.from(value as number[]));
}

function isoTime(millis: number): string | undefined {
  const date = new Date(millis);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
