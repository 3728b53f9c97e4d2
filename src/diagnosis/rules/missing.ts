// What the report lacks, and the exact command that gets it next time.
import { zonesGone } from "../../kernel/readings/mem_info_extent.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Advice, Finding } from "../finding.ts";
import { logCommand } from "../log_command.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { listing } from "../words.ts";

const { questions, unknown, yes } = defineQuestions({
  "missing.parts": {},
  "missing.interface": {},
  "kernel.backport": { question: "Is it a vendor kernel with newer parts?" },
});

const names: Readonly<Record<string, string>> = {
  headline: "first line",
  process: "process line (release, CPU, command)",
  trace: "call trace",
  mem_info: "Mem-Info (zones and free blocks)",
  totals: "Mem-Info totals",
  tail: "end of Mem-Info",
  "mask end": "gfp mask's end (no longer line shows that it is whole)",
  device: "device's name, at the end of the first line",
};

const partWords = (part: string): string => {
  const [what = part, , zone] = part.split(":");
  if (what === "zone") return `line of zone ${zone}`;
  if (what === "lowmem_reserve") return `lowmem_reserve line of ${zone}`;
  if (what === "free_lists") return `buddy line of ${zone}`;
  return names[what] ?? what;
};

export const missing = defineRule({
  id: "missing",
  asks: "Which parts of the report are missing, and how can they be had?",
  questions,
  kinds: ["alloc_failure", "slab_failure", "bad_page", "oops", "skb_panic", "slab_corruption", "oom", "mem_info"],
  answer: (c) => {
    const found: Finding[] = [];
    // Order, mask and command stand on the first line: where that is lost they are lost with it.
    const first = c.incident.missing.includes("headline");
    const parts = c.incident.missing.filter((m) => !first || (m !== "gfp mask" && m !== "comm"));
    // Of a zone that lost all its lines only the reserves of those below it tell, or its node's line.
    const zones = c.memInfo === undefined ? undefined : zonesGone(c.memInfo)?.replace(/^the /, "");
    const gone = [...new Set([...parts.map(partWords), ...(zones === undefined ? [] : [zones])])];
    if (gone.length > 0)
      found.push(
        yes(
          "missing.parts",
          `The report is incomplete: its ${listing(gone.slice(0, 6))} ${gone.length === 1 && !gone[0]?.endsWith("s") ? "is" : "are"} missing, because the text is cut or damaged (or that kernel does not print it).`,
          quote(c, "headline", 1),
          [wholeLog(c)],
        ),
      );
    const network = c.stack.direction !== undefined && c.stack.direction !== "neither";
    if (network && c.around.mtus.size === 0 && c.around.driver === undefined && c.incident.kind === "alloc_failure")
      found.push(
        unknown(
          "missing.interface",
          "The inputs do not say which MTU, ring size and driver version the interface has.",
          [],
          [
            {
              change: { kind: "evidence" },
              action: "Add the interface's settings to the input",
              changes: "pins down the buffer size instead of a range of MTUs",
              costs: "nothing",
              command: "ip -d link show IFACE; ethtool -i IFACE; ethtool -k IFACE; ethtool -g IFACE; ethtool -S IFACE",
            },
          ],
        ),
      );
    if (c.verdict.backport !== undefined && c.verdict.certainty === "stated")
      found.push(
        yes(
          "kernel.backport",
          `The form of the report does not fit the stated release: ${c.verdict.backport.sentence}`,
          c.verdict.backport.lines.slice(0, 2).map((l) => ({ input: c.input, line: l.line, text: l.raw })),
        ),
      );
    return found;
  },
});

const wholeLog = (c: Case): Advice => ({
  change: { kind: "evidence" },
  action: "Get the whole kernel log, from the machine itself",
  changes: "answers what is unknown here",
  costs: "nothing",
  command: `${logCommand(c)} > kernel.log`,
});
