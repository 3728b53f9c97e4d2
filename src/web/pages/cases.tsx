// Cases: questions that people asked, each with its story, its knobs, its live run and its answer; and any scenario as a text to change.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Block, Document } from "../../report/document.ts";
import type { Knob } from "../../scenario/cases/knobs.ts";
import type { CaseStory } from "../tasks/cases_task.ts";
import { ask, cancel } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { download } from "../ui/download.ts";
import { Answer, Empty, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery } from "../ui/route.ts";

/** A knob in the address: `k.mtu=3000`. */
const prefix = "k.";
const turnedIn = (query: Readonly<Record<string, string>>): (readonly [string, string])[] =>
  Object.entries(query).flatMap(([key, value]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
  );
const untouched = (): Record<string, undefined> =>
  Object.fromEntries(turnedIn(route.value.query).map(([key]) => [prefix + key, undefined]));

export function CasesPage(): JSX.Element {
  const [stories, setStories] = useState<readonly CaseStory[]>();
  const [error, setError] = useState<unknown>();
  const { id } = route.value.query;
  useEffect(() => {
    ask("caseStories", null).then(setStories, setError);
  }, []);
  const chosen = stories?.find((s) => s.id === id);
  return (
    <>
      <h1>Questions that people asked, answered by running</h1>
      <ErrorBox error={error} />
      {stories === undefined ? (
        <p class="empty">{error === undefined ? "Reading the cases …" : "The cases could not be read."}</p>
      ) : (
        <div class="master">
          <nav aria-label="Cases">
            <ul class="cases">
              {stories.map((s) => (
                <li key={s.id}>
                  <button
                    type="button"
                    aria-pressed={s.id === id}
                    onClick={() => setQuery({ ...untouched(), id: s.id, ran: undefined })}
                  >
                    {s.question}
                  </button>
                </li>
              ))}
            </ul>
          </nav>
          {chosen === undefined ? (
            <p class="empty">
              {id === undefined
                ? "Choose a question: its story, what may be changed, and a run that answers it."
                : null}
              {id === undefined ? null : `There is no case "${id}"; choose one of the list.`}
            </p>
          ) : (
            <OneCase key={chosen.id} story={chosen} />
          )}
        </div>
      )}
      <ScenarioText />
    </>
  );
}

function OneCase({ story }: { story: CaseStory }): JSX.Element {
  const [shown, setShown] = useState<Shown>();
  const [error, setError] = useState<unknown>();
  const going = useRef(false);
  const turned = turnedIn(route.value.query);
  const run = async (): Promise<void> => {
    setError(undefined);
    setShown(undefined);
    going.current = true;
    try {
      setShown(await ask("case", { id: story.id, set: turnedIn(route.value.query) }, `Running ${story.id}`));
    } catch (e) {
      setError(e);
    }
    going.current = false;
  };
  useEffect(() => {
    if (route.value.query.ran === "yes") void run();
    // Another question was chosen: nobody waits for this run any more.
    return () => {
      if (going.current) cancel();
    };
  }, []);
  return (
    <section aria-label={`Case ${story.id}`}>
      <h2>{story.question}</h2>
      <p class="story">{story.story}</p>
      <dl class="facts">
        <div>
          <dt>What is run</dt>
          <dd>{story.run}</dd>
        </div>
        <div>
          <dt>What would change it</dt>
          <dd>{story.wouldChange}</dd>
        </div>
      </dl>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          setQuery({ ran: "yes" });
          void run();
        }}
      >
        {Object.keys(story.knobs).length === 0 ? null : (
          <fieldset class="knobs">
            <legend>Knobs</legend>
            {Object.entries(story.knobs).map(([key, knob]) => (
              <KnobField key={key} name={key} knob={knob} />
            ))}
          </fieldset>
        )}
        <div class="form">
          <button type="submit" class="primary">
            Run
          </button>
          <button type="button" disabled={turned.length === 0} onClick={() => setQuery(untouched())}>
            All knobs back
          </button>
          <code class="line">
            skblab cases {story.id}
            {turned.map(([key, value]) => ` --set ${key}=${value}`).join("")}
          </code>
        </div>
      </form>
      <ErrorBox error={error} />
      {shown === undefined ? (
        error === undefined ? (
          <Empty>Not run yet.</Empty>
        ) : null
      ) : (
        <Answer shown={shown} name={`case ${story.id}`} view={withoutStory} />
      )}
    </section>
  );
}

/** The story, the question and what is run stand above already. */
const withoutStory = (document: Document): Document =>
  document.flatMap((block): Block[] => {
    if (block.kind === "heading" && block.level === 1) return [{ ...block, text: "Answer" }];
    if (block.kind !== "facts") return [block];
    return block.rows.flatMap(([name, text]): Block[] => {
      if (name === "answer") return [{ kind: "text", text }];
      return name === "changed" ? [{ kind: "facts", rows: [["Changed", text]] }] : [];
    });
  });

function KnobField({ name, knob }: { name: string; knob: Knob }): JSX.Element {
  const written = route.value.query[prefix + name];
  const value = written ?? String(knob.default);
  const turn = (to: string): void =>
    setQuery({ [prefix + name]: to === String(knob.default) ? undefined : to, ran: undefined });
  const hint = [
    knob.kind === "choice" ? "" : `${knob.min} to ${knob.max}${knob.unit === "" ? "" : ` ${knob.unit}`}`,
    written === undefined ? "" : `default ${knob.default}`,
  ]
    .filter((part) => part !== "")
    .join("; ");
  return (
    <div class={written === undefined ? "knob" : "knob turned"}>
      <label for={`knob-${name}`}>{knob.says}</label>
      {knob.kind === "choice" ? (
        <select
          id={`knob-${name}`}
          aria-describedby={`hint-${name}`}
          value={value}
          onChange={(e) => turn(e.currentTarget.value)}
        >
          {knob.choices.map((c) => (
            <option key={c} value={c}>
              {c}
            </option>
          ))}
        </select>
      ) : (
        <input
          id={`knob-${name}`}
          aria-describedby={`hint-${name}`}
          type="number"
          required
          step={1}
          min={knob.min}
          max={knob.max}
          value={value}
          onChange={(e) => turn(e.currentTarget.value)}
        />
      )}
      <small id={`hint-${name}`}>{hint}</small>
    </div>
  );
}

const files = import.meta.glob<string>("../../../scenarios/*.yaml", { query: "?raw", import: "default" });
const names = Object.keys(files).map((path) => path.slice(path.lastIndexOf("/") + 1));

/** Longer texts do not fit into an address. */
const addressMax = 4000;

/** A scenario file to change and run: every setting there is. */
function ScenarioText(): JSX.Element {
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
      <h2>A scenario of your own</h2>
      <p>
        What the cases rest on, as a text: machine, traffic, kernel, seeds and whatever else may be set. Change it, run
        it, and save it for <code>skblab run</code>.
      </p>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const text = area.current?.value ?? "";
          setError(undefined);
          setShown(undefined);
          setQuery({ settings: text.length <= addressMax ? text : undefined });
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
