// What a board's kernel printed, in its own words: Bad page state by the printer of that report, and the oops as 2.6.29 prints one on a 32-bit
// PowerPC (arch/powerpc/kernel/traps.c, process.c, mm/fault.c). Names of functions mean something; offsets and addresses are made up from them.
import { printBadPage } from "../../artifact/log/incidents/bad_page.ts";
import { printTrace } from "../../artifact/log/incidents/call_trace.ts";
import type { CallTrace } from "../../kernel/readings/call_trace.ts";
import { parseRelease } from "../../kernel/release.ts";
import type { BadPageSeen } from "../../model/mm/struct_page.ts";
import { callTrace, codePlace } from "../../observe/call_trace.ts";
import type { OopsSeen } from "./board.ts";

const release = parseRelease("2.6.29-ppc32");
/** mem_map as in the thread's report (page:c03d2b60 is pfn 080db), and sizeof(struct page) on ppc32. */
const memMap = 0xc02d1000;
const structPageBytes = 32;
/** Who called the poll: the interrupt's end. */
const belowPoll = ["net_rx_action", "__do_softirq", "do_softirq", "irq_exit", "do_IRQ", "ret_from_except"];

const hex32 = (n: number): string => (n >>> 0).toString(16).padStart(8, "0");

/** The functions of a path, with what stands below a poll; a module's name in brackets is kept. */
function framesIn(path: string): readonly string[] {
  const names = path.split(" < ").filter((f) => f !== "");
  const poll = names.indexOf("mal_poll");
  return poll < 0 ? names : [...names.slice(0, poll + 1), ...belowPoll];
}

function traceOf(names: readonly string[]): CallTrace {
  const bare = names.map((f) => f.split(" [")[0] as string);
  const trace = callTrace(release, { irq: [], task: bare });
  const items = trace.items.map((item, i) => {
    const module = names[i]?.split(" [")[1]?.replace("]", "");
    return item.kind === "frame" && module !== undefined ? { ...item, module } : item;
  });
  return { ...trace, items };
}

export function badPageText(seen: BadPageSeen): string {
  const page = hex32(memMap + seen.pfn * structPageBytes);
  return printBadPage(
    {
      raw: [],
      comm: seen.task,
      pfn: seen.pfn,
      page,
      flags: hex32(seen.flags),
      refcount: seen.count,
      mapcount: seen.mapcount,
      mapping: "(null)",
      index: "0",
      trace: traceOf(["show_stack", "bad_page", ...framesIn(seen.path)]),
    },
    release.version,
  ).join("\n");
}

const placeText = (name: string): string => {
  const { offset, size, address } = codePlace(release, name);
  return `[${address}] ${name}+0x${offset.toString(16)}/0x${size.toString(16)}`;
};

export function oopsText(seen: OopsSeen): string {
  const names = framesIn(seen.path);
  const [at = "", caller = ""] = names;
  const instruction = codePlace(release, at).address;
  const head = seen.text.startsWith("kernel BUG")
    ? [`${seen.text}!`, "Oops: Exception in kernel mode, sig: 5 [#1]"]
    : [
        seen.text,
        `Faulting instruction address: 0x${instruction}`,
        "Oops: Kernel access of bad area, sig: 11 [#1]",
        `NIP: ${instruction} LR: ${codePlace(release, caller).address} CTR: 00000000`,
        `DEAR: ${hex32(seen.address)}, ESR: 00000000`,
      ];
  return [
    ...head,
    `NIP ${placeText(at)}`,
    `LR ${placeText(caller)}`,
    ...printTrace(traceOf(names.slice(1))),
    // An oops of a process takes that process alone, with whatever locks it held.
    ...(names.includes("net_rx_action") ? ["Kernel panic - not syncing: Fatal exception in interrupt"] : []),
  ].join("\n");
}
