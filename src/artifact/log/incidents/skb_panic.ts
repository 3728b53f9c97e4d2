// `skb_over_panic` and `skb_under_panic`, with the BUG that follows them.
import type { Incident } from "../../../kernel/readings/incident.ts";
import type { SkbPanic } from "../../../kernel/readings/skb_panic.ts";
import { BodyReader } from "./body.ts";
import type { Stretch } from "./builder.ts";
import { decimal, field, ReportBuilder, textOf } from "./builder.ts";
import { OopsBuilder, oopsOwn, takeCutHere } from "./oops.ts";

const old = /skput:(over|under): ([0-9a-f]+):(-?\d+) put:(-?\d+) dev:(\S*)/;
/** The fields in their order; a line may be cut behind any of them. */
const fields = ["text", "len", "put", "head", "data", "tail", "end", "dev"] as const;

const digits = (text: string | undefined): string | undefined => text?.replace(/^0x/, "");

/** The fields of the line, from the left up to where it is cut; undefined without a name. Pointers and offsets keep their hex digits. */
function readSkbPanicLine(text: string): SkbPanic | undefined {
  const o = old.exec(text);
  if (o !== null)
    return {
      what: o[1] === "over" ? "skb_over_panic" : "skb_under_panic",
      form: "2.4",
      len: Number(o[3]),
      put: Number(o[4]),
      ...field("text", o[2]),
      ...field("dev", o[5]),
    };
  const name = /skb_(over|under)_panic: ?text:/.exec(text);
  if (name === null) return undefined;
  const found: Partial<Record<(typeof fields)[number], string>> = {};
  let rest = text.slice(name.index + name[0].length - "text:".length);
  for (const f of fields) {
    // A field counts when what stands behind it shows that it is whole: the next one, or for the last one the end of the line. A blank alone may be
    // that of a line which was joined.
    const m =
      f === "dev"
        ? /^dev:(.{1,64})/.exec(rest)
        : new RegExp(`^${f}:(\\S{1,64}) (?=$|[a-z?]{1,5}:|[a-z]{1,4}$)`).exec(rest);
    if (m?.[1] === undefined) break;
    found[f] = m[1].trim();
    rest = rest.slice(m[0].length);
  }
  return {
    what: name[1] === "over" ? "skb_over_panic" : "skb_under_panic",
    form: "2.6",
    ...field("len", decimal(found.len)),
    ...field("put", decimal(found.put)),
    ...field("text", digits(found.text)),
    ...field("head", digits(found.head)),
    ...field("data", digits(found.data)),
    ...field("tail", digits(found.tail)),
    ...field("end", digits(found.end)),
    ...field("dev", found.dev),
  };
}

/** The line as 6.1 prints it (net/core/skbuff.c skb_panic). */
export function printSkbPanicLine(p: SkbPanic): string {
  if (p.form === "2.4") {
    return `skput:${p.what === "skb_over_panic" ? "over" : "under"}: ${p.text ?? ""}:${p.len ?? 0} put:${p.put ?? 0} dev:${p.dev ?? ""}`;
  }
  return `skbuff: ${p.what}: text:${p.text ?? ""} len:${p.len ?? 0} put:${p.put ?? 0} head:${p.head ?? ""} data:${p.data ?? ""} tail:0x${p.tail ?? "0"} end:0x${p.end ?? "0"} dev:${p.dev ?? "<NULL>"}`;
}

/** Reads the report that begins at `index`. */
export function readSkbPanic(
  stretch: Stretch,
  index: number,
): { readonly incident: Incident; readonly next: number } | undefined {
  const report = new ReportBuilder(stretch);
  const line = stretch.lines[index];
  const head = line === undefined ? undefined : readSkbPanicLine(textOf(line));
  if (head === undefined) return undefined;
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
    ...head,
    ...field("oops", oops),
  };
  if (head.form === "2.6" && head.dev === undefined) report.missing.push("device");
  return { incident: report.finish("skb_panic", reading), next: index + 1 };
}

function followingBug(stretch: Stretch, index: number): number | undefined {
  for (let i = index + 1; i < Math.min(index + 6, stretch.lines.length); i++) {
    const text = stretch.lines[i]?.text ?? "";
    if (/kernel BUG at |Kernel bug detected|Internal error: Oops - (?:BUG|undefined)/i.test(text)) return i;
    if (/skb_(?:over|under)_panic/.test(text)) return undefined;
  }
  return undefined;
}
