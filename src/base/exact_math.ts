// exp and log from additions, multiplications and divisions alone, which every engine rounds alike: Math.exp and Math.log may differ in the last digit
// from one engine to the next, and with it the bytes of an answer. Within some units of the last place of the true value.

const ln2High = 0.6931471803691238;
const ln2Low = 1.9082149292705877e-10;

/** e to the x; 0 below -745, Infinity above 709.78. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.78) return Number.POSITIVE_INFINITY;
  if (x < -745) return 0;
  const k = Math.round(x / (ln2High + ln2Low));
  const r = x - k * ln2High - k * ln2Low;
  // |r| is at most ln2 / 2: the 17th term is below 2^-53.
  let sum = 1;
  for (let n = 17; n > 0; n--) sum = 1 + (r * sum) / n;
  // Two steps, for 2^k alone may not be a number where the product is.
  const half = Math.trunc(k / 2);
  return sum * powerOfTwo(half) * powerOfTwo(k - half);
}

/** The natural logarithm; NaN below 0, -Infinity at 0. */
export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN;
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (x === Number.POSITIVE_INFINITY) return x;
  let k = 0;
  let m = x;
  while (m >= Math.SQRT2) {
    m /= 2;
    k++;
  }
  while (m < Math.SQRT1_2) {
    m *= 2;
    k--;
  }
  // log m = 2 artanh s, |s| below 0.172: the 11th term is below 2^-53.
  const s = (m - 1) / (m + 1);
  const square = s * s;
  let sum = 0;
  for (let n = 23; n > 0; n -= 2) sum = 1 / n + square * sum;
  return k * ln2High + (2 * s * sum + k * ln2Low);
}

function powerOfTwo(k: number): number {
  let value = 1;
  for (let i = Math.abs(k); i > 0; i--) value *= k > 0 ? 2 : 0.5;
  return value;
}
