// The last samples of a machine, so that an incident can be told with the minutes before it, and room with where it is going. Bounded in number.
import type { RoomContext } from "../diagnosis/room.ts";
import type { CounterName, Sample } from "./sample.ts";

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
  readonly samples: readonly Sample[];
  /** Takes a sample; one that is not later than the last (a clock that jumped, another boot) begins a new history. */
  add(sample: Sample): void;
  /** Counters that rose within the last `seconds`, fastest first. One that fell (a reset, a device that came back) counts from 0. */
  rises(seconds: number): Rise[];
  forecast(key: RoomKey): Forecast;
}

/** Fewer samples than this say nothing of a trend. */
const leastSamples = 5;

/** `most`: samples kept; at an interval of 5 s, 720 are an hour. */
export function createHistory(most = 720): History {
  let samples: Sample[] = [];
  return {
    get samples() {
      return samples;
    },
    add(sample) {
      const last = samples.at(-1);
      if (last !== undefined && sample.seconds <= last.seconds) samples = [];
      samples.push(sample);
      if (samples.length > most) samples = samples.slice(samples.length - most);
    },
    rises(seconds) {
      const last = samples.at(-1);
      const first = last === undefined ? undefined : samples.find((s) => s.seconds >= last.seconds - seconds);
      if (first === undefined || last === undefined || first === last) return [];
      const span = last.seconds - first.seconds;
      const names = new Set([...first.counters.keys(), ...last.counters.keys()]);
      const rises: Rise[] = [];
      for (const name of names) {
        const by = riseOf(samples.slice(samples.indexOf(first)), name);
        if (by > 0) rises.push({ name, by, rate: by / span });
      }
      return rises.sort((a, b) => b.rate - a.rate);
    },
    forecast: (key) => forecastOf(samples, key),
  };
}

/** The sum of the steps upwards. */
function riseOf(samples: readonly Sample[], name: CounterName): number {
  let by = 0;
  let before: number | undefined;
  for (const s of samples) {
    const now = s.counters.get(name);
    if (now === undefined) {
      before = undefined;
      continue;
    }
    if (before !== undefined) by += stepOf(before, now);
    before = now;
  }
  return by;
}

const wraps = 2 ** 32;
/** No counter of events rises by more between two samples. */
const mostStep = 2 ** 28;

/** How far a counter rose; a fall from just below 2^32 to just above 0 is one of a 32-bit kernel that went round, any other one began anew. */
function stepOf(before: number, now: number): number {
  if (now >= before) return now - before;
  const round = now + wraps - before;
  return before < wraps && round < mostStep ? round : now;
}

/** Room of one series over time; samples that do not know it are left out. */
export function roomSeries(
  samples: readonly Sample[],
  key: RoomKey,
): { readonly seconds: number; readonly requests: number }[] {
  return samples.flatMap((s) => {
    const room = s.rooms.find(
      (r) => r.node === key.node && r.zone === key.zone && r.order === key.order && r.context === key.context,
    );
    return room?.requests === undefined ? [] : [{ seconds: s.seconds, requests: room.requests }];
  });
}

/**
 * Theil and Sen's slope: the median of the slopes between all pairs of samples, which single bursts do not move. Its interval is the pair of
 * order statistics that Kendall's test gives at 95 %; a trend is one when the whole interval is below 0.
 */
function forecastOf(samples: readonly Sample[], key: RoomKey): Forecast {
  const all = roomSeries(samples, key);
  const last = all.at(-1);
  if (last === undefined) return { trend: "unknown", why: "no sample says this room" };
  if (last.requests === 0) return { trend: "gone" };
  const points = thinned(all, 120);
  if (points.length < leastSamples)
    return { trend: "unknown", why: `${points.length} of ${leastSamples} samples so far` };
  const slopes: number[] = [];
  for (let i = 0; i < points.length; i++)
    for (let j = i + 1; j < points.length; j++) {
      const [a, b] = [points[i]!, points[j]!];
      slopes.push((b.requests - a.requests) / (b.seconds - a.seconds));
    }
  slopes.sort((a, b) => a - b);
  const n = points.length;
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

/** At most `most` points, evenly chosen, the last one always among them. */
function thinned<T>(points: readonly T[], most: number): readonly T[] {
  if (points.length <= most) return points;
  const step = (points.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, i) => points[Math.round(i * step)]!);
}
