// The frame: menu, case, page, work line, keys. It knows no kernel.
import type { FunctionComponent, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { pages } from "./pages/registry.ts";
import { Definition } from "./ui/glossary.tsx";
import { Intake } from "./ui/intake.tsx";
import { Keys } from "./ui/keys.tsx";
import { WorkLine } from "./ui/parts.tsx";
import { hrefAsLeft, hrefOf, route } from "./ui/route.ts";

declare const __VERSION__: string;

export function App(): JSX.Element {
  const { page: id } = route.value;
  const page = pages.find((p) => p.id === id) ?? pages[0];
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header>
        <a class="brand" href={hrefOf(pages[0]?.id ?? "")}>
          skblab
        </a>
        <nav aria-label="Pages">
          {pages.map((p) => (
            <a
              key={p.id}
              href={p === page ? hrefOf(p.id, route.value.query) : hrefAsLeft(p.id)}
              aria-current={p === page ? "page" : undefined}
            >
              {p.title}
            </a>
          ))}
        </nav>
        <span class="version">{__VERSION__}</span>
        <Keys />
      </header>
      <Intake />
      <WorkLine />
      <main id="content" tabIndex={-1} class={`page-${page?.id ?? "none"}`}>
        {page === undefined ? null : <Lazy key={page.id} load={page.load} title={page.title} />}
      </main>
      <Definition />
      <footer>Everything runs in this page. Nothing you give it leaves your machine.</footer>
    </>
  );
}

function Lazy({ load, title }: { load: () => Promise<FunctionComponent>; title: string }): JSX.Element {
  const [state, setState] = useState<{ page?: FunctionComponent; error?: string }>({});
  useEffect(() => {
    document.title = `${title} · skblab`;
    load().then(
      (page) => setState({ page }),
      (error: Error) => setState({ error: error.message }),
    );
  }, []);
  if (state.error !== undefined) {
    return (
      <p class="error" role="alert">
        This page could not be loaded: {state.error}
      </p>
    );
  }
  const Loaded = state.page;
  return Loaded === undefined ? <p class="empty">Loading {title} …</p> : <Loaded />;
}
