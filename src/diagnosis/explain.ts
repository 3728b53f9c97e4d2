// The whole way from texts to a diagnosis, for programs: gather, collect, diagnose.
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import { createCollector } from "./collect.ts";
import { diagnose } from "./diagnose.ts";
import type { Diagnosis } from "./finding.ts";

/** What `skblab diagnose` answers for these inputs, by name: a text, or its bytes in pieces (a stream of Node is one). Not unpacked. */
export async function explain(
  inputs: Readonly<Record<string, string | Iterable<Uint8Array> | AsyncIterable<Uint8Array>>>,
): Promise<Diagnosis> {
  const collector = createCollector();
  const items = Object.entries(inputs).map(([name, text]) => ({ source: sourceOf(name, text), named: true }));
  return diagnose(collector.finish(await gather(items, { onWindow: collector.onWindow })));
}
