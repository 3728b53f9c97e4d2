// /proc/buddyinfo and, of the same form, debugfs extfrag_index and unusable_index (mm/vmstat.c frag_show_print, 2.6.0 to 6.x).
import type { BuddyInfo, BuddyInfoZone } from "../../kernel/readings/buddyinfo.ts";
import type { Extfrag, ExtfragZone } from "../../kernel/readings/extfrag.ts";
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { TextReader } from "../reader.ts";
import { asText, skipped } from "../reader.ts";

const row = /^Node\s+(\d+), zone\s+(\S+)((?:\s+\d+)+)\s*$/;
const fractions = /^Node\s+(\d+), zone\s+(\S+)((?:\s+-?\d\.\d{3})+)\s*$/;

/** `Node 0, zone      DMA` */
export const zoneHead = (node: number, zone: string): string => `Node ${node}, zone ${zone.padStart(8)}`;

const words = (text: string): string[] => text.trim().split(/\s+/);

export const buddyinfo: TextReader<BuddyInfo> = {
  kind: "buddyinfo",
  title: "/proc/buddyinfo",
  starts: (text) => row.test(text),
  continues: (text) => row.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const zones: BuddyInfoZone[] = [];
    for (const source of lines) {
      const match = row.exec(source.text);
      if (match === null) notes.push(skipped(source, this.title));
      else zones.push({ node: Number(match[1]), zone: match[2]!, free: words(match[3]!).map(Number) });
    }
    return { reading: { kind: "buddyinfo", zones }, notes };
  },
  print: ({ zones }) =>
    asText(zones.map((z) => `${zoneHead(z.node, z.zone)} ${z.free.map((n) => `${String(n).padStart(6)} `).join("")}`)),
};

export const extfrag: TextReader<Extfrag> = {
  kind: "extfrag",
  title: "extfrag_index or unusable_index",
  starts: (text) => fractions.test(text),
  continues: (text) => fractions.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const zones: ExtfragZone[] = [];
    let index = false;
    let aligned = false;
    for (const source of lines) {
      const match = fractions.exec(source.text);
      if (match === null) notes.push(skipped(source, this.title));
      else {
        const thousandths = words(match[3]!).map((w) => Number(w.replace(".", "")));
        zones.push({ node: Number(match[1]), zone: match[2]!, thousandths });
        index ||= thousandths.some((t) => t < 0);
        aligned ||= /\s{2}\d/.test(match[3]!);
      }
    }
    const ragged = index && !aligned && zones.some((z) => z.thousandths.some((t) => t >= 0));
    const which = index || aligned ? "index" : whichOf(zones);
    return { reading: { kind: "extfrag", which, ...(ragged ? { ragged } : {}), zones }, notes };
  },
  print: ({ which, ragged, zones }) =>
    asText(
      zones.map(
        (z) =>
          `${zoneHead(z.node, z.zone)} ${z.thousandths.map((t) => `${fraction(t).padStart(which === "index" && ragged !== true ? 6 : 5)} `).join("")}`,
      ),
    ),
};

// The index may be -1 (a block is free) and has two columns before its point in 6.1 and later, one in 5.10; the unusable share is never negative
// and 0 at order 0 by definition. Where blanks were lost on the way, that zero is what is left to go by.
function whichOf(zones: readonly ExtfragZone[]): Extfrag["which"] {
  return zones.length > 0 && zones.every((z) => z.thousandths[0] === 0) ? "unusable" : "unknown";
}

function fraction(thousandths: number): string {
  const size = Math.abs(thousandths);
  return `${thousandths < 0 ? "-" : ""}${Math.floor(size / 1000)}.${String(size % 1000).padStart(3, "0")}`;
}
