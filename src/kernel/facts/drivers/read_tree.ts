// How drivers are declared whose source was read in the trees of 5.10, 6.1, 6.12 and 7.2 and nowhere else: what earlier releases do is not
// known here, and what lies between two of them that differ is not either.
import type { Fact } from "../../release.ts";
import { block, type DriverFacts, notRead, type RefillFailure, type RxRule } from "./driver.ts";

/** What one of the trees says; `since` is the first of the trees that were read. */
export const rule = (since: readonly number[], source: string, value: RxRule): Fact<RxRule> => ({
  since,
  source,
  value,
});
/** Two trees differ: from the release behind the older one to the newer nothing is said. */
export const unread = (since: readonly number[], until: string): Fact<RxRule> => ({
  since,
  value: notRead,
  source: `not read between the trees of ${until}`,
});
export const failed = (since: readonly number[], source: string, value: RefillFailure): Fact<RefillFailure> => ({
  since,
  source,
  value,
});

/** A single page at every MTU. */
export const singlePage = (
  call: "alloc_pages" | "page_pool",
  holds: string,
  more: Pick<RxRule, "others" | "unless" | "cure"> = {},
): RxRule => ({ buffers: (_mtu, at) => [block(call, 0, at, holds)], ...more });

/** The ring keeps a hole and the next poll fills it. */
export const triedAgain = (driver: string, counter?: string): RefillFailure => ({
  packet: "kept",
  slot: "stays empty and is retried",
  sentence: `${driver} leaves the slot empty and tries again at the next poll; packets are lost only when the whole ring has run empty.`,
  ...(counter === undefined ? {} : { counter }),
});
/** The packet that has arrived pays: its buffer goes back into the ring. */
export const packetPays = (driver: string, counter?: string): RefillFailure => ({
  packet: "dropped",
  slot: "keeps its old buffer",
  sentence: `${driver} puts the old buffer back and drops the one packet it held; the ring never shrinks.`,
  ...(counter === undefined ? {} : { counter }),
});

/** A driver of one module; its functions are known by the index. */
export const ofTree = (
  name: string,
  what: string,
  facts: Pick<DriverFacts, "rx" | "failure" | "refillGfp" | "mtuMax">,
  modules: readonly string[] = [name],
): DriverFacts => ({ name, modules, what, symbols: [], ...facts });
