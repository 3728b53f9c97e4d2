// Cases: questions that people asked, each with its story, its knobs, its live run and its answer. The answer of a shipped run stands there at once.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { caseDocument } from "../../report/cases.ts";
import type { Block, Document } from "../../report/document.ts";
import type { Case, CaseResult } from "../../scenario/cases/case.ts";
import type { Knob } from "../../scenario/cases/knobs.ts";
import { useKept } from "../store/kept.ts";
import type { CaseStory } from "../tasks/cases_task.ts";
import { ask, runningOf } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { give } from "../ui/intake.tsx";
import { Answer, Empty, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery, setView } from "../ui/route.ts";

/** A knob in the address: `k.mtu=3000`. */
const prefix = "k.";
const turnedIn = (query: Readonly<Record<string, string>>): (readonly [string, string])[] =>
  Object.entries(query).flatMap(([key, value]) =>
    key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
  );
const untouched = (): Record<string, undefined> =>
  Object.fromEntries(turnedIn(route.value.query).map(([key]) => [prefix + key, undefined]));

export function CasesPage(): JSX.Element {
  const [stories, setStories] = useKept<readonly CaseStory[] | undefined>("cases.stories", undefined);
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
                    onClick={() => setView({ ...untouched(), id: s.id, ran: undefined })}
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
              {id === undefined ? null : `There is no case "${id}"; choose one from the list.`}
            </p>
          ) : (
            <OneCase key={chosen.id} story={chosen} />
          )}
        </div>
      )}
    </>
  );
}

/** Answers of runs that were made before the page was built, by case. */
const shipped = import.meta.glob<unknown>("../shipped/*.json", { import: "default" });

interface Answered {
  readonly shown: Shown;
  /** The knobs it was run with, as in the address; undefined for the shipped answer. */
  readonly set: string | undefined;
}

function OneCase({ story }: { story: CaseStory }): JSX.Element {
  const [answered, setAnswered] = useKept<Answered | undefined>(`case.${story.id}`, undefined);
  const [error, setError] = useState<unknown>();
  const turned = turnedIn(route.value.query);
  const run = async (): Promise<void> => {
    setError(undefined);
    const set = turnedIn(route.value.query);
    try {
      const shown = await ask("case", { id: story.id, set }, `Running ${story.id}`, { replaces: true });
      setAnswered({ shown, set: JSON.stringify(set) });
    } catch (e) {
      setError(e);
    }
  };
  useEffect(() => {
    if (route.value.query.ran === "yes") {
      if (answered?.set !== JSON.stringify(turnedIn(route.value.query))) void run();
      return;
    }
    if (answered === undefined)
      void shipped[`../shipped/${story.id}.json`]?.().then((json) => {
        const shown = { document: caseDocument(story as unknown as Case, json as CaseResult), json };
        setAnswered({ shown, set: undefined });
      }, setError);
  }, []);
  const shown = answered?.shown;
  const own = answered?.set !== undefined;
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
          <button type="submit" class="primary" disabled={runningOf("case") !== undefined}>
            {own ? "Run" : "Run again here"}
          </button>
          <button type="button" disabled={turned.length === 0} onClick={() => setQuery(untouched())}>
            Reset all knobs
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
          <Empty>There is no answer yet.</Empty>
        ) : null
      ) : (
        <>
          <p class="stamp">
            {own
              ? "The answer of a run in this browser."
              : "The answer of the run that comes with the page, with every knob at its default. Run it again here to see the same numbers come out."}
          </p>
          <Answer shown={shown} name={`case ${story.id}`} view={withoutStory}>
            {logOf(shown) === undefined ? null : (
              <button
                type="button"
                onClick={() => give([{ name: `${story.id}.log`, blob: new Blob([logOf(shown) ?? ""]) }])}
              >
                Its log in Diagnose
              </button>
            )}
          </Answer>
        </>
      )}
    </section>
  );
}

/** What the case's own kernel printed. */
const logOf = (shown: Shown): string | undefined => (shown.json as CaseResult).log;

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
