// Numbers with their thousands apart, as people read them. The engine's own formatter says the same, after it has loaded the rules of all
// languages: that takes longer than to answer a small log.

/** `1,234,567`; numbers with a fraction as the engine writes them in English. */
export function grouped(n: number): string {
  if (!Number.isSafeInteger(n) || Object.is(n, -0)) return n.toLocaleString("en-US");
  const digits = String(Math.abs(n));
  let text = digits.slice(-3);
  for (let end = digits.length - 3; end > 0; end -= 3) text = `${digits.slice(Math.max(0, end - 3), end)},${text}`;
  return n < 0 ? `-${text}` : text;
}
