// What a failed vmalloc lacked, as the kernel's own words and the width of the machine tell.
import type { Case } from "./case.ts";

export type VmallocLack = "pages" | "addresses" | "range" | "either" | "size" | "machine";

/**
 * `allocated X of Y bytes` and `failed to allocate pages` come after the range was had, `vmap allocation for size` when there is none
 * (mm/vmalloc.c). A size of 0 goes straight to the failure message (3.2 and later); so does one above all memory, and what found no range: then
 * the message counts no pages that it got. `exceeds total pages` says so of a size above all memory. Of words that are lost nothing is said: modules
 * have a small range on 64-bit machines too.
 */
export function vmallocLack(c: Case): VmallocLack {
  const reading = c.incident.kind === "alloc_failure" ? c.incident.reading : undefined;
  if (reading?.bytes === 0) return "size";
  const words = `${reading?.rangeLine ?? ""} ${reading?.reason ?? ""}`;
  if (/allocated \d+ of|allocate pages|map pages/.test(words)) return "pages";
  if (/vmap allocation for size|vm_struct allocation failed|out of vmalloc space/.test(words)) return "addresses";
  if (words.includes("exceeds total pages")) return "machine";
  return /allocation failure: \d+ bytes/.test(words) ? "range" : "either";
}
