// `skb_over_panic` and `skb_under_panic`, with the BUG that follows them.
import type { Incident } from "../../../kernel/readings/incident.ts";
import type { SkbPanic } from "../../../kernel/readings/skb_panic.ts";
import { BodyReader } from "./body.ts";
import type { Stretch } from "./builder.ts";
import { field, ReportBuilder, textOf } from "./builder.ts";
import { OopsBuilder, oopsOwn, takeCutHere } from "./oops.ts";

const modern =
  /skb_(over|under)_panic: ?text:(\S{1,64}) len:(-?\d{1,12}) put:(-?\d{1,12}) head:(\S{1,64}) data:(\S{1,64}) tail:(\S{1,64}) end:(\S{1,64}) dev:(.{0,64})/;
const old = /skput:(over|under): ([0-9a-f]+):(-?\d+) put:(-?\d+) dev:(\S*)/;

const digits = (text: string | undefined): string | undefined => text?.replace(/^0x/, "");

/** The fields of the line, or undefined. Pointers and offsets keep their hex digits. */
function readSkbPanicLine(text: string): SkbPanic | undefined {
  const m = modern.exec(text);
  if (m !== null) {
    return {
      what: m[1] === "over" ? "skb_over_panic" : "skb_under_panic",
      form: "2.6",
      len: Number(m[3]),
      put: Number(m[4]),
      ...field("text", digits(m[2])),
      ...field("head", digits(m[5])),
      ...field("data", digits(m[6])),
      ...field("tail", digits(m[7])),
      ...field("end", digits(m[8])),
      ...field("dev", m[9]?.trim()),
    };
  }
  const o = old.exec(text);
  if (o === null) return undefined;
  return {
    what: o[1] === "over" ? "skb_over_panic" : "skb_under_panic",
    form: "2.4",
    len: Number(o[3]),
    put: Number(o[4]),
    ...field("text", o[2]),
    ...field("dev", o[5]),
  };
}

/** The line as 6.1 prints it (net/core/skbuff.c skb_panic). */
export function printSkbPanicLine(p: SkbPanic): string {
  if (p.form === "2.4") {
    return `skput:${p.what === "skb_over_panic" ? "over" : "under"}: ${p.text ?? ""}:${p.len} put:${p.put} dev:${p.dev ?? ""}`;
  }
  return `skbuff: ${p.what}: text:${p.text ?? ""} len:${p.len} put:${p.put} head:${p.head ?? ""} data:${p.data ?? ""} tail:0x${p.tail ?? "0"} end:0x${p.end ?? "0"} dev:${p.dev ?? "<NULL>"}`;
}

/** Reads the report that begins at `index`. */
export function readSkbPanic(stretch: Stretch, index: number): { readonly incident: Incident; readonly next: number } {
  const report = new ReportBuilder(stretch);
  const line = stretch.lines[index];
  const head = line === undefined ? undefined : readSkbPanicLine(textOf(line));
  report.take(index, "headline");
  const bug = followingBug(stretch, index);
  let oops: SkbPanic["oops"];
  if (bug !== undefined) {
    const bugLine = stretch.lines[bug];
    takeCutHere(stretch, report, bug);
    report.take(bug, "headline");
    const builder = new OopsBuilder(bugLine === undefined ? "" : textOf(bugLine));
    oops = builder.finish(new BodyReader(stretch, report, oopsOwn(builder, report)).read(bug + 1));
  } else report.missing.push("oops");
  const reading: SkbPanic = {
    ...(head ?? { what: "skb_over_panic", form: "2.6", len: 0, put: 0 }),
    ...field("oops", oops),
  };
  if (head === undefined) report.note(index, "The line of the skb panic is damaged: its fields could not be read.");
  return { incident: report.finish("skb_panic", reading), next: index + 1 };
}

function followingBug(stretch: Stretch, index: number): number | undefined {
  for (let i = index + 1; i < Math.min(index + 6, stretch.lines.length); i++) {
    const text = stretch.lines[i]?.text ?? "";
    if (/kernel BUG at |Kernel bug detected/i.test(text)) return i;
    if (/skb_(?:over|under)_panic/.test(text)) return undefined;
  }
  return undefined;
}
