// A failed page allocation as the kernel reported it: 2.4's one-liner, `COMM: page allocation failure …` of every later era, and the
// vmalloc variants, which print a page-allocator report that has no page-allocator order.
import type { CallTrace } from "./call_trace.ts";
import type { GfpText } from "./gfp_text.ts";
import type { MemInfo } from "./mem_info.ts";
import type { ProcessLine } from "./process_line.ts";
import type { SlabFailure } from "./slab_failure.ts";

export type { GfpText } from "./gfp_text.ts";

export interface AllocFailure {
  /**
   * `page`: the page allocator; `vmalloc`: a vmalloc that could not get its pages or its address range; `stall`: not a failure yet, the
   * caller waits for long (4.10 to 4.14); `2.4`: the one-line form; `not said`: the first line is lost, and what is left of a failure and of a
   * stall is the same (warn_alloc(), mm/page_alloc.c).
   */
  readonly variant: "page" | "vmalloc" | "stall" | "2.4" | "not said";
  readonly stalledMs?: number;
  readonly comm?: string;
  /** The caller's own words: `vmalloc: allocation failure, allocated 1 of 2 bytes`. Absent for `page`. */
  readonly reason?: string;
  /** Up to 4.8 the caller's words stood on a line of their own before the report. */
  readonly reasonOnOwnLine?: boolean;
  /** vmalloc: the line `vmap allocation for size …` printed just before, which says that addresses were what it lacked. */
  readonly rangeLine?: string;
  /** What stands between `failure` and `order`: a full stop until 2.6.39, a colon from 3.0. */
  readonly separator?: "." | ":";
  readonly order?: number;
  /** Bytes that were asked for, where the report says so (vmalloc). */
  readonly bytes?: number;
  readonly gfp?: GfpText;
  /** `(null)` or a list (4.11 and later). */
  readonly nodemask?: string;
  /** On a line of its own from 4.11 to 4.20, on the first line from 5.0. */
  readonly cpuset?: string;
  readonly memsAllowed?: string;
  readonly cpusetOnOwnLine?: boolean;
  /** 2.4: the second number of `(gfp=0x20/0)`, non-zero under PF_MEMALLOC. */
  readonly memalloc?: number;
  /** 2.4 with vm.vm_gfp_debug: the call trace follows as bare addresses; so many. */
  readonly addresses?: number;
  readonly process?: ProcessLine;
  readonly trace?: CallTrace;
  readonly memInfo?: MemInfo;
  /** The slab allocator's own lines about the same failure. */
  readonly slab?: SlabFailure;
}
