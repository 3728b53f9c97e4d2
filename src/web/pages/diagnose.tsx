// Diagnose: the case file of a machine. The verdict above; incidents on a time axis, one incident with its pictures, and the log, side by side.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Diagnosis } from "../../diagnosis/finding.ts";
import type { Assumed } from "../../prove/assume.ts";
import { assuming } from "../../prove/assume.ts";
import type { MeasuredAdvice } from "../../prove/measured.ts";
import { measuredAdvice } from "../../prove/measured.ts";
import { statesDocument } from "../../report/machine_state.ts";
import type { CaseFile } from "../store/case_file.ts";
import { inputsOf, useInputs } from "../store/case_file.ts";
import { useKept } from "../store/kept.ts";
import type { Proved } from "../tasks/cases_task.ts";
import { ask, Cancelled, runningOf } from "../tasks/client.ts";
import type { DiagnoseOutput } from "../tasks/diagnose_task.ts";
import { AdviceList } from "../ui/case/advice.tsx";
import { episodesOf } from "../ui/case/case_view.ts";
import { IncidentView } from "../ui/case/incident.tsx";
import { IncidentList } from "../ui/case/incident_list.tsx";
import type { Place } from "../ui/case/log.tsx";
import { Log } from "../ui/case/log.tsx";
import { Verdict } from "../ui/case/verdict.tsx";
import { DocumentView } from "../ui/document_view.tsx";
import { examples } from "../ui/examples.ts";
import { AnswerExports } from "../ui/exports.tsx";
import { giveExample, giveText } from "../ui/intake.tsx";
import { Empty, ErrorBox, Work } from "../ui/parts.tsx";
import { go, hrefOf, route, setView } from "../ui/route.ts";

export function DiagnosePage(): JSX.Element {
  const [output, setOutput] = useKept<DiagnoseOutput | undefined>("diagnose.output", undefined);
  const [error, setError] = useKept<unknown>("diagnose.error", undefined);
  const [, setProof] = useKept<Proved | undefined>("diagnose.proof", undefined);
  const [, setAssumed] = useKept<Readonly<Record<number, Assumed>>>("diagnose.assumed", {});
  const { example } = route.value.query;

  const run = async (files: readonly CaseFile[]): Promise<void> => {
    setError(undefined);
    setProof(undefined);
    setAssumed({});
    if (files.length === 0) {
      setOutput(undefined);
      return;
    }
    try {
      const given = files.map(({ name, blob }) => ({ name, blob }));
      const answer = await ask("diagnose", { files: given }, "Reading", { replaces: true });
      setOutput(answer);
    } catch (e) {
      setOutput(undefined);
      setError(e);
    }
  };
  useInputs("diagnose", (files) => void run(files));
  useEffect(() => {
    if (example !== undefined && !inputsOf("diagnose").some((f) => f.name === example)) void giveExample(example);
  }, [example]);

  const incidents = (output?.shown.json as Diagnosis | undefined)?.incidents.length ?? 0;
  const work = runningOf("diagnose");
  return (
    <>
      {incidents > 0 ? <h1 class="hidden">What happened to this machine's packet memory?</h1> : null}
      <ErrorBox error={error} />
      {work === undefined ? null : <Work now={work} />}
      {output === undefined ? <Landing /> : incidents === 0 ? <Nothing output={output} /> : <Case output={output} />}
    </>
  );
}

function Landing(): JSX.Element {
  const area = useRef<HTMLTextAreaElement>(null);
  const [empty, setEmpty] = useState(true);
  return (
    <section class="landing" aria-label="Begin">
      <h1>What happened to this machine's packet memory?</h1>
      <p class="lead">
        Press <kbd>Ctrl+V</kbd> anywhere, or drop what the kernel wrote: a log, /proc files, counters, a page_owner
        dump, a whole support bundle (.zip, .tar, .gz, .xz, .zst). It is read in this page and goes nowhere.
      </p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          giveText(area.current?.value ?? "");
        }}
      >
        <label for="log">Or paste into this field:</label>
        <textarea
          id="log"
          ref={area}
          spellcheck={false}
          autocomplete="off"
          placeholder="[   12.032024] ksoftirqd/1: page allocation failure: order:1, mode:0x40a20(GFP_ATOMIC|__GFP_COMP) …"
          onInput={(e) => setEmpty(e.currentTarget.value.trim() === "")}
        />
        <div class="form">
          <button type="submit" class="primary" disabled={empty}>
            Diagnose
          </button>
        </div>
      </form>
      <h2>Or try an example</h2>
      <ul class="cards">
        {Object.entries(examples)
          .slice(0, 8)
          .map(([id, x]) => (
            <li key={id}>
              <a href={hrefOf("diagnose", { example: id })}>{x.title}</a>
            </li>
          ))}
      </ul>
      <Empty>
        On the machine: <code>dmesg</code>, or <code>journalctl -k -b --no-pager</code>; <code>/proc/buddyinfo</code>{" "}
        and <code>/proc/zoneinfo</code> beside it say more.
      </Empty>
    </section>
  );
}

/** No incident. Only a log can say that there was none; of anything else it is said what it is, and who answers it. */
function Nothing({ output }: { output: DiagnoseOutput }): JSX.Element {
  const files = inputsOf("diagnose");
  const logs = files.filter((f) => f.tells);
  const others = files.filter((f) => f.offers.some((o) => o !== "diagnose"));
  const told = (output.shown.json as Diagnosis).states !== undefined;
  return (
    <section class="answer" aria-label="Answer: diagnosis">
      <AnswerExports shown={output.shown} name="diagnosis" />
      {logs.length === 0 && told ? (
        <>
          <h1>What these files say of the machine's memory</h1>
          <DocumentView document={output.shown.document} />
        </>
      ) : logs.length === 0 ? (
        <h1>None of these files reports trouble by itself: that is not an all-clear</h1>
      ) : (
        <>
          <h1>{logs.map((f) => f.name).join(", ")}: no report of memory trouble in it</h1>
          <DocumentView document={output.shown.document} />
        </>
      )}
      {logs.length === 0 && !told ? (
        <p>
          They were recognized as {[...new Set(files.map((f) => f.says))].join(", ")}. Give the kernel log too: what
          they say then counts beside it.
        </p>
      ) : null}
      {others.map((f) => (
        <p key={f.id}>
          {f.name} is {f.says}.{" "}
          {f.offers
            .filter((o) => o !== "diagnose")
            .map((o) => (
              <a key={o} class="button" href={hrefOf(o)}>
                {`Open it in ${o.charAt(0).toUpperCase()}${o.slice(1)}`}
              </a>
            ))}
        </p>
      ))}
    </section>
  );
}

function Case({ output }: { output: DiagnoseOutput }): JSX.Element {
  const diagnosis = output.shown.json as Diagnosis;
  const episodes = episodesOf(diagnosis);
  const { query } = route.value;
  const worst = episodes[0]?.incidents[0]?.index ?? 0;
  const asked = Number(query.at);
  const at = Number.isSafeInteger(asked) && asked >= 1 && asked <= diagnosis.incidents.length ? asked - 1 : worst;
  const incident = diagnosis.incidents[at];
  const [proved, setProved] = useKept<Proved | undefined>("diagnose.proof", undefined);
  const [assumed, setAssumed] = useKept<Readonly<Record<number, Assumed>>>("diagnose.assumed", {});
  const [error, setError] = useState<unknown>();
  const order = episodes.flatMap((e) => e.incidents.map((x) => x.index));
  const pick = (index: number): void =>
    setView({ at: String(index + 1), part: "incident", log: undefined, line: undefined });
  useEffect(() => {
    const pressed = (e: KeyboardEvent): void => {
      if (e.target instanceof HTMLElement && e.target.matches("input, textarea, select")) return;
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      if (document.querySelector("dialog[open]") !== null) return;
      if (e.key === "Escape" && route.value.query.part !== undefined) setView({ part: undefined });
      const step = e.key === "j" ? 1 : e.key === "k" ? -1 : 0;
      const next = order[order.indexOf(at) + step];
      if (step !== 0 && next !== undefined) pick(next);
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  });
  if (incident === undefined) return <Empty>Nothing was found.</Empty>;
  const proof = proved?.json.proofs[at] ?? undefined;
  const advice: readonly (Diagnosis["incidents"][number]["advice"][number] | MeasuredAdvice)[] =
    proof === undefined ? incident.advice : measuredAdvice(incident.advice, proof);
  const first = incident.occurrences[0];
  const number = Number(query.line);
  const place: Place =
    query.log !== undefined && Number.isSafeInteger(number) && number > 0
      ? { input: query.log, line: number }
      : { input: first?.input ?? diagnosis.inputs[0]?.name ?? "", line: first?.firstLine ?? 1 };
  const toPlace = (to: Place): void =>
    go(hrefOf("diagnose", { ...query, at: String(at + 1), part: "log", log: to.input, line: String(to.line) }));
  /** Builds such a machine in the model and runs it with each change; ranked anew with everything that is learned, until it is done or stopped. */
  const test = (values: Assumed): void => {
    setError(undefined);
    const all = { ...assumed, [at]: values };
    setAssumed(all);
    const asked = { ...diagnosis, incidents: diagnosis.incidents.map((i, n) => assuming(i, all[n] ?? {})) };
    let learned = false;
    const soFar = (known: Proved): void => {
      learned = true;
      setProved(known);
    };
    ask("prove", asked, "Testing the advice", { replaces: true, soFar }).then(setProved, (e: unknown) => {
      if (!(e instanceof Cancelled && learned)) setError(e);
    });
  };
  return (
    <div class="case" data-part={query.part ?? "list"}>
      <Verdict incident={incident} advice={advice} />
      <IncidentList diagnosis={diagnosis} episodes={episodes} at={at} onPick={pick}>
        <AnswerExports shown={proved ?? output.shown} name="diagnosis" />
      </IncidentList>
      <div class="middle">
        <button type="button" class="back" onClick={() => setView({ part: undefined })}>
          ← All incidents
        </button>
        <IncidentView incident={incident} onPlace={toPlace}>
          <AdviceList
            incident={incident}
            advice={advice}
            proof={proof}
            error={error}
            assumed={assumed[at] ?? {}}
            onTest={test}
          />
        </IncidentView>
        {diagnosis.states === undefined ? null : <DocumentView document={statesDocument(diagnosis.states)} />}
        <Notes diagnosis={diagnosis} />
      </div>
      <Log
        diagnosis={diagnosis}
        incident={incident}
        texts={output.texts}
        place={place}
        onPlace={toPlace}
        onClose={() => setView({ part: "incident" })}
      />
    </div>
  );
}

/** What was skipped, cut or repaired while reading. */
function Notes({ diagnosis }: { diagnosis: Diagnosis }): JSX.Element | null {
  const notes = diagnosis.inputs.flatMap((i) =>
    i.notes.map((n) => `${i.name}${n.line === null ? "" : `:${n.line}`}  ${n.sentence}`),
  );
  if (notes.length === 0) return null;
  return (
    <details>
      <summary>Skipped, cut or repaired while reading: {notes.length}</summary>
      <DocumentView document={[{ kind: "list", items: notes.slice(0, 200) }]} />
    </details>
  );
}
