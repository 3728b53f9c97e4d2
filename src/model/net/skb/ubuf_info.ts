// ubuf_info: mainline's answer to "when is the stack done with these pages": one counted callback an skb, not a fragment (2.6.39 and on).
// Here are only the counted rows; who points to them is H[head + UARG] with SKBFL_ZEROCOPY_ENABLE (skb_zerocopy.ts).
import { assert } from "../../../base/assert.ts";

/** Called once, when the last skb that carries the ubuf lets go; `untouched` is false when some skb had to copy the pages. */
export type UbufCallback = (ubuf: number, untouched: boolean) => void;

export interface Ubufs {
  /** A row with one reference, owned by the caller. */
  create(callback: UbufCallback): number;
  get(ubuf: number): void;
  /** skb_zcopy_clear() without the flags: one reference less; the last one calls back. */
  put(ubuf: number, untouched: boolean): void;
  refs(ubuf: number): number;
  live(): number;
}

export function createUbufs(): Ubufs {
  const callbacks: (UbufCallback | undefined)[] = [undefined];
  const count: number[] = [0];
  const clean: boolean[] = [true];
  const free: number[] = [];
  let live = 0;
  return {
    create(callback) {
      const ubuf = free.pop() ?? callbacks.length;
      callbacks[ubuf] = callback;
      count[ubuf] = 1;
      clean[ubuf] = true;
      live++;
      return ubuf;
    },
    get(ubuf) {
      assert(count[ubuf]! > 0, () => `ubuf ${ubuf} is not alive`);
      count[ubuf]!++;
    },
    put(ubuf, untouched) {
      assert(count[ubuf]! > 0, () => `ubuf ${ubuf} is put once more than it was taken`);
      if (!untouched) clean[ubuf] = false;
      count[ubuf]!--;
      if (count[ubuf] !== 0) return;
      const callback = callbacks[ubuf];
      callbacks[ubuf] = undefined;
      free.push(ubuf);
      live--;
      callback?.(ubuf, clean[ubuf]!);
    },
    refs: (ubuf) => count[ubuf] ?? 0,
    live: () => live,
  };
}
