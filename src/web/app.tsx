// The frame: menu, page, work line. It knows no kernel.
import type { FunctionComponent, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { pages } from "./pages/registry.ts";
import { cancel, running } from "./tasks/client.ts";
import { WorkLine } from "./ui/parts.tsx";
import { hrefOf, route } from "./ui/route.ts";

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
            <a key={p.id} href={hrefOf(p.id)} aria-current={p === page ? "page" : undefined}>
              {p.title}
            </a>
          ))}
        </nav>
        <span class="version">{__VERSION__}</span>
      </header>
      <WorkLine />
      <main id="content" tabIndex={-1}>
        {page === undefined ? null : <Lazy key={page.id} load={page.load} title={page.title} />}
      </main>
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
    // Nobody waits for what a page that was left has asked for, and the next page would wait behind it.
    return () => {
      if (running.value !== undefined) cancel();
    };
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
