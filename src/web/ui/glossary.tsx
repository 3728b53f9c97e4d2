// Terms of the field with their definition on hover, focus and tap. The words are those of docs/glossary.md: there is one glossary.
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { inertLine } from "../../report/escape.ts";

const glossary = signal<ReadonlyMap<string, string>>(new Map());
let asked = false;

async function load(): Promise<void> {
  if (asked) return;
  asked = true;
  const { default: text } = await import("../../../docs/glossary.md?raw");
  glossary.value = new Map(
    text.split("\n").flatMap((line) => {
      const [, term, means] = line.split("|").map((cell) => cell.trim());
      return term === undefined || means === undefined || term === "term" || term.startsWith("---")
        ? []
        : [[term, means.replaceAll("`", "")] as const];
    }),
  );
}

/** How a term of the glossary is written in texts: words that begin so. */
const spellings: readonly (readonly [pattern: string, term: string])[] = [
  ["(?:__)?GFP_[A-Z_]{3,40}", "GFP mask"],
  ["lowmem_reserve", "lowmem_reserve"],
  ["migrate types?", "migrate type"],
  ["truesize", "truesize"],
  ["pfn", "pfn"],
  ["order[- ]\\d{1,2}", "order"],
  ["orders?", "order"],
  ["pageblocks?", "pageblock"],
  ["page_pools?", "page_pool"],
  ["page_owner", "page_owner"],
  ["kswapd", "kswapd"],
  ["compaction", "compaction"],
  ["fragmentation", "fragmentation"],
  ["HIGHATOMIC", "HIGHATOMIC"],
  ["CMA", "CMA"],
  ["SLUB", "slab, SLUB, SLAB"],
  ["sk_buff", "sk_buff"],
  ["watermarks?", "mark (min, low, high)"],
  ["boost", "boost"],
  ["NAPI", "NAPI"],
];
const term = new RegExp(`\\b(?:${spellings.map(([p]) => `(${p})`).join("|")})\\b`, "gi");

/** A text with its terms marked, each once within `seen`. */
export function Glossed({ text, seen }: { text: string; seen: Set<string> }): JSX.Element {
  useEffect(() => void load(), []);
  const known = glossary.value;
  const plain = inertLine(text);
  if (known.size === 0) return <>{plain}</>;
  const parts: (string | JSX.Element)[] = [];
  let from = 0;
  for (const found of plain.matchAll(term)) {
    const name = spellings[found.slice(1).findIndex((g) => g !== undefined)]?.[1] ?? "";
    const means = known.get(name);
    if (means === undefined || seen.has(name)) continue;
    seen.add(name);
    parts.push(plain.slice(from, found.index), <Term key={name} word={found[0]} name={name} means={means} />);
    from = found.index + found[0].length;
  }
  return (
    <>
      {parts}
      {plain.slice(from)}
    </>
  );
}

const open = signal<{ readonly name: string; readonly means: string; readonly at: DOMRect } | undefined>(undefined);

function Term({ word, name, means }: { word: string; name: string; means: string }): JSX.Element {
  const show = (e: { currentTarget: HTMLElement }): void => {
    open.value = { name, means, at: e.currentTarget.getBoundingClientRect() };
  };
  const hide = (): void => {
    open.value = undefined;
  };
  return (
    <button
      type="button"
      class="term"
      aria-describedby={open.value?.name === name ? "definition" : undefined}
      onMouseEnter={show}
      onMouseLeave={hide}
      onFocus={show}
      onBlur={hide}
      onClick={show}
      onKeyDown={(e) => {
        if (e.key !== "Escape" || open.value === undefined) return;
        // One Esc closes one thing: not also what lies under the definition.
        e.stopPropagation();
        hide();
      }}
    >
      {word}
    </button>
  );
}

/** The definition that is open, beside its term. */
export function Definition(): JSX.Element | null {
  const box = useRef<HTMLDivElement>(null);
  const now = open.value;
  useLayoutEffect(() => {
    if (box.current === null || now === undefined) return;
    const width = box.current.offsetWidth;
    box.current.style.left = `${Math.max(8, Math.min(now.at.left, innerWidth - width - 8))}px`;
    const below = now.at.bottom + 6;
    const fits = below + box.current.offsetHeight < innerHeight;
    box.current.style.top = `${fits ? below : now.at.top - box.current.offsetHeight - 6}px`;
  }, [now]);
  return now === undefined ? null : (
    <div ref={box} id="definition" class="definition" role="tooltip">
      <strong>{now.name}</strong> {now.means}
    </div>
  );
}
