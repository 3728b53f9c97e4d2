// What KASAN, KFENCE and KMSAN print around their stack: the access, the object, who allocated and who freed it.
import type { Frame } from "../../../kernel/readings/call_trace.ts";
import type { SanitizerReport } from "../../../kernel/readings/oops.ts";
import { lostBug } from "../../../kernel/readings/oops.ts";
import { decimal, field } from "./builder.ts";
import { readTraceLine } from "./call_trace.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const headLine = /BUG: (KASAN|KFENCE|KMSAN): (.{1,80}?) in \S/;
const accessLine =
  /^(Read|Write|Free) (?:of size (\d{1,9}) )?(?:(?:at|of) addr ([0-9a-f]{8,16})|by task )|^(?:Use-after-free|Out-of-bounds|Invalid) (read|write|free) (?:at|of) 0x([0-9a-f]{8,16})/;
/** Up to 4.11 the object, its cache and its size stand on one line (mm/kasan/report.c kasan_object_err()). */
const cacheLine =
  /which belongs to the cache (\S+) of size (\d{1,9})|^Object at [0-9a-f]{8,16}, in cache (\S+)(?: size: (\d{1,9}))?/;
const fenceLine = /^kfence-#\d{1,6}: .{1,60}size=(\d{1,9}), cache=(\S+)/;
const placeLine = /located (\d{1,9} bytes .{1,80})$|^ *((?:freed |allocated )?\d{1,9}-byte region .{1,60})$/;
const ownLine =
  /^(?:={20,}|The buggy address|Memory state around the buggy|>?\s?[0-9a-f]{8,16}: (?:[0-9a-f]{2}[ \]>]?\s?){4,16}|\s*\^+\s*$|Bytes \d|Memory access of size|Local variable |page:[0-9a-f]{8,16} (?:ref)?count:\d|flags: 0x[0-9a-f]{1,16}\(|raw: [0-9a-f]{8}|page dumped because: kasan)/;

/** A track that only KASAN heads in this way (mm/kasan/report.c print_track()): what stood before it is lost. */
const trackHeadline = /^(?:Allocated|Freed) by task \d{1,9}:/;

/** Which stack follows a heading. */
const stackHeads: readonly (readonly [form: RegExp, whose: "allocatedBy" | "freedBy" | "other"])[] = [
  [/^[Aa]llocated(?: by task |:\s*$)|^Uninit was created at:/, "allocatedBy"],
  [/^[Ff]reed(?: by task |:\s*$)/, "freedBy"],
  [/^(?:Uninit was stored to memory at:|Last potentially related work creation:|Second to last )/, "other"],
];

/** Gathers a sanitizer's own lines, once its headline was seen. */
export class SanitizerBuilder {
  private readonly report: Mutable<SanitizerReport>;
  private readonly stacks: { readonly allocatedBy: Frame[]; readonly freedBy: Frame[]; readonly other: Frame[] } = {
    allocatedBy: [],
    freedBy: [],
    other: [],
  };
  private stack: Frame[] | undefined;
  private place = "";

  private constructor(tool: SanitizerReport["tool"], bug: string) {
    const access = /\s(read|write|free)$/.exec(bug)?.[1] as SanitizerReport["access"];
    this.report = {
      tool,
      bug,
      ...field("access", access),
      allocatedBy: this.stacks.allocatedBy,
      freedBy: this.stacks.freedBy,
    };
  }

  /** For a headline of a sanitizer; undefined for any other. */
  static of(headline: string): SanitizerBuilder | undefined {
    const m = headLine.exec(headline);
    if (m === null && trackHeadline.test(headline)) {
      const builder = new SanitizerBuilder("KASAN", lostBug);
      builder.take(headline);
      return builder;
    }
    return m?.[2] === undefined ? undefined : new SanitizerBuilder(m[1] as SanitizerReport["tool"], m[2]);
  }

  /** The part that a line carries, or undefined when it is not the sanitizer's. */
  take(text: string): string | undefined {
    const head = stackHeads.find(([form]) => form.test(text))?.[1];
    if (head !== undefined) {
      this.stack = this.stacks[head];
      return "track";
    }
    if (this.stack !== undefined) {
      const line = readTraceLine(text);
      if (line?.kind === "items") {
        for (const item of line.items) if (item.kind === "frame") this.stack.push(item);
        return "track";
      }
      if (/^PID = \d{1,9}\s*$/.test(text)) return "track";
      // A frame that cannot be read ends no stack: those behind it are still of that one, never of the fault's.
      if (line?.kind === "heading") this.stack = undefined;
    }
    const part = this.takeObject(text);
    if (part !== undefined) this.stack = undefined;
    return part;
  }

  private takeObject(text: string): string | undefined {
    const access = accessLine.exec(text);
    if (access !== null) {
      const kind = (access[1] ?? access[4])?.toLowerCase() as SanitizerReport["access"];
      Object.assign(this.report, {
        ...field("access", kind),
        ...field("size", decimal(access[2])),
        ...field("address", access[3] ?? access[5]),
      });
      return "access";
    }
    const cache = cacheLine.exec(text);
    const fence = cache === null ? fenceLine.exec(text) : null;
    const name = cache?.[1] ?? cache?.[3] ?? fence?.[2];
    if (name !== undefined) {
      const size = decimal(cache?.[2] ?? cache?.[4] ?? fence?.[1]);
      Object.assign(this.report, { cache: name, ...field("objectSize", size) });
      return "object";
    }
    const place = placeLine.exec(text);
    if (place !== null) {
      this.place = `${this.place} ${place[1] ?? place[2] ?? ""}`.trim();
      return "object";
    }
    return ownLine.test(text) ? "object" : undefined;
  }

  finish(): SanitizerReport {
    return { ...this.report, ...field("place", this.place === "" ? undefined : this.place.split(" [", 1)[0]) };
  }
}
