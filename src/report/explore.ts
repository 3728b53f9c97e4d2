// What an exploration found, as a document: the table of schemes, findings with their schedules, swim lanes as text.
//
//   step  CPU0                      CPU1            after
//      1  lock queue_lock                           queue_lock=0
//      2                            test xoff: no

import type { PlayedStep, Replay } from "../explore/replay.ts";
import { scheduleText } from "../explore/replay.ts";
import type { SearchResult } from "../explore/search.ts";
import type { LltxTable, SchemeDetail, SchemeRow, Shown } from "../explore/stories/lltx.ts";
import type { Block, Document, Text } from "./document.ts";
import { facts, heading, list, paragraph, span, table } from "./document.ts";
import { formatNumber } from "./text.ts";

/** What every exploration takes for granted; printed with every answer. */
export const assumptions: readonly string[] = [
  "Memory is sequentially consistent: every CPU sees all writes in one order. Only where a story has a store buffer of its own (lltx modern: the consumer index) can a write come late.",
  "What the story does not say is not there: no NMI, no timers or watchdog, no preemption inside a CPU but interrupts and softirqs, no recursion into the driver, no queue or device beside those of the story.",
  "A story is finite: a fixed number of CPUs, ring slots and packets. Nothing found means nothing in these worlds.",
];

const cell = (shown: Shown | null, complete: boolean, bad = true): Text =>
  shown === null
    ? [span(complete ? "none" : "not met", complete ? "good" : "warn")]
    : [span(shown.schedule === "" ? "at the start" : shown.schedule, bad ? "bad" : "plain")];

/** The table of `skblab explore lltx`. */
export function lltxDocument(t: LltxTable, schedules: readonly string[] = []): Document {
  const detail = (id: string): SchemeDetail => t.details.find((d) => d.id === id) as SchemeDetail;
  const blocks: Block[] = [
    heading(1, "Transmit locking, every interleaving"),
    table(
      ["scheme", ">states", "race", "deadlock", "rule broken", "lost wake-up", "real error hidden"],
      t.rows.map((r) => [
        r.id,
        `${formatNumber(r.states)}${r.complete ? "" : "+"}`,
        cell(r.race, r.complete),
        cell(r.deadlock, r.complete),
        cell(r.ruleBroken, r.complete),
        cell(r.lostWakeup, r.complete),
        cell(r.messageHidden, r.complete),
      ]),
    ),
    table(
      ["scheme", "message printed", "printed without cause", "reordered", "lost", "livelock"],
      t.rows.map((r) => {
        const d = detail(r.id);
        return [
          r.id,
          cell(d.messagePrinted, r.complete, false),
          cell(d.falseAlarm, r.complete),
          cell(d.reordered, r.complete, false),
          cell(d.lost, r.complete),
          d.worlds.every((w) => w.result.livelockChecked) || d.livelock !== null
            ? cell(d.livelock, r.complete)
            : "none where no task hangs",
        ];
      }),
    ),
    list(
      t.rows.map((r) => [
        span(`${r.id}: `, "strong"),
        span(`${meaning(r, detail(r.id))} (${detail(r.id).title}; ${detail(r.id).source})`),
      ]),
    ),
    paragraph(
      "A cell is a shortest schedule: one character per step, for the task that moves (0, 1, … the CPUs, then the completion, then the wire). A prefix before a colon names the world, if it is not 2 CPUs and a ring of 1. Play one with:",
    ),
    { kind: "code", text: example(t) },
    heading(2, "What was covered"),
    table(
      ["scheme", "world", ">states", ">transitions", ">longest", "all of them"],
      t.details.flatMap((d) =>
        d.worlds.map((w) => [
          d.id,
          w.world,
          formatNumber(w.result.states),
          formatNumber(w.result.transitions),
          String(w.result.depth),
          w.result.complete ? "yes" : [span(w.result.limits.join("; "), "warn")],
        ]),
      ),
    ),
    ...(schedules.length === 0 ? [] : [list(schedules)]),
    heading(2, "What this assumes"),
    list(assumptions),
  ];
  return blocks;
}

function example(t: LltxTable): string {
  for (const r of t.rows)
    for (const shown of [r.race, r.deadlock, r.ruleBroken, r.lostWakeup, r.messageHidden])
      if (shown !== null) return `skblab explore lltx --scheme ${r.id} --replay ${shown.schedule}`;
  return "skblab explore lltx --scheme original --replay 0000111001";
}

function meaning(r: SchemeRow, d: SchemeDetail): string {
  const parts: string[] = [];
  if (r.race !== null)
    parts.push(
      d.falseAlarm !== null
        ? "transmit is called with the queue stopped and a full ring, and the log calls it a bug"
        : r.messageHidden !== null
          ? "the same race without the message, but a driver that really fails is silent too"
          : "the race is there and harmless: the packet goes back silently, and a real error is still reported",
    );
  if (r.deadlock !== null) parts.push("CPUs hang");
  if (r.ruleBroken !== null) parts.push("a call or lock is used where it is illegal");
  if (r.lostWakeup !== null) parts.push("packets stay in the qdisc forever");
  if (r.messageHidden !== null && r.race === null) parts.push("a real error is not reported");
  if (parts.length === 0)
    return r.complete
      ? "nothing found, and every state was searched"
      : "nothing found so far; not every state was searched";
  return parts.join("; ");
}

/** One story: what was covered and what was found, the first finding played. */
export function searchDocument(name: string, r: SearchResult, command: string, played: Replay | undefined): Document {
  const covered = r.complete ? "all of them" : r.limits.join("; ");
  const blocks: Block[] = [
    heading(1, `Every interleaving of ${name}`),
    facts([
      ["states", formatNumber(r.states)],
      ["transitions", formatNumber(r.transitions)],
      [
        "schedules",
        r.schedules === undefined
          ? "not counted (the states form a loop, or are many)"
          : r.schedules.toLocaleString("en-US"),
      ],
      ["covered", [span(covered, r.complete ? "good" : "warn")]],
      ["livelock", r.livelockChecked ? "looked for" : "not looked for"],
    ]),
  ];
  if (r.findings.length === 0)
    blocks.push(
      paragraph([
        span(
          r.complete
            ? "Nothing found, and every state was searched."
            : "Nothing found so far; not every state was searched.",
          r.complete ? "good" : "warn",
        ),
      ]),
    );
  else {
    blocks.push(
      table(
        ["finding", ">steps", "schedule", "what"],
        [...r.findings]
          .sort((a, b) => a.path.length - b.path.length)
          .map((f) => [
            [span(f.finding, "bad")],
            String(f.path.length),
            scheduleText(f.path),
            f.also === undefined ? f.text : `${f.text} (${f.also.text}: ${scheduleText(f.also.path)})`,
          ]),
      ),
      paragraph("Play one with:"),
      { kind: "code", text: command },
    );
  }
  if (played !== undefined) blocks.push(heading(2, "The shortest"), ...lanesBlocks(played));
  blocks.push(heading(2, "What this assumes"), list(assumptions));
  return blocks;
}

/** A replayed schedule. */
export function replayDocument(title: string, r: Replay): Document {
  return [heading(1, title), ...lanesBlocks(r)];
}

function lanesBlocks(r: Replay): Block[] {
  return [
    lanesTable(r),
    facts([
      ...r.findings.map((f) => [f.finding, [span(f.text, "bad")]] as const),
      ["at the end", r.end],
      ...(r.steps.length === 0 ? [] : [["state", stateText(r.steps[r.steps.length - 1] as PlayedStep)] as const]),
    ]),
  ];
}

const stateText = (s: PlayedStep): string => s.state.map(([name, value]) => `${name}=${value}`).join("  ");

/** Swim lanes: a column for each task that takes part, a row for each step. */
function lanesTable(r: Replay): Block {
  const lanes = [...new Set(r.steps.map((s) => s.task))].sort((a, b) => a - b);
  const step = (s: PlayedStep): string => (s.at === "" ? s.does : `${s.at}: ${s.does}`);
  const after = (s: PlayedStep): Text => [
    span(s.changes.join(", ")),
    ...s.remarks.map((m, i) => span(`${i > 0 || s.changes.length > 0 ? " " : ""}! ${m.finding}: ${m.text}`, "bad")),
  ];
  return table(
    [">step", ...lanes.map((l) => `${l} ${r.tasks[l] ?? ""}`), "after the step"],
    r.steps.map((s, i) => [String(i + 1), ...lanes.map((l) => (l === s.task ? step(s) : "")), after(s)]),
  );
}
