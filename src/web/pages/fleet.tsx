// Fleet: the JSON of `skblab fleet --format json`, opened: causes of many hosts, worst first; a cause chosen shows where and since when, what sets
// its hosts apart, and the whole diagnosis of its example.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Cause, FleetAnswer } from "../../fleet/fleet.ts";
import { diagnosisDocument } from "../../report/diagnosis.ts";
import { inertLine } from "../../report/escape.ts";
import { causeDetails, fleetDocument } from "../../report/fleet.ts";
import { readFleetAnswer } from "../../report/fleet_read.ts";
import { formatNumber } from "../../report/text.ts";
import { TaskFailure } from "../tasks/client.ts";
import { DocumentView } from "../ui/document_view.tsx";
import { Answer, Empty, ErrorBox } from "../ui/parts.tsx";

/** A fleet of a hundred thousand hosts has some megabytes. */
const mostBytes = 200 << 20;

export function FleetPage(): JSX.Element {
  const [answer, setAnswer] = useState<FleetAnswer>();
  const [chosen, setChosen] = useState<string>();
  const [error, setError] = useState<unknown>();

  const open = async ([file]: readonly File[]): Promise<void> => {
    setError(undefined);
    setChosen(undefined);
    try {
      if (file === undefined) return;
      if (file.size > mostBytes) throw new TaskFailure(`${inertLine(file.name)} is larger than 200 MB.`, false);
      const read = readFleetAnswer(await file.text());
      if (typeof read === "string") throw new TaskFailure(`${inertLine(file.name)}: ${read}`, false);
      setAnswer(read);
      setChosen(read.causes[0]?.id);
    } catch (e) {
      setAnswer(undefined);
      setError(e);
    }
  };
  const cause = answer?.causes.find((c) => c.id === chosen);
  return (
    <>
      <h1>Many hosts, one cause</h1>
      <div class="form">
        <label>
          What skblab fleet LOGS --format json has printed
          <input
            type="file"
            accept=".json,application/json"
            onChange={(e) => {
              void open([...(e.currentTarget.files ?? [])]);
              e.currentTarget.value = "";
            }}
          />
        </label>
      </div>
      <ErrorBox error={error} />
      {answer === undefined ? (
        <Empty>
          No fleet has been opened yet. <code>skblab fleet /var/log/remote --format json &gt; fleet.json</code> reads
          the logs of many hosts; nothing of the file leaves this page.
        </Empty>
      ) : (
        <>
          <Causes causes={answer.causes} chosen={chosen} choose={setChosen} />
          {cause === undefined ? null : <Chosen cause={cause} hosts={answer.hosts} />}
          <Answer shown={{ document: fleetDocument(answer), json: answer }} name="fleet" view={headOnly} />
        </>
      )}
    </>
  );
}

/** Table and details stand above already. */
const headOnly = (blocks: ReturnType<typeof fleetDocument>): ReturnType<typeof fleetDocument> =>
  blocks.filter((b) => (b.kind === "heading" && b.level === 1) || b.kind === "list");

function Causes({
  causes,
  chosen,
  choose,
}: {
  causes: readonly Cause[];
  chosen: string | undefined;
  choose: (id: string) => void;
}): JSX.Element {
  return (
    <div class="scroll">
      <table aria-label="Causes, worst first">
        <thead>
          <tr>
            <th scope="col">cause</th>
            <th scope="col">how bad</th>
            <th scope="col">hosts</th>
            <th scope="col">reports</th>
            <th scope="col">first</th>
            <th scope="col">last</th>
            <th scope="col">trend</th>
          </tr>
        </thead>
        <tbody>
          {causes.map((c) => (
            <tr key={c.id}>
              <td>
                <button type="button" aria-pressed={c.id === chosen} onClick={() => choose(c.id)}>
                  {inertLine(c.title)}
                </button>
              </td>
              <td>{inertLine(c.severity)}</td>
              <td>{formatNumber(c.hosts)}</td>
              <td>{formatNumber(c.incidents)}</td>
              <td>{inertLine(c.first?.slice(0, 10) ?? "-")}</td>
              <td>{inertLine(c.last?.slice(0, 10) ?? "-")}</td>
              <td>{inertLine(c.trend)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Chosen({ cause, hosts }: { cause: Cause; hosts: number }): JSX.Element {
  const { diagnosis, host, input } = cause.example;
  return (
    <section aria-label="The chosen cause">
      <h2>The chosen cause</h2>
      <DocumentView document={causeDetails(cause, hosts)} />
      {diagnosis === null ? (
        <p class="empty">The file has no diagnosis of its example.</p>
      ) : (
        <DocumentView
          document={diagnosisDocument({
            schema: "skblab.diagnosis/1",
            inputs: [{ name: `${input} of ${host}`, bytes: null, lines: null, notes: [] }],
            incidents: [diagnosis],
          })}
        />
      )}
    </section>
  );
}
