// Honest holes: what the machine lacks stands at its true place in the parts list, and touching it writes a journal entry. Never silence.
import { eventKind } from "../kernel/events.ts";
import type { Journal } from "./journal.ts";

export interface Hole {
  readonly what: string;
  /** The kernel's function or file that does it. */
  readonly symbol: string;
  /** Says that a run came here. */
  touch(): void;
}

export function notModelled(journal: Journal, what: string, symbol: string): Hole {
  const id = journal.textId(`${what} (${symbol})`);
  return {
    what,
    symbol,
    touch() {
      if (journal.heard) journal.emit(eventKind.not_modelled, id);
    },
  };
}
