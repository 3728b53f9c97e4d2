// What the taint letters say about a machine that reports corruption: was it hurt before, and is foreign code loaded?
import type { Oops } from "../../kernel/readings/oops.ts";
import type { Part } from "../../kernel/readings/part.ts";
import { none, nothingMissing, seenOf } from "../../kernel/readings/part.ts";
import { taintPart } from "../../kernel/readings/process_line.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import { faultAt, faultOf } from "../faults.ts";
import type { Finding, Quote } from "../finding.ts";
import { missed, shown } from "../finding.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import { listing } from "../words.ts";
import { verdictOn } from "./bad_page.ts";
import { linesWith } from "./lines.ts";
import { oopsOf } from "./oops.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "taint.first": { question: "Is it the first corruption since boot?", absence: "yes" },
  "taint.foreign": { question: "Is out-of-tree code loaded?", clears: "foreign code" },
});

export const taint = defineRule({
  id: "taint",
  asks: "Had the kernel seen damage before, and is out-of-tree code loaded?",
  questions,
  kinds: ["bad_page", "oops", "skb_panic", "slab_corruption"],
  answer: (c) => {
    if (c.incident.kind === "oops" && c.incident.reading.class === "warning" && !isCorruption(c)) return [];
    const own = c.incident.kind === "slab_corruption" ? c.incident.reading.taint : undefined;
    const text = own ?? c.process?.taint;
    if (text === undefined) {
      const marked = foreign(c, [], []);
      return marked.length > 0 ? marked : unmarked(c);
    }
    const part = taintPart({
      taint: text.startsWith("Tainted") || text.startsWith("Not") ? text : `Tainted: ${text}`,
    });
    const letters = seenOf(part) ?? [];
    const evidence = own === undefined ? tainted(c) : quote(c, "headline");
    return [
      ...before(part, evidence, isCorruption(c)),
      ...foreign(c, letters, evidence),
      ...(letters.includes("P") ? [] : unmarked(c)),
    ];
  },
});

/** The line with the letters; arm before 3.10 and mips print them among the registers. */
function tainted(c: Case): readonly Quote[] {
  const lines = quote(c, "process");
  return lines.length > 0
    ? lines
    : linesWith(c, "registers", (text) => /\b(?:Not tainted|Tainted: )/.test(text)).slice(0, 1);
}

/** Whether the report itself is of corruption: of anything else it cannot be "the first". */
function isCorruption(c: Case): boolean {
  const { incident } = c;
  if (incident.kind === "oops") return faultOf(c, incident.reading).severity === "corruption";
  if (incident.kind === "bad_page") return verdictOn(c, incident.reading).severity === "corruption";
  return incident.kind === "slab_corruption";
}

/** Letters that say that the kernel was hurt (Documentation/admin-guide/tainted-kernels.rst). */
const hurts: Readonly<Record<string, string>> = {
  B: "a bad page or a slab error (B)",
  D: "an oops or BUG (D)",
  M: "a machine check (M)",
};

function before(
  letters: Part<readonly string[]>,
  evidence: Finding["evidence"],
  corruption: boolean,
): readonly Finding[] {
  const unhurt = none(letters, (letter) => letter in hurts);
  if (unhurt !== undefined)
    return corruption
      ? [
          yes(
            "taint.first",
            "As far as the taint letters tell, this is the first corruption since boot.",
            missed(unhurt, evidence),
          ),
        ]
      : [];
  const hurt = (seenOf(letters) ?? []).flatMap((letter) => hurts[letter] ?? []);
  const [first] = hurt;
  if (first === undefined) return [];
  return [
    no(
      "taint.first",
      `The kernel had already seen ${listing(hurt)} when it printed this: look at the first report, this one may be a consequence.`,
      shown(first, evidence),
      [
        {
          change: { kind: "evidence" },
          action: "Look at the first report since boot",
          changes: "the cause is there; what follows are consequences",
          costs: "nothing",
          command: "journalctl -k -b --no-pager | grep -nE 'BUG|Oops|Bad page|WARNING|general protection' | head",
        },
      ],
    ),
  ];
}

/** Modules that the list marks as foreign or proprietary: `l7fw(OE)`, `nvidia(PO)`. */
const foreignModules = (c: Case): readonly string[] =>
  modulesOf(c)
    .filter((m) => /\([A-Z+-]{0,30}?[OP][A-Z+-]{0,30}\)/.test(m))
    .map((m) => m.replace(/\(.*/, ""));

/** Where the foreign modules stand: it stopped in one, one is on the stack, or none is. */
function standing(c: Case, modules: readonly string[]): string {
  const o = oopsOf(c);
  const inner = o === undefined ? undefined : (o.at?.module ?? o.registers?.at?.module);
  const known = (m: string): boolean => modules.length === 0 || modules.includes(m);
  if (inner !== undefined && known(inner))
    return ` It stopped in ${faultAt(o as Oops) ?? "a function"} of ${inner} itself: look there first.`;
  const onStack = [...new Set(c.stack.frames.flatMap((f) => (f.module === undefined ? [] : [f.module])))].filter(known);
  const are = onStack.length === 1 ? "is" : "are";
  if (modules.length === 0)
    return ` The report does not say which${onStack.length === 0 ? "" : `; ${listing(onStack)} ${are} on this stack`}.`;
  if (onStack.length > 0) return ` ${listing(onStack)} ${are} on this very stack.`;
  if (c.stack.frames.length === 0) return " The text has no stack that would show whether one of them was at work.";
  if (nothingMissing(c.stack.trace) === undefined)
    return " The part of the stack that is there shows none of its functions.";
  return isCorruption(c)
    ? " None of its functions is on this stack, which does not clear it: corruption shows later than it happens."
    : " None of its functions is on this stack.";
}

function foreign(c: Case, letters: readonly string[], evidence: Finding["evidence"]): readonly Finding[] {
  const modules = foreignModules(c);
  const proprietary = letters.includes("P");
  if (!letters.includes("O") && !proprietary && modules.length === 0) return [];
  const named = modules.length === 0 ? "" : ` (${listing(modules.slice(0, 6))})`;
  return [
    yes(
      "taint.foreign",
      `Out-of-tree code is loaded${named}${proprietary ? ", some of it proprietary" : ""}.${standing(c, modules)}`,
      [...evidence, ...quote(c, "modules", 1)],
      [
        {
          change: { kind: "evidence" },
          action: `Repeat without ${modules.length === 0 ? "the out-of-tree modules" : listing(modules.slice(0, 6))}`,
          changes: "shows whether it is involved; kernel developers ask for this before they look",
          costs: "you do without the module meanwhile",
          command: "grep -l O /sys/module/*/taint",
        },
      ],
    ),
  ];
}

/** Before 3.2 no letter told a module from outside the tree (TAINT_OOT_MODULE, include/linux/kernel.h): the list of modules is all there is. */
function unmarked(c: Case): readonly Finding[] {
  const modules = modulesOf(c);
  if (modules.length === 0 || atLeast(c.release, [3, 2])) return [];
  const named = listing(modules.slice(0, 6)) + (modules.length > 6 ? `, and ${modules.length - 6} more` : "");
  return [
    unknown(
      "taint.foreign",
      `Kernels before 3.2 do not mark modules that did not come with them. Loaded: ${named}.`,
      quote(c, "modules", 1),
      [
        {
          change: { kind: "evidence" },
          action: `Repeat without the modules that are not the kernel's own (loaded: ${named})`,
          changes: "shows whether one of them writes where it must not, above all one that drives a DMA engine",
          costs: "you do without the module meanwhile",
          command:
            "lsmod; find /lib/modules/$(uname -r)/kernel -name '*.ko'   # what is not in the list came from elsewhere",
        },
      ],
    ),
  ];
}

function modulesOf(c: Case): readonly string[] {
  const r = c.incident.reading;
  const text = "modules" in r ? r.modules : "oops" in r && typeof r.oops === "object" ? r.oops.modules : undefined;
  // The list ends before `[last unloaded: …]`.
  return (text ?? "")
    .split(" [", 1)
    .join("")
    .split(/\s+/)
    .filter((m) => /^[\w-]+(?:\([A-Z+-]*\))?$/.test(m));
}
