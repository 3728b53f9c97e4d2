// The keys of the page: ? shows them, / goes to the search of what is shown, Esc closes what is open.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

const keys: readonly (readonly [string, string])[] = [
  ["?", "these keys"],
  ["/", "search: the log and the claims, a census, a table"],
  ["Esc", "close what is open; leave a field"],
  ["Ctrl+V", "read what is in the clipboard, anywhere on the page"],
  ["j, k", "the next and the previous incident"],
  ["n, Shift+n", "the next and the previous line that was found in the log"],
  ["arrows", "steps of a packet or a schedule; a map's part"],
  ["+, -, Home", "a map: zoom in, zoom out, all of it; Ctrl and the wheel zoom too"],
  ["Enter", "on a map: what is in its middle; in a flame graph: into it"],
];

const inField = (at: EventTarget | null): boolean =>
  at instanceof HTMLElement && at.matches("input, textarea, select, [contenteditable]");

export function Keys(): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const pressed = (e: KeyboardEvent): void => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      if (e.key === "Escape" && inField(e.target) && e.target instanceof HTMLElement) e.target.blur();
      if (inField(e.target)) return;
      if (e.key === "?") dialog.current?.showModal();
      else if (e.key === "/") {
        const field = document.querySelector<HTMLInputElement>("[data-search]");
        if (field === null) return;
        field.focus();
        field.select();
      } else return;
      e.preventDefault();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
  return (
    <>
      <button type="button" class="plain" aria-label="Keys" onClick={() => dialog.current?.showModal()}>
        ?
      </button>
      <dialog ref={dialog} aria-label="Keys">
        <h2>Keys</h2>
        <dl class="facts">
          {keys.map(([key, does]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{does}</dd>
            </div>
          ))}
        </dl>
        <button type="button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </dialog>
    </>
  );
}
