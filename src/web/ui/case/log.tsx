// The log, always beside the incident: every line that carries a claim is tinted, lines and claims light each other up; a minimap, a search, wrap; of
// a log of any size, lines that are not at hand are read from the file.
import { useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { DiagnosedIncident, Diagnosis } from "../../../diagnosis/finding.ts";
import { inertLine } from "../../../report/escape.ts";
import { formatNumber } from "../../../report/text.ts";
import { inputsOf } from "../../store/case_file.ts";
import { useKept } from "../../store/kept.ts";
import { ask } from "../../tasks/client.ts";
import { lineShown } from "../document_view.tsx";
import { ErrorBox } from "../parts.tsx";
import { claimsWith, evidenceLines } from "./case_view.ts";
import { hot } from "./hot.ts";

const around = 300;
const foundMost = 5000;

export interface Place {
  readonly input: string;
  readonly line: number;
}

export function Log({
  diagnosis,
  incident,
  texts,
  place,
  onPlace,
  onClose,
}: {
  diagnosis: Diagnosis;
  incident: DiagnosedIncident;
  texts: Readonly<Record<string, readonly string[]>>;
  place: Place;
  onPlace: (place: Place) => void;
  onClose: () => void;
}): JSX.Element {
  const [wrap, setWrap] = useKept("log.wrap", false);
  const whole = texts[place.input];
  const total = whole?.length ?? diagnosis.inputs.find((i) => i.name === place.input)?.lines ?? place.line;
  const [span, setSpan] = useState({ from: 1, to: 1 });
  const [fetched, setFetched] = useState<{ readonly from: number; readonly lines: readonly string[] }>();
  const [error, setError] = useState<unknown>();
  const search = useSearch(place.input, whole);
  const claims = claimsWith(incident, search.text).length;
  const list = useRef<HTMLOListElement>(null);
  const evidence = useMemo(() => evidenceLines(incident, place.input), [incident, place.input]);
  const others = useMemo(() => otherLines(diagnosis, incident, place.input), [diagnosis, incident, place.input]);

  useEffect(() => {
    if (place.line < span.from || place.line > span.to)
      setSpan({ from: Math.max(1, place.line - around), to: Math.min(total, place.line + around) });
  }, [place.input, place.line, total]);
  useEffect(() => {
    setSpan({ from: Math.max(1, place.line - around), to: Math.min(total, place.line + around) });
    setFetched(undefined);
  }, [place.input]);
  useEffect(() => {
    if (whole !== undefined) return;
    const files = inputsOf("diagnose").map(({ name, blob }) => ({ name, blob }));
    setError(undefined);
    let stale = false;
    ask("logLines", { files, input: place.input, from: span.from, count: span.to - span.from + 1 }).then(
      (lines) => stale || setFetched({ from: span.from, lines }),
      (e) => stale || setError(e),
    );
    return () => {
      stale = true;
    };
  }, [whole, place.input, span.from, span.to]);
  const from = whole === undefined ? (fetched?.from ?? span.from) : span.from;
  const shown = whole === undefined ? fetched?.lines : whole.slice(span.from - 1, span.to);
  // Only the log moves: the claim that was chosen stays where it is.
  useEffect(() => {
    const line = list.current?.querySelector<HTMLElement>(`[data-line="${place.line}"]`);
    const log = list.current;
    if (line === null || line === undefined || log === null) return;
    log.scrollTop += line.getBoundingClientRect().top - log.getBoundingClientRect().top - log.clientHeight / 3;
  }, [place.input, place.line, shown]);
  useSignalEffect(() => {
    const now = hot.value;
    const lit = new Set(
      now?.kind === "claim"
        ? (incident.findings.find((f) => f.id === now.id)?.evidence ?? [])
            .filter((q) => q.input === place.input)
            .map((q) => String(q.line))
        : [],
    );
    for (const li of list.current?.querySelectorAll<HTMLElement>(".evidence") ?? [])
      li.classList.toggle("lit", lit.has(li.dataset.line ?? ""));
  });
  const inputs = [...new Set(diagnosis.incidents.flatMap((i) => i.occurrences.map((o) => o.input)))];
  return (
    <aside aria-label={`The log ${inertLine(place.input)}`} class={wrap ? "wrap" : undefined}>
      <div class="bar">
        {inputs.length > 1 ? (
          <select
            aria-label="Which log"
            value={place.input}
            onChange={(e) => onPlace({ input: e.currentTarget.value, line: 1 })}
          >
            {inputs.map((name) => (
              <option key={name} value={name}>
                {inertLine(name)}
              </option>
            ))}
          </select>
        ) : (
          <strong class="file-name">{inertLine(place.input)}</strong>
        )}
        <input
          type="search"
          data-search
          aria-label="Search the log and the claims"
          placeholder="Search ( / )"
          value={search.text}
          onInput={(e) => search.setText(e.currentTarget.value)}
          onKeyDown={(e) => {
            if (e.key === "Enter") onPlace({ input: place.input, line: search.next(place.line, e.shiftKey ? -1 : 1) });
            if (e.key === "Escape") search.setText("");
          }}
        />
        <span class="hint" role="status">
          {search.text === ""
            ? ""
            : search.found.length === foundMost
              ? `${formatNumber(foundMost)} lines or more`
              : `${formatNumber(search.found.length)} ${search.found.length === 1 ? "line" : "lines"}${claims === 0 ? "" : `, ${claims} ${claims === 1 ? "claim" : "claims"}`}`}
        </span>
        <label class="toggle">
          <input type="checkbox" checked={wrap} onChange={(e) => setWrap(e.currentTarget.checked)} />
          wrap
        </label>
        <button type="button" class="close" onClick={onClose}>
          Close
        </button>
      </div>
      <ErrorBox error={error ?? search.error} />
      <div class="log-body">
        <ol
          ref={list}
          class="log"
          tabIndex={0}
          aria-label={`Lines of ${inertLine(place.input)}`}
          onKeyDown={(e) => {
            if (e.key === "n" || e.key === "N")
              onPlace({ input: place.input, line: search.next(place.line, e.key === "N" ? -1 : 1) });
          }}
          onScroll={(e) => {
            const box = e.currentTarget;
            if (shown === undefined) return;
            if (box.scrollTop < 40 && span.from > 1) {
              const before = box.scrollHeight;
              setSpan({ from: Math.max(1, span.from - around), to: span.to });
              requestAnimationFrame(() => {
                box.scrollTop += box.scrollHeight - before;
              });
            } else if (box.scrollTop + box.clientHeight > box.scrollHeight - 40 && span.to < total)
              setSpan({ from: span.from, to: Math.min(total, span.to + around) });
          }}
        >
          {shown?.map((text, i) => {
            const line = from + i;
            const claims = evidence.get(line);
            const names = [
              claims === undefined ? (others.has(line) ? "other" : "") : "evidence",
              line === place.line ? "here" : "",
              search.hits.has(line) ? "hit" : "",
            ];
            return (
              <li
                key={line}
                data-line={line}
                value={line}
                class={names.filter((n) => n !== "").join(" ") || undefined}
                {...(claims === undefined
                  ? {}
                  : {
                      onMouseEnter: () => {
                        hot.value = { kind: "line", input: place.input, line };
                      },
                      onMouseLeave: () => {
                        hot.value = undefined;
                      },
                      onClick: () =>
                        document.getElementById(`claim-${claims[0]}`)?.scrollIntoView({ block: "nearest" }),
                    })}
              >
                <code>
                  <Marked text={inertLine(lineShown(text))} word={search.hits.has(line) ? search.text : ""} />
                </code>
              </li>
            );
          })}
        </ol>
        <Minimap
          total={total}
          marks={[
            ...[...others].map((line) => ({ line, kind: "other" })),
            ...search.found.slice(0, 400).map((line) => ({ line, kind: "hit" })),
            ...[...evidence.keys()].map((line) => ({ line, kind: "evidence" })),
            { line: place.line, kind: "here" },
          ]}
          onPick={(line) => onPlace({ input: place.input, line })}
        />
      </div>
    </aside>
  );
}

/** Lines that other incidents were seen at. */
function otherLines(d: Diagnosis, own: DiagnosedIncident, input: string): ReadonlySet<number> {
  const lines = new Set<number>();
  for (const i of d.incidents)
    if (i !== own) for (const o of i.occurrences) if (o.input === input) lines.add(o.firstLine);
  return lines;
}

function Marked({ text, word }: { text: string; word: string }): JSX.Element {
  const at = word === "" ? -1 : text.toLowerCase().indexOf(word.toLowerCase());
  if (at < 0) return <>{text}</>;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + word.length)}</mark>
      {text.slice(at + word.length)}
    </>
  );
}

function Minimap({
  total,
  marks,
  onPick,
}: {
  total: number;
  marks: readonly { readonly line: number; readonly kind: string }[];
  onPick: (line: number) => void;
}): JSX.Element {
  const y = (line: number): number => ((line - 1) / Math.max(1, total)) * 1000;
  return (
    // A picture of where things lie; search and the lines of the claims go there by keyboard.
    <svg
      class="minimap"
      viewBox="0 0 14 1000"
      preserveAspectRatio="none"
      aria-hidden="true"
      onClick={(e) => {
        const box = e.currentTarget.getBoundingClientRect();
        onPick(Math.max(1, Math.min(total, Math.round(((e.clientY - box.top) / box.height) * total))));
      }}
    >
      {marks.map((m, i) => (
        <rect
          key={`${i}`}
          class={m.kind}
          x={m.kind === "here" ? 0 : 2}
          y={y(m.line)}
          width={m.kind === "here" ? 14 : 10}
          height="5"
        />
      ))}
    </svg>
  );
}

/** The lines that have a text; of a log that is not at hand they are found in the file. */
function useSearch(input: string, whole: readonly string[] | undefined) {
  const [text, setText] = useKept("log.search", "");
  const [found, setFound] = useState<readonly number[]>([]);
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    setError(undefined);
    if (text === "") {
      setFound([]);
      return;
    }
    if (whole !== undefined) {
      const wanted = text.toLowerCase();
      setFound(whole.flatMap((l, i) => (l.toLowerCase().includes(wanted) ? [i + 1] : [])).slice(0, foundMost));
      return;
    }
    let stale = false;
    const timer = setTimeout(() => {
      const files = inputsOf("diagnose").map(({ name, blob }) => ({ name, blob }));
      ask("logSearch", { files, input, text }, "Searching the log", { replaces: true }).then(
        (lines) => stale || setFound(lines),
        (e) => stale || setError(e),
      );
    }, 300);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [text, input, whole]);
  const hits = useMemo(() => new Set(found), [found]);
  const next = (from: number, by: 1 | -1): number =>
    (by === 1 ? found.find((l) => l > from) : found.findLast((l) => l < from)) ??
    (by === 1 ? found[0] : found.at(-1)) ??
    from;
  return { text, setText, found, hits, error, next };
}
