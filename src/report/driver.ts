// What the check of a driver found: a row for each MTU, then each mistake once, with the refused request that led to it.
import type { DriverVerdict } from "../verify/driver.ts";
import type { Block, Document } from "./document.ts";
import { facts, heading, list, paragraph, span, table } from "./document.ts";

/** Mistakes shown in full. */
const shown = 5;

export function driverDocument(v: DriverVerdict): Document {
  const leaks = v.checks.flatMap((c) => c.leaks.map((leak) => ({ mtu: c.mtu, ...leak })));
  const faults = v.checks.flatMap((c) => c.faults.map((fault) => ({ mtu: c.mtu, ...fault })));
  const complaints = v.checks.flatMap((c) => c.complaints.map((complaint) => ({ mtu: c.mtu, ...complaint })));
  const lives = v.checks.reduce((n, c) => n + c.lives, 0);
  // Beside those with a refusal, one before and one after them at each MTU.
  const allLives = lives + 2 * v.checks.length;
  const silent = v.checks.filter((c) => c.received + c.taken === 0);
  const stuck = v.checks.filter((c) => !c.recovered);
  const blocks: Block[] = [
    heading(1, `${v.driver} on ${v.kernel}${v.queues === 1 ? "" : `, ${v.queues} queue pairs`}`),
    paragraph([
      v.sound
        ? span(
            `Sound: in ${lives} lives, each with a different memory request refused, nothing was left behind and nothing had two owners.`,
            "good",
          )
        : span(
            `Not sound: ${[
              ...(leaks.length > 0 ? [`${leaks.length} of ${allLives} lives left memory behind`] : []),
              ...(faults.length > 0 ? [`memory was used by somebody who did not own it ${faults.length} times`] : []),
              ...(complaints.length > 0 ? [`the kernel would have complained ${complaints.length} times`] : []),
              ...silent.map((c) => `no packet came up at MTU ${c.mtu}`),
              ...(leaks.length + faults.length + complaints.length + silent.length === 0
                ? stuck.map((c) => `at MTU ${c.mtu} it did not receive as before after the refusals`)
                : []),
            ].join("; ")}.`,
            "bad",
          ),
    ]),
    table(
      ["MTU", ">frames", ">received", ">requests", ">lives", ">leaks", ">faults", ">complaints", "recovered"],
      v.checks.map((c) => [
        String(c.mtu),
        String(c.arrived),
        c.taken === 0 ? String(c.received) : `${c.received}, and ${c.taken} to XDP`,
        String(c.requests),
        String(c.lives),
        String(c.leaks.length),
        String(c.faults.length),
        String(c.complaints.length),
        c.recovered ? "yes" : "no",
      ]),
    ),
    ...(v.refused.length === 0 ? [] : [list(v.refused.map((r) => `MTU ${r.mtu} was not tried: ${r.because}.`))]),
  ];
  for (const { mtu, refused, fault } of firstOf(
    faults,
    (f) => `${f.fault.kind} ${f.fault.operation.replace(/\d+/g, "N")}`,
  ))
    blocks.push(
      heading(2, `${fault.kind}, at MTU ${mtu}, ${after(refused)}`),
      paragraph(`${fault.sentence}.`),
      list([...fault.history]),
    );
  for (const { mtu, refused, said } of firstOf(complaints, (c) => c.said))
    blocks.push(heading(2, `The kernel would say, at MTU ${mtu}, ${after(refused)}`), paragraph(`${said}.`));
  for (const leak of firstOf(leaks, (l) => l.refused))
    blocks.push(
      heading(2, `Left behind at MTU ${leak.mtu}, ${after(leak.refused)}`),
      facts(
        (
          [
            ["sk_buffs", leak.skbs],
            ["heads of sk_buffs", leak.heads],
            ["kmalloc objects", leak.kmallocs],
            ["blocks of pages", leak.pageBlocks],
            ["frames on the wire's side", leak.frames],
          ] as const
        ).flatMap(([what, n]) => (n === 0 ? [] : [[what, String(n)] as const])),
      ),
    );
  return blocks;
}

const after = (refused: string): string =>
  refused === "nothing" ? "with nothing refused" : `after ${refused} was refused`;

/** The first of each kind, at most `shown`. */
function firstOf<T>(all: readonly T[], kind: (x: T) => string): readonly T[] {
  const seen = new Set<string>();
  return all
    .filter((x) => {
      const k = kind(x);
      if (seen.has(k)) return false;
      seen.add(k);
      return true;
    })
    .slice(0, shown);
}
