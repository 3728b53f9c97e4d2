// What outlives a page: answers, places, settings. A page that is left and opened again finds what it had; nothing of it leaves the tab.
import type { Signal } from "@preact/signals";
import { signal } from "@preact/signals";

const cells = new Map<string, { readonly held: Signal<unknown>; readonly initial: unknown }>();

/** The cell of this name; `initial` counts when it is first asked for. */
export function kept<T>(name: string, initial: T): Signal<T> {
  const known = cells.get(name) ?? { held: signal<unknown>(initial), initial };
  cells.set(name, known);
  return known.held as Signal<T>;
}

/** As useState, in a cell that stays. */
export function useKept<T>(name: string, initial: T): readonly [T, (value: T) => void] {
  const cell = kept(name, initial);
  return [
    cell.value,
    (value) => {
      cell.value = value;
    },
  ];
}

/** Every cell as it was at first. */
export function forgetKept(): void {
  for (const { held, initial } of cells.values()) held.value = initial;
}
