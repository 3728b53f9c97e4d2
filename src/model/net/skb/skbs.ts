// All operations on sk_buffs in one value: what drivers, protocols and replayers take. See skbuff.ts for what an skb is.

import type { SkbOptions } from "./skb_config.ts";
import type { SkbPaged } from "./skb_paged.ts";
import { createSkbPaged } from "./skb_paged.ts";
import type { SkbPrivate } from "./skb_private.ts";
import { createSkbPrivate } from "./skb_private.ts";
import type { SkbReceive } from "./skb_receive.ts";
import { createSkbReceive } from "./skb_receive.ts";
import type { SkbSegment } from "./skb_segment.ts";
import { createSkbSegment } from "./skb_segment.ts";
import type { Skbuff } from "./skbuff.ts";
import { createSkbuff } from "./skbuff.ts";

export type Skbs = Skbuff & SkbReceive & SkbPrivate & SkbPaged & SkbSegment;

/** The sk_buffs of one machine. One instance a process runs fastest: the optimizer specializes the code to its columns. */
export function createSkbs(options: SkbOptions): Skbs {
  const core = createSkbuff(options);
  const own = createSkbPrivate(core);
  const receive = createSkbReceive(core, options.receive, options.memallocSocks === true);
  const paged = createSkbPaged(core, own);
  return { ...core, ...receive, ...own, ...paged, ...createSkbSegment(core, own, paged) };
}
