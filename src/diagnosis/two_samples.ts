// The two samples of a machine that `skblab collect` takes some seconds apart: what its counters say by their difference. The second sample's files lie
// below `sample2/`, beside the first one's, and collect/samples.txt says when each was taken.
import type { CounterName } from "../analysis/counters.ts";
import { riseOf } from "../analysis/counters.ts";

export interface CounterMove {
  readonly counter: CounterName;
  readonly by: number;
  /** The text that has the later value. */
  readonly input: string;
}

export interface SamplesCompared {
  /** What both samples' names begin with: `host.tar:web1/`. */
  readonly of: string;
  /** Seconds since boot at which each sample was whole; null where samples.txt does not say it. */
  readonly from: number | null;
  readonly to: number | null;
  /** Telling counters that rose, most first. */
  readonly moved: readonly CounterMove[];
  /** Counters that fell: they began anew, and what they counted between is not known. */
  readonly restarted: readonly { readonly counter: CounterName; readonly before: number; readonly after: number }[];
  /** Page pools that both samples tell of, where the pages in flight are not the same number. */
  readonly pools: readonly {
    readonly pool: number;
    readonly ifindex: number | null;
    readonly before: number;
    readonly after: number;
  }[];
  /** Telling counters that both samples have with one value. */
  readonly still: number;
  /** Texts with telling counters that only one of the samples has. */
  readonly alone: readonly string[];
}

/** What the counting texts of one input say. */
export interface CountedInput {
  readonly counters: ReadonlyMap<CounterName, number>;
  readonly inflight: ReadonlyMap<number, { readonly pages: number; readonly ifindex: number | undefined }>;
}

/** An input as far as the two samples are concerned. */
export interface SampledInput {
  readonly name: string;
  /** Its telling counters, where it has some. */
  readonly counted?: CountedInput;
  /** Seconds since boot of collect/samples.txt. */
  readonly uptimes?: readonly number[];
}

/** Files that the script takes twice, by their names in the first sample. */
const sampled = /^(?:proc\/|ethtool-S-|page-pool-)/;
const secondFolder = "sample2/";

/** What stands before the second sample's folder in a name, and the file in it. */
function ofSecond(name: string): readonly [of: string, file: string] | undefined {
  const at = name.lastIndexOf(secondFolder);
  if (at < 0 || !(at === 0 || "/:".includes(name.charAt(at - 1)))) return undefined;
  return [name.slice(0, at), name.slice(at + secondFolder.length)];
}

/** One for each machine of which a second sample is among the inputs. */
export function compareSamples(inputs: readonly SampledInput[]): readonly SamplesCompared[] {
  const byName = new Map(inputs.map((i) => [i.name, i]));
  const machines = new Map<string, Map<string, SampledInput>>();
  for (const input of inputs) {
    const place = ofSecond(input.name);
    if (place === undefined || input.counted === undefined) continue;
    const [of, file] = place;
    machines.set(of, (machines.get(of) ?? new Map<string, SampledInput>()).set(file, input));
  }
  return [...machines].map(([of, later]) => {
    const [, from, to] = byName.get(`${of}collect/samples.txt`)?.uptimes ?? [];
    const first = inputs.filter(
      (i) => i.counted !== undefined && i.name.startsWith(of) && sampled.test(i.name.slice(of.length)),
    );
    const moved: CounterMove[] = [];
    const restarted: SamplesCompared["restarted"][number][] = [];
    const pools: SamplesCompared["pools"][number][] = [];
    let still = 0;
    for (const [file, { name: input, counted }] of later) {
      const before = byName.get(of + file)?.counted;
      if (before === undefined || counted === undefined) continue;
      for (const [counter, value] of counted.counters) {
        const earlier = before.counters.get(counter);
        if (earlier === undefined) continue;
        const by = riseOf(earlier, value);
        if (by === undefined) restarted.push({ counter, before: earlier, after: value });
        else if (by === 0) still++;
        else moved.push({ counter, by, input });
      }
      for (const [pool, { pages, ifindex }] of counted.inflight) {
        const earlier = before.inflight.get(pool)?.pages;
        if (earlier !== undefined && earlier !== pages)
          pools.push({ pool, ifindex: ifindex ?? null, before: earlier, after: pages });
      }
    }
    return {
      of,
      from: from ?? null,
      to: to ?? null,
      moved: moved.sort((a, b) => b.by - a.by),
      restarted,
      pools,
      still,
      alone: [
        ...first.filter((i) => !later.has(i.name.slice(of.length))).map((i) => i.name),
        ...[...later].filter(([file]) => byName.get(of + file)?.counted === undefined).map(([, i]) => i.name),
      ],
    };
  });
}
