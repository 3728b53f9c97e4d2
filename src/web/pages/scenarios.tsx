// Scenarios: what the cases rest on, as a text to change and run, or one of the person's own.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { inputsOf, useInputs } from "../store/case_file.ts";
import { useKept } from "../store/kept.ts";
import { ask } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { download } from "../ui/download.ts";
import { Answer, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery, setView } from "../ui/route.ts";
import { SettingsEditor } from "../ui/settings_editor.tsx";

const files = import.meta.glob<string>("../../../scenarios/*.yaml", { query: "?raw", import: "default" });
const names = Object.keys(files).map((path) => path.slice(path.lastIndexOf("/") + 1));

/** Longer texts do not fit into an address. */
const addressMax = 4000;

/** A scenario file to change and run: every setting there is. */
export function ScenariosPage(): JSX.Element {
  const { scenario, settings } = route.value.query;
  const area = useRef<HTMLTextAreaElement>(null);
  const [shown, setShown] = useKept<Shown | undefined>("scenario.shown", undefined);
  const [error, setError] = useKept<unknown>("scenario.error", undefined);
  const [written, setWritten] = useKept<{ readonly name: string; readonly text: string } | undefined>(
    "scenario.text",
    undefined,
  );
  const own = inputsOf("scenarios").at(-1);
  const name = names.find((n) => n === scenario) ?? own?.name;
  useInputs("scenarios", ([file]) => {
    if (file === undefined) return;
    setQuery({ scenario: undefined, settings: undefined });
    void file.blob.text().then((text) => setWritten({ name: file.name, text }));
  });
  useEffect(() => {
    if (area.current !== null && written !== undefined && area.current.value !== written.text)
      area.current.value = written.text;
  }, [written]);
  useEffect(() => {
    if (name === undefined || written?.name === name || own?.name === name) return;
    setShown(undefined);
    setError(undefined);
    if (settings !== undefined) {
      setWritten({ name, text: settings });
      return;
    }
    files[`../../../scenarios/${name}`]?.().then((text) => setWritten({ name, text }), setError);
  }, [name]);
  return (
    <section aria-label="Scenarios">
      <h1>A scenario of your own</h1>
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
          ask("scenario", { file: name ?? "scenario.yaml", text }, "Running the scenario", { replaces: true }).then(
            setShown,
            setError,
          );
        }}
      >
        <div class="form">
          <label>
            Scenario
            <select
              value={names.find((n) => n === name) ?? ""}
              onChange={(e) => setView({ scenario: e.currentTarget.value, settings: undefined })}
            >
              <option value="">{own === undefined ? "choose one" : own.name}</option>
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
        <SettingsEditor
          area={area}
          hidden={name === undefined}
          onText={(text) => setWritten({ name: name ?? "", text })}
        />
      </form>
      <ErrorBox error={error} />
      {shown === undefined ? null : <Answer shown={shown} name={name ?? "scenario"} />}
    </section>
  );
}
