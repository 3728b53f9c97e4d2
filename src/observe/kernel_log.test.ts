import { describe, expect, test } from "vitest";
import { eventKind } from "../kernel/events.ts";
import { failureLimits } from "../kernel/facts/rate_limits.ts";
import { factAt, parseRelease } from "../kernel/release.ts";
import { createMachine } from "../model/machine.ts";
import type { KernelLog, Logged } from "./kernel_log.ts";
import { createKernelLog } from "./kernel_log.ts";
import { createRateLimiter } from "./rate_limit.ts";
import { taintNames, taintText } from "./taint.ts";

const second = 1e9;

function logged(text: string, what: (machine: ReturnType<typeof createMachine>) => void): KernelLog {
  const machine = createMachine({ release: parseRelease(text), memoryMb: 64, nics: [{ driver: "ringnic" }] });
  const log = createKernelLog(machine, 0, () => false);
  what(machine);
  return log;
}
const of = <K extends Logged["kind"]>(log: KernelLog, kind: K) =>
  log.log().filter((e): e is Extract<Logged, { kind: K }> => e.kind === kind);

describe("what is held back", () => {
  /** Failures at these seconds → how many were printed, and what was said of the rest. */
  const fails = (text: string, ...seconds: number[]): (number | string)[] => {
    const log = logged(text, ({ journal }) => {
      for (const s of seconds) {
        journal.nanos = s * second;
        journal.emit(eventKind.page_allocation_failure, 1, 0x20, 0);
      }
    });
    return log.log().map((e) => (e.kind === "line" ? e.text : e.nanos / second));
  };
  const twelve = Array.from({ length: 12 }, () => 1);

  test("2.6.24: ten at once, then one for every five seconds that pass, each naming how many were lost", () => {
    expect(fails("2.6.24", ...twelve, 2, 6)).toEqual([...twelve.slice(2), "printk: 3 messages suppressed.", 6]);
  });
  test("3.2: ten in five seconds, and the number of the others before the next", () => {
    expect(fails("3.2", ...twelve, 5, 7)).toEqual([...twelve.slice(2), "warn_alloc_failed: 3 callbacks suppressed", 7]);
  });
  test("6.1: one in ten seconds", () => {
    expect(fails("6.1", 1, 2, 10, 12)).toEqual([1, "warn_alloc: 2 callbacks suppressed", 12]);
  });
  test("a limiter never lets more through than its release says, at any moments", () => {
    for (const { since, value } of failureLimits) {
      const limiter = createRateLimiter(factAt(failureLimits, since)?.value);
      let missed = 0;
      let printed = 0;
      for (let i = 0; i < 4000; i++) {
        if (!limiter.allows(i * 0.01 * second)) continue;
        printed++;
        missed += limiter.missed();
      }
      const windows = Math.ceil(40 / value.seconds);
      expect(printed).toBeLessThanOrEqual(
        value.kind === "tokens" ? value.burst + windows : value.burst * (windows + 1),
      );
      expect(missed).toBeLessThanOrEqual(4000 - printed);
      expect(missed).toBeGreaterThanOrEqual(3000);
    }
  });
  test("from 4.11 to 5.3 the state of memory is printed once a second", () => {
    const memory = (text: string): boolean[] =>
      of(
        logged(text, ({ journal }) => {
          for (const s of [1, 1.5, 2.5]) {
            journal.nanos = s * second;
            journal.emit(eventKind.page_allocation_failure, 1, 0x20, 0);
          }
        }),
        "alloc_failure",
      ).map((e) => e.reading.memInfo !== undefined);
    expect(memory("4.19")).toEqual([true, false, true]);
    expect(memory("4.9")).toEqual([true, true, true]);
  });
});

describe("a page that was freed twice", () => {
  const twice = (text: string): KernelLog =>
    logged(text, ({ pages, journal, skbs }) => {
      const { atomic } = skbs.config.gfp;
      const [pfn = -1, ...others] = Array.from({ length: 1000 }, () => pages.allocPages(atomic, 0));
      pages.freePages(pfn, 0);
      pages.freePages(pfn, 0);
      journal.nanos = second;
      // The page lies on the CPU's list: it is looked at when that list is given back.
      for (const other of others) pages.freePages(other, 0);
      while (pages.allocPages(atomic, 5) >= 0);
    });
  test("is a bad page in the words of the release once the kernel looks, and taints the reports behind it", () => {
    for (const [text, comm] of [
      ["6.1", "swapper/0"],
      ["2.6.31-ppc32", "swapper"],
    ] as const) {
      const log = twice(text);
      const [bad] = of(log, "bad_page");
      expect(bad?.reading, text).toMatchObject({ comm, refcount: -1, mapcount: 0 });
      expect(bad?.reading.process?.taint).toBe("Not tainted");
      const [failure] = of(log, "alloc_failure");
      expect(failure?.reading.process?.taint, text).toMatch(/^Tainted: G {4}B/);
    }
  });
});

describe("a fault", () => {
  const overrun = (text: string) =>
    logged(text, ({ skbs, journal, cpus, clock }) => {
      cpus.interrupt(
        0,
        cpus.register(() => {
          const skb = skbs.allocSkb(100, skbs.config.gfp.atomic);
          skbs.skbPut(skb, 5000);
          journal.emit(eventKind.page_allocation_failure, 1, 0x20, 0);
        }),
      );
      clock.run(second, 1000);
    });
  test("in an interrupt ends the log: nobody writes behind a panic", () => {
    const log = overrun("6.1").log();
    expect(log.map((e) => e.kind)).toEqual(["skb_panic"]);
    const [panic] = of(overrun("6.1"), "skb_panic");
    expect(panic?.reading).toMatchObject({ what: "skb_over_panic", put: 5000, len: 5000, dev: "eth0" });
    expect(panic?.reading.oops).toMatchObject({ class: "bug", dieCounter: 1, source: { line: 120 } });
    expect(panic?.reading.oops?.panic).toMatch(/^Kernel panic/);
  });
});

test("taint letters stand where the release prints them", () => {
  expect(taintText(parseRelease("6.1.192"), new Set(["B", "D", "O"]))).toBe("Tainted: G    B D    O      ");
  expect(taintText(parseRelease("2.6.24"), new Set())).toBe("Not tainted");
  expect(taintText(parseRelease("7.2.12"), new Set(["O", "E"]))).toBe("Tainted: G           OE      ");
});

test("taint flags are named in a line of their own where the release has one", () => {
  expect(taintNames(parseRelease("7.2.12"), new Set(["O", "B"]))).toBe("[B]=BAD_PAGE, [O]=OOT_MODULE");
  expect(taintNames(parseRelease("6.12.117"), new Set())).toBeUndefined();
  expect(taintNames(parseRelease("6.10"), new Set(["B"]))).toBeUndefined();
  expect(taintNames(parseRelease("6.11"), new Set(["B"]))).toBe("[B]=BAD_PAGE");
});
