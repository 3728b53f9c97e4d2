// Is vm.min_free_kbytes what the kernel chose by itself, and is it worth raising?
import { lowmemOfMinFree } from "../../kernel/facts/min_free.ts";
import type { Case } from "../case.ts";
import type { Advice } from "../finding.ts";
import { finding } from "../finding.ts";
import { type Rule, shortages } from "../rule.ts";
import { size } from "../words.ts";

export const minFree: Rule = {
  id: "min_free",
  asks: "Is min_free_kbytes the kernel's own default?",
  kinds: shortages,
  answer: (c) => {
    const told = c.around.sysctls.get("vm.min_free_kbytes");
    if (told === undefined) return [];
    const kb = Number(told.value);
    if (!Number.isInteger(kb) || kb <= 0) return [];
    const lowmem = lowmemOfMinFree(kb, c.release.version);
    const evidence = [told.quote];
    const advice = [raise(c, kb)];
    if (lowmem === undefined)
      return [
        finding(
          "min_free.default",
          "unknown",
          `vm.min_free_kbytes ${kb} is at a limit of the kernel's own choice: it may be the default or a user's value.`,
          evidence,
          advice,
        ),
      ];
    const inGib = size(lowmem.from * 1024);
    const known = c.around.memTotalKb;
    if (known !== undefined && (lowmem.from > known.value * 1.06 || lowmem.to < known.value * 0.8))
      return [
        finding(
          "min_free.default",
          "no",
          `vm.min_free_kbytes ${kb} would be the default of ${inGib} of low memory; this machine has ${size(known.value * 1024)}, so somebody set it (or transparent huge pages raised it).`,
          [...evidence, known.quote],
          advice,
        ),
      ];
    return [
      finding(
        "min_free.default",
        "yes",
        `vm.min_free_kbytes ${kb} is the untouched default of a machine with about ${inGib} of low memory: nobody has tuned it.`,
        evidence,
        advice,
      ),
    ];
  },
};

/** Four times the value at hand, but never above what the kernel itself would allow to be sensible. */
export function raise(c: Case, kb: number): Advice {
  const to = Math.max(kb * 2, Math.min(kb * 4, 262144));
  const atomic = c.order === undefined || c.order > 0;
  return {
    action: `Raise vm.min_free_kbytes from ${kb} to ${to}`,
    changes: atomic
      ? "kswapd starts earlier and keeps more memory free, so that blocks of several pages survive and requests that may not wait find them"
      : "kswapd starts earlier and keeps more memory free for requests that may not wait",
    costs: `${size((to - kb) * 1024)} more memory that programs cannot use; far too high a value brings the OOM killer`,
    command: `sysctl -w vm.min_free_kbytes=${to}`,
  };
}
