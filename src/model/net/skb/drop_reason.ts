// Reasons of kfree_skb_reason() that the model gives (include/net/dropreason.h, 6.1).
/** Why a packet was dropped; the numbers are the model's own, the names the kernel's. */
export const dropReason = {
  notSpecified: 2,
  noSocket: 3,
  pktTooSmall: 4,
  socketRcvbuff: 6,
  nomem: 8,
  socketFilter: 10,
} as const;
