// Is this receive refill, receive, transmit or neither, and which driver is it?
import { failureAt } from "../../kernel/facts/drivers/index.ts";
import { nothingMissing } from "../../kernel/readings/part.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Case } from "../case.ts";
import { frameName, quote, quoteFrames, workOf } from "../case.ts";
import type { Advice, Finding } from "../finding.ts";
import { missed, shown } from "../finding.ts";
import { logCommand } from "../log_command.ts";
import { defineQuestions } from "../question.ts";
import { defineRule, shortages } from "../rule.ts";
import type { Direction } from "../stack.ts";
import { ringIsBeingMade } from "../stack.ts";

const { questions, no, unknown, yes } = defineQuestions({
  direction: { question: "Is it the network's path?", clears: "the network's path" },
  "ring.slot_lost": { question: "Is a slot of the ring lost for good?", clears: "a ring slot lost for good" },
});

const words: Readonly<Record<Direction, string>> = {
  "rx refill": "refilling a receive ring: a buffer for a packet that has not arrived yet",
  rx: "receiving: handling a packet that has arrived",
  tx: "transmitting: building or sending a packet",
  "tx completion": "freeing a packet that had been sent",
  setup: "bringing an interface up or changing it",
  neither: "not a network path: nothing of the receive or transmit side is on this stack",
};

export const direction = defineRule({
  id: "direction",
  asks: "Receive refill, receive, transmit, or neither?",
  questions,
  kinds: [...shortages, "bad_page", "oops", "skb_panic"],
  answer: (c) => {
    const { direction, driver } = c.stack;
    const bare = c.incident.kind === "alloc_failure" ? c.incident.reading.addresses : undefined;
    if (bare !== undefined)
      return [
        unknown(
          "direction",
          `The report does not say who asked: its call trace has ${bare} addresses and no names. ksymoops with the System.map of that kernel names them.`,
          quote(c, "trace", 2),
        ),
      ];
    if (c.stack.frames.length === 0)
      return [
        unknown("direction", "The report does not say who asked: its call trace is missing.", [], wholeReport(c)),
      ];
    if (direction === undefined) return [notSaid(c)];
    if (direction === "neither" && !c.incident.kind.endsWith("_failure")) return [];
    const at = frameName(c, c.stack.directionFrame);
    const who = whose(c);
    const made =
      direction === "rx refill" && ringIsBeingMade(c.stack)
        ? " The ring is being allocated, as when an interface is opened or its MTU changes."
        : "";
    const evidence = quoteFrames(c, [
      c.stack.directionFrame,
      ...(direction === "neither" ? [c.stack.caller, c.stack.frames.length - 1] : []),
      driver?.frame,
      c.stack.module?.frame,
    ]);
    if (direction === "neither") {
      const nothing = nothingMissing(c.stack.trace);
      return nothing === undefined
        ? [notSaid(c)]
        : [no("direction", `This is ${words[direction]}.${who}`, missed(nothing, evidence))];
    }
    return [
      yes(
        "direction",
        `The kernel was ${words[direction]}${at === undefined ? "" : ` (${at})`}.${made}${who}`,
        evidence,
      ),
      ...afterwards(c),
    ];
  },
});

/** The driver with what it is and where its source stands; a module that no kernel of the index builds by its name. */
function whose(c: Case): string {
  const { driver, module } = c.stack;
  if (driver !== undefined) {
    const { what } = driver.driver;
    const place = driver.place?.directory ?? "";
    return ` Driver: ${driver.driver.name} (${[what, what.startsWith(place) ? "" : place].filter((x) => x !== "").join("; ")}).`;
  }
  return module === undefined
    ? ""
    : ` Module: ${module.name}, which none of Debian's kernels from 5.10 to 7.2 builds: its source is not known here.`;
}

/** 2.4 prints no stack with a failure; there is nothing to get (mm/page_alloc.c; only 2.4.23 and later with vm.vm_gfp_debug=1). */
const wholeReport = (c: Case): readonly Advice[] =>
  atLeast(c.release, [2, 6])
    ? [
        {
          change: { kind: "evidence" },
          action: "Get the whole report, with its Call Trace",
          changes: "names the driver and whether packets are received or sent",
          costs: "nothing",
          command: logCommand(c),
        },
      ]
    : [];

/** The frames that would say it are not all there, or none of them is of the network's and the stack has no end. */
function notSaid(c: Case): Finding {
  const { frames, caller, object, objectFrame, trace } = c.stack;
  const gap = trace.state === "cut" ? ` The text lacks ${trace.lacks}.` : "";
  const packet =
    object === "skb data" || object === "skb head"
      ? ` Memory was requested for a packet (${frameName(c, objectFrame)}).`
      : "";
  const who =
    caller === undefined
      ? `its call trace stops before the function that asked${workOf(c) === undefined ? "" : ` (in ${workOf(c)})`}`
      : `the part of the stack that is there does not show it${asked(c, caller)}`;
  return unknown(
    "direction",
    `The report does not say whether packets were received or sent: ${who}.${gap}${packet}${whose(c)}`,
    quoteFrames(c, [frames.length - 1, objectFrame, c.stack.driver?.frame]),
    wholeReport(c),
  );
}

/** Who asked for the memory; a fault has nobody who asked. */
const asked = (c: Case, caller: number): string =>
  shortages.includes(c.incident.kind) ? ` (${frameName(c, caller)}${moduleOf(c, caller)} asked)` : "";

const moduleOf = (c: Case, frame: number): string => {
  const module = c.stack.frames[frame]?.module;
  return module === undefined || module === c.stack.driver?.driver.name ? "" : ` of the module ${module}`;
};

/** What the driver does with a refill that failed. */
function afterwards(c: Case): readonly Finding[] {
  const { driver, direction } = c.stack;
  if (driver === undefined || direction !== "rx refill" || c.incident.kind === "oops" || c.incident.kind === "oom")
    return [];
  const failure = failureAt(driver.driver, c.release.version);
  if (failure === undefined) return [];
  const lasting = failure.slot === "stays empty and is retried";
  // The driver's source says it; that it is this driver its frame says.
  const whose = shown(driver.driver.name, quoteFrames(c, [driver.frame]));
  return [
    no("ring.slot_lost", `No ring slot is lost for good: ${failure.sentence}`, whose, [
      ...(failure.counter === undefined
        ? []
        : [
            {
              change: { kind: "evidence" as const },
              action: `Watch ${failure.counter}`,
              changes: lasting
                ? "shows whether the ring really ran empty"
                : "counts the packets that were dropped for this reason",
              costs: "nothing",
              command: failure.counterCommand ?? "ethtool -S IFACE; ip -s link show IFACE",
            },
          ]),
    ]),
  ];
}
