// The only way out of the model: what happened, as events that carry the kernel's tracepoint names (kernel/events.ts).
// Nobody listening costs one boolean test at the place of the event: `if (journal.heard) journal.emit(…)`.
import type { EventName } from "../kernel/events.ts";
import { eventKind } from "../kernel/events.ts";

/** Hears one event: kind (index into eventShapes), simulated nanoseconds, CPU, and up to six numbers named by the shape. */
export type Listener = (
  kind: number,
  nanos: number,
  cpu: number,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
) => void;

const refusedKind = eventKind.allocation_refused;

export interface Journal {
  /** True while somebody listens; test it before `emit`. */
  heard: boolean;
  /** The present moment; the machine's clock keeps these. */
  nanos: number;
  cpu: number;
  /** Who asks for memory now, as a text id: drivers say their call chain ("e1000_alloc_rx_buffers < e1000_open"); 0 is nobody in particular. */
  caller: number;
  /** The task that runs, by name (a text id); 0 is the CPU's idle task. */
  task: number;
  /** The card whose packets go up now, by index. */
  device: number;
  /** In which context: bits of {@link running}; 0 is the task itself. */
  level: number;
  /** True while a failure that the kernel prints is on its way back to whoever asked. */
  unwinding: boolean;
  /**
   * A request that failed returns through the function `site` (a text id): what is on the stack is told in the branches that a success
   * never takes, so that a call chain costs nothing until it is printed. A slab says which cache, and the mask its caller gave.
   */
  refused(site: number, cache?: number, gfp?: number): void;
  emit(kind: number, a?: number, b?: number, c?: number, d?: number, e?: number, f?: number): void;
  /** Listens to the named events (all, when none is named); returns the function that stops it. */
  listen(listener: Listener, ...names: readonly EventName[]): () => void;
  /** Interns a text (a call site, a message) so that events can carry it as a number. */
  textId(text: string): number;
  text(id: number): string;
}

/** Bits of {@link Journal.level}. */
export const running = {
  /** A softirq. */
  softirq: 1,
  /** A hard interrupt came in: its handler, or the softirqs at its end. */
  interrupt: 2,
} as const;

export function createJournal(): Journal {
  const listeners: { readonly hear: Listener; readonly kinds: ReadonlySet<number> | undefined }[] = [];
  const texts: string[] = [""];
  const ids = new Map<string, number>();
  const journal: Journal = {
    heard: false,
    nanos: 0,
    cpu: 0,
    caller: 0,
    task: 0,
    device: 0,
    level: 0,
    unwinding: false,
    refused(site, cache = 0, gfp = 0) {
      if (journal.unwinding) journal.emit(refusedKind, site, cache, gfp);
    },
    emit(kind, a = 0, b = 0, c = 0, d = 0, e = 0, f = 0) {
      for (const { hear, kinds } of listeners) {
        if (kinds === undefined || kinds.has(kind)) hear(kind, journal.nanos, journal.cpu, a, b, c, d, e, f);
      }
    },
    listen(hear, ...names) {
      const entry = { hear, kinds: names.length === 0 ? undefined : new Set(names.map((name) => eventKind[name])) };
      listeners.push(entry);
      journal.heard = true;
      return () => {
        const at = listeners.indexOf(entry);
        if (at >= 0) listeners.splice(at, 1);
        journal.heard = listeners.length > 0;
      };
    },
    textId(text) {
      let id = ids.get(text);
      if (id === undefined) {
        id = texts.push(text) - 1;
        ids.set(text, id);
      }
      return id;
    },
    text: (id) => texts[id] ?? `text#${id}`,
  };
  return journal;
}
