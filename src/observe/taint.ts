// What a process line says of a kernel's past: `Not tainted`, or the letters of what happened, each in its place (kernel/panic.c print_tainted).

import { taintNamesLine } from "../kernel/facts/report_formats.ts";
import type { Fact, Release } from "../kernel/release.ts";
import { factAt } from "../kernel/release.ts";

/** The letters in printed order; `G`: no proprietary module. A blank stands for what has not happened. */
const letters: readonly Fact<string>[] = [
  { since: [2, 6], value: "GFSRMB", source: "kernel/panic.c 2.6.18" },
  { since: [2, 6, 24], value: "GFSRMBUD", source: "kernel/panic.c 2.6.24; first release from history" },
  { since: [2, 6, 26], value: "GFSRMBUDAW", source: "kernel/panic.c 2.6.29; first release from history" },
  { since: [2, 6, 28], value: "GFSRMBUDAWC", source: "kernel/panic.c 2.6.29; first release from history" },
  { since: [3, 2], value: "GFSRMBUDAWCIO", source: "kernel/panic.c 3.13; first release from history" },
  { since: [4, 0], value: "GFSRMBUDAWCIOELK", source: "kernel/panic.c 4.19; first release from history" },
  { since: [4, 18], value: "GFSRMBUDAWCIOELKXT", source: "kernel/panic.c 4.19; first release from history" },
  { since: [6, 0], value: "GFSRMBUDAWCIOELKXTN", source: "reports of 6.1.192 and 6.12.117" },
  {
    since: [6, 15],
    value: "GFSRMBUDAWCIOELKXTNJ",
    source: "a report of 7.2.12 has a place more; 6.15 and what it stands for from history",
  },
];

export function taintText(release: Release, taints: ReadonlySet<string>): string {
  if (taints.size === 0) return "Not tainted";
  const all = factAt(letters, release.version)?.value ?? "G";
  return `Tainted: ${[...all].map((c) => (c === "G" || taints.has(c) ? c : " ")).join("")}`;
}

/** Names of the flags that a model can raise or that modules bring (reports of 6.12.117, 7.2.12; WARN: of 6.19.11; DIE from history). */
const names: Readonly<Record<string, string>> = {
  B: "BAD_PAGE",
  D: "DIE",
  W: "WARN",
  O: "OOT_MODULE",
  E: "UNSIGNED_MODULE",
  L: "SOFTLOCKUP",
};

/** The line that names the flags, without its head; undefined where the release prints none, or nothing has happened. */
export function taintNames(release: Release, taints: ReadonlySet<string>): string | undefined {
  if (taints.size === 0 || factAt(taintNamesLine, release.version)?.value !== true) return undefined;
  const all = factAt(letters, release.version)?.value ?? "";
  const set = [...all].filter((c) => taints.has(c) && names[c] !== undefined);
  return set.length === 0 ? undefined : set.map((c) => `[${c}]=${names[c]}`).join(", ");
}
