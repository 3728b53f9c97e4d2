// Who pays for an skb, and who hears when it goes: skb->destructor and the socket that the skb is charged to
// (include/linux/skbuff.h, net/core/sock.c, 6.1). A destructor is a number: a row of the table here.

import type { Socks } from "../tcp/sock.ts";
import type { SkbColumns } from "./skb_columns.ts";
import { skbField } from "./skb_columns.ts";

const { SK, DESTRUCTOR, TRUESIZE } = skbField;

/** skb->destructor: the built-in ones; registerDestructor() adds more. */
export const skbDestructor = { none: 0, sockWfree: 1, sockRfree: 2 } as const;

export interface SkbOwner {
  /** A destructor of another layer (tcp_wfree, …): give the id to S[skb + DESTRUCTOR]. */
  registerDestructor: (run: (skb: number) => void) => number;
  /** skb_orphan(): runs the destructor now and leaves the socket. */
  skbOrphan: (skb: number) => void;
  /** skb_set_owner_w(): charges the skb to the socket's send memory. */
  skbSetOwnerW: (skb: number, sk: number) => void;
  /** skb_set_owner_r(): charges the skb to the socket's receive memory. */
  skbSetOwnerR: (skb: number, sk: number) => void;
  /** skb_release_head_state(): the destructor; routes and extensions are not modelled. */
  releaseHeadState: (skb: number) => void;
  /** is_skb_wmem(): charged to a socket's send memory. */
  isWmem: (skb: number) => boolean;
}

export function createSkbOwner(columns: SkbColumns, socks: Socks): SkbOwner {
  const { S } = columns;
  const destructors: (((skb: number) => void) | undefined)[] = [undefined, sockWfree, sockRfree];

  function sockWfree(skb: number): void {
    const sk = S[skb + SK]!;
    socks.wmemAlloc[sk]! -= S[skb + TRUESIZE]!;
    socks.writeSpace(sk);
  }

  function sockRfree(skb: number): void {
    socks.rmemAlloc[S[skb + SK]!]! -= S[skb + TRUESIZE]!;
  }

  function registerDestructor(run: (skb: number) => void): number {
    return destructors.push(run) - 1;
  }

  function skbOrphan(skb: number): void {
    const d = S[skb + DESTRUCTOR]!;
    if (d !== 0) destructors[d]?.(skb);
    S[skb + DESTRUCTOR] = 0;
    S[skb + SK] = 0;
  }

  function skbSetOwnerW(skb: number, sk: number): void {
    skbOrphan(skb);
    S[skb + SK] = sk;
    S[skb + DESTRUCTOR] = skbDestructor.sockWfree;
    socks.wmemAlloc[sk]! += S[skb + TRUESIZE]!;
  }

  function skbSetOwnerR(skb: number, sk: number): void {
    skbOrphan(skb);
    S[skb + SK] = sk;
    S[skb + DESTRUCTOR] = skbDestructor.sockRfree;
    socks.rmemAlloc[sk]! += S[skb + TRUESIZE]!;
  }

  function releaseHeadState(skb: number): void {
    const d = S[skb + DESTRUCTOR]!;
    if (d === 0) return;
    destructors[d]?.(skb);
    S[skb + DESTRUCTOR] = 0;
  }

  return {
    registerDestructor,
    skbOrphan,
    skbSetOwnerW,
    skbSetOwnerR,
    releaseHeadState,
    isWmem: (skb: number) => S[skb + DESTRUCTOR] === skbDestructor.sockWfree,
  };
}
