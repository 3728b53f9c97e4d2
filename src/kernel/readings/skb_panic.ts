// `skb_over_panic` and `skb_under_panic`: a put or a push left the linear buffer. The BUG that follows is read with it.
import type { Oops } from "./oops.ts";

export interface SkbPanic {
  readonly what: "skb_over_panic" | "skb_under_panic";
  /** Bytes: `len` after the change, `put` the change itself (2.6 and later); absent where the line is cut before them. */
  readonly len?: number;
  readonly put?: number;
  /** Return address of the put or push, hex digits; older kernels resolve nothing here. */
  readonly text?: string;
  /** Pointers as hex digits. `tail` and `end` are offsets from head on 64-bit since 2.6.22, pointers before and on 32-bit. */
  readonly head?: string;
  readonly data?: string;
  readonly tail?: string;
  readonly end?: string;
  /** `<NULL>` when no device is set. */
  readonly dev?: string;
  /** 2.4 and early 2.6: `skput:over: c01:60 put:60 dev:eth0`. */
  readonly form: "2.4" | "2.6";
  readonly oops?: Oops;
}
