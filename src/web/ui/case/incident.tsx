// One incident: what it is, the claims with the pictures that they carry, what to do, and the ways on.
import type { ComponentChildren, JSX } from "preact";
import { findingOf, isA, isOf } from "../../../diagnosis/asked.ts";
import type { DiagnosedIncident, Finding } from "../../../diagnosis/finding.ts";
import { capital } from "../../../diagnosis/words.ts";
import { confidence, kernelText } from "../../../report/confidence.ts";
import { inertLine } from "../../../report/escape.ts";
import { formatNumber } from "../../../report/text.ts";
import { useKept } from "../../store/kept.ts";
import { Glossed } from "../glossary.tsx";
import { give } from "../intake.tsx";
import { hrefOf, setQuery } from "../route.ts";
import { FreeLists, MtuSteps } from "../shortage.tsx";
import { buddyinfoOf, caseFor, claimsWith, piecesOf, sameLine, storyFor, timeOf, toCollect } from "./case_view.ts";
import { hot, warms } from "./hot.ts";
import { Ladders } from "./ladder.tsx";
import type { Place } from "./log.tsx";
import { Composition, Processes } from "./oom.tsx";
import { PieceBar } from "./pieces.tsx";
import { Command } from "./verdict.tsx";

export function IncidentView({
  incident,
  onPlace,
  children,
}: {
  incident: DiagnosedIncident;
  onPlace: (place: Place) => void;
  /** The advice, which stands between the summary and the claims. */
  children: ComponentChildren;
}): JSX.Element {
  const seen = new Set<string>();
  return (
    <section class="incident" aria-label={`Incident: ${inertLine(incident.title)}`}>
      <h2>{inertLine(incident.title)}</h2>
      <Summary incident={incident} onPlace={onPlace} />
      {children}
      <h3>Questions and answers</h3>
      <ul class="claims">
        {claimsOf(incident).map((f, i) => (
          <Claim key={`${f.id} ${i}`} finding={f} incident={incident} seen={seen} onPlace={onPlace} />
        ))}
      </ul>
      <MorePictures incident={incident} />
      <WaysOn incident={incident} />
    </section>
  );
}

/** What the verdict and the summary have said already is not said again; zone by zone only where the sum of the zones does not say it. */
function claimsOf(i: DiagnosedIncident): readonly Finding[] {
  const refused = i.findings.some((f) => isA(f, "why.refused", "why.waits") && f.answer === "yes");
  return i.findings.filter((f) => !isA(f, "wanted.object", "judgement.harmless") && !(refused && isOf(f, "why.zone.")));
}

function Summary({
  incident: i,
  onPlace,
}: {
  incident: DiagnosedIncident;
  onPlace: (place: Place) => void;
}): JSX.Element {
  return (
    <dl class="facts">
      {i.wanted === null ? null : (
        <div>
          <dt>Wanted</dt>
          <dd>{inertLine(capital(i.wanted))}.</dd>
        </div>
      )}
      <div>
        <dt>Kernel</dt>
        <dd>{inertLine(capital(kernelText(i).replace(/^kernel /, "")))}.</dd>
      </div>
      <div>
        <dt>Confidence</dt>
        <dd>{inertLine(confidence(i))}.</dd>
      </div>
      <div>
        <dt>Seen</dt>
        <dd>
          {formatNumber(i.count)} {i.count === 1 ? "time" : "times"}
          {i.suppressed > 0 ? `, ${formatNumber(i.suppressed)} only counted by a rate limit` : ""}:{" "}
          {i.occurrences.slice(0, 6).map((o, at) => (
            <button
              key={`${at}`}
              type="button"
              class="place"
              onClick={() => onPlace({ input: o.input, line: o.firstLine })}
            >
              {inertLine(timeOf(o))}
            </button>
          ))}
          {i.occurrences.length > 6 ? `and ${formatNumber(i.occurrences.length - 6)} more` : ""}
        </dd>
      </div>
    </dl>
  );
}

/** What an answer is called; the colours of good and bad are kept for what is good and bad for the person. */
const answerWord = { yes: "Yes.", no: "No.", unknown: "The report does not say." } as const;

function Claim({
  finding: f,
  incident,
  seen,
  onPlace,
}: {
  finding: Finding;
  incident: DiagnosedIncident;
  seen: Set<string>;
  onPlace: (place: Place) => void;
}): JSX.Element {
  const own = f.question === undefined ? f.claim.indexOf("? ") + 1 : 0;
  const asked = f.question ?? f.claim.slice(0, own);
  const claim = f.claim.slice(own).trimStart();
  const silent = (f.open === true && f.answer === "yes") || f.silent === true;
  const [searched] = useKept("log.search", "");
  const hit = claimsWith({ ...incident, findings: [f] }, searched).length > 0;
  const now = hot.value;
  const lit = now?.kind === "line" ? f.evidence.some((q) => sameLine(q, now.input, now.line)) : now?.id === f.id;
  const lines = f.evidence.slice(0, 8);
  return (
    <li
      id={`claim-${f.id}`}
      class={`claim ${f.answer}${lit ? " lit" : ""}${hit ? " hit" : ""}`}
      {...warms({ kind: "claim", id: f.id })}
    >
      <p>
        {asked === "" ? null : <span class="question">{inertLine(asked)} </span>}
        {silent ? null : <strong>{answerWord[f.answer]} </strong>}
        <Glossed text={claim} seen={seen} />{" "}
        {lines.length === 0 ? null : (
          <span class="where">
            {lines.map((q, i) => (
              <button
                key={`${i}`}
                type="button"
                class="place"
                aria-label={`Line ${q.line} of ${inertLine(q.input)}`}
                onClick={() => onPlace({ input: q.input, line: q.line })}
              >
                {q.input === incident.occurrences[0]?.input ? `line ${q.line}` : inertLine(`${q.input}:${q.line}`)}
              </button>
            ))}
            {f.evidence.length > lines.length ? "…" : ""}
          </span>
        )}
      </p>
      <Carried of={f} incident={incident} />
    </li>
  );
}

/** The picture that a claim carries. */
function Carried({ of, incident }: { of: Finding; incident: DiagnosedIncident }): JSX.Element | null {
  const split = findingOf(incident.findings, "fragmentation") !== undefined;
  const { oom, mtuTable } = incident;
  if (isA(of, "why.refused", "why.waits")) return <Ladders incident={incident} />;
  if (isA(of, "fragmentation") || (isA(of, "why.free_unusable") && !split)) {
    const pieces = piecesOf(incident);
    return pieces === undefined ? null : <PieceBar pieces={pieces} />;
  }
  if (isA(of, "oom.scope")) return oom === null ? null : <Composition oom={oom} />;
  if (isA(of, "oom.largest")) return oom === null ? null : <Processes processes={oom.processes} />;
  return isA(of, "mtu.order_zero") && mtuTable !== null && mtuTable.rows.length > 0 ? (
    <MtuSteps table={mtuTable} />
  ) : null;
}

function MorePictures({ incident }: { incident: DiagnosedIncident }): JSX.Element | null {
  const { memory, mtuTable, findings } = incident;
  const steps = mtuTable !== null && mtuTable.rows.length > 0 && findingOf(findings, "mtu.order_zero") === undefined;
  if (memory === null && !steps) return null;
  return (
    <details>
      <summary>{memory === null ? "Order by MTU" : "Free blocks, zone by zone"}</summary>
      {memory === null ? null : <FreeLists memory={memory} />}
      {steps && mtuTable !== null ? <MtuSteps table={mtuTable} /> : null}
    </details>
  );
}

/** Where this leads: the same machine, fault or question on the other pages, and what to collect. */
function WaysOn({ incident }: { incident: DiagnosedIncident }): JSX.Element | null {
  const buddy = buddyinfoOf(incident);
  const story = storyFor(incident);
  const question = caseFor(incident);
  const collect = toCollect(incident);
  if (buddy === undefined && story === undefined && question === undefined && collect.length === 0) return null;
  return (
    <section class="ways" aria-label="Ways on">
      <h3>Ways on</h3>
      <div class="form">
        {buddy === undefined ? null : (
          <button
            type="button"
            onClick={async () => {
              // Made of this report, it says nothing more of the incident.
              const name = `buddyinfo of ${incident.occurrences[0]?.input ?? "the report"}`;
              await give([{ name, blob: new Blob([buddy]), only: "memory" }]);
              setQuery({ view: "real" });
            }}
          >
            This machine's free lists in Memory
          </button>
        )}
        {story === undefined ? null : (
          <a class="button" href={hrefOf("packet", { story })}>
            Such a fault, step by step
          </a>
        )}
        {question === undefined ? null : (
          <a class="button" href={hrefOf("cases", { id: question })}>
            This question among the cases
          </a>
        )}
        {incident.gfp === null ? null : (
          <a
            class="button"
            href={hrefOf("decode", {
              what: "gfp",
              value: incident.gfp.mask,
              kernel: incident.machine.release.value.replace(/^(\d+\.\d+(?:\.\d+)?).*$/, "$1"),
            })}
          >
            The mask {incident.gfp.mask}
          </a>
        )}
      </div>
      {collect.length === 0 ? null : (
        <>
          <p>To know more, collect on the machine:</p>
          <ul>
            {collect.map((a) => (
              <li key={a.action}>
                {inertLine(a.action)}: {a.command === undefined ? null : <Command command={a.command} />}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
