// Census: a page_owner dump of any size, streamed; table, flame graph, map, the difference of two, the trend of several.
import type { JSX } from "preact";
import type { GroupKey } from "../../analysis/page_owner/group_by.ts";
import { groupKeys } from "../../analysis/page_owner/group_by.ts";
import { inertLine } from "../../report/escape.ts";
import { toFlameHtml } from "../../report/exports/flame_html.ts";
import { toFolded, toSpeedscope } from "../../report/exports/stacks.ts";
import type { CaseFile } from "../store/case_file.ts";
import { choose, useInputs } from "../store/case_file.ts";
import { useKept } from "../store/kept.ts";
import type { CensusOutput } from "../tasks/census_task.ts";
import { ask } from "../tasks/client.ts";
import { Shared } from "../ui/document_view.tsx";
import { download } from "../ui/download.ts";
import { FlameGraph } from "../ui/flame_graph.tsx";
import { OwnersMap } from "../ui/owners_map.tsx";
import { Answer, Empty, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery, setView } from "../ui/route.ts";

const views = ["table", "flame graph", "map", "pins"] as const;

export function CensusPage(): JSX.Element {
  const [output, setOutput] = useKept<CensusOutput | undefined>("census.output", undefined);
  const [error, setError] = useKept<unknown>("census.error", undefined);
  const { query } = route.value;
  const by = groupKeys.find((k) => k === query.by) ?? "symbol";
  const view = views.find((v) => v === query.view) ?? "table";
  const asked = Number(query.pins ?? 9);
  const order = Number.isSafeInteger(asked) && asked >= 0 && asked <= 11 ? asked : 9;

  const run = async (chosen: readonly CaseFile[], key: GroupKey, pins: number): Promise<void> => {
    setError(undefined);
    if (chosen.length === 0) {
      setOutput(undefined);
      return;
    }
    try {
      const given = chosen.map(({ name, blob }) => ({ name, blob }));
      setOutput(
        await ask("census", { files: given, by: [key], top: 100, pageSize: 4096, pins }, "Reading", { replaces: true }),
      );
    } catch (e) {
      setOutput(undefined);
      setError(e);
    }
  };
  const files = useInputs("census", (chosen) => void run(chosen, by, order));

  return (
    <>
      <h1>Census</h1>
      <div class="form">
        <label>
          Group by
          <select
            value={by}
            onChange={(e) => {
              setQuery({ by: e.currentTarget.value });
              void run(files, e.currentTarget.value as GroupKey, order);
            }}
          >
            {groupKeys.map((k) => (
              <option key={k}>{k}</option>
            ))}
          </select>
        </label>
        <label>
          View
          <select value={view} onChange={(e) => setView({ view: e.currentTarget.value })}>
            {views.map((v) => (
              <option key={v}>{v}</option>
            ))}
          </select>
        </label>
        <label>
          Blocks of order
          <input
            type="number"
            min={0}
            max={11}
            value={order}
            onChange={(e) => {
              setQuery({ pins: e.currentTarget.value });
              void run(files, by, Number(e.currentTarget.value));
            }}
          />
        </label>
        <label>
          Symbol, in all views
          <input
            type="search"
            data-search
            spellcheck={false}
            value={query.symbol ?? ""}
            onInput={(e) => setQuery({ symbol: e.currentTarget.value })}
          />
        </label>
        {files.length === 2 ? (
          <button type="button" onClick={() => choose("census", [...files].reverse())}>
            {inertLine(files[1]?.name ?? "")} is the older: swap
          </button>
        ) : null}
      </div>
      <ErrorBox error={error} />
      {output === undefined ? (
        <Empty>
          No dump has been read yet. Two dumps, the older first, are compared; four or more tell a leak from a cache. On
          a kernel booted with page_owner=on: <code>sudo cat /sys/kernel/debug/page_owner &gt; dump.txt</code>
        </Empty>
      ) : (
        <>
          {output.verdict === "" ? null : (
            <p class="story">
              <strong>{inertLine(output.verdict)}</strong>
            </p>
          )}
          <Shared.Provider value={{ word: (query.symbol ?? "").toLowerCase(), pick: pickRow }}>
            <Output output={output} view={view} order={order} word={(query.symbol ?? "").toLowerCase()} />
          </Shared.Provider>
        </>
      )}
    </>
  );
}

/** The name in a row of a table: the first function of a chain. */
function pickRow(row: readonly string[]): void {
  const name = row.map((cell) => /^[a-zA-Z_][\w.]*/.exec(cell.trim())?.[0] ?? "").find((n) => n.length > 2);
  if (name !== undefined) setQuery({ symbol: name });
}

function Output({
  output,
  view,
  order,
  word,
}: {
  output: CensusOutput;
  view: (typeof views)[number];
  order: number;
  /** What all views light, in lower case. */
  word: string;
}): JSX.Element {
  const { map, pins, stacks, older } = output;
  const pick = (name: string): void => setQuery({ symbol: name });
  if (view === "map") {
    if (map === undefined) return <p class="empty">This dump does not say where pages lie.</p>;
    return <OwnersMap map={map} order={order} word={word} onKind={pick} />;
  }
  if (view === "flame graph") {
    return (
      <>
        <div class="tools">
          <button
            type="button"
            onClick={() => download("owners.html", "text/html", toFlameHtml(stacks, "page_owner", 4096))}
          >
            HTML
          </button>
          <button
            type="button"
            onClick={() =>
              download("owners.speedscope.json", "application/json", toSpeedscope(stacks, "page_owner", 4096))
            }
          >
            speedscope
          </button>
          <button type="button" onClick={() => download("owners.folded", "text/plain", toFolded(stacks))}>
            folded
          </button>
        </div>
        <FlameGraph stacks={stacks} older={older} word={word} onPick={pick} />
      </>
    );
  }
  if (view === "pins")
    return pins === undefined ? (
      <p class="empty">This dump does not say where pages lie.</p>
    ) : (
      <Answer shown={pins} name="pins" />
    );
  return <Answer shown={output.shown} name="page_owner census" />;
}
