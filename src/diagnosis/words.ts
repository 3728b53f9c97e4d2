// Small pieces of plain English that several rules need: sizes, counts, lists.
import { grouped } from "../base/grouped.ts";

/** `8 KiB`, `1.9 MiB`, `512 bytes`. */
export function size(bytes: number): string {
  const units = ["KiB", "MiB", "GiB", "TiB"];
  if (bytes < 1024) return count(bytes, "byte");
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(Math.trunc(value) < 10 ? 2 : 1)} ${units[unit]}`;
}

/** `1 page`, `3 pages`; thousands are grouped. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${grouped(n)} ${n === 1 ? noun : plural}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listing(items: readonly string[], last = "and"): string {
  if (items.length < 2) return items.join("");
  return `${items.slice(0, -1).join(", ")} ${last} ${items.at(-1)}`;
}

/** First words that are names and stay as the kernel and the shell spell them. */
const names = new Set([
  "kswapd",
  "kcompactd",
  "ksoftirqd",
  "khugepaged",
  "kmemleak",
  "vmalloc",
  "sysctl",
  "ethtool",
  "dmesg",
  "skblab",
]);

/** The sentence with its first letter large, unless it begins with a name: `kswapd`, `kmalloc-2048`, `vm.min_free_kbytes`, `skb_put()`. */
export function capital(text: string): string {
  const first = /^\S*/.exec(text)?.[0] ?? "";
  return names.has(first) || /[^A-Za-z,:;']/.test(first.replace(/-[a-z]+$/, ""))
    ? text
    : text.charAt(0).toUpperCase() + text.slice(1);
}

/** `order 1 (8 KiB)`. */
export const orderWords = (order: number, pageKb: number): string =>
  `order ${order} (${size(pageKb * 1024 * 2 ** order)})`;

/** `40 ms`, `12 s`, `3.5 min`, `2.1 h`, `4.0 d`. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(1)} min`;
  return seconds < 172800 ? `${(seconds / 3600).toFixed(1)} h` : `${(seconds / 86400).toFixed(1)} d`;
}

const daySeconds = 86_400;

/** Two days and more in days, with the log's own figure to find the line by. */
export function afterBoot(seconds: number, digits = 3): string {
  const figure = `${seconds.toFixed(digits)} s`;
  return seconds < 2 * daySeconds
    ? `${figure} after boot`
    : `${Math.floor(seconds / daySeconds)} days after boot (${figure})`;
}
