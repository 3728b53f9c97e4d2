// CPUs as the network path sees them: hard interrupts, softirqs behind them, and the time that work takes. An event of the clock runs at
// once; what it cost makes the CPU busy, and the next work for that CPU waits until it is free. kernel/softirq.c, 6.1.
import { assert } from "../../base/assert.ts";
import type { Journal } from "../journal.ts";
import { running } from "../journal.ts";
import type { Clock } from "./clock.ts";

/** Softirqs by number, as the kernel counts them. */
export const softirq = { netTx: 2, netRx: 3 } as const;

export interface Cpus {
  readonly count: number;
  /** Registers work: a hard interrupt's handler, a timer's, or that of the task of that name. Its number is for `interrupt` and `work`. */
  register(run: (a: number, b: number) => void, task?: string): number;
  /** A hard interrupt on a CPU; softirqs raised inside run behind it. `a` below 2^32. */
  interrupt(cpu: number, work: number, a?: number, b?: number): void;
  /** The same without an interrupt's cost, `delayNanos` from now: a task or a timer on that CPU. */
  work(cpu: number, delayNanos: number, work: number, a?: number, b?: number): void;
  /** open_softirq(). */
  openSoftirq(nr: number, run: (cpu: number) => void): void;
  /** raise_softirq(): runs when the present interrupt ends, or soon when outside one. */
  raise(cpu: number, nr: number): void;
  /** The CPU that runs now. */
  current(): number;
  /** The present work takes this long on the present CPU. */
  spend(nanos: number): void;
  /** Nanoseconds each CPU was busy since boot. */
  busyNanos(cpu: number): number;
}

const interruptNanos = 700;
/** After this many rounds the rest goes to ksoftirqd (MAX_SOFTIRQ_RESTART). */
const restartMax = 10;
const ksoftirqdNanos = 20_000;

export function createCpus(clock: Clock, journal: Journal, count: number): Cpus {
  const busyUntil = new Float64Array(count);
  const busy = new Float64Array(count);
  const pending = new Int32Array(count);
  const queued = new Uint8Array(count);
  const softirqs: ((cpu: number) => void)[] = [];
  const works: ((a: number, b: number) => void)[] = [];
  /** The task each work belongs to, and each CPU's ksoftirqd: text ids. */
  const tasks: number[] = [];
  const ksoftirqd = Array.from({ length: count }, (_, c) => journal.textId(`ksoftirqd/${c}`));
  let cpu = 0;
  let depth = 0;

  const enter = (c: number, task: number, level: number): void => {
    cpu = c;
    journal.cpu = c;
    journal.task = task;
    journal.level = level;
    journal.caller = 0;
    depth++;
    if (busyUntil[c]! < clock.now()) busyUntil[c] = clock.now();
  };

  const runSoftirqs = (c: number): void => {
    for (let round = 0; pending[c] !== 0; round++) {
      if (round === restartMax) {
        queued[c] = 1;
        clock.after(busyUntil[c]! - clock.now() + ksoftirqdNanos, softirqHandler, c);
        return;
      }
      const bits = pending[c]!;
      pending[c] = 0;
      for (let nr = 0; bits >> nr !== 0; nr++) {
        if (((bits >> nr) & 1) === 0) continue;
        journal.caller = 0;
        softirqs[nr]?.(c);
      }
    }
  };

  const leave = (c: number): void => {
    if (depth === 1 && queued[c] === 0) {
      journal.level |= running.softirq;
      runSoftirqs(c);
    }
    depth--;
    journal.task = 0;
    journal.level = 0;
  };

  const softirqHandler = clock.handler((c) => {
    queued[c] = 0;
    if (busyUntil[c]! > clock.now()) {
      queued[c] = 1;
      clock.after(busyUntil[c]! - clock.now(), softirqHandler, c);
      return;
    }
    enter(c, ksoftirqd[c]!, 0);
    leave(c);
  });

  // Work for a CPU that is busy waits in line until it is free; one event a CPU wakes the line, so that a long line costs no more than a short
  // one. CPU, work and whether it is an interrupt ride in one number with `a`.
  const lines = Array.from({ length: count }, () => createLine());
  const wakeHandler = clock.handler((c) => {
    const line = lines[c]!;
    if (busyUntil[c]! <= clock.now()) line.take(run);
    if (line.waiting() > 0) clock.after(busyUntil[c]! - clock.now(), wakeHandler, c);
  });
  const workHandler = clock.handler((packed, b) => {
    const c = packed % 256;
    const line = lines[c]!;
    const first = line.waiting() === 0;
    if (first && busyUntil[c]! <= clock.now()) {
      run(packed, b);
      return;
    }
    line.put(packed, b);
    if (first) clock.after(busyUntil[c]! - clock.now(), wakeHandler, c);
  });
  const run = (packed: number, b: number): void => {
    const c = packed % 256;
    const rest = Math.floor(packed / 256);
    const which = (rest % 4096) >> 1;
    const hard = (rest & 1) !== 0;
    enter(c, hard ? 0 : tasks[which]!, hard ? running.interrupt : 0);
    if (hard) {
      busyUntil[c]! += interruptNanos;
      busy[c]! += interruptNanos;
    }
    works[which]?.(Math.floor(rest / 4096), b);
    leave(c);
  };
  const pack = (c: number, which: number, hard: 0 | 1, a: number): number => c + (which * 2 + hard) * 256 + a * 1048576;

  return {
    count,
    register(run, task = "") {
      assert(works.length < 2048, "2048 kinds of work are registered: register once, not per packet");
      tasks.push(journal.textId(task));
      return works.push(run) - 1;
    },
    interrupt(c, which, a = 0, b = 0) {
      clock.after(0, workHandler, pack(c, which, 1, a), b);
    },
    work(c, delayNanos, which, a = 0, b = 0) {
      clock.after(delayNanos, workHandler, pack(c, which, 0, a), b);
    },
    openSoftirq(nr, run) {
      softirqs[nr] = run;
    },
    raise(c, nr) {
      pending[c]! |= 1 << nr;
      if (depth > 0 && c === cpu) return;
      if (queued[c] !== 0) return;
      queued[c] = 1;
      clock.after(Math.max(0, busyUntil[c]! - clock.now()), softirqHandler, c);
    },
    current: () => cpu,
    spend(nanos) {
      busyUntil[cpu]! += nanos;
      busy[cpu]! += nanos;
    },
    busyNanos: (c) => busy[c]!,
  };
}

/** First in, first out; pairs of numbers. */
function createLine() {
  let capacity = 64;
  let pairs = new Float64Array(capacity * 2);
  let head = 0;
  let count = 0;
  return {
    waiting: () => count,
    put(a: number, b: number): void {
      if (count === capacity) {
        const wide = new Float64Array(capacity * 4);
        for (let i = 0; i < count; i++) {
          const from = ((head + i) % capacity) * 2;
          wide[i * 2] = pairs[from]!;
          wide[i * 2 + 1] = pairs[from + 1]!;
        }
        pairs = wide;
        capacity *= 2;
        head = 0;
      }
      const at = ((head + count++) % capacity) * 2;
      pairs[at] = a;
      pairs[at + 1] = b;
    },
    take(use: (a: number, b: number) => void): void {
      const at = head * 2;
      head = (head + 1) % capacity;
      count--;
      use(pairs[at]!, pairs[at + 1]!);
    },
  };
}
