// SLUB's debugging report (`BUG cache (Tainted: …): Poison overwritten`): the object, who allocated it, who freed it, what stands in it.
import type { Frame } from "../../../kernel/readings/call_trace.ts";
import type { Incident } from "../../../kernel/readings/incident.ts";
import type { ObjectTrack, SlabCorruption } from "../../../kernel/readings/slab_corruption.ts";
import type { OwnAnswer } from "./body.ts";
import { BodyReader } from "./body.ts";
import type { Stretch } from "./builder.ts";
import { decimal, field, ReportBuilder, textOf } from "./builder.ts";
import { readTraceLine } from "./call_trace.ts";

const headLine = /^BUG ([\w:.()-]+?) ?(?:\((Not tainted|Tainted: [^)]*)\))?: (.*)$/;
const byteLine =
  /^(?:INFO: )?0x([0-9a-f]+)-0x([0-9a-f]+)(?: @offset=(\d+))?\. First byte 0x([0-9a-f]{1,2}) instead of 0x([0-9a-f]{1,2})/;
const trackLine =
  /^(?:INFO: )?(Allocated|Freed) in ([\w.$]+)(?:\+0x([0-9a-f]+)\/0x([0-9a-f]+))? (?:\[\w+\] )?age=(-?\d+) cpu=(\d+) pid=(-?\d+)/;
const slabLine = /^(?:INFO: )?Slab (0x\S+) objects=(\d+) used=(\d+) fp=(0x\S+) flags=0x([0-9a-f]+)(?:\(([^)]*)\))?/;
const objectLine = /^(?:INFO: )?Object (0x\S+) @offset=(\d+) fp=(0x\S+)/;
const dumpLine =
  /^(Redzone|Object|Padding|Bytes b4|Left Redzone|Right Redzone) +(?:0x)?([0-9a-f]{8,16}):((?: [0-9a-f]{2}){1,16})/;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What stands for the problem where the first line, which names it and the cache, is lost. */
const lostProblem = "its first line is missing";

/** Reads the report that begins at `index`; without its first line, `found` is the line that told it. */
export function readSlabCorruption(
  stretch: Stretch,
  index: number,
  found?: number,
): { readonly incident: Incident; readonly next: number } {
  const report = new ReportBuilder(stretch);
  const line = stretch.lines[index];
  const m = headLine.exec(line === undefined ? "" : textOf(line).trimEnd());
  const builder = new CorruptionBuilder(m?.[1] ?? "", m?.[2], found === undefined ? (m?.[3] ?? "") : lostProblem);
  const above = stretch.lines[index - 1];
  if (above !== undefined && /^={20,}$/.test(above.text.trim())) report.take(index - 1);
  if (found === undefined) report.take(index, "headline");
  else report.missing.push("headline");
  const own = (text: string, at: number): OwnAnswer => {
    if (/^={20,}$/.test(text.trim())) return "end";
    const part = builder.take(text);
    if (part === undefined) return "left";
    report.take(at, part === "rule" ? undefined : part);
    return "taken";
  };
  const body = new BodyReader(stretch, report, own).read(found === undefined ? index + 1 : index);
  if (found !== undefined) report.alsoCarries(found, "headline");
  const reading = { ...builder.finish(), ...field("process", body.process), ...field("trace", body.trace) };
  if (reading.object === undefined) report.missing.push("object");
  return { incident: report.finish("slab_corruption", reading), next: index + 1 };
}

class CorruptionBuilder {
  private readonly reading: Mutable<SlabCorruption>;
  private readonly fixes: string[] = [];
  private readonly dump: SlabCorruption["dump"][number][] = [];
  private stack: Frame[] | undefined;

  constructor(cache: string, taint: string | undefined, problem: string) {
    this.reading = { cache, ...field("taint", taint), problem, dump: this.dump, fixes: this.fixes };
  }

  take(text: string): string | undefined {
    if (/^-{20,}\s*$/.test(text)) return "rule";
    const frame = this.stack === undefined ? undefined : readTraceLine(text);
    if (frame?.kind === "items") {
      for (const item of frame.items) if (item.kind === "frame") this.stack?.push(item);
      return "track";
    }
    this.stack = undefined;
    return this.takeTrack(text) ?? this.takePlace(text) ?? this.takeDump(text);
  }

  private takeTrack(text: string): string | undefined {
    const m = trackLine.exec(text);
    if (m?.[2] === undefined) return undefined;
    const frames: Frame[] = [];
    const track: ObjectTrack = {
      function: m[2],
      ...field("offset", m[3] === undefined ? undefined : Number.parseInt(m[3], 16)),
      ...field("size", m[4] === undefined ? undefined : Number.parseInt(m[4], 16)),
      ...field("age", decimal(m[5])),
      ...field("cpu", decimal(m[6])),
      ...field("pid", decimal(m[7])),
      frames,
    };
    if (m[1] === "Allocated") this.reading.allocated = track;
    else this.reading.freed = track;
    this.stack = frames;
    return m[1] === "Allocated" ? "allocated" : "freed";
  }

  private takePlace(text: string): string | undefined {
    const bytes = byteLine.exec(text);
    if (bytes?.[1] !== undefined && bytes[2] !== undefined) {
      this.reading.overwritten = {
        from: bytes[1],
        to: bytes[2],
        ...field("offset", decimal(bytes[3])),
        found: Number.parseInt(bytes[4] ?? "0", 16),
        expected: Number.parseInt(bytes[5] ?? "0", 16),
      };
      return "overwritten";
    }
    const slab = slabLine.exec(text);
    if (slab?.[1] !== undefined && slab[4] !== undefined && slab[5] !== undefined) {
      this.reading.slab = {
        address: slab[1].slice(2),
        objects: Number(slab[2]),
        used: Number(slab[3]),
        fp: slab[4].slice(2),
        flags: slab[5],
        ...field("flagNames", slab[6]),
      };
      return "slab";
    }
    const object = objectLine.exec(text);
    if (object?.[1] === undefined || object[3] === undefined) return undefined;
    this.reading.object = { address: object[1].slice(2), offset: Number(object[2]), fp: object[3].slice(2) };
    return "object";
  }

  private takeDump(text: string): string | undefined {
    const m = dumpLine.exec(text);
    if (m?.[1] !== undefined && m[2] !== undefined && m[3] !== undefined) {
      const bytes = m[3]
        .trim()
        .split(" ")
        .map((b) => Number.parseInt(b, 16));
      this.dump.push({ area: m[1], address: m[2], bytes });
      return "dump";
    }
    const fix = /^FIX ([\w:.()-]+): (.*)$/.exec(text);
    if (fix?.[2] === undefined) return undefined;
    this.fixes.push(fix[2].trimEnd());
    return "fix";
  }

  finish(): SlabCorruption {
    return this.reading;
  }
}
