// `page_pool_release_retry() stalled pool shutdown 7 inflight 60 sec`: a destroyed pool still waits for its pages.
// (A single page that leaves a pool without being released is a Bad page state with the reason `page_pool leak`.)

export interface PagePoolStall {
  readonly function: string;
  /** Pages that the pool handed out and has not got back. */
  readonly inflight: number;
  /** Since it was destroyed; absent where the line is cut before the unit. */
  readonly seconds?: number;
  /** 6.6 and later: `id 12`. */
  readonly poolId?: number;
  /** The device, where a kernel names it. */
  readonly device?: string;
}
