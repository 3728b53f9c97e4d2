// Receive side scaling: which queue of a card a flow comes to. Toeplitz over addresses and ports, its low bits through the indirection
// table, or a rule of flow steering (ethtool -N) that is asked first.
import { assert } from "../../../base/assert.ts";
import { wholeGiven } from "../../../base/bad_input.ts";
import type { Prng } from "../../../base/prng.ts";
import type { SteeringRule } from "./steering.ts";
import { steeringOf } from "./steering.ts";
import { frameKind } from "./wire.ts";

/** The hash over `input` with a key of at least four bytes more. */
export function toeplitz(key: Uint8Array, input: ArrayLike<number>): number {
  assert(key.length >= input.length + 4, () => `a key of ${key.length} bytes for ${input.length} bytes of input`);
  let hash = 0;
  // The 32 bits of the key that stand at the present bit of the input.
  let window = ((key[0]! << 24) | (key[1]! << 16) | (key[2]! << 8) | key[3]!) >>> 0;
  for (let i = 0; i < input.length; i++) {
    const next = key[i + 4]!;
    for (let bit = 7; bit >= 0; bit--) {
      if (((input[i]! >> bit) & 1) !== 0) hash ^= window;
      window = ((window << 1) | ((next >> bit) & 1)) >>> 0;
    }
  }
  return hash >>> 0;
}

/** Bytes of a key: addresses and ports of IPv6 and four more. */
export const rssKeyBytes = 40;
/** Entries of the indirection table, as most cards have. */
export const indirectionEntries = 128;

/** Where flows go that say nothing else. */
export const usualPort = 5001;

/**
 * Source and destination address and port of a flow, as they go into the hash. Frames carry a flow's number only: each is a host and a port of
 * its own (198.18.x.y, the addresses for benchmarks, RFC 2544) that sends to 192.0.2.1, port 5001 or what frames.ports says.
 */
export function flowTuple(flow: number, to = usualPort): Uint8Array {
  const port = 1024 + (flow % 64_000);
  return Uint8Array.of(198, 18, (flow >> 8) & 255, flow & 255, 192, 0, 2, 1, port >> 8, port & 255, to >> 8, to & 255);
}

export interface RssOptions {
  readonly queues: number;
  /** 40 bytes; left out: random, once for each boot, as netdev_rss_key_fill() has it (net/core/dev.c or ethtool's, 6.1). */
  readonly key?: Uint8Array;
  /** Queue by the hash's low bits; left out: queue = entry modulo queues, as ethtool_rxfh_indir_default() has it. */
  readonly indirection?: readonly number[];
  readonly rules?: readonly SteeringRule[];
  /** Destination ports of flows, where they are not the usual one. */
  readonly ports?: ReadonlyMap<number, number>;
}

export interface Rss {
  readonly queues: number;
  readonly key: Uint8Array;
  readonly indirection: readonly number[];
  /** The queue that frames of a kind (frameKind) of a flow come to, or `dropped` (steering.ts). */
  queueOf(flow: number, kind?: number): number;
  /** The hash of a flow, as the card writes it into the descriptor. */
  hashOf(flow: number): number;
  /** A rule before all others: this flow comes to that queue, whatever its hash. */
  steer(flow: number, queue: number): void;
}

export function createRss(options: RssOptions, random: Prng): Rss {
  const { queues } = options;
  const key = options.key ?? Uint8Array.from({ length: rssKeyBytes }, () => random.below(256));
  const indirection = options.indirection ?? Array.from({ length: indirectionEntries }, (_, i) => i % queues);
  assert(
    indirection.length > 0 && indirection.every((q) => q >= 0 && q < queues),
    () => `an indirection table of ${indirection.length} entries for ${queues} queues`,
  );
  const { ports } = options;
  const ruled = steeringOf(options.rules ?? []);
  const tupleOf = (flow: number): Uint8Array => flowTuple(flow, ports?.get(flow));
  const steered = new Map<number, number>();
  /** Queue by flow, once it is known: the card computes, the model remembers. */
  const known = new Map<number, number>();
  const hashOf = (flow: number): number => toeplitz(key, tupleOf(flow));
  return {
    queues,
    key,
    indirection,
    hashOf,
    queueOf(flow, kind = frameKind.udp) {
      const row = flow * 4 + kind;
      const before = known.get(row);
      if (before !== undefined) return before;
      const queue = steered.get(flow) ?? ruled(tupleOf(flow), kind) ?? indirection[hashOf(flow) % indirection.length]!;
      known.set(row, queue);
      return queue;
    },
    steer(flow, queue) {
      wholeGiven("The queue of a rule", queue, 0, queues - 1);
      steered.set(flow, queue);
      known.clear();
    },
  };
}
