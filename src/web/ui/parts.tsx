// The parts every page is made of: a place to drop files, the line that shows work, an error, an answer with its exports.
import type { ComponentChildren, JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Document, QuotedLine } from "../../report/document.ts";
import { Cancelled, cancel, running, TaskFailure } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { DocumentView } from "./document_view.tsx";
import { AnswerExports } from "./exports.tsx";

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
  const latest = useRef(take);
  latest.current = take;
  // The whole page takes files: one that falls beside the zone would make the browser leave the page.
  // It listens as soon as it is there, not a moment later.
  useLayoutEffect(() => {
    const dragged = (e: DragEvent): void => {
      if (e.dataTransfer?.types.includes("Files") !== true) return;
      e.preventDefault();
      setOver(true);
    };
    const left = (e: DragEvent): void => {
      if (e.relatedTarget === null) setOver(false);
    };
    const dropped = (e: DragEvent): void => {
      e.preventDefault();
      setOver(false);
      latest.current(e.dataTransfer?.files);
    };
    addEventListener("dragover", dragged);
    addEventListener("dragleave", left);
    addEventListener("drop", dropped);
    return () => {
      removeEventListener("dragover", dragged);
      removeEventListener("dragleave", left);
      removeEventListener("drop", dropped);
    };
  }, []);
  return (
    <section aria-label="Files" class={over ? "drop over" : "drop"}>
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

/** What stands where an answer will be: advice, or that work is under way. */
export function Empty({ children }: { children: ComponentChildren }): JSX.Element {
  return <p class="empty">{running.value === undefined ? children : `${running.value.label} …`}</p>;
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
  if (error === undefined) return null;
  if (error instanceof Cancelled)
    return (
      <p class="empty" role="status">
        Cancelled; nothing was kept.
      </p>
    );
  const ours = !(error instanceof TaskFailure) || error.ours;
  const text = error instanceof Error ? error.message : String(error);
  return (
    <div class="error" role="alert">
      {ours ? (
        <>
          <p>This is our own fault, not your input's. Please report it with these lines:</p>
          <pre tabIndex={0}>{text}</pre>
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
  view = (document) => document,
  children,
}: {
  shown: Shown;
  name: string;
  onQuote?: (line: QuotedLine) => void;
  /** What of it the page has not shown already; exports have all of it. */
  view?: (document: Document) => Document;
  children?: ComponentChildren;
}): JSX.Element {
  return (
    <section class="answer" aria-label={`Answer: ${name}`}>
      <AnswerExports shown={shown} name={name}>
        {children}
      </AnswerExports>
      <DocumentView document={view(shown.document)} {...(onQuote === undefined ? {} : { onQuote })} />
    </section>
  );
}
