// Interleavings: the table of locking schemes; each cell opens its shortest schedule as swim lanes with a stepper.
import type { JSX, RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { listing } from "../../diagnosis/words.ts";
import type { Replay } from "../../explore/replay.ts";
import type { LltxTable, SchemeRow, Shown as ShownSchedule } from "../../explore/stories/lltx.ts";
import { lltxDocument } from "../../report/explore.ts";
import { formatNumber } from "../../report/text.ts";
import { useKept } from "../store/kept.ts";
import { ask, runningOf } from "../tasks/client.ts";
import type { LltxOutput, PlayedSchedule } from "../tasks/explore_task.ts";
import { DocumentView } from "../ui/document_view.tsx";
import { AnswerExports, PictureExports, pictureOf, TableExports } from "../ui/exports.tsx";
import { Empty, ErrorBox, Work } from "../ui/parts.tsx";
import { route, setQuery, setView } from "../ui/route.ts";
import type { TableData } from "../ui/table_files.ts";

const columns = [
  ["race", "race"],
  ["deadlock", "deadlock"],
  ["ruleBroken", "rule broken"],
  ["lostWakeup", "lost wake-up"],
  ["messageHidden", "real error hidden"],
] as const satisfies readonly (readonly [keyof SchemeRow, string])[];

export function InterleavingsPage(): JSX.Element {
  const [output, setOutput] = useKept<LltxOutput | undefined>("lltx.output", undefined);
  const [error, setError] = useKept<unknown>("lltx.error", undefined);
  /** The table was searched here, and did not come with the page. */
  const [own, setOwn] = useKept("lltx.own", true);
  const { scheme, schedule } = route.value.query;

  const explore = async (): Promise<void> => {
    setError(undefined);
    try {
      setOutput(await ask("lltx", null, "Trying every interleaving"));
      setOwn(true);
    } catch (e) {
      setError(e);
    }
  };

  useEffect(() => {
    if (route.value.query.table === "yes" && output === undefined) void explore();
  }, []);

  useEffect(() => {
    if (output !== undefined || route.value.query.table === "yes") return;
    import("../shipped_lltx.json").then(({ default: shipped }) => {
      const table = shipped as unknown as LltxTable;
      setOutput({
        table,
        shown: { document: lltxDocument(table), json: { schema: "skblab.explore/1", schemes: table.rows } },
      });
      setOwn(false);
    }, setError);
  }, []);
  const work = runningOf("lltx");
  return (
    <>
      <h1>Transmit locking, every interleaving</h1>
      <p>
        A driver that sets NETIF_F_LLTX locks for itself. Six ways of doing so since 2004: which of them lets a packet
        race with a stopped queue, hang, or get lost? Every order in which the CPUs can move is tried.
      </p>
      <ErrorBox error={error} />
      {output === undefined ? (
        <Empty>The table is being read.</Empty>
      ) : (
        <section class="answer" aria-label="Answer: locking schemes">
          <p class="story">
            <strong>{safeWords(output.table)}</strong>
          </p>
          <div class="bar">
            <span class="stamp">
              {own
                ? "Searched in this browser."
                : "The full search that comes with the page; every schedule below plays at once."}
            </span>
            <button
              type="button"
              disabled={work !== undefined}
              onClick={() => {
                setQuery({ table: "yes" });
                void explore();
              }}
            >
              Explore
            </button>
          </div>
          {work === undefined ? null : <Work now={work} />}
          <AnswerExports shown={output.shown} name="lltx" />
          <SchemeTable output={output} />
        </section>
      )}
      {scheme === undefined || schedule === undefined ? null : (
        <Schedule key={`${scheme} ${schedule}`} scheme={scheme} schedule={schedule} />
      )}
      {output === undefined ? null : (
        <details>
          <summary>What was covered, and what this assumes</summary>
          <DocumentView document={output.shown.document.slice(2)} />
        </details>
      )}
    </>
  );
}

/** Which schemes are safe, in a sentence. */
function safeWords({ rows }: LltxTable): string {
  const safe = rows.filter((r) => r.complete && columns.every(([key]) => r[key] === null)).map((r) => r.id);
  const bad = rows.filter((r) => columns.some(([key]) => r[key] !== null)).map((r) => r.id);
  return `${listing(safe)} ${safe.length === 1 ? "is" : "are"} safe in every order that was tried; ${listing(bad)} ${bad.length === 1 ? "is" : "are"} not.`;
}

function SchemeTable({ output }: { output: LltxOutput }): JSX.Element {
  return (
    <div class="table">
      <div class="scroller" tabIndex={0} role="group" aria-label="Locking schemes">
        <table>
          <caption>What each scheme allows; choose a cell to see its shortest schedule</caption>
          <thead>
            <tr>
              <th scope="col">scheme</th>
              <th scope="col" class="right">
                states
              </th>
              {columns.map(([key, title]) => (
                <th key={key} scope="col">
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {output.table.rows.map((row) => (
              <tr key={row.id}>
                <th scope="row">
                  {row.id}
                  <SchemeCode details={output.table.details} id={row.id} />
                </th>
                <td class="right">
                  {formatNumber(row.states)}
                  {row.complete ? "" : "+"}
                </td>
                {columns.map(([key]) => (
                  <td key={key}>
                    <Cell found={row[key]} complete={row.complete} scheme={row.id} what={key} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <TableExports table={() => schemesOf(output)} />
    </div>
  );
}

/** What a scheme is, and its few lines; those that the first scheme has not are marked. */
function SchemeCode({ details, id }: { details: LltxTable["details"]; id: string }): JSX.Element | null {
  const own = details.find((d) => d.id === id);
  if (own === undefined) return null;
  const first = details[0]?.code ?? [];
  return (
    <details class="scheme-says">
      <summary>{own.title}</summary>
      <pre tabIndex={0}>
        {own.code.map((line) => (
          <div key={line} class={own.id === details[0]?.id || first.includes(line) ? undefined : "other-line"}>
            {line}
          </div>
        ))}
      </pre>
    </details>
  );
}

/** An arrow from the step that changed something to the step that raced with it, over the lanes. */
function RaceArrow({ over }: { over: RefObject<HTMLDivElement | null> }): JSX.Element | null {
  const [line, setLine] = useState<readonly [x1: number, y1: number, x2: number, y2: number]>();
  useEffect(() => {
    const frame = over.current;
    if (frame === null) return;
    const measure = (): void => {
      const [from, to] = frame.querySelectorAll("td.racing");
      if (from === undefined || to === undefined) {
        setLine(undefined);
        return;
      }
      const [f, a, b] = [frame, from, to].map((e) => e.getBoundingClientRect()) as [DOMRect, DOMRect, DOMRect];
      // From side to side where the lanes differ, so that the arrow crosses no text of the two cells.
      const right = b.left >= a.right;
      setLine([
        (right ? a.right - 10 : a.left + 10) - f.left,
        a.bottom - 6 - f.top,
        (right ? b.left + 6 : b.right - 6) - f.left,
        b.top + 8 - f.top,
      ]);
    };
    const watch = new ResizeObserver(measure);
    watch.observe(frame);
    measure();
    return () => watch.disconnect();
  }, []);
  if (line === undefined) return null;
  const [x1, y1, x2, y2] = line;
  return (
    <svg class="race-arrow" aria-hidden="true">
      <defs>
        <marker id="race-head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
          <path d="M0 0 L8 4 L0 8 z" />
        </marker>
      </defs>
      <line x1={x1} y1={y1} x2={x2} y2={y2} marker-end="url(#race-head)" />
    </svg>
  );
}

/** A cell of a file holds the schedule itself: it can be played on the command line. */
const schemesOf = ({ table }: LltxOutput): TableData => ({
  title: "locking schemes",
  columns: ["scheme", "states", "complete", ...columns.map(([, title]) => title)],
  rows: table.rows.map((row) => [
    row.id,
    String(row.states),
    row.complete ? "yes" : "no",
    ...columns.map(([key]) => row[key]?.schedule ?? (row.complete ? "none" : "not found")),
  ]),
});

const stepsOf = (title: string, { replay }: PlayedSchedule): TableData => ({
  title,
  columns: ["step", "task", "at", "does", "waits", "remarks", "state"],
  rows: replay.steps.map((s, i) => [
    String(i + 1),
    replay.tasks[s.task] ?? String(s.task),
    s.at,
    s.does,
    s.moved ? "no" : "yes",
    s.remarks.map((r) => `${r.finding}: ${r.text}`).join("; "),
    s.state.map(([name, value]) => `${name}=${value}`).join(" "),
  ]),
});

function Cell({
  found,
  complete,
  scheme,
  what,
}: {
  found: ShownSchedule | null;
  complete: boolean;
  scheme: string;
  what: string;
}): JSX.Element {
  if (found === null)
    return <span class={complete ? "tone-good" : "tone-warn"}>{complete ? "none" : "not found"}</span>;
  return (
    <button
      type="button"
      class="found"
      aria-label={`${scheme}: show the ${what} in ${found.steps} steps`}
      onClick={() => setView({ scheme, schedule: found.schedule })}
    >
      {found.steps} steps
    </button>
  );
}

/** The step that broke something, and the last step of another task that changed what it went by. */
function racingPair(
  replay: Replay,
): { readonly first: number; readonly second: number; readonly what: string } | undefined {
  const second = replay.steps.findIndex((s) => s.remarks.some((r) => r.finding === "race"));
  const broken = replay.steps[second];
  if (broken === undefined) return undefined;
  for (let i = second - 1; i >= 0; i--) {
    const s = replay.steps[i];
    if (s === undefined || s.task === broken.task) continue;
    const what = s.changes.find((c) => {
      const name = c.slice(0, c.indexOf(":"));
      return !name.endsWith("lock") && broken.does.includes(name);
    });
    if (what !== undefined) return { first: i, second, what };
  }
  return undefined;
}

/** The locks that a task holds after a step: a bar down its lane for as long as it does. */
function Held({
  step,
  task,
  locks,
}: {
  step: Replay["steps"][number];
  task: number;
  locks: readonly string[];
}): JSX.Element {
  const held = step.state.flatMap(([name, value]) => (name.endsWith("lock") && value === String(task) ? [name] : []));
  return (
    <>
      {held.map((name) => (
        <span key={name} class={`lock lock-${locks.indexOf(name)}`} title={`holds ${name}`}>
          {name}
        </span>
      ))}
    </>
  );
}

function Schedule({ scheme, schedule }: { scheme: string; schedule: string }): JSX.Element {
  const [played, setPlayed] = useState<PlayedSchedule>();
  const [error, setError] = useState<unknown>();
  const [at, setAt] = useState(0);
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    ask("schedule", { scheme, schedule }, "Playing").then(setPlayed, setError);
  }, []);
  if (error !== undefined) return <ErrorBox error={error} />;
  if (played === undefined) return <Empty>The schedule was not played.</Empty>;
  const { replay } = played;
  const lanes = [...new Set(replay.steps.map((s) => s.task))].sort((a, b) => a - b);
  const last = replay.steps.length - 1;
  const title = `${scheme}, ${played.world}: ${schedule}`;
  const step = replay.steps[Math.min(at, last)];
  const pair = racingPair(replay);
  const racing = new Set(pair === undefined ? [] : [pair.first, pair.second]);
  const locks = [
    ...new Set(replay.steps.flatMap((s) => s.state.flatMap(([name]) => (name.endsWith("lock") ? [name] : [])))),
  ];
  return (
    <section
      aria-label={`Schedule ${schedule} of ${scheme}`}
      onKeyDown={(e) => {
        if (e.key === "ArrowDown" || e.key === "ArrowRight") setAt(Math.min(last, at + 1));
        else if (e.key === "ArrowUp" || e.key === "ArrowLeft") setAt(Math.max(0, at - 1));
        else return;
        e.preventDefault();
      }}
    >
      <h2>
        {scheme}, {played.world}: <code>{schedule}</code>
      </h2>
      <div class="bar">
        <button type="button" disabled={at === 0} onClick={() => setAt(at - 1)}>
          Back
        </button>
        <span aria-live="polite">
          step {at + 1} of {last + 1}
        </span>
        <button type="button" disabled={at >= last} onClick={() => setAt(at + 1)}>
          Next
        </button>
        <span class="keys">or the arrow keys</span>
        <PictureExports title={title} picture={() => pictureOf(played.svg)} />
      </div>
      <div class="stepper">
        <div class="table">
          <div class="scroller" tabIndex={0} role="group" aria-label="Swim lanes">
            <div class="lanes-frame" ref={frame}>
              <table class="lanes">
                <thead>
                  <tr>
                    <th scope="col" class="right">
                      step
                    </th>
                    {lanes.map((t) => (
                      <th key={t} scope="col">
                        {replay.tasks[t]}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {replay.steps.map((s, i) => (
                    <tr
                      key={`${i}`}
                      class={i === at ? "here" : undefined}
                      aria-current={i === at ? "step" : undefined}
                      onClick={() => setAt(i)}
                    >
                      <td class="right">{i + 1}</td>
                      {lanes.map((t) => (
                        <td key={t} class={racing.has(i) && s.task === t ? "racing" : undefined}>
                          <Held step={s} task={t} locks={locks} />
                          {s.task === t ? (
                            <>
                              <div class="tone-dim">{s.at}</div>
                              <code>{s.does}</code>
                              {s.moved ? null : <div class="tone-dim">waits</div>}
                              {pair?.second === i ? (
                                <div class="tone-bad">
                                  ↖ races with step {pair.first + 1}: {pair.what}
                                </div>
                              ) : null}
                              {pair?.first === i ? (
                                <div class="tone-bad">↘ step {pair.second + 1} races with it</div>
                              ) : null}
                              {s.remarks.map((r) => (
                                <div key={r.text} class="tone-bad">
                                  {r.finding}: {r.text}
                                </div>
                              ))}
                            </>
                          ) : null}
                        </td>
                      ))}
                    </tr>
                  ))}
                </tbody>
              </table>
              {pair === undefined ? null : <RaceArrow over={frame} />}
            </div>
          </div>
          <TableExports table={() => stepsOf(title, played)} />
        </div>
        {step === undefined ? null : (
          <div class="state">
            <h3>After step {at + 1}</h3>
            <dl class="facts">
              {step.state.map(([name, value]) => (
                <div key={name} class={step.changes.some((c) => c.startsWith(`${name}:`)) ? "changed" : undefined}>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
            {at < last ? null : (
              <>
                <p>At the end: {replay.end}</p>
                {replay.findings.map((f) => (
                  <p key={f.text} class="tone-bad">
                    {f.finding}: {f.text}
                  </p>
                ))}
              </>
            )}
          </div>
        )}
      </div>
    </section>
  );
}
