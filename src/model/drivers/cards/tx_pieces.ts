// How many pieces of a packet a card can send as one frame: the head and every fragment, cut where a descriptor ends. What has more is copied into
// one head (skb_linearize()) in ndo_start_xmit, which takes memory with GFP_ATOMIC, and is dropped where there is none. Read in linux-source-5.10
// (5.10.223), -6.1 (6.1.192), -6.12 (6.12.117), -7.2 (7.2.12) and -7.3 (7.3.4): ice_chk_linearize(), i40e_chk_linearize(), gve_try_tx_skb().
//
// The other cards here take as many pieces as a packet can have. ena copies too, when its device says that it takes fewer than 19
// (ena_check_and_linearize_skb(), max_tx_sgl_size): how many it takes stands in no source, so it never does here.
import { fragField, fragInts, headField, skbField } from "../../net/skb/skb_columns.ts";
import type { Skbs } from "../../net/skb/skbs.ts";

/** What a driver says of a packet's pieces. */
export interface TxPieces {
  /** Too many for the card: ndo_start_xmit copies the packet first. */
  readonly tooMany: (skb: number) => boolean;
  /** ndo_features_check(): TSO is not for this packet, the stack cuts it. */
  readonly cutBefore?: (skb: number) => boolean;
}

/** ICE_MAX_DATA_PER_TXD, GVE_TX_MAX_BUF_SIZE_DQO; Intel's cut what is larger at a multiple of ICE_MAX_READ_REQ_SIZE. */
const descriptorBytes = 16 * 1024 - 1;
const readBytes = 4096;
const alignedBytes = descriptorBytes & ~(readBytes - 1);
/** ICE_MAX_BUF_TXD, I40E_MAX_BUFFER_TXD; fragments beside those that carry a segment's headers and its first byte. */
const intelPieces = 8;
const intelWindow = intelPieces - 2;
/** GVE_TX_MAX_DATA_DESCS, of which one is for the headers of a segment. */
const dqoPieces = 10;
/** Ethernet, IP and TCP headers without options: skb_tcp_all_headers() of the model's packets. */
const tcpHeaders = 54;

const { HEAD, LEN, DATA_LEN } = skbField;
const { NR_FRAGS, GSO_SIZE } = headField;

interface Pieces {
  /** Bytes in the head. */
  readonly linear: number;
  readonly sizes: readonly number[];
  readonly offsets: readonly number[];
  /** gso_size; 0 of a packet that is one frame. */
  readonly mss: number;
}

function piecesOf({ columns: { S, H, F, fragBase } }: Skbs, skb: number): Pieces {
  const head = S[skb + HEAD]!;
  const base = fragBase(head);
  const of = (field: number): number[] =>
    Array.from({ length: H[head + NR_FRAGS]! }, (_, i) => F[base + i * fragInts + field]!);
  return {
    linear: S[skb + LEN]! - S[skb + DATA_LEN]!,
    sizes: of(fragField.SIZE),
    offsets: of(fragField.OFFSET),
    mss: H[head + GSO_SIZE]!,
  };
}

/** ice_txd_use_count(): descriptors of a piece. */
const intelDescriptors = (bytes: number): number => Math.floor((bytes * 85) / 2 ** 20) + 1;

/** __ice_chk_linearize(): six fragments in a row hold less than a segment, so that one would need more than eight buffers. */
function segmentNeedsMore({ sizes, offsets, mss }: Pieces): boolean {
  if (sizes.length < intelPieces - 1) return false;
  let sum = 1 - mss;
  for (let i = 0; i < intelWindow - 1; i++) sum += sizes[i]!;
  for (let i = intelWindow - 1; i < sizes.length; i++) {
    sum += sizes[i]!;
    // Of the oldest fragment only what its last descriptor holds counts.
    const oldest = i - intelWindow + 1;
    let stale = sizes[oldest]!;
    if (stale > descriptorBytes) {
      const before = -offsets[oldest]! & (readBytes - 1);
      sum -= before;
      stale -= before;
      do {
        sum -= alignedBytes;
        stale -= alignedBytes;
      } while (stale > descriptorBytes);
    }
    if (sum < 0) return true;
    sum -= stale;
  }
  return false;
}

export const intelTxPieces = (skbs: Skbs): TxPieces => ({
  tooMany(skb) {
    const pieces = piecesOf(skbs, skb);
    const count = pieces.sizes.reduce((n, size) => n + intelDescriptors(size), intelDescriptors(pieces.linear));
    if (count < intelPieces) return false;
    return pieces.mss > 0 ? segmentNeedsMore(pieces) : count !== intelPieces;
  },
});

/** gve_can_send_tso(): no segment lies in more than nine buffers. */
function dqoCanSegment({ linear, sizes, mss }: Pieces): boolean {
  let bytes = linear - tcpHeaders;
  let before = linear;
  let buffers = bytes > 0 ? 1 : 0;
  for (const size of sizes) {
    if (bytes >= mss) {
      bytes %= mss;
      buffers = bytes > 0 ? 1 : 0;
      const rest = before % descriptorBytes;
      // The segment began before the last descriptor of that fragment.
      if (before > descriptorBytes && rest !== 0 && bytes > rest) buffers++;
    }
    if (++buffers > dqoPieces - 1) return false;
    before = size;
    bytes += size;
  }
  return true;
}

/** The DQO format with raw addressing; `cuts`: the stack is told before, where the driver had copied up to 64 KiB. */
export const dqoTxPieces = (skbs: Skbs, cuts: boolean): TxPieces => {
  const unfit = (skb: number): boolean => {
    const pieces = piecesOf(skbs, skb);
    return pieces.mss > 0 && !dqoCanSegment(pieces);
  };
  return {
    tooMany(skb) {
      const pieces = piecesOf(skbs, skb);
      if (pieces.mss > 0) return !cuts && !dqoCanSegment(pieces);
      const of = (bytes: number): number => Math.ceil(bytes / descriptorBytes);
      return pieces.sizes.reduce((n, size) => n + of(size), of(pieces.linear)) > dqoPieces;
    },
    ...(cuts ? { cutBefore: unfit } : {}),
  };
};
