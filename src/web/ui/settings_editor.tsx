// A scenario's text with what may stand at the caret beside it: keys with their meaning and allowed values, by the published schema.
import type { JSX, RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Completion, Completions, Schema } from "../../scenario/complete.ts";
import { completionsAt } from "../../scenario/complete.ts";

const most = 40;

/** The schema that is published beside the package: the one file that the pattern names. */
const published = import.meta.glob<Schema>("../../../schemas/scenario.schema.json", { import: "default" });

export function SettingsEditor({
  area,
  hidden,
  onText,
}: {
  area: RefObject<HTMLTextAreaElement | null>;
  hidden: boolean;
  onText: (text: string) => void;
}): JSX.Element {
  const [schema, setSchema] = useState<Schema>();
  const [here, setHere] = useState<Completions>();
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    for (const load of Object.values(published)) void load().then(setSchema);
  }, []);
  const look = (): void => {
    const text = area.current;
    if (text !== null && schema !== undefined) setHere(completionsAt(schema, text.value, text.selectionStart));
  };
  useEffect(look, [schema, hidden]);
  const put = (c: Completion): void => {
    const text = area.current;
    if (text === null || here === undefined) return;
    const caret = here.from + c.insert.length;
    text.setRangeText(c.insert, here.from, text.selectionStart);
    text.focus();
    text.setSelectionRange(caret, caret);
    onText(text.value);
    look();
  };
  const items = here?.items ?? [];
  return (
    <div class="settings-editor" hidden={hidden}>
      <textarea
        ref={area}
        aria-label="Settings of the scenario"
        aria-describedby="settings-keys"
        onInput={(e) => {
          onText(e.currentTarget.value);
          look();
        }}
        onKeyUp={look}
        onClick={look}
        onKeyDown={(e) => {
          if (!(e.ctrlKey && e.key === " ")) return;
          e.preventDefault();
          list.current?.querySelector("button")?.focus();
        }}
        spellcheck={false}
        autocomplete="off"
      />
      <div class="may-stand">
        <p id="settings-keys">
          {here?.at === "value" ? "Values" : "Keys"} that are valid here <span class="keys">Ctrl+Space</span>
        </p>
        <ul
          ref={list}
          aria-label="What may stand here"
          onKeyDown={(e) => {
            const buttons = [...e.currentTarget.querySelectorAll("button")];
            const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
            if (e.key === "ArrowDown") buttons[Math.min(buttons.length - 1, at + 1)]?.focus();
            else if (e.key === "ArrowUp") buttons[Math.max(0, at - 1)]?.focus();
            else if (e.key === "Escape") area.current?.focus();
            else return;
            e.preventDefault();
            e.stopPropagation();
          }}
        >
          {items.slice(0, most).map((c) => (
            <li key={c.label}>
              <button type="button" onClick={() => put(c)}>
                <code>{c.label}</code>
              </button>{" "}
              <small>{c.detail}</small>
            </li>
          ))}
        </ul>
        {items.length === 0 ? <p class="empty">Any value.</p> : null}
      </div>
    </div>
  );
}
