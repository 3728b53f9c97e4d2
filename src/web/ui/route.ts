// The state is in the address: `#/page?key=value`. Pages read it and change it; back and forward work.
import { signal } from "@preact/signals";

export interface Route {
  readonly page: string;
  readonly query: Readonly<Record<string, string>>;
}

function parse(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { page: path === "" ? "diagnose" : path, query: Object.fromEntries(new URLSearchParams(query)) };
}

export const route = signal<Route>(parse());
addEventListener("hashchange", () => {
  route.value = parse();
});

/** The address of a page with a query; empty values are left out. */
export function hrefOf(page: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const pairs = Object.entries(query).filter((p): p is [string, string] => p[1] !== undefined && p[1] !== "");
  return `#/${page}${pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`}`;
}

/** Changes the query of the present page without a new step in the history. */
export function setQuery(query: Readonly<Record<string, string | undefined>>): void {
  history.replaceState(null, "", hrefOf(route.value.page, { ...route.value.query, ...query }));
  route.value = parse();
}
