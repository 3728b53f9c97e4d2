// Diagnose: any mixture of logs, /proc files and archives, pasted or dropped. Findings left, the log they quote beside them.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { QuotedLine } from "../../report/document.ts";
import { inertLine } from "../../report/escape.ts";
import { Answer, DropZone, ErrorBox } from "../ui/parts.tsx";
import { ask } from "../work/client.ts";
import type { DiagnoseOutput } from "../work/diagnose_task.ts";

export function DiagnosePage(): JSX.Element {
  const [pasted, setPasted] = useState("");
  const [output, setOutput] = useState<DiagnoseOutput>();
  const [error, setError] = useState<unknown>();
  const [at, setAt] = useState<QuotedLine>();

  const run = async (text: string, files: readonly File[]): Promise<void> => {
    setError(undefined);
    setAt(undefined);
    try {
      setOutput(
        await ask("diagnose", { pasted: text, files: files.map((f) => ({ name: f.name, blob: f })) }, "Reading"),
      );
    } catch (e) {
      setOutput(undefined);
      setError(e);
    }
  };

  return (
    <>
      <h1>What happened to this machine's packet memory?</h1>
      <DropZone onFiles={(files) => void run("", files)}>
        <p>
          Drop kernel logs, /proc files, ethtool or sysctl output or a whole support bundle here (also .gz, .xz, .zst,
          .tar).
        </p>
      </DropZone>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          void run(pasted, []);
        }}
      >
        <p>
          <label for="log">Or paste a log, in whatever state it reached you:</label>
          <textarea
            id="log"
            spellcheck={false}
            autocomplete="off"
            value={pasted}
            onInput={(e) => setPasted(e.currentTarget.value)}
          />
        </p>
        <button type="submit" class="primary" disabled={pasted.trim() === ""}>
          Diagnose
        </button>
      </form>
      <ErrorBox error={error} />
      {output === undefined ? (
        <p class="empty">Nothing has been read yet. On the machine: dmesg, or journalctl -k -b --no-pager.</p>
      ) : (
        <div class={at === undefined ? "beside" : "beside open"}>
          <Answer shown={output.shown} name="diagnosis" onQuote={setAt} />
          {at === undefined ? null : <Log lines={output.texts[at.input]} at={at} close={() => setAt(undefined)} />}
        </div>
      )}
    </>
  );
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
  useEffect(() => marked.current?.scrollIntoView({ block: "center" }), [at]);
  const from = Math.max(0, at.line - 1 - around);
  const shown = lines?.slice(from, at.line + around) ?? [at.text];
  return (
    <aside aria-label={`The log ${at.input} around line ${at.line}`}>
      <div class="tools">
        <span>{inertLine(at.input)}</span>
        <button type="button" onClick={close}>
          Close
        </button>
      </div>
      <ol class="log" start={lines === undefined ? at.line : from + 1} tabIndex={0}>
        {shown.map((text, i) => {
          const here = lines === undefined || from + i + 1 === at.line;
          return (
            <li
              key={from + i}
              ref={here ? marked : null}
              value={lines === undefined ? at.line : from + i + 1}
              class={here ? "here" : undefined}
            >
              <code>{inertLine(text)}</code>
            </li>
          );
        })}
      </ol>
    </aside>
  );
}
