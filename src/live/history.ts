// The last samples of a machine, so that an incident can be told with the minutes before it, and room with where it is going. Bounded in number.
import type { CounterName } from "../analysis/counters.ts";
import { riseOf } from "../analysis/counters.ts";
import type { RoomContext } from "../diagnosis/room.ts";
import type { Sample } from "./sample.ts";

/** How a counter rose between two samples. */
export interface Rise {
  readonly name: CounterName;
  readonly by: number;
  /** Per second. */
  readonly rate: number;
}

/** One series of room: a zone, an order, who asks. */
export interface RoomKey {
  readonly node: number;
  readonly zone: string;
  readonly order: number;
  readonly context: RoomContext;
}

/** When room is gone at the present rate, in seconds from the last sample; `from` to `to` holds with 95 %. */
export type Forecast =
  | { readonly trend: "falling"; readonly seconds: number; readonly from: number; readonly to: number }
  | { readonly trend: "gone" }
  | { readonly trend: "not falling" }
  | { readonly trend: "unknown"; readonly why: string };

export interface History {
  /** Only the last one is whole; of those before it no more than their time and page pools is kept, and numbers beside them. */
  readonly samples: readonly Sample[];
  /** Takes a sample; one that is not later than the last (a clock that jumped, another boot) begins a new history. */
  add(sample: Sample): void;
  /** Counters that rose within the last `seconds`, fastest first. One that fell (a reset, a device that came back) counts from 0. */
  rises(seconds: number): Rise[];
  /** Page pools that hold more pages than `seconds` ago, or than when they were first told of since; most growth first. */
  poolGrowth(seconds: number): PoolGrowth[];
  /** Room of one series over time; samples that do not know it are left out. */
  series(key: RoomKey): readonly RoomPoint[];
  /** Room at the first sample within the last `seconds`; undefined when that does not know it. */
  roomBefore(key: RoomKey, seconds: number): number | undefined;
  forecast(key: RoomKey): Forecast;
}

export interface RoomPoint {
  readonly seconds: number;
  readonly requests: number;
}

export interface PoolGrowth {
  readonly pool: number;
  readonly ifindex: number | undefined;
  readonly earlier: number;
  readonly inflight: number;
}

/** Fewer samples than this say nothing of a trend. */
const leastSamples = 5;

/**
 * Numbers by name, one for each sample; NaN where a sample does not know it. Samples as they are would keep the texts that their names are parts of:
 * tens of MB in an hour.
 */
class Columns {
  private readonly columns = new Map<string, number[]>();
  private length = 0;

  /** The numbers of the next sample. */
  add(row: Iterable<readonly [name: string, value: number]>): void {
    for (const [name, value] of row) {
      let column = this.columns.get(name);
      if (column === undefined) {
        column = new Array<number>(this.length).fill(Number.NaN);
        this.columns.set(name, column);
      }
      column.push(value);
    }
    this.length++;
    for (const column of this.columns.values()) if (column.length < this.length) column.push(Number.NaN);
  }

  dropFirst(): void {
    this.length--;
    for (const [name, column] of this.columns) {
      column.shift();
      if (column.every(Number.isNaN)) this.columns.delete(name);
    }
  }

  get(name: string): readonly number[] {
    return this.columns.get(name) ?? [];
  }

  entries = (): Iterable<readonly [string, readonly number[]]> => this.columns;
}

const emptied = {
  rooms: [],
  zones: [],
  counters: new Map<CounterName, number>(),
  caches: [],
  sockets: [],
  missing: [],
};

/** `most`: samples kept; at an interval of 5 s, 720 are an hour. */
export function createHistory(most = 720): History {
  let samples: Sample[] = [];
  let rooms = new Columns();
  let counters = new Columns();
  /** What was forecast of the last sample. */
  let forecasts = new Map<string, Forecast>();
  const firstWithin = (seconds: number): number => {
    const last = samples.at(-1);
    return last === undefined ? -1 : samples.findIndex((s) => s.seconds >= last.seconds - seconds);
  };
  const series = (key: RoomKey): RoomPoint[] => {
    const points: RoomPoint[] = [];
    rooms.get(nameOf(key)).forEach((requests, i) => {
      if (!Number.isNaN(requests)) points.push({ seconds: samples[i]!.seconds, requests });
    });
    return points;
  };
  return {
    get samples() {
      return samples;
    },
    add(sample) {
      const last = samples.at(-1);
      if (last !== undefined && sample.seconds <= last.seconds) {
        samples = [];
        rooms = new Columns();
        counters = new Columns();
      } else if (last !== undefined) samples[samples.length - 1] = { ...last, ...emptied };
      samples.push(sample);
      forecasts = new Map();
      rooms.add(sample.rooms.map((r) => [nameOf(r), r.requests ?? Number.NaN]));
      counters.add(sample.counters);
      if (samples.length <= most) return;
      samples.shift();
      rooms.dropFirst();
      counters.dropFirst();
    },
    series,
    roomBefore(key, seconds) {
      const requests = rooms.get(nameOf(key))[firstWithin(seconds)];
      return requests === undefined || Number.isNaN(requests) ? undefined : requests;
    },
    rises(seconds) {
      const from = firstWithin(seconds);
      const [first, last] = [samples[from], samples.at(-1)];
      if (first === undefined || last === undefined || first === last) return [];
      const span = last.seconds - first.seconds;
      const rises: Rise[] = [];
      for (const [name, column] of counters.entries()) {
        const by = stepsOf(column, from);
        if (by > 0) rises.push({ name, by, rate: by / span });
      }
      return rises.sort((a, b) => b.rate - a.rate);
    },
    poolGrowth(seconds) {
      const last = samples.at(-1);
      if (last?.pools === undefined) return [];
      const within = samples.filter((s) => s.seconds >= last.seconds - seconds);
      return last.pools
        .flatMap(({ id, ifindex, inflight }): PoolGrowth[] => {
          const earlier = within.flatMap((s) => s.pools?.find((p) => p.id === id)?.inflight ?? []).at(0);
          return inflight === undefined || earlier === undefined || inflight <= earlier
            ? []
            : [{ pool: id, ifindex, earlier, inflight }];
        })
        .sort((a, b) => b.inflight - b.earlier - (a.inflight - a.earlier));
    },
    forecast(key) {
      const name = nameOf(key);
      const known = forecasts.get(name) ?? forecastOf(series(key));
      forecasts.set(name, known);
      return known;
    },
  };
}

/** The sum of the steps upwards; where a sample does not know the counter, nothing is counted across it. */
function stepsOf(column: readonly number[], from: number): number {
  let by = 0;
  let before = Number.NaN;
  for (let i = from; i < column.length; i++) {
    const now = column[i]!;
    // One that fell began anew, from 0.
    if (!Number.isNaN(now) && !Number.isNaN(before)) by += riseOf(before, now) ?? now;
    before = now;
  }
  return by;
}

const nameOf = (key: RoomKey): string => `${key.node} ${key.zone} ${key.order} ${key.context}`;

/** Points that a slope is taken from: the pairs of them are what costs. More samples than that are put together first. */
const mostPoints = 32;

/**
 * Theil and Sen's slope: the median of the slopes between all pairs of samples, which single bursts do not move. Its interval is the pair of
 * order statistics that Kendall's test gives at 95 %; a trend is one when the whole interval is below 0.
 */
function forecastOf(all: readonly RoomPoint[]): Forecast {
  const last = all.at(-1);
  if (last === undefined) return { trend: "unknown", why: "no sample says this room" };
  if (last.requests === 0) return { trend: "gone" };
  const points = together(all, mostPoints);
  if (points.length < leastSamples)
    return { trend: "unknown", why: `${points.length} of ${leastSamples} samples so far` };
  // Most series of a quiet machine never fall.
  if (points.every((p, i) => i === 0 || p.requests >= points[i - 1]!.requests)) return { trend: "not falling" };
  const n = points.length;
  const slopes = new Float64Array((n * (n - 1)) / 2);
  let pair = 0;
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) {
      const [a, b] = [points[i]!, points[j]!];
      slopes[pair++] = (b.requests - a.requests) / (b.seconds - a.seconds);
    }
  slopes.sort();
  const width = 1.96 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const at = (position: number): number => slopes[Math.max(0, Math.min(slopes.length - 1, Math.round(position)))]!;
  const steepest = at((slopes.length - width) / 2);
  const flattest = at((slopes.length + width) / 2);
  const middle = at((slopes.length - 1) / 2);
  if (!(flattest < 0 && middle < 0)) return { trend: "not falling" };
  return {
    trend: "falling",
    seconds: last.requests / -middle,
    from: last.requests / -steepest,
    to: last.requests / -flattest,
  };
}

/** At most `most` points: stretches of equally many samples, each as its mean in the middle of its time. Of 528 series an hour long this is what costs. */
function together(points: readonly RoomPoint[], most: number): readonly RoomPoint[] {
  if (points.length <= most) return points;
  return Array.from({ length: most }, (_, i): RoomPoint => {
    const from = Math.floor((i * points.length) / most);
    const to = Math.floor(((i + 1) * points.length) / most);
    let requests = 0;
    for (let k = from; k < to; k++) requests += points[k]!.requests;
    return { seconds: (points[from]!.seconds + points[to - 1]!.seconds) / 2, requests: requests / (to - from) };
  });
}
