// What an input is, by its content alone. The answer is a list: more than one kind where the content allows more than one.
import { startsWithBytes } from "../base/bytes.ts";
import type { ProcKind } from "../kernel/readings/proc.ts";
import { anchors } from "./log/anchors.ts";
import { repairText } from "./log/lines.ts";
import type { Prefix } from "./log/prefix.ts";
import { stripPrefix } from "./log/prefix.ts";
import { textReaders } from "./readers.ts";

export type InputKind = ProcKind | "kernel log" | "page_owner" | "ftrace" | "json lines" | "text" | "binary" | "empty";

/** certain: every line of the head belongs to it; likely: its signs are there; possible: nothing speaks against it. */
export type Certainty = "certain" | "likely" | "possible";

export interface Identification {
  readonly kind: InputKind;
  readonly certainty: Certainty;
  readonly because: string;
}

/** Bytes of an input's beginning that are enough to identify it. */
export const HEAD_BYTES = 65_536;

const magics: readonly { readonly name: string; readonly magic: readonly number[]; readonly at?: number }[] = [
  { name: "an ELF file", magic: [0x7f, 0x45, 0x4c, 0x46] },
  { name: "a gzip file", magic: [0x1f, 0x8b] },
  { name: "an xz file", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { name: "a zstd file", magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: "a bzip2 file", magic: [0x42, 0x5a, 0x68] },
  { name: "a zip file", magic: [0x50, 0x4b, 3, 4] },
  { name: "a systemd journal", magic: [...new TextEncoder().encode("LPKSHHRH")] },
  { name: "a kdump file", magic: [...new TextEncoder().encode("KDUMP   ")] },
  { name: "a trace-cmd file", magic: [0x17, 0x08, 0x44, 0x74, 0x72, 0x61, 0x63, 0x69, 0x6e, 0x67] },
  { name: "a PNG image", magic: [0x89, 0x50, 0x4e, 0x47] },
  { name: "a PDF document", magic: [0x25, 0x50, 0x44, 0x46] },
];

const order: readonly Certainty[] = ["certain", "likely", "possible"];

/** What these first bytes of an input can be, the most certain first. Never an empty list. */
export function identify(head: Uint8Array): readonly Identification[] {
  if (head.length === 0) return [{ kind: "empty", certainty: "certain", because: "It has no bytes." }];
  const plain = plainLog(head);
  if (plain !== undefined) return [plain];
  const binary = binaryReason(head);
  if (binary !== undefined) return [{ kind: "binary", certainty: "certain", because: binary }];
  const text = new TextDecoder("utf-8").decode(head);
  // The last line may be torn by the end of the head.
  const whole = head.length < HEAD_BYTES ? text : text.slice(0, Math.max(text.lastIndexOf("\n") + 1, 1));
  const lines = repairText(whole);
  const found = [...tables(lines.map((l) => l.text)), ...others(whole), ...logs(whole)];
  if (found.length === 0) return [{ kind: "text", certainty: "possible", because: "It is text of no known kind." }];
  return found.sort((a, b) => order.indexOf(a.certainty) - order.indexOf(b.certainty));
}

/** So much of a beginning is looked at first: most logs are known by it. */
const FIRST_BYTES = 2048;

/** A log of which every line has a stamp and none begins a table: what the rest of the head says changes nothing. */
function plainLog(head: Uint8Array): Identification | undefined {
  if (head.length < FIRST_BYTES || head.subarray(0, FIRST_BYTES).includes(0)) return undefined;
  const text = new TextDecoder("utf-8").decode(head.subarray(0, FIRST_BYTES));
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  lines.pop();
  if (lines.length < 10) return undefined;
  let next: string | undefined;
  for (const line of lines.reverse()) {
    const said = stripPrefix(line);
    const own = said.text;
    if (!stamped(said) || textReaders.some((r) => r.starts(own, next))) return undefined;
    next = own;
  }
  return certainLog(lines.length, lines.length);
}

const stamped = (p: Prefix): boolean =>
  p.seconds !== undefined || p.wallClock !== undefined || p.level !== undefined || p.deltaSeconds !== undefined;

const certainLog = (withStamp: number, all: number): Identification => ({
  kind: "kernel log",
  certainty: "certain",
  because: `${withStamp} of its first ${all} lines have a log's time stamp.`,
});

/** 1 for a control character that text does not have. */
const isOdd = Uint8Array.from({ length: 256 }, (_, b) => (b < 32 && ![9, 10, 13, 27, 12, 8].includes(b) ? 1 : 0));

function binaryReason(head: Uint8Array): string | undefined {
  const known = magics.find((m) => startsWithBytes(head, m.magic, m.at ?? 0));
  if (known?.name === "a systemd journal")
    return "It begins like a systemd journal. Turn it into text with: journalctl -k -o short-monotonic --no-pager --file FILE";
  if (known !== undefined) return `It begins like ${known.name}.`;
  let odd = 0;
  for (let i = 0; i < head.length; i++) odd += isOdd[head[i]!]!;
  // Serial logs have a few NULs, old ones another code page; one byte in ten, or fewer among bytes that are no UTF-8 either, is no text.
  const foreign = odd * 30 > head.length && new TextDecoder().decode(head).split("\ufffd").length * 5 > head.length;
  return foreign || odd * 10 > head.length ? `${odd} of its first ${head.length} bytes are not text.` : undefined;
}

function tables(lines: readonly string[]): Identification[] {
  const filled = lines.filter((l) => l.trim() !== "");
  const [first, second] = filled;
  if (first === undefined) return [];
  const out: Identification[] = [];
  for (const reader of textReaders) {
    if (reader.starts(first, second ?? "")) {
      const own = filled.filter((l, i) => i === 0 || reader.continues(l)).length;
      const certainty = own === filled.length ? "certain" : own * 10 > filled.length * 9 ? "likely" : "possible";
      out.push({
        kind: reader.kind,
        certainty,
        because: `${own} of its first ${filled.length} lines are lines of ${reader.title}.`,
      });
    }
  }
  return out;
}

function others(text: string): Identification[] {
  const out: Identification[] = [];
  const because = (what: string): string => `It begins like ${what}.`;
  if (/^(?:\d{1,15} times?[,:].*\n)?Page allocated via order \d+, mask 0x[0-9a-f]+/.test(text)) {
    out.push({ kind: "page_owner", certainty: "certain", because: because("a page_owner dump") });
  }
  if (
    /^# tracer: \w+/.test(text) ||
    /^ *\S.{0,30}-\d{1,10} {1,9}\[\d{3}\] .{0,40}\d{1,9}\.\d{6}: \w{1,64}: /.test(text)
  ) {
    out.push({ kind: "ftrace", certainty: "likely", because: because("an ftrace text") });
  }
  if (/^\s*\{".*\}\s*\n/.test(text))
    out.push({ kind: "json lines", certainty: "likely", because: because("JSON, one value per line") });
  return out;
}

/** How much of it looks like a log: timestamps, or anchors. */
function logs(text: string): Identification[] {
  const lines = text.split("\n").filter((l) => l !== "");
  const withStamp = lines.filter((l) => stamped(stripPrefix(l))).length;
  if (withStamp * 2 > lines.length) return [certainLog(withStamp, lines.length)];
  const sign = anchors.find((a) => a.role !== "artifact" && text.includes(a.text));
  if (sign !== undefined) return [{ kind: "kernel log", certainty: "likely", because: `It says "${sign.name}".` }];
  if (withStamp > 0)
    return [{ kind: "kernel log", certainty: "possible", because: `${withStamp} lines have a log's time stamp.` }];
  return [];
}
