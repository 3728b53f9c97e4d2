// The parts every page is made of: the line that shows work, an error, an answer with its exports.
import type { ComponentChildren, JSX } from "preact";
import type { Document, QuotedLine } from "../../report/document.ts";
import type { Running } from "../tasks/client.ts";
import { Cancelled, cancel, running, TaskFailure } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { DocumentView } from "./document_view.tsx";
import { AnswerExports } from "./exports.tsx";

/** What stands where an answer will be: advice, or that work is under way. */
export function Empty({ children }: { children: ComponentChildren }): JSX.Element {
  const now = running.value[0];
  return <p class="empty">{now === undefined ? children : `${now.label} …`}</p>;
}

/** What is running, how far, and a way to stop each of it. */
export function WorkLine(): JSX.Element {
  return (
    <div class="work" role="status" aria-live="polite">
      {running.value.map((now) => (
        <Work key={now.id} now={now} />
      ))}
    </div>
  );
}

/** One thing that runs: how far, and Cancel. Also where the eye is. */
export function Work({ now, stop = "Cancel" }: { now: Running; stop?: string }): JSX.Element {
  return (
    <div class="working">
      <span>{now.label}</span>
      <progress max={1} aria-label={now.label} {...(now.done === undefined ? {} : { value: now.done })} />
      <span>{now.note}</span>
      <button type="button" onClick={() => cancel(now.id)}>
        {stop}
      </button>
    </div>
  );
}

/** An error of the user's input as a sentence; ours with its story, to be copied. */
export function ErrorBox({ error }: { error: unknown }): JSX.Element | null {
  if (error === undefined) return null;
  if (error instanceof Cancelled)
    return (
      <p class="empty" role="status">
        Canceled; nothing was kept.
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
