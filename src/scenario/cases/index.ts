// Every case, in the order of the conversations they come from.
import type { Case } from "./case.ts";
import { fragDestructors, nfsRetransmit } from "./fragments.ts";
import { lltx } from "./locking.ts";
import { emacJumbo, tg3Order1 } from "./machines.ts";
import { pageOwner } from "./page_owner.ts";
import { antiFragmentation } from "./placement.ts";
import { poolMulticast, poolTcp } from "./pools.ts";
import { emacPreallocated } from "./preallocated.ts";
import { emacWritev } from "./writev.ts";

export type { Case, CaseResult, Claim } from "./case.ts";

export const cases: readonly Case[] = [
  emacJumbo,
  emacPreallocated,
  emacWritev,
  tg3Order1,
  fragDestructors,
  nfsRetransmit,
  antiFragmentation,
  pageOwner,
  lltx,
  poolMulticast,
  poolTcp,
];
