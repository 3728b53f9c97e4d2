// Interleavings: the table of locking schemes; each cell opens its shortest schedule as swim lanes with a stepper.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { SchemeRow, Shown as ShownSchedule } from "../../explore/stories/lltx.ts";
import { formatNumber } from "../../report/text.ts";
import { ask } from "../tasks/client.ts";
import type { LltxOutput, PlayedSchedule } from "../tasks/explore_task.ts";
import { DocumentView } from "../ui/document_view.tsx";
import { AnswerExports, PictureExports, pictureOf, TableExports } from "../ui/exports.tsx";
import { Empty, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery } from "../ui/route.ts";
import type { TableData } from "../ui/table_files.ts";

const columns = [
  ["race", "race"],
  ["deadlock", "deadlock"],
  ["ruleBroken", "rule broken"],
  ["lostWakeup", "lost wake-up"],
  ["messageHidden", "real error hidden"],
] as const satisfies readonly (readonly [keyof SchemeRow, string])[];

export function InterleavingsPage(): JSX.Element {
  const [output, setOutput] = useState<LltxOutput>();
  const [error, setError] = useState<unknown>();
  const { scheme, schedule } = route.value.query;

  const explore = async (): Promise<void> => {
    setError(undefined);
    try {
      setOutput(await ask("lltx", null, "Trying every interleaving"));
    } catch (e) {
      setError(e);
    }
  };

  useEffect(() => {
    if (route.value.query.table === "yes") void explore();
  }, []);

  return (
    <>
      <h1>Transmit locking, every interleaving</h1>
      <p>
        A driver that sets NETIF_F_LLTX locks for itself. Six ways of doing so since 2004: which of them lets a packet
        race with a stopped queue, hang, or get lost? Every order in which the CPUs can move is tried.
      </p>
      <button
        type="button"
        class="primary"
        onClick={() => {
          setQuery({ table: "yes" });
          void explore();
        }}
      >
        Explore
      </button>
      <ErrorBox error={error} />
      {output === undefined ? (
        <Empty>Nothing has been explored yet; it takes a few seconds.</Empty>
      ) : (
        <section aria-label="Answer: locking schemes">
          <AnswerExports shown={output.shown} name="lltx" />
          <SchemeTable output={output} />
        </section>
      )}
      {scheme === undefined || schedule === undefined ? null : (
        <Schedule key={`${scheme} ${schedule}`} scheme={scheme} schedule={schedule} />
      )}
      {output === undefined ? null : (
        <details>
          <summary>What was covered, and what this takes for granted</summary>
          <DocumentView document={output.shown.document.slice(2)} />
        </details>
      )}
    </>
  );
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
                <th scope="row">{row.id}</th>
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
      onClick={() => setQuery({ scheme, schedule: found.schedule })}
    >
      {found.steps} steps
    </button>
  );
}

function Schedule({ scheme, schedule }: { scheme: string; schedule: string }): JSX.Element {
  const [played, setPlayed] = useState<PlayedSchedule>();
  const [error, setError] = useState<unknown>();
  const [at, setAt] = useState(0);
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
                      <td key={t}>
                        {s.task === t ? (
                          <>
                            <div class="tone-dim">{s.at}</div>
                            <code>{s.does}</code>
                            {s.moved ? null : <div class="tone-dim">waits</div>}
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
