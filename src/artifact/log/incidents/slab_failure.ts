// The slab allocators' own lines about an allocation that failed: `SLUB: Unable to allocate memory on node -1, gfp=…` and what follows it.

import { slabFailureForms } from "../../../kernel/facts/report_formats.ts";
import type { SlabFailure } from "../../../kernel/readings/slab_failure.ts";
import { factAt } from "../../../kernel/release.ts";
import { decimal, field } from "./builder.ts";

/** A bracket stands behind every mask: that of the words or that of its names. */
const headLine =
  /(SL[AU]B): Unable to allocate memory on (?:CPU (\d+) \(of node (-?\d+)\) on )?node (-?\d+)(, gfp=| \(gfp=)0x([0-9a-f]{1,8})(?:\)|\((?:([^)]{0,400})\))?)/;
const cacheLine =
  /^\s*cache: (\S{1,200}?)(\([^)]{0,400}\))?, object size: (\d+)(?:, buffer size: (\d+), default order: (\d+), min order: (\d+)|, order: (\d+))/;
const nodeLine = /^\s*node (\d+): slabs: (\d+)(?:\/(\d+))?, objs: (\d+)(?:\/(\d+))?(?:, free: (\d+))?/;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Gathers the lines; `take` says whether a line was one of them. */
export class SlabFailureBuilder {
  private reading: Mutable<SlabFailure> | undefined;
  private readonly nodes: SlabFailure["nodes"][number][] = [];

  take(text: string): boolean {
    return this.reading === undefined ? this.takeHead(text) : this.takeCache(text) || this.takeNode(text);
  }

  private takeHead(text: string): boolean {
    const m = headLine.exec(text);
    if (m?.[1] === undefined || m[6] === undefined) return false;
    this.reading = {
      allocator: m[1] === "SLAB" ? "SLAB" : "SLUB",
      ...field("cpu", decimal(m[2])),
      ...field("cpuNode", decimal(m[3])),
      node: Number(m[4]),
      gfp: { mask: Number.parseInt(m[6], 16), ...field("names", m[7]) },
      form: m[5] === ", gfp=" ? "comma" : "parentheses",
      nodes: this.nodes,
    };
    return true;
  }

  private takeCache(text: string): boolean {
    if (this.reading === undefined) return false;
    if (/^\s*\S+ debugging increased min order, use sl[au]b_debug=O to disable/.test(text)) {
      this.reading.debuggingRaisedOrder = true;
      return true;
    }
    const m = cacheLine.exec(text);
    if (m === null || this.reading.cache !== undefined) return false;
    Object.assign(this.reading, {
      cache: m[1],
      ...field("memcg", m[2]?.slice(1, -1)),
      ...field("objectSize", decimal(m[3])),
      ...field("bufferSize", decimal(m[4])),
      ...field("defaultOrder", decimal(m[5])),
      ...field("minOrder", decimal(m[6])),
      ...field("order", decimal(m[7])),
    });
    return true;
  }

  private takeNode(text: string): boolean {
    const m = nodeLine.exec(text);
    if (m === null) return false;
    this.nodes.push({
      node: Number(m[1]),
      slabs: Number(m[2]),
      ...field("slabsTotal", decimal(m[3])),
      objects: Number(m[4]),
      ...field("objectsTotal", decimal(m[5])),
      free: Number(m[6] ?? 0),
    });
    return true;
  }

  finish(): SlabFailure | undefined {
    return this.reading;
  }
}

/** The lines as a release prints them (mm/slub.c slab_out_of_memory, mm/slab.c). */
export function printSlabFailure(s: SlabFailure, version: readonly number[]): string[] {
  const form = factAt(slabFailureForms, version)?.value ?? s.form;
  const mask = `0x${s.gfp.mask.toString(16)}`;
  const gfp = form === "comma" ? `, gfp=${mask}(${s.gfp.names ?? ""})` : ` (gfp=${mask})`;
  const on = s.cpu === undefined ? `node ${s.node}` : `CPU ${s.cpu} (of node ${s.cpuNode ?? 0}) on node ${s.node}`;
  const name = `${s.cache ?? ""}${s.memcg === undefined ? "" : `(${s.memcg})`}`;
  const lines = [`${s.allocator}: Unable to allocate memory on ${on}${gfp}`];
  if (s.cache !== undefined) {
    lines.push(
      s.allocator === "SLAB"
        ? `  cache: ${name}, object size: ${s.objectSize ?? 0}, order: ${s.order ?? 0}`
        : `  cache: ${name}, object size: ${s.objectSize ?? 0}, buffer size: ${s.bufferSize ?? 0}, default order: ${s.defaultOrder ?? 0}, min order: ${s.minOrder ?? 0}`,
    );
  }
  if (s.debuggingRaisedOrder === true)
    lines.push(`  ${name} debugging increased min order, use slub_debug=O to disable.`);
  for (const n of s.nodes) {
    lines.push(
      s.allocator === "SLAB"
        ? `  node ${n.node}: slabs: ${n.slabs}/${n.slabsTotal ?? 0}, objs: ${n.objects}/${n.objectsTotal ?? 0}`
        : `  node ${n.node}: slabs: ${n.slabs}, objs: ${n.objects}, free: ${n.free}`,
    );
  }
  return lines;
}
