// The nearest of the right words, for whoever wrote a wrong one.

/** "Did you mean …?" with the nearest, else the whole list. */
export function suggest(wrong: string, right: readonly string[]): string {
  const ranked = right.map((r) => ({ r, d: distance(wrong, r) })).sort((a, b) => a.d - b.d);
  const [best] = ranked;
  return best !== undefined && best.d <= Math.max(2, wrong.length / 3)
    ? `Did you mean "${best.r}"?`
    : `Write one of ${right.join(", ")}.`;
}

/** Whether a word is another one, written wrongly: about one letter in four is. */
export const isMisspelt = (wrong: string, right: string): boolean =>
  wrong !== right && distance(wrong, right) <= Math.max(1, Math.floor(right.length / 4));

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}
