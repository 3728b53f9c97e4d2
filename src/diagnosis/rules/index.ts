// Every rule, in the order in which a person wants the answers. Adding one is one line here and one file beside.
import type { Rule } from "../rule.ts";
import { badPage } from "./bad_page.ts";
import { container } from "./container.ts";
import { context } from "./context.ts";
import { direction } from "./direction.ts";
import { driverLine } from "./driver_line.ts";
import { memoryState } from "./memory_state.ts";
import { minFree } from "./min_free.ts";
import { missing } from "./missing.ts";
import { offloadsOnPath } from "./offloads.ts";
import { oom } from "./oom.ts";
import { oomSlabs } from "./oom_slabs.ts";
import { oops } from "./oops.ts";
import { pagePoolStall } from "./page_pool_stall.ts";
import { skbPanic } from "./skb_panic.ts";
import { slabCorruption } from "./slab_corruption.ts";
import { slabDebug } from "./slab_debug.ts";
import { slabHolds } from "./slab_holds.ts";
import { slabOrder } from "./slab_order.ts";
import { taint } from "./taint.ts";
import { mtu, wanted } from "./wanted.ts";
import { whyRefused } from "./why_refused.ts";

/** As a list of their own types, from which asked.ts takes the ids of all questions. */
export const all = [
  oom,
  oomSlabs,
  badPage,
  oops,
  skbPanic,
  slabCorruption,
  pagePoolStall,
  driverLine,
  memoryState,
  wanted,
  whyRefused,
  direction,
  context,
  container,
  offloadsOnPath,
  mtu,
  slabOrder,
  slabDebug,
  slabHolds,
  minFree,
  taint,
  missing,
] as const;

export const rules: readonly Rule[] = all;
