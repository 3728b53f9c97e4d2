// The case: every input that was given, what it was recognised as, and which of them each page looks at. Kept beside the pages, so that leaving one,
// Back, a reload or a wrong drop loses nothing.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask } from "../tasks/client.ts";
import type { Identified, TakingPage } from "../tasks/identify_task.ts";
import { go, hrefOf, route } from "../ui/route.ts";
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

/** Which inputs a page looks at, by page. */
const chosen = signal<Readonly<Partial<Record<TakingPage, readonly number[]>>>>({});
let nextId = 1;

export const inputsOf = (page: TakingPage): readonly CaseFile[] =>
  (chosen.value[page] ?? []).flatMap((id) => files.value.find((f) => f.id === id) ?? []);

/** Lets a page look at these. */
export function choose(page: TakingPage, list: readonly CaseFile[]): void {
  chosen.value = { ...chosen.value, [page]: list.map((f) => f.id) };
}

/** Takes what was given from anywhere: recognises it, lays it to the case, and opens the page that answers it. */
export async function take(given: readonly Stored[], stay = false): Promise<void> {
  if (given.length === 0) return;
  const told = await ask("identify", { files: given }, "Looking at what it is");
  const fresh = given.flatMap((file, i): CaseFile[] => {
    const what = told[i];
    return what === undefined || what.refused !== undefined ? [] : [{ ...file, ...what, id: nextId++ }];
  });
  notTaken.value = told.flatMap((t) => t.refused ?? []);
  if (fresh.length === 0) return;
  const names = new Set(fresh.map((f) => f.name));
  // The same name again is the newer form of it.
  files.value = [...files.value.filter((f) => !names.has(f.name)), ...fresh];
  for (const page of new Set(fresh.flatMap((f) => f.offers)))
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
  files.value = files.value.filter((f) => f.id !== file.id);
  void remember();
}

async function remember(): Promise<void> {
  lostOnReload.value = await keepForReload(files.value.map(({ name, blob }) => ({ name, blob })));
}

export async function keepHere(yes: boolean): Promise<void> {
  await setConsent(
    yes,
    files.value.map(({ name, blob }) => ({ name, blob })),
  );
  keepsHere.value = consented();
  await remember();
}

/** Takes away every input, every answer and whatever a browser kept of them. */
export async function forgetAll(): Promise<void> {
  files.value = [];
  notTaken.value = [];
  lostOnReload.value = [];
  chosen.value = {};
  forgetKept();
  await forgetStored();
  keepsHere.value = consented();
}

/** After a reload: what the tab or the browser kept is laid to the case again. */
export const ready: Promise<void> = restored().then((stored) => take(stored, true));

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
