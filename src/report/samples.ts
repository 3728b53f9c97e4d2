// What moved between the two samples of a `skblab collect` archive, as blocks of a document.
import { grouped } from "../base/grouped.ts";
import type { SamplesCompared } from "../diagnosis/two_samples.ts";
import type { Block, Text } from "./document.ts";
import { heading, paragraph, table } from "./document.ts";

const mostRows = 16;

export function samplesBlocks(samples: readonly SamplesCompared[]): Block[] {
  return samples.flatMap((s) => [heading(2, headOf(s)), ...movesOf(s), ...sentencesOf(s).map((t) => paragraph(t))]);
}

const nameOf = ({ of }: SamplesCompared): string => of.replace(/[/:]$/, "").split(/[/:]/).at(-1) ?? "";
const seconds = (n: number): string => `${n.toFixed(1)} s`;

function headOf(s: SamplesCompared): string {
  const machine = nameOf(s);
  const whose = machine === "" ? "Counters" : `Counters of ${machine}`;
  if (s.from === null || s.to === null)
    return `${whose} between two samples; when they were taken is not in the archive`;
  return `${whose} from ${seconds(s.from)} to ${seconds(s.to)} after boot, two samples ${seconds(s.to - s.from)} apart`;
}

/** Counters of page pools rise with every packet: they stand behind those of what was lost or refused. */
const ofPools = (counter: string): boolean => /^pool \d|pp_/.test(counter);

function movesOf(s: SamplesCompared): Block[] {
  const rows = [...s.moved].sort((a, b) => Number(ofPools(a.counter)) - Number(ofPools(b.counter)));
  if (rows.length === 0) return [];
  const span = s.from === null || s.to === null ? undefined : s.to - s.from;
  const rate = (by: number): string[] =>
    span === undefined || span <= 0 ? [] : [(by / span).toFixed(by / span < 10 ? 2 : 0)];
  const shown = rows.slice(0, mostRows).map(({ counter, by }): Text[] => [counter, `+${grouped(by)}`, ...rate(by)]);
  return [
    table(["what rose", ">by", ...(rate(0).length === 0 ? [] : [">a second, about"])], shown),
    ...(rows.length > mostRows
      ? [paragraph(`${rows.length - mostRows} more rose (--format json has all of them).`)]
      : []),
  ];
}

function sentencesOf(s: SamplesCompared): string[] {
  const counters = (n: number): string => `${n} ${n === 1 ? "counter" : "counters"}`;
  const said: string[] = [];
  for (const p of s.pools)
    said.push(
      `Page pool ${p.pool}${p.ifindex === null ? "" : ` of interface ${p.ifindex}`}: ${grouped(p.before)} pages in flight, then ${grouped(p.after)}.`,
    );
  for (const r of s.restarted.slice(0, mostRows))
    said.push(
      `${r.counter} fell from ${grouped(r.before)} to ${grouped(r.after)}: it started again, and what it counted in between is not known.`,
    );
  if (s.still > 0)
    said.push(
      `${counters(s.still)} of drops, refusals, reclaim, compaction and pools ${s.still === 1 ? "has" : "have"} the same value in both samples.`,
    );
  if (s.alone.length > 0)
    said.push(`In one sample only, so that nothing can be said of what they count: ${s.alone.join(", ")}.`);
  if (said.length === 0 && s.moved.length === 0) said.push("Both samples have no counter of that kind in common.");
  return said;
}
