// Cases: questions that people asked, each with its story, its live run and its answer; and the scenarios they rest on, with every knob.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { CaseStory } from "../tasks/cases_task.ts";
import { ask } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { download } from "../ui/download.ts";
import { Answer, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery } from "../ui/route.ts";

export function CasesPage(): JSX.Element {
  const [stories, setStories] = useState<readonly CaseStory[]>();
  const [error, setError] = useState<unknown>();
  const { id } = route.value.query;
  useEffect(() => {
    ask("caseStories", null, "Reading the cases").then(setStories, setError);
  }, []);
  const chosen = stories?.find((s) => s.id === id);
  return (
    <>
      <h1>Questions that people asked, answered by running</h1>
      <ErrorBox error={error} />
      {stories === undefined ? (
        <p class="empty">Reading the cases …</p>
      ) : (
        <ul class="cases">
          {stories.map((s) => (
            <li key={s.id}>
              <button type="button" aria-pressed={s.id === id} onClick={() => setQuery({ id: s.id, ran: undefined })}>
                {s.question}
              </button>
            </li>
          ))}
        </ul>
      )}
      {chosen === undefined ? <p class="empty">Choose a question.</p> : <OneCase key={chosen.id} story={chosen} />}
      <Knobs />
    </>
  );
}

function OneCase({ story }: { story: CaseStory }): JSX.Element {
  const [shown, setShown] = useState<Shown>();
  const [error, setError] = useState<unknown>();
  const run = (): void => {
    setError(undefined);
    setShown(undefined);
    ask("case", story.id, `Running ${story.id}`).then(setShown, setError);
  };
  useEffect(() => {
    if (route.value.query.ran === "yes") run();
  }, []);
  return (
    <section aria-label={`Case ${story.id}`}>
      <h2>{story.question}</h2>
      <dl class="facts">
        <div>
          <dt>what is run</dt>
          <dd>{story.run}</dd>
        </div>
        <div>
          <dt>what would change it</dt>
          <dd>{story.wouldChange}</dd>
        </div>
      </dl>
      <button
        type="button"
        class="primary"
        onClick={() => {
          setQuery({ ran: "yes" });
          run();
        }}
      >
        Run
      </button>
      <ErrorBox error={error} />
      {shown === undefined ? <p class="empty">Not run yet.</p> : <Answer shown={shown} name={`case ${story.id}`} />}
    </section>
  );
}

const files = import.meta.glob<string>("../../../scenarios/*.yaml", { query: "?raw", import: "default" });
const names = Object.keys(files).map((path) => path.slice(path.lastIndexOf("/") + 1));

/** A scenario file to change and run: every knob there is. */
function Knobs(): JSX.Element {
  const { scenario, settings } = route.value.query;
  const area = useRef<HTMLTextAreaElement>(null);
  const [shown, setShown] = useState<Shown>();
  const [error, setError] = useState<unknown>();
  const name = names.find((n) => n === scenario);
  useEffect(() => {
    setShown(undefined);
    setError(undefined);
    if (name === undefined) return;
    if (settings !== undefined) {
      if (area.current !== null) area.current.value = settings;
      return;
    }
    files[`../../../scenarios/${name}`]?.().then((text) => {
      if (area.current !== null) area.current.value = text;
    }, setError);
  }, [name]);
  return (
    <section aria-label="Scenarios">
      <h2>Turn the knobs</h2>
      <p>Each scenario is a text: machine, traffic, kernel and seeds. Change a number and run it again.</p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const text = area.current?.value ?? "";
          setError(undefined);
          setShown(undefined);
          // Longer texts do not fit into an address.
          setQuery({ settings: text.length <= 4000 ? text : undefined });
          ask("scenario", { file: name ?? "scenario.yaml", text }, "Running the scenario").then(setShown, setError);
        }}
      >
        <div class="form">
          <label>
            Scenario
            <select
              value={name ?? ""}
              onChange={(e) => setQuery({ scenario: e.currentTarget.value, settings: undefined })}
            >
              <option value="">choose one</option>
              {names.map((n) => (
                <option key={n} value={n}>
                  {n.replace(/\.yaml$/, "")}
                </option>
              ))}
            </select>
          </label>
          <button type="submit" class="primary" disabled={name === undefined}>
            Run the scenario
          </button>
          <button
            type="button"
            disabled={name === undefined}
            onClick={() => download(name ?? "scenario.yaml", "text/yaml", area.current?.value ?? "")}
          >
            Save
          </button>
        </div>
        <textarea
          ref={area}
          aria-label="Settings of the scenario"
          spellcheck={false}
          autocomplete="off"
          hidden={name === undefined}
        />
      </form>
      <ErrorBox error={error} />
      {shown === undefined ? null : <Answer shown={shown} name={name ?? "scenario"} />}
    </section>
  );
}
