// Every case, in the order of the conversations they come from.
import type { Case } from "./case.ts";
import { antiFragmentation, fragDestructors, lltx, nfsRetransmit, poolMulticast, poolTcp } from "./engines.ts";
import { emacJumbo, tg3Order1 } from "./machines.ts";
import { pageOwner } from "./page_owner.ts";
import { emacPreallocated } from "./preallocated.ts";

export type { Case, CaseResult, Claim } from "./case.ts";

export const cases: readonly Case[] = [
  emacJumbo,
  emacPreallocated,
  tg3Order1,
  fragDestructors,
  nfsRetransmit,
  antiFragmentation,
  pageOwner,
  lltx,
  poolMulticast,
  poolTcp,
];
