// What a process line says of a kernel's past: `Not tainted`, or the letters of what happened, each in its place (kernel/panic.c print_tainted).
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
  { since: [6, 0], value: "GFSRMBUDAWCIOELKXTN", source: "a report of 6.1.192" },
];

export function taintText(release: Release, taints: ReadonlySet<string>): string {
  if (taints.size === 0) return "Not tainted";
  const all = factAt(letters, release.version)?.value ?? "G";
  return `Tainted: ${[...all].map((c) => (c === "G" || taints.has(c) ? c : " ")).join("")}`;
}
