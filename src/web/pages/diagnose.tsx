// Diagnose: logs in whatever mixture, /proc files and archives, pasted or dropped. Findings left, the log they quote beside them, pictures below.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Diagnosis } from "../../diagnosis/finding.ts";
import type { QuotedLine } from "../../report/document.ts";
import { inertLine } from "../../report/escape.ts";
import { ask, TaskFailure } from "../tasks/client.ts";
import type { DiagnoseOutput } from "../tasks/diagnose_task.ts";
import type { Shown } from "../tasks/protocol.ts";
import { lineShown } from "../ui/document_view.tsx";
import { Answer, DropZone, Empty, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery } from "../ui/route.ts";
import { Pictures } from "../ui/shortage.tsx";

/** Logs of real machines that come with the page; each is fetched from the page's own files when it is asked for. */
const examples: Readonly<Record<string, { readonly title: string; load(): Promise<{ readonly default: string }> }>> = {
  "tg3_gentoo_2009.txt": {
    title: "tg3 on 2.6.24: order 1, no Mem-Info",
    load: () => import("../../../fixtures/logs/tg3_gentoo_2009.txt?raw"),
  },
  "ppc405ex_emac_2009.txt": {
    title: "PPC405EX of 2009: a bad page, and jumbo frames that find no block",
    load: () => import("../../../fixtures/logs/ppc405ex_emac_2009.txt?raw"),
  },
  "failures_6.1.txt": {
    title: "6.1: failures of several orders, and an OOM kill",
    load: () => import("../../../fixtures/logs/failures_6.1.txt?raw"),
  },
  "bad_pages_6.1.txt": {
    title: "6.1: bad pages",
    load: () => import("../../../fixtures/logs/bad_pages_6.1.txt?raw"),
  },
  "page_pool_stall_6.1.txt": {
    title: "6.1: a page pool that waits for its pages",
    load: () => import("../../../fixtures/logs/page_pool_stall_6.1.txt?raw"),
  },
};

/** Larger texts make a text field slow; a file of any size does not. */
const pastedMax = 8 << 20;

export function DiagnosePage(): JSX.Element {
  const area = useRef<HTMLTextAreaElement>(null);
  const [empty, setEmpty] = useState(true);
  const [output, setOutput] = useState<DiagnoseOutput>();
  const [error, setError] = useState<unknown>();
  const [asking, setAsking] = useState(true);
  const { example } = route.value.query;

  const run = async (text: string, files: readonly { name: string; blob: Blob }[]): Promise<void> => {
    setError(undefined);
    setQuery({ log: undefined, line: undefined });
    try {
      setOutput(await ask("diagnose", { pasted: text, files }, "Reading"));
      // What was read makes room for what was found.
      setAsking(false);
    } catch (e) {
      setOutput(undefined);
      setAsking(true);
      setError(e);
    }
  };
  useEffect(() => {
    const chosen = example === undefined ? undefined : examples[example];
    if (example === undefined || chosen === undefined) return;
    const { log, line } = route.value.query;
    chosen
      .load()
      .then(({ default: text }) => run("", [{ name: example, blob: new Blob([text]) }]))
      .then(() => setQuery({ log, line }))
      .catch(setError);
  }, [example]);

  return (
    <>
      <h1>What happened to this machine's packet memory?</h1>
      <details class="input" open={asking} onToggle={(e) => setAsking(e.currentTarget.open)}>
        <summary>{output === undefined ? "Give it what the kernel wrote" : "Read something else"}</summary>
        <DropZone
          onFiles={(files) => {
            setQuery({ example: undefined });
            void run(
              "",
              files.map((f) => ({ name: f.name, blob: f })),
            );
          }}
        >
          <p>
            Drop kernel logs, /proc files, ethtool or sysctl output, or a whole support bundle: several files at once,
            also .gz, .xz, .zst and .tar.
          </p>
        </DropZone>
        <form
          onSubmit={(e) => {
            e.preventDefault();
            const text = area.current?.value ?? "";
            if (text.length > pastedMax) {
              setError(
                new TaskFailure("This text is too large for a text field; save it as a file and drop that.", false),
              );
              return;
            }
            setQuery({ example: undefined });
            void run(text, []);
          }}
        >
          <p>
            <label for="log">Or paste a log, in whatever state it reached you:</label>
            <textarea
              id="log"
              ref={area}
              spellcheck={false}
              autocomplete="off"
              onInput={(e) => setEmpty(e.currentTarget.value.trim() === "")}
            />
          </p>
          <div class="form">
            <button type="submit" class="primary" disabled={empty}>
              Diagnose
            </button>
            <label>
              Or look at one of ours
              <select
                value={example ?? ""}
                onChange={(e) => setQuery({ example: e.currentTarget.value, log: undefined, line: undefined })}
              >
                <option value="">none</option>
                {Object.entries(examples).map(([id, x]) => (
                  <option key={id} value={id}>
                    {x.title}
                  </option>
                ))}
              </select>
            </label>
          </div>
        </form>
      </details>
      <ErrorBox error={error} />
      {output === undefined ? (
        <Empty>
          Nothing has been read yet. On the machine: <code>dmesg</code>, or <code>journalctl -k -b --no-pager</code>;{" "}
          <code>/proc/buddyinfo</code> and <code>/proc/zoneinfo</code> beside it say more.
        </Empty>
      ) : (
        <Output output={output} />
      )}
    </>
  );
}

function Output({ output }: { output: DiagnoseOutput }): JSX.Element {
  const { log, line, pictures } = route.value.query;
  const number = Number(line);
  const at: QuotedLine | undefined =
    log === undefined || !Number.isSafeInteger(number) || number < 1
      ? undefined
      : { input: log, line: number, text: output.texts[log]?.[number - 1] ?? quoted(output.shown.json, log, number) };
  const drawn = (output.shown.json as Diagnosis).incidents.filter((i) => i.memory !== null || i.mtuTable !== null);
  const { incidents } = output.shown.json as Diagnosis;
  const [proof, setProof] = useState<Shown>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    setProof(undefined);
    setError(undefined);
  }, [output]);
  /** Builds such a machine in the model and runs it with each change; Cancel is in the line of work. */
  const test = (): void => {
    setError(undefined);
    ask("prove", output.shown.json as Diagnosis, "Testing the advice").then(setProof, setError);
  };
  const open = pictures !== "no";
  const pictured = useRef<HTMLDetailsElement>(null);
  return (
    <div class={at === undefined ? "beside" : "beside open"}>
      <div>
        <Answer shown={output.shown} name="diagnosis" onQuote={(q) => setQuery({ log: q.input, line: String(q.line) })}>
          {incidents.length === 0 ? null : (
            <button type="button" onClick={test}>
              Prove it
            </button>
          )}
          {drawn.length === 0 ? null : (
            <button type="button" onClick={() => pictured.current?.scrollIntoView()}>
              Pictures
            </button>
          )}
        </Answer>
        <ErrorBox error={error} />
        {proof === undefined ? null : (
          <>
            <h2>The advice, tested by running</h2>
            <Answer shown={proof} name="proof" />
          </>
        )}
        {drawn.length === 0 ? null : (
          <details
            ref={pictured}
            open={open}
            onToggle={(e) => setQuery({ pictures: e.currentTarget.open ? undefined : "no" })}
          >
            <summary>
              Pictures of {drawn.length} {drawn.length === 1 ? "cause" : "causes"}: free memory, marks, MTU
            </summary>
            {open
              ? drawn.slice(0, picturesMost).map((incident, i) => <Pictures key={`${i}`} incident={incident} />)
              : null}
            {drawn.length > picturesMost ? (
              <p class="empty">Only the first {picturesMost} are drawn; the JSON has the numbers of all.</p>
            ) : null}
          </details>
        )}
      </div>
      {at === undefined ? null : (
        <Log lines={output.texts[at.input]} at={at} close={() => setQuery({ log: undefined, line: undefined })} />
      )}
    </div>
  );
}

const picturesMost = 12;

/** The line as a finding quotes it, for inputs too large to be kept. */
function quoted(json: unknown, input: string, line: number): string {
  for (const i of (json as Diagnosis).incidents)
    for (const f of i.findings) for (const q of f.evidence) if (q.input === input && q.line === line) return q.text;
  return "(this line is not at hand)";
}

const around = 400;

function Log({
  lines,
  at,
  close,
}: {
  lines: readonly string[] | undefined;
  at: QuotedLine;
  close: () => void;
}): JSX.Element {
  const marked = useRef<HTMLLIElement>(null);
  const list = useRef<HTMLOListElement>(null);
  // Only the log moves: the finding that was chosen stays where it is.
  useEffect(() => {
    const [line, log] = [marked.current, list.current];
    if (line === null || log === null) return;
    log.scrollTop += line.getBoundingClientRect().top - log.getBoundingClientRect().top - log.clientHeight / 2;
  }, [at.input, at.line]);
  const from = Math.max(0, at.line - 1 - around);
  const shown = lines?.slice(from, at.line + around) ?? [at.text];
  return (
    <aside aria-label={`The log ${at.input} around line ${at.line}`}>
      <div class="bar">
        <strong>
          {inertLine(at.input)}, line {at.line}
        </strong>
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
      <ol ref={list} class="log" start={lines === undefined ? at.line : from + 1} tabIndex={0}>
        {shown.map((text, i) => {
          const here = lines === undefined || from + i + 1 === at.line;
          return (
            <li
              key={from + i}
              ref={here ? marked : null}
              value={lines === undefined ? at.line : from + i + 1}
              class={here ? "here" : undefined}
            >
              <code>{inertLine(lineShown(text))}</code>
            </li>
          );
        })}
      </ol>
    </aside>
  );
}
