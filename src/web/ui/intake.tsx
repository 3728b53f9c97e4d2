// One place takes everything: drop anywhere, Ctrl+V anywhere, choose, or an example. And the rail of what was given: what each file was, and the
// pages that answer it.
import type { JSX } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { inertLine } from "../../report/escape.ts";
import type { CaseFile } from "../store/case_file.ts";
import {
  choose,
  files,
  forgetAll,
  inputsOf,
  keepHere,
  keepsHere,
  lostOnReload,
  notTaken,
  putAway,
  take,
} from "../store/case_file.ts";
import { kept } from "../store/kept.ts";
import type { Stored } from "../store/session.ts";
import type { TakingPage } from "../tasks/identify_task.ts";
import { examples } from "./examples.ts";
import { ErrorBox } from "./parts.tsx";
import { go, hrefAsLeft, hrefOf, route } from "./route.ts";

/** What went wrong while something was taken. */
const trouble = kept<unknown>("intake.error", undefined);

/** Takes files or texts, and says what went wrong. */
export async function give(given: readonly Stored[]): Promise<void> {
  trouble.value = undefined;
  try {
    await take(given);
  } catch (error) {
    trouble.value = error;
  }
}

export async function giveExample(id: string): Promise<void> {
  const example = examples[id];
  if (example === undefined) return;
  try {
    const { default: text } = await example.load();
    await give([{ name: id, blob: new Blob([text]) }]);
  } catch (error) {
    trouble.value = error;
  }
}

export const pastedName = "pasted";
const mask = /^(?:0x[0-9a-f]{2,8}|(?:__)?GFP_[A-Z_]+(?:\|(?:__)?GFP_[A-Z_]+)*)$/i;

/** A mask alone is decoded; any other text is an input, which never enters a text field. */
export function giveText(text: string): void {
  if (mask.test(text.trim())) go(hrefOf("decode", { what: "gfp", value: text.trim() }));
  else if (text.trim() !== "") void give([{ name: pastedName, blob: new Blob([text]) }]);
}

/** Listens to the whole window. A file that fell beside a zone would make the browser leave the page. */
function useWholeWindow(): boolean {
  const [over, setOver] = useState(false);
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
      void give([...(e.dataTransfer?.files ?? [])].map((f) => ({ name: f.name, blob: f })));
    };
    const pasted = (e: ClipboardEvent): void => {
      const given = [...(e.clipboardData?.files ?? [])];
      const at = e.target;
      const field = at instanceof HTMLInputElement || (at instanceof HTMLTextAreaElement && at.id !== "log");
      if (given.length === 0 && field) return;
      e.preventDefault();
      if (given.length > 0) void give(given.map((f) => ({ name: f.name, blob: f })));
      else giveText(e.clipboardData?.getData("text/plain") ?? "");
    };
    addEventListener("dragover", dragged);
    addEventListener("dragleave", left);
    addEventListener("drop", dropped);
    document.addEventListener("paste", pasted);
    return () => {
      removeEventListener("dragover", dragged);
      removeEventListener("dragleave", left);
      removeEventListener("drop", dropped);
      document.removeEventListener("paste", pasted);
    };
  }, []);
  return over;
}

export function Intake(): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const over = useWholeWindow();
  return (
    <section class="intake" aria-label="Your files">
      <div class="intake-row">
        <button type="button" onClick={() => input.current?.click()}>
          Choose files
        </button>
        <input
          ref={input}
          type="file"
          multiple
          class="hidden"
          tabIndex={-1}
          aria-label="Files to read"
          onChange={(e) => {
            void give([...(e.currentTarget.files ?? [])].map((f) => ({ name: f.name, blob: f })));
            e.currentTarget.value = "";
          }}
        />
        <select
          aria-label="An example"
          value=""
          onChange={(e) => {
            const id = e.currentTarget.value;
            e.currentTarget.value = "";
            void giveExample(id);
          }}
        >
          <option value="">Example …</option>
          {Object.entries(examples).map(([id, x]) => (
            <option key={id} value={id}>
              {x.title}
            </option>
          ))}
        </select>
        {files.value.length === 0 ? (
          <span class="hint">
            or drop anything anywhere, or press Ctrl+V: logs, /proc files, dumps, counters, bundles, kernel types
          </span>
        ) : (
          <Rail />
        )}
      </div>
      {notTaken.value.length === 0 ? null : (
        <div class="error" role="alert">
          {notTaken.value.map((sentence) => (
            <p key={sentence}>{inertLine(sentence)}</p>
          ))}
          <button
            type="button"
            onClick={() => {
              notTaken.value = [];
            }}
          >
            Close
          </button>
        </div>
      )}
      <ErrorBox error={trouble.value} />
      {over ? <div class="dropping">Drop it here: the page recognizes what it is.</div> : null}
    </section>
  );
}

const titles: Readonly<Record<TakingPage, string>> = {
  diagnose: "incidents",
  memory: "memory",
  pools: "pools",
  census: "census",
  image: "image",
  packet: "types",
  scenarios: "scenario",
};

function Rail(): JSX.Element {
  return (
    <>
      <ul class="rail">
        {files.value.map((file) => (
          <li key={file.id}>
            <span class="file-name" title={inertLine(file.name)}>
              {inertLine(file.name)}
            </span>
            <span class="file-kind">{inertLine(file.says)}</span>
            {file.offers.map((page) => (
              <Offer key={page} file={file} page={page} />
            ))}
            <button
              type="button"
              class="plain"
              aria-label={`Remove ${inertLine(file.name)}`}
              onClick={() => putAway(file)}
            >
              ×
            </button>
          </li>
        ))}
      </ul>
      <label
        class="keep"
        title="In this browser, of any size, until you forget them. Otherwise small ones outlive a reload of this tab, and nothing outlives the tab."
      >
        <input type="checkbox" checked={keepsHere.value} onChange={(e) => void keepHere(e.currentTarget.checked)} />
        keep in this browser
      </label>
      <button type="button" onClick={() => void forgetAll()}>
        Forget
      </button>
      {lostOnReload.value.length === 0 ? null : (
        <span class="hint">
          A reload would lose {lostOnReload.value.map(inertLine).join(", ")}: too large for the tab's store.
        </span>
      )}
    </>
  );
}

/** Opens what a page has to say of a file; on that page it is looked at alone, or beside the others with the + key. */
function Offer({ file, page }: { file: CaseFile; page: TakingPage }): JSX.Element {
  const inputs = inputsOf(page);
  const shown = inputs.includes(file) && route.value.page === page;
  return (
    <button
      type="button"
      class="offer"
      aria-pressed={shown}
      aria-label={`${titles[page]} of ${inertLine(file.name)}`}
      onClick={() => {
        if (!inputs.includes(file)) choose(page, [file]);
        if (route.value.page !== page) go(hrefAsLeft(page));
      }}
    >
      {titles[page]}
    </button>
  );
}
