// The state is in the address: `#/page?key=value`. Pages read it and change it; back and forward work, a step for each view.
import { signal } from "@preact/signals";

export type Query = Readonly<Record<string, string | undefined>>;

export interface Route {
  readonly page: string;
  readonly query: Readonly<Record<string, string>>;
}

function parse(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { page: path === "" ? "diagnose" : path, query: Object.fromEntries(new URLSearchParams(query)) };
}

export const route = signal<Route>(parse());
/** The page of the address, also where the signal does not have it yet. */
export const pageNow = (): string => parse().page;
/** The query that each page was left with: its link leads back to the same view. */
const left = new Map<string, Query>();

addEventListener("hashchange", () => {
  route.value = parse();
  left.set(route.value.page, route.value.query);
});

/** The address of a page with a query; empty values are left out. */
export function hrefOf(page: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter((p): p is [string, string] => p[1] !== undefined && p[1] !== "");
  return `#/${page}${pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`}`;
}

/** The address of a page as it was left. */
export const hrefAsLeft = (page: string): string => hrefOf(page, left.get(page));

/** The query of a page as it is, or was left. */
export const queryLeft = (page: string): Query =>
  route.value.page === page ? route.value.query : (left.get(page) ?? {});
/** What the link of a page will lead to. */
export const goLater = (page: string, query: Query): void => void left.set(page, query);

/** Goes to an address: a step in the history; `again`: also where the address is the same and what is looked at is not. */
export function go(href: string, again = false): void {
  if (location.hash === href && !again) return;
  history.pushState(history.state, "", href);
  route.value = parse();
  left.set(route.value.page, route.value.query);
}

/** Changes the query of the present page: a place within a view, no step in the history. */
export function setQuery(query: Query): void {
  history.replaceState(history.state, "", hrefOf(route.value.page, { ...route.value.query, ...query }));
  route.value = parse();
  left.set(route.value.page, route.value.query);
}

/** Changes the query of the present page to another view: Back comes to the one before. */
export const setView = (query: Query): void => go(hrefOf(route.value.page, { ...route.value.query, ...query }));
