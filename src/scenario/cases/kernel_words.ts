// What a board's kernel printed, in its own words: Bad page state by the printer of that report, and the oops as 2.6.29 on PowerPC begins one.
// Function offsets and stack addresses are not known to the model, so a trace has names alone.
import { printBadPage } from "../../artifact/log/incidents/bad_page.ts";
import type { BadPageSeen } from "../../model/mm/struct_page.ts";
import type { OopsSeen } from "./board.ts";

const version = [2, 6, 29] as const;
/** mem_map as in the thread's report (page:c03d2b60 is pfn 080db), and sizeof(struct page) on ppc32. */
const memMap = 0xc02d1000;
const structPageBytes = 32;

const hex32 = (n: number): string => (n >>> 0).toString(16).padStart(8, "0");
const framesIn = (path: string): readonly string[] => path.split(" < ").filter((f) => f !== "");

export function badPageText(seen: BadPageSeen): string {
  return printBadPage(
    {
      raw: [],
      comm: seen.task,
      pfn: seen.pfn,
      page: hex32(memMap + seen.pfn * structPageBytes),
      flags: hex32(seen.flags),
      refcount: seen.count,
      mapcount: seen.mapcount,
      mapping: "(null)",
      index: "0",
      trace: {
        form: "plain",
        heading: "Call Trace:",
        items: ["show_stack", "bad_page", ...framesIn(seen.path)].map((f) => {
          const [name = "", module] = f.split(" [");
          return {
            kind: "frame",
            function: name,
            reliable: true,
            ...(module === undefined ? {} : { module: module.replace("]", "") }),
          };
        }),
      },
    },
    version,
  ).join("\n");
}

export function oopsText(seen: OopsSeen): string {
  const [at = "", caller = "", ...rest] = framesIn(seen.path);
  const bug = seen.text.startsWith("kernel BUG");
  return [
    bug ? `${seen.text}!` : seen.text,
    bug
      ? "Oops: Exception in kernel mode, sig: 5 [#1]"
      : `Oops: Kernel access of bad area, sig: 11 [#1]\nDEAR: ${hex32(seen.address)}`,
    `NIP ${at}`,
    `LR ${caller}`,
    "Call Trace:",
    ...[caller, ...rest].filter((f) => f !== "").map((f) => ` ${f}`),
    // An oops of a process takes that process alone, with whatever locks it held.
    ...(framesIn(seen.path).includes("net_rx_action")
      ? ["Kernel panic - not syncing: Fatal exception in interrupt"]
      : []),
  ].join("\n");
}
