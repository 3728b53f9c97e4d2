// The case: every input that was given, what it was recognised as, and which of them each page looks at. Kept beside the pages, so that leaving one,
// Back, a reload or a wrong drop loses nothing.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask } from "../tasks/client.ts";
import type { Identified, TakingPage } from "../tasks/identify_task.ts";
import type { Query } from "../ui/route.ts";
import { go, goLater, hrefAsLeft, hrefOf, pageNow, queryLeft, route } from "../ui/route.ts";
import { forgetKept, kept } from "./kept.ts";
import type { Stored } from "./session.ts";
import { consented, forgetStored, keepForReload, restored, setConsent } from "./session.ts";

export interface CaseFile extends Stored, Identified {
  readonly id: number;
}

export const files = signal<readonly CaseFile[]>([]);
/** Sentences about what was given and not taken; they stay until they are put away. */
export const notTaken = signal<readonly string[]>([]);
/** Inputs that a reload would lose, being too large for the tab's store. */
export const lostOnReload = signal<readonly string[]>([]);
export const keepsHere = signal(consented());

type Chosen = Readonly<Partial<Record<string, readonly number[]>>>;

/** Which inputs a page looks at, by page. Each step of the history keeps them too, so that Back and a reload come to the same answer. */
const chosen = signal<Chosen>({});
let nextId = 1;
/** Where each choice of inputs was left. */
const places = new Map<string, Query>();

interface Noted {
  readonly chosen: Chosen;
  readonly places: readonly (readonly [string, Query])[];
}
const notedNow = (): Noted | null => history.state as Noted | null;
const note = (): void => history.replaceState({ chosen: chosen.value, places: [...places] } satisfies Noted, "");

addEventListener("popstate", () => {
  const page = pageNow();
  const then = notedNow()?.chosen[page];
  // A step from before anything was given, or of what was put away, shows what is there now.
  if (looksStill(then)) chosen.value = { ...chosen.value, [page]: then };
  note();
});

const looksStill = (ids: readonly number[] | undefined): boolean =>
  ids?.some((id) => files.value.some((f) => f.id === id)) === true;

/** Places in one text, which mean nothing in another. */
const elsewhere: Query = { at: undefined, part: undefined, log: undefined, line: undefined, example: undefined };

export const inputsOf = (page: TakingPage): readonly CaseFile[] =>
  (chosen.value[page] ?? []).flatMap((id) => files.value.find((f) => f.id === id) ?? []);

/** Lets a page look at these: another view, where it looked at others before. */
export function choose(page: TakingPage, list: readonly CaseFile[]): void {
  const before = inputsOf(page);
  const keyOf = (inputs: readonly CaseFile[]): string => `${page} ${inputs.map((f) => f.name).join()}`;
  if (before.length > 0 && keyOf(before) !== keyOf(list)) {
    const query = queryLeft(page);
    places.set(keyOf(before), query);
    const linked = list.some((f) => f.name === query["example"]);
    const fresh = page === "diagnose" && !linked ? { ...query, ...elsewhere } : query;
    goLater(page, places.get(keyOf(list)) ?? fresh);
    if (route.value.page === page) go(hrefAsLeft(page), true);
  }
  chosen.value = { ...chosen.value, [page]: list.map((f) => f.id) };
  note();
}

/** Takes what was given from anywhere: recognises it, lays it to the case, and opens the page that answers it. */
export async function take(given: readonly Stored[], stay = false): Promise<void> {
  if (given.length === 0) return;
  const told = await ask("identify", { files: given }, "Looking at what it is");
  const fresh = given.flatMap((file, i): CaseFile[] => {
    const what = told[i];
    if (what === undefined || what.refused !== undefined) return [];
    const offers = what.offers.filter((page) => page === (file.only ?? page));
    const id = file.id ?? nextId;
    nextId = Math.max(nextId, id + 1);
    return [{ ...file, ...what, offers, id }];
  });
  notTaken.value = told.flatMap((t) => t.refused ?? []);
  if (fresh.length === 0) return;
  const names = new Set(fresh.map((f) => f.name));
  // The same name again is the newer form of it.
  files.value = [...files.value.filter((f) => !names.has(f.name)), ...fresh];
  // After a reload each page looks at what it looked at.
  const noted = stay ? notedNow() : null;
  if (noted !== null) chosen.value = noted.chosen;
  for (const [inputs, place] of noted?.places ?? []) places.set(inputs, place);
  for (const page of new Set(fresh.flatMap((f) => f.offers)))
    if (!looksStill(noted?.chosen[page]))
      offer(
        page,
        fresh.filter((f) => f.offers.includes(page)),
      );
  void remember();
  const here = fresh.some((f) => f.offers.some((o) => o === route.value.page));
  const best = fresh.find((f) => f.tells) ?? fresh[0];
  if (!here && !stay && best?.offers[0] !== undefined) go(hrefOf(best.offers[0]));
}

/** What only says more beside a log joins the one that is looked at; everything else is looked at alone. */
function offer(page: TakingPage, fresh: readonly CaseFile[]): void {
  const beside = page === "diagnose" && !fresh.some((f) => f.tells);
  const before = beside ? inputsOf(page).filter((f) => f.tells || !f.offers.includes("memory")) : [];
  choose(page, [...before, ...fresh]);
}

export function putAway(file: CaseFile): void {
  for (const page of file.offers)
    if (inputsOf(page).includes(file))
      choose(
        page,
        inputsOf(page).filter((f) => f !== file),
      );
  files.value = files.value.filter((f) => f.id !== file.id);
  void remember();
}

const stored = (): readonly Stored[] => files.value.map(({ name, blob, only, id }) => ({ name, blob, only, id }));

async function remember(): Promise<void> {
  lostOnReload.value = await keepForReload(stored());
}

export async function keepHere(yes: boolean): Promise<void> {
  await setConsent(yes, stored());
  keepsHere.value = consented();
  await remember();
}

/** Takes away every input, every answer and whatever a browser kept of them. */
export async function forgetAll(): Promise<void> {
  files.value = [];
  notTaken.value = [];
  lostOnReload.value = [];
  chosen.value = {};
  places.clear();
  note();
  forgetKept();
  await forgetStored();
  keepsHere.value = consented();
}

/** After a reload: what the tab or the browser kept is laid to the case again. */
export const ready: Promise<void> = restored().then((kept) => take(kept, true));

/** Runs a page's work once for each choice of inputs, also for one made while the page was not open. What ran stays known when it is left. */
export function useInputs(page: TakingPage, run: (inputs: readonly CaseFile[]) => void): readonly CaseFile[] {
  const inputs = inputsOf(page);
  const key = inputs.map((f) => f.id).join();
  const ran = kept(`${page}.ran`, "");
  useEffect(() => {
    if (ran.value === key) return;
    ran.value = key;
    run(inputs);
  }, [key]);
  return inputs;
}
