// Is vm.min_free_kbytes what the kernel chose by itself, and is it worth raising?
import { defaultMinFreeKb, lowmemOfMinFree } from "../../kernel/facts/min_free.ts";
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Advice, Finding } from "../finding.ts";
import { no, unknown, yes } from "../finding.ts";
import { type Rule, shortages } from "../rule.ts";
import { size } from "../words.ts";

export const minFree: Rule = {
  id: "min_free",
  asks: "Is min_free_kbytes the kernel's own default?",
  kinds: shortages,
  answer: (c) => {
    const told = c.around.sysctls.get("vm.min_free_kbytes");
    if (told === undefined) return fromMarks(c);
    const kb = Number(told.value);
    if (!Number.isInteger(kb) || kb <= 0) return [];
    const lowmem = lowmemOfMinFree(kb, c.release.version);
    const evidence = [told.quote];
    const advice = [raise(c, kb, lowmem?.from ?? c.around.memTotalKb?.value)];
    if (lowmem === undefined)
      return [
        unknown(
          "min_free.default",
          `vm.min_free_kbytes ${kb} is at a limit of the kernel's own choice: it may be the default or a user's value.`,
          evidence,
          advice,
        ),
      ];
    const inGib = size(lowmem.from * 1024);
    const known = c.around.memTotalKb;
    if (known !== undefined && (lowmem.from > known.value * 1.06 || lowmem.to < known.value * 0.8))
      return [
        no(
          "min_free.default",
          `vm.min_free_kbytes ${kb} would be the default of ${inGib} of low memory; this machine has ${size(known.value * 1024)}, so somebody set it (or transparent huge pages raised it).`,
          [...evidence, known.quote],
          advice,
        ),
      ];
    return [
      yes(
        "min_free.default",
        `vm.min_free_kbytes ${kb} is the untouched default of a machine with about ${inGib} of low memory: nobody has tuned it.`,
        evidence,
        advice,
      ),
    ];
  },
};

/** Without the sysctl: the min marks of the zones below HighMem add up to it. */
function fromMarks(c: Case): readonly Finding[] {
  const zones = (c.memInfo?.zones ?? []).filter(
    (z) => z.name !== "HighMem" && z.name !== "Movable" && z.name !== "Device",
  );
  const sum = (name: string): number => zones.reduce((n, z) => n + (z.kb[name] ?? 0), 0);
  const kb = sum("min") - sum("boost");
  const lowmem = sum("managed") || sum("present");
  if (zones.length === 0 || kb <= 0 || lowmem <= 0 || zones.some((z) => z.kb.min === undefined)) return [];
  const own = defaultMinFreeKb(lowmem, c.release.version);
  const reservedKb = sum("managed") > 0 ? 0 : keptByBoot(c);
  const least = defaultMinFreeKb(Math.max(0, lowmem - reservedKb), c.release.version);
  const evidence = [
    ...zones.flatMap((z) => quote(c, `zone:${z.node}:${z.name}`, 1)),
    ...(reservedKb > 0 ? quote(c, "tail", 20).filter((q) => /\breserved\b/.test(q.text)) : []),
  ];
  const base = `The min marks of the zones add up to ${kb} kB, which is what vm.min_free_kbytes is set to (nearly)`;
  const near = Math.abs(kb - own) <= Math.max(own * 0.1, 128);
  const untouched = near || (kb < own && kb >= least - Math.max(least * 0.1, 128));
  const claim = untouched
    ? `${base}; the kernel's own choice for ${size(lowmem * 1024)} is about ${own}${near ? "" : `, and ${least} for what boot did not keep of it`}: nobody has tuned it.`
    : kb > own
      ? `${base}; the kernel's own choice for ${size(lowmem * 1024)} would be about ${own}: it was raised, by somebody or by transparent huge pages.`
      : `${base}; the kernel's own choice for ${size(lowmem * 1024)} would be about ${own}: it was lowered.`;
  const helps = c.incident.kind !== "oom";
  return [(untouched ? yes : no)("min_free.default", claim, evidence, helps ? [raise(c, kb, lowmem)] : [])];
}

/**
 * Memory that boot keeps, for reports whose zone lines give only what is there (before 3.9): how much of it the kernel counted when it chose
 * differs by release and architecture, so both ends are its own choice.
 */
function keptByBoot(c: Case): number {
  const { tail = {} } = c.memInfo ?? {};
  return (tail["pages reserved"] ?? tail["reserved pages"] ?? 0) * c.pageKb;
}

/** Four times the value at hand, but neither above what the kernel would ever choose nor above a twentieth of low memory. */
function raise(c: Case, kb: number, lowmemKb: number | undefined): Advice {
  const sensible = lowmemKb === undefined ? kb * 4 : Math.floor(lowmemKb / 20);
  const to = Math.max(Math.ceil(kb * 1.25), Math.min(kb * 4, 262144, sensible));
  const atomic = c.order === undefined || c.order > 0;
  return {
    change: { kind: "min_free_kbytes", kb: to },
    action: `Raise vm.min_free_kbytes from ${kb} to ${to}`,
    changes: atomic
      ? "kswapd starts earlier and keeps more memory free, so that blocks of several pages survive and requests that may not wait find them"
      : "kswapd starts earlier and keeps more memory free for requests that may not wait",
    costs: `${size((to - kb) * 1024)} more memory that programs cannot use; far too high a value brings the OOM killer`,
    command: `sysctl -w vm.min_free_kbytes=${to}`,
  };
}
