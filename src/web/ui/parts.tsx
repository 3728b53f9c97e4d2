// The parts every page is made of: a place to drop files, the line that shows work, an error, an answer with its exports.
import type { ComponentChildren, JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import type { QuotedLine } from "../../report/document.ts";
import { renderMarkdown } from "../../report/markdown.ts";
import { renderText } from "../../report/text.ts";
import { Cancelled, cancel, running, TaskFailure } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { DocumentView } from "./document_view.tsx";
import { download, slug } from "./download.ts";

/** Takes files by drop, by dialog and by keyboard. */
export function DropZone({
  onFiles,
  multiple = true,
  children,
}: {
  onFiles: (files: File[]) => void;
  multiple?: boolean;
  children: ComponentChildren;
}): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const take = (list: FileList | null | undefined): void => {
    const files = [...(list ?? [])];
    if (files.length > 0) onFiles(files);
  };
  return (
    <section
      aria-label="Files"
      class={over ? "drop over" : "drop"}
      onDragOver={(e) => {
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(e) => {
        e.preventDefault();
        setOver(false);
        take(e.dataTransfer?.files);
      }}
    >
      {children}
      <button type="button" onClick={() => input.current?.click()}>
        Choose files
      </button>
      <input
        ref={input}
        type="file"
        multiple={multiple}
        class="hidden"
        tabIndex={-1}
        aria-label="Files to read"
        onChange={(e) => {
          take(e.currentTarget.files);
          e.currentTarget.value = "";
        }}
      />
    </section>
  );
}

/** What is running, how far, and a way to stop it. */
export function WorkLine(): JSX.Element {
  const now = running.value;
  return (
    <div class="work" role="status" aria-live="polite">
      {now === undefined ? null : (
        <>
          <span>{now.label}</span>
          <progress max={1} aria-label={now.label} {...(now.done === undefined ? {} : { value: now.done })} />
          <span>{now.note}</span>
          <button type="button" onClick={cancel}>
            Cancel
          </button>
        </>
      )}
    </div>
  );
}

/** An error of the user's input as a sentence; ours with its story, to be copied. */
export function ErrorBox({ error }: { error: unknown }): JSX.Element | null {
  if (error === undefined || error instanceof Cancelled) return null;
  const ours = !(error instanceof TaskFailure) || error.ours;
  const text = error instanceof Error ? error.message : String(error);
  return (
    <div class="error" role="alert">
      {ours ? (
        <>
          <p>This is our own fault, not your input's. Please report it with these lines:</p>
          <pre>{text}</pre>
        </>
      ) : (
        <p>{text}</p>
      )}
    </div>
  );
}

/** An answer as the command line gives it, with its exports. */
export function Answer({
  shown,
  name,
  onQuote,
  children,
}: {
  shown: Shown;
  name: string;
  onQuote?: (line: QuotedLine) => void;
  children?: ComponentChildren;
}): JSX.Element {
  const file = slug(name);
  return (
    <section class="answer" aria-label={`Answer: ${name}`}>
      <div class="tools">
        <button
          type="button"
          onClick={() => download(`${file}.json`, "application/json", JSON.stringify(shown.json, null, 2))}
        >
          JSON
        </button>
        <button type="button" onClick={() => download(`${file}.md`, "text/markdown", renderMarkdown(shown.document))}>
          Markdown
        </button>
        <button
          type="button"
          onClick={() =>
            download(`${file}.txt`, "text/plain", renderText(shown.document, { colour: false, width: 100 }))
          }
        >
          Text
        </button>
        {children}
      </div>
      <DocumentView document={shown.document} {...(onQuote === undefined ? {} : { onQuote })} />
    </section>
  );
}
