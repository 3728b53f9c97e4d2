// The table of known functions (kernel/facts/functions/known.ts), as the questions that a stack is asked.
import type { KnownFunction } from "../kernel/facts/functions/known.ts";
import { functionsThat, rowsOf } from "../kernel/facts/functions/known.ts";

export type { AllocatorPath, Row, Side as Direction } from "../kernel/facts/functions/known.ts";
export { has } from "../kernel/facts/functions/known.ts";

const inContext = (context: KnownFunction["context"]) => rowsOf((f) => (f.context === context ? context : undefined));
const ofObject = (object: KnownFunction["object"]) => rowsOf((f) => (f.object === object ? object : undefined));

export const reporters = functionsThat("reports");
export const printers = functionsThat("prints");
export const sleepChecks = functionsThat("checks sleep");
export const pageAllocator = functionsThat("page allocator");
export const paths = rowsOf((f) => f.path);
export const slabEntries = functionsThat("slab entry");
export const skbData = ofObject("skb data");
export const skbHead = ofObject("skb head");
export const slabBuffers = functionsThat("buffer of a slab");
export const receiveBuffers = functionsThat("receive buffer");
export const directions = rowsOf((f) => f.side);
export const closedFrames = functionsThat("closed");
export const pollers = functionsThat("polls");
export const probers = functionsThat("probes");
export const softirqNames = inContext("softirq");
export const interruptNames = inContext("interrupt");
export const taskNames = inContext("task");
export const noSleepNames = functionsThat("no sleep");
export const reclaimNames = functionsThat("reclaims");
export const memoryNames = rowsOf((f) => f.asks);
export const innerFrames = functionsThat("inner", "reports");
export const bornFrames = rowsOf((f) => f.since);

/** Names of functions that run much that is not their own. */
export const polling = /poll|napi|clean|tasklet|intr|irq|callback|work|thread/i;
export const refilling = /fill|alloc_?rx|rx_?alloc|rx_?buf|new_rx|rx_submit|post_rx|rx_post/;
