// What was wanted, and which MTU needs which order on this driver?

import type { DriverFacts } from "../../kernel/facts/drivers/driver.ts";
import { rxRuleAt } from "../../kernel/facts/drivers/index.ts";
import { isKnown } from "../../kernel/readings/part.ts";
import { mtuTable } from "../buffers.ts";
import type { Case } from "../case.ts";
import { quote, quoteFrames } from "../case.ts";
import type { Advice, Finding, MtuTable } from "../finding.ts";
import { shown } from "../finding.ts";
import { maskOf } from "../mask.ts";
import { defineQuestions } from "../question.ts";
import { defineRule, shortages } from "../rule.ts";
import { confirmsFacts, contradictsFacts, machineOf, wantedOf } from "../wanted.ts";
import { capital, listing, orderWords } from "../words.ts";

const { questions, answering, no, unknown, yes } = defineQuestions({
  "wanted.object": {},
  "wanted.request": { question: "What was asked for?", open: true },
  "mtu.order_zero": { question: "Is there an MTU that keeps receive buffers within one page?" },
  "mtu.large_buffer": {},
  "mtu.interface.": {},
});

export const wanted = defineRule({
  id: "wanted",
  asks: "Which object was wanted, how large is it, and which block does it need?",
  questions,
  kinds: [...shortages],
  answer: (c) => {
    const w = wantedOf(c);
    const found: Finding[] = [asked(c)].filter((f) => f !== undefined);
    if (w !== undefined)
      found.push(
        (w.certain ? yes : unknown)(
          "wanted.object",
          `Wanted was ${w.sentence}.${w.excluded.length === 0 ? "" : ` Not possible with this stack and order: ${listing(w.excluded.slice(0, 4))}.`}`,
          quoteFrames(c, [c.stack.pathFrame, c.stack.objectFrame, c.stack.driver?.frame]),
          w.cures ?? [],
        ),
      );
    return found;
  },
});

/** Order and mask in words. */
function asked(c: Case): Finding | undefined {
  const mask = maskOf(c);
  if (c.order === undefined || mask === undefined) return undefined;
  const wait = mask.maySleep ? "may wait and reclaim" : "may not wait for memory";
  const reserve = mask.high ? ", and may use part of the reserve" : "";
  return yes(
    "wanted.request",
    `The request was ${orderWords(c.order, c.pageKb)} with ${mask.hex} = ${mask.text}: it ${wait}${reserve}.${mask.disagrees === undefined ? "" : ` Note: ${mask.disagrees}.`}${c.pageSizeShown ? "" : " The size is that of 4 KiB pages, which is assumed: the report does not show the page size."}`,
    quote(c, "headline", 1),
  );
}

/** The table of MTUs of the case's driver; undefined without a known driver. */
export function tableOf(c: Case): MtuTable | undefined {
  const driver = c.stack.driver?.driver;
  const machine = machineOf(c);
  return driver === undefined || driver.family !== undefined || machine === undefined || contradictsFacts(c)
    ? undefined
    : mtuTable(driver, machine);
}

/** The report asks otherwise than the facts say: whose facts they are, and that no table of theirs is this machine's. */
function contradicted(c: Case, driver: DriverFacts): Finding {
  const rule = rxRuleAt(driver, c.release.version);
  return unknown(
    "mtu.order_zero",
    `What is known of ${driver.name} does not lead to this request${c.order === undefined ? "" : ` (${orderWords(c.order, c.pageKb)})`}: the driver of this machine is another build${rule === undefined ? "" : `, or its source differs from what was read (${rule.source})`}. The report does not say which MTU needs which order on it.`,
    [...quote(c, "headline", 1), ...quoteFrames(c, [c.stack.driver?.frame])],
    c.order === 0 ? [] : [lookAtMtu],
  );
}

/** At an MTU of 1500 a packet with its pads and skb_shared_info fits into 2 or 4 KiB. */
const lookAtMtu: Advice = {
  change: { kind: "mtu", mtu: 1500 },
  action: "Look at the MTU of the interface first, and set it to 1500 if it is larger",
  changes:
    "a driver that sizes its receive buffers by the MTU then asks for no more than a page; one with large buffers of a fixed size stays as it is",
  costs: "more packets for the same data; all hosts of that network must agree",
  command: "ip link show; ip link set dev IFACE mtu 1500",
};

/** A receive buffer of several pages, whoever the driver is. */
function largeBuffer(c: Case): readonly Finding[] {
  const { direction, object, path, driver } = c.stack;
  const buffer = object === "skb data" || path === "page_pool" || path === "pages";
  if (c.incident.kind !== "alloc_failure" || c.order === undefined || c.order < 1 || c.order > 4 || !buffer) return [];
  if (direction !== "rx refill" && direction !== "rx") return [];
  const whose = driver === undefined ? "" : ` of ${driver.driver.name}`;
  return [
    unknown(
      "mtu.large_buffer",
      `A receive buffer${whose} of ${orderWords(c.order, c.pageKb)} belongs to a large MTU (jumbo frames, above 1500), or to a driver whose buffers are that large at every MTU: at an MTU of 1500 one packet needs about 2 KiB. The report does not say the MTU.`,
      [...quote(c, "headline", 1), ...quoteFrames(c, [c.stack.objectFrame, c.stack.directionFrame])],
      [lookAtMtu],
    ),
  ];
}

export const mtu = defineRule({
  id: "mtu",
  asks: "Which MTU keeps every packet within one page on this driver and kernel?",
  questions,
  kinds: ["alloc_failure", "slab_failure", "oops"],
  answer: (c) => {
    const driver = c.stack.driver?.driver;
    if (driver !== undefined && contradictsFacts(c)) return [contradicted(c, driver)];
    const table = tableOf(c);
    if (table === undefined || driver === undefined) return driver?.family === undefined ? largeBuffer(c) : [];
    const changes = new Set(table.rows.map((r) => r.order)).size > 1;
    const steps = ordersByMtu(table);
    const claim =
      table.orderZeroUpTo === null
        ? `On ${driver.name} no MTU keeps a receive buffer at order 0 on this kernel${changes ? `: ${steps}` : ` (${steps})`}.`
        : !changes
          ? `On ${driver.name} every MTU stays at order 0 on this kernel.`
          : `On ${driver.name} the largest MTU that stays at order 0 on this kernel is ${table.orderZeroUpTo}: ${steps}.`;
    const confirmed = confirmsFacts(c);
    const said = confirmed
      ? claim
      : `${claim} That is what the source says; this report does not show that the driver of this machine asks that way.`;
    const here = interfaces(c, table);
    // Where neither packets are received nor a buffer is made the MTU has no part in it.
    const buffers = confirmed || c.stack.direction?.startsWith("rx") === true || c.stack.object.startsWith("skb");
    const smaller =
      buffers &&
      changes &&
      table.orderZeroUpTo !== null &&
      isKnown(c.order, (n) => n > 0) &&
      c.stack.direction !== "tx";
    const advice: readonly Advice[] = smaller
      ? [
          {
            change: { kind: "mtu", mtu: table.orderZeroUpTo },
            action: `Set the MTU to ${table.orderZeroUpTo} or less`,
            changes: "receive buffers no longer need blocks of several pages, so fragmentation cannot refuse them",
            costs:
              "more packets for the same data: higher CPU load and less throughput; all hosts of that network must agree",
            command: `ip link set dev IFACE mtu ${table.orderZeroUpTo}`,
          },
        ]
      : [];
    // The facts of the driver say it; that the machine's driver asks as they do the report has shown.
    const by = shown(driver.name, quoteFrames(c, [c.stack.driver?.frame]));
    const answer = !confirmed ? "unknown" : table.orderZeroUpTo === null ? "no" : "yes";
    return [...here, answering(answer)("mtu.order_zero", capital(said), by, advice)];
  },
});

/** Interfaces whose MTU the inputs tell, and what it needs. */
function interfaces(c: Case, table: MtuTable): readonly Finding[] {
  return [...c.around.mtus].slice(0, 8).flatMap(([name, told]) => {
    const row = table.rows.find((r) => r.from <= told.value && told.value <= r.to);
    if (row === undefined) return [];
    const claim = `Does ${name} with its MTU of ${told.value} stay at order 0, if it is the ${table.driver}? Order ${row.order}: ${row.needs.join("; ")}.`;
    const by = shown(told.value, [told.quote]);
    return [row.order === 0 ? yes(`mtu.interface.${name}`, claim, by) : no(`mtu.interface.${name}`, claim, by)];
  });
}

/** `order 0 up to 1500, order 1 from 1501 to 7820, order 2 above`. */
function ordersByMtu(table: MtuTable): string {
  const merged: { from: number; to: number; order: number }[] = [];
  for (const row of table.rows) {
    const last = merged.at(-1);
    if (last !== undefined && last.order === row.order) last.to = row.to;
    else merged.push({ from: row.from, to: row.to, order: row.order });
  }
  if (merged.length === 1) return `order ${merged[0]?.order} at every MTU`;
  return listing(
    merged.map((m, i) =>
      i === 0
        ? `order ${m.order} up to ${m.to}`
        : i === merged.length - 1
          ? `order ${m.order} from ${m.from}`
          : `order ${m.order} from ${m.from} to ${m.to}`,
    ),
  );
}
