// Decode: a mask or a page's flags word from a log, in one release or in every era where it makes sense, as `skblab decode` says it.
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { useKept } from "../store/kept.ts";
import { ask } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { Answer, Empty, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery } from "../ui/route.ts";

export function DecodePage(): JSX.Element {
  const { query } = route.value;
  const what = query.what === "page-flags" ? "page-flags" : "gfp";
  const { value = "", kernel = "", pfn = "" } = query;
  const [shown, setShown] = useKept<Shown | undefined>("decode.shown", undefined);
  const [error, setError] = useKept<unknown>("decode.error", undefined);
  useEffect(() => {
    setError(undefined);
    if (value.trim() === "") {
      setShown(undefined);
      return;
    }
    let stale = false;
    ask("decode", { what, value, kernel, pfn }).then(
      (answer) => stale || setShown(answer),
      (e) => {
        if (stale) return;
        setShown(undefined);
        setError(e);
      },
    );
    return () => {
      stale = true;
    };
  }, [what, value, kernel, pfn]);
  const field = (name: string, label: string, now: string, hint: string): JSX.Element => (
    <label>
      {label}
      <input
        value={now}
        placeholder={hint}
        spellcheck={false}
        autocomplete="off"
        {...(name === "value" ? { "data-search": true } : {})}
        onInput={(e) => setQuery({ [name]: e.currentTarget.value })}
      />
    </label>
  );
  return (
    <>
      <h1>What does this number mean?</h1>
      <div class="form">
        <label>
          What it is
          <select value={what} onChange={(e) => setQuery({ what: e.currentTarget.value })}>
            <option value="gfp">gfp mask (mode:0x…)</option>
            <option value="page-flags">page flags (flags:0x…)</option>
          </select>
        </label>
        {field("value", "As the kernel printed it", value, what === "gfp" ? "0x4020" : "0x44000")}
        {field("kernel", "Kernel release", kernel, "any")}
        {what === "page-flags" ? field("pfn", "Page frame number, in hex", pfn, "0x80db") : null}
      </div>
      <ErrorBox error={error} />
      {shown === undefined ? (
        <Empty>
          Write a number from a log: in one release it has one meaning; without a release every era is tried.
        </Empty>
      ) : (
        <Answer shown={shown} name={`${what} ${value}`} />
      )}
    </>
  );
}
