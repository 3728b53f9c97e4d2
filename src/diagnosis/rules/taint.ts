// What the taint letters say about a machine that reports corruption: was it hurt before, and is foreign code loaded?
import { taintLetters } from "../../kernel/readings/process_line.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Finding } from "../finding.ts";
import { no, unknown, yes } from "../finding.ts";
import type { Rule } from "../rule.ts";
import { listing } from "../words.ts";

export const taint: Rule = {
  id: "taint",
  asks: "Had the machine been hurt before, and is code loaded that did not come with the kernel?",
  kinds: ["bad_page", "oops", "skb_panic", "slab_corruption"],
  answer: (c) => {
    if (c.incident.kind === "oops" && c.incident.reading.class === "warning") return [];
    const own = c.incident.kind === "slab_corruption" ? c.incident.reading.taint : undefined;
    const text = own ?? c.process?.taint;
    if (text === undefined) return unmarked(c);
    const letters = taintLetters({
      taint: text.startsWith("Tainted") || text.startsWith("Not") ? text : `Tainted: ${text}`,
    });
    const evidence = own === undefined ? quote(c, "process", 1) : quote(c, "headline", 1);
    return [
      ...before(letters, evidence),
      ...foreign(c, letters, evidence),
      ...(letters.includes("P") ? [] : unmarked(c)),
    ];
  },
};

function before(letters: readonly string[], evidence: Finding["evidence"]): readonly Finding[] {
  const hurt = [
    ...(letters.includes("B") ? ["a bad page or a slab error (B)"] : []),
    ...(letters.includes("D") ? ["an oops or BUG (D)"] : []),
    ...(letters.includes("M") ? ["a machine check (M)"] : []),
  ];
  if (hurt.length === 0)
    return [yes("taint.first", "As far as the taint letters tell, this is the first corruption since boot.", evidence)];
  return [
    no(
      "taint.first",
      `The kernel had already seen ${listing(hurt)} when it printed this: explain the first report, this one may be a consequence.`,
      evidence,
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

function foreign(c: Case, letters: readonly string[], evidence: Finding["evidence"]): readonly Finding[] {
  const out = letters.includes("O");
  const proprietary = letters.includes("P");
  if (!out && !proprietary) return [];
  const modules = modulesOf(c)
    .filter((m) => /\([A-Z]{0,30}?[OP][A-Z]{0,30}\)/.test(m))
    .map((m) => m.replace(/\(.*/, ""));
  const onStack = [...new Set(c.stack.frames.flatMap((f) => (f.module === undefined ? [] : [f.module])))].filter(
    (m) => modules.length === 0 || modules.includes(m),
  );
  const named = modules.length === 0 ? "" : ` (${listing(modules.slice(0, 6))})`;
  const there =
    modules.length === 0
      ? ` The report does not say which${onStack.length === 0 ? "" : `; ${listing(onStack)} ${onStack.length === 1 ? "is" : "are"} on this stack`}.`
      : onStack.length === 0
        ? " None of its functions is on this stack, which acquits it of nothing: corruption strikes later."
        : ` ${listing(onStack)} ${onStack.length === 1 ? "is" : "are"} on this very stack.`;
  return [
    yes(
      "taint.foreign",
      `Code is loaded that did not come with this kernel${named}${proprietary ? ", some of it proprietary" : ""}.${there}`,
      [...evidence, ...quote(c, "modules", 1)],
      [
        {
          change: { kind: "evidence" },
          action: `Repeat without ${modules.length === 0 ? "the foreign modules" : listing(modules.slice(0, 6))}`,
          changes: "tells whether it is their fault; nobody will look at the report before",
          costs: "what the module does is missing meanwhile",
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
          changes: "tells whether one of them writes where it must not, above all one that drives a DMA engine",
          costs: "what the module does is missing meanwhile",
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
  return (text ?? "").split(/\s+/).filter((m) => m !== "");
}
