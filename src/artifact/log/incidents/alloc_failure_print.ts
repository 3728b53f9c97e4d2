// Prints a failed allocation in the form of a given release, from the same Reading that the reader makes.
import { decodeGfp } from "../../../kernel/facts/gfp.ts";
import { failureLineForms } from "../../../kernel/facts/report_formats.ts";
import type { AllocFailure } from "../../../kernel/readings/alloc_failure.ts";
import type { GfpText } from "../../../kernel/readings/gfp_text.ts";
import { factAt } from "../../../kernel/release.ts";
import { printTrace } from "./call_trace.ts";
import { printMemInfo, printProtection } from "./mem_info_print.ts";
import { printProcess } from "./process_line.ts";
import { printSlabFailure } from "./slab_failure.ts";

/** `0x40a20(GFP_ATOMIC|__GFP_COMP)`: printed names are kept, missing ones computed for the release. */
export function printGfp(gfp: GfpText | undefined, version: readonly number[]): string {
  const mask = gfp?.mask ?? 0;
  return `0x${mask.toString(16)}(${gfp?.names ?? decodeGfp(mask, version).text})`;
}

/** The report as lines (mm/page_alloc.c warn_alloc, 4.8 and later; warn_alloc_failed 3.0; __alloc_pages before). */
export function printAllocFailure(reading: AllocFailure, version: readonly number[], pageKb = 4): string[] {
  if (reading.variant === "2.4") {
    const gfp = `0x${(reading.gfp?.mask ?? 0).toString(16)}`;
    return [
      `__alloc_pages: ${reading.order ?? 0}-order allocation failed (gfp=${gfp}/${(reading.memalloc ?? 0).toString(16)})`,
    ];
  }
  return [
    ...(reading.rangeLine === undefined ? [] : [reading.rangeLine]),
    ...printFirstLines(reading, version),
    ...(reading.process === undefined ? [] : printProcess(reading.process, version)),
    ...(reading.trace === undefined ? [] : printTrace(reading.trace)),
    ...(reading.memInfo === undefined ? [] : printMemInfo(reading.memInfo, version, pageKb)),
    ...(reading.memInfo === undefined ? [] : printProtection(reading.memInfo)),
    ...(reading.slab === undefined ? [] : printSlabFailure(reading.slab, version)),
  ];
}

function printFirstLines(reading: AllocFailure, version: readonly number[]): string[] {
  const form = factAt(failureLineForms, version)?.value ?? "one line";
  const comm = reading.comm === undefined ? "" : `${reading.comm}: `;
  const mode = `0x${(reading.gfp?.mask ?? 0).toString(16)}`;
  const order = `order:${reading.order ?? 0}`;
  const own = reading.reason !== undefined && reading.reasonOnOwnLine === true ? [reading.reason] : [];
  const words =
    reading.variant === "stall"
      ? `page allocation stalls for ${reading.stalledMs ?? 0}ms, ${order}`
      : reading.reason !== undefined && reading.reasonOnOwnLine !== true
        ? reading.reason
        : `page allocation failure: ${order}`;
  switch (form) {
    case "full stop":
      return [...own, `${comm}page allocation failure. ${order}, mode:${mode}`];
    case "colon":
      return [...own, `${comm}${words}, mode:${mode}`];
    case "names":
      return [...own, `${comm}${words}, mode:${printGfp(reading.gfp, version)}`];
    case "nodemask":
      return [
        `${comm}${words}, mode:${printGfp(reading.gfp, version)}, nodemask=${reading.nodemask ?? "(null)"}`,
        ...(reading.cpuset === undefined
          ? []
          : [`${reading.comm ?? ""} cpuset=${reading.cpuset} mems_allowed=${reading.memsAllowed ?? ""}`]),
      ];
    case "one line": {
      const cpuset =
        reading.cpuset === undefined ? "" : `,cpuset=${reading.cpuset},mems_allowed=${reading.memsAllowed ?? ""}`;
      return [
        `${comm}${words}, mode:${printGfp(reading.gfp, version)}, nodemask=${reading.nodemask ?? "(null)"}${cpuset}`,
      ];
    }
  }
}
