import { describe, expect, test } from "vitest";
import { countByte, NEWLINE, utf8 } from "./bytes.ts";
import type { Filter } from "./bytes_search.ts";
import { byteSearch, placesOf } from "./bytes_search.ts";
import { prng } from "./prng.ts";

const words = ["page allocation failure", "Bad page state", "Oops", "BUG:", "oooo", "page pool", "failure:"];
const filters: readonly Filter[] = ["simd", "table"];

/** Every occurrence as [pattern, position, newlines before], found the slow way. */
function naive(text: string): string[] {
  const hits: string[] = [];
  words.forEach((w, k) => {
    for (let at = text.indexOf(w); at >= 0; at = text.indexOf(w, at + 1)) {
      hits.push(`${k}@${at} line ${text.slice(0, at).split("\n").length - 1}`);
    }
  });
  return hits.sort();
}

/** Feeds `bytes` in pieces of `piece` bytes, keeping what the search asks for. */
function streamed(bytes: Uint8Array, piece: number, filter: Filter): { hits: string[]; newlines: number } {
  const search = byteSearch(words.map(utf8), piece + 512, filter);
  search.reset();
  const hits: string[] = [];
  let [end, scanned, origin] = [search.base, search.base, 0];
  const scan = (to: number): void => {
    scanned = search.scan(scanned, to, (k, at, newlines) =>
      hits.push(`${k}@${origin + at - search.base} line ${newlines}`),
    );
  };
  for (let i = 0; i < bytes.length; i += piece) {
    const part = bytes.subarray(i, i + piece);
    search.memory.set(part, end);
    end += part.length;
    scan(end - search.longest);
    const from = Math.max(search.base, scanned - search.longest - 32);
    search.memory.copyWithin(search.base - 32, from - 32, end);
    origin += from - search.base;
    scanned -= from - search.base;
    end -= from - search.base;
  }
  search.memory.fill(0, end, end + 100);
  scan(end + 32);
  return { hits: hits.sort(), newlines: search.newlines() };
}

describe.each(filters)("the %s filter", (filter) => {
  test("finds what a naive search finds, whatever the chunk size, and counts every newline (seeds 1..40)", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const p = prng(seed);
      let text = "";
      const length = p.below(6000);
      while (text.length < length) {
        const kind = p.below(6);
        if (kind === 0) text += p.pick(words);
        else if (kind === 1) text += p.pick(words).slice(p.below(4), 4 + p.below(12));
        else if (kind === 2) text += "\n".repeat(1 + p.below(3));
        else text += String.fromCharCode(...Array.from({ length: 1 + p.below(40) }, () => 32 + p.below(95)));
      }
      const bytes = utf8(text);
      const got = streamed(bytes, 1 + p.below(700), filter);
      expect(got.hits, `seed ${seed}`).toEqual(naive(text));
      expect(got.newlines, `seed ${seed}`).toBe(countByte(bytes, NEWLINE));
    }
  });

  test("counts 100,000 newlines in a row: no counter of a byte overflows", () => {
    expect(streamed(utf8("\n".repeat(100_000)), 65_536, filter).newlines).toBe(100_000);
  });

  test("bytes above 127 are text like any other", () => {
    const bytes = new Uint8Array(4096).map((_, i) => (i * 37) & 255);
    bytes.set(utf8("Oops"), 1000);
    expect(streamed(bytes, 333, filter).hits).toEqual([expect.stringMatching(/^2@1000 /)]);
  });
});

test("places that were worked out before are taken as they are, and places of other patterns are refused", () => {
  const patterns = words.map(utf8);
  const places = placesOf(patterns);
  expect(places).toHaveLength(words.length);
  const hitsWith = (given: typeof places | undefined): string[] => {
    const search = byteSearch(patterns, 4096, "table", given);
    search.reset();
    const text = utf8(`x page allocation failure: y BUG: z\n${" ".repeat(64)}`);
    search.memory.set(text, search.base);
    const hits: string[] = [];
    search.scan(search.base, search.base + text.length, (k, at) => hits.push(`${k}@${at - search.base}`));
    return hits;
  };
  expect(hitsWith(places)).toEqual(hitsWith(undefined));
  expect(hitsWith(places).length).toBeGreaterThan(2);
  expect(() => byteSearch(patterns, 4096, "table", places.slice(1))).toThrow(/6 places for 7 patterns/);
  expect(() => byteSearch(patterns, 4096, "table", [[60, 0], ...places.slice(1)])).toThrow(/place 60/);
});
