// What the hand rests on: a claim lights its lines in the log, a line of the log lights the claims that rest on it.
import { signal } from "@preact/signals";

export type Hot =
  | { readonly kind: "claim"; readonly id: string }
  | { readonly kind: "line"; readonly input: string; readonly line: number }
  | undefined;

export const hot = signal<Hot>(undefined);

/** Handlers that say that the hand, or the keyboard, is on something. */
export const warms = (
  what: NonNullable<Hot>,
): { onMouseEnter: () => void; onMouseLeave: () => void; onFocusIn: () => void } => ({
  onMouseEnter: () => {
    hot.value = what;
  },
  onMouseLeave: () => {
    hot.value = undefined;
  },
  onFocusIn: () => {
    hot.value = what;
  },
});
