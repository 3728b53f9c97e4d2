// What was wanted, and which MTU needs which order on this driver?

import { mtuTable } from "../buffers.ts";
import type { Case } from "../case.ts";
import { quote, quoteFrames } from "../case.ts";
import type { Finding, MtuTable } from "../finding.ts";
import { no, unknown, yes } from "../finding.ts";
import { maskOf } from "../mask.ts";
import { type Rule, shortages } from "../rule.ts";
import { machineOf, wantedOf } from "../wanted.ts";
import { capital, listing, orderWords } from "../words.ts";

export const wanted: Rule = {
  id: "wanted",
  asks: "Which object was wanted, how large is it, and which block does it need?",
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
        ),
      );
    return found;
  },
};

/** Order and mask in words. */
function asked(c: Case): Finding | undefined {
  const mask = maskOf(c);
  if (c.order === undefined || mask === undefined) return undefined;
  const wait = mask.maySleep ? "may wait and reclaim" : "may not wait for memory";
  const reserve = mask.high ? ", and may use part of the reserve" : "";
  return yes(
    "wanted.request",
    `The request was ${orderWords(c.order, c.pageKb)} with ${mask.hex} = ${mask.text}: it ${wait}${reserve}.${mask.disagrees === undefined ? "" : ` Note: ${mask.disagrees}.`}`,
    quote(c, "headline", 1),
  );
}

/** The table of MTUs of the case's driver; undefined without a known driver. */
export function tableOf(c: Case): MtuTable | undefined {
  const driver = c.stack.driver?.driver;
  const machine = machineOf(c);
  return driver === undefined || driver.family !== undefined || machine === undefined
    ? undefined
    : mtuTable(driver, machine);
}

export const mtu: Rule = {
  id: "mtu",
  asks: "Which MTU keeps every packet within one page on this driver and kernel?",
  kinds: ["alloc_failure", "slab_failure", "oops"],
  answer: (c) => {
    const table = tableOf(c);
    const driver = c.stack.driver?.driver;
    if (table === undefined || driver === undefined) return [];
    const changes = new Set(table.rows.map((r) => r.order)).size > 1;
    const steps = ordersByMtu(table);
    const claim =
      table.orderZeroUpTo === null
        ? `On ${driver.name} no MTU keeps a receive buffer at order 0 on this kernel${changes ? `: ${steps}` : ` (${steps})`}.`
        : !changes
          ? `On ${driver.name} every MTU stays at order 0 on this kernel.`
          : `On ${driver.name} the largest MTU that stays at order 0 on this kernel is ${table.orderZeroUpTo}: ${steps}.`;
    const here = interfaces(c, table);
    const smaller = changes && table.orderZeroUpTo !== null && (c.order ?? 0) > 0 && c.stack.direction !== "tx";
    return [
      ...here,
      (table.orderZeroUpTo === null ? no : yes)(
        "mtu.order_zero",
        capital(claim),
        quoteFrames(c, [c.stack.driver?.frame]),
        [
          ...(smaller
            ? [
                {
                  change: { kind: "mtu" as const, mtu: table.orderZeroUpTo },
                  action: `Set the MTU to ${table.orderZeroUpTo} or less`,
                  changes:
                    "receive buffers no longer need blocks of several pages, so fragmentation cannot refuse them",
                  costs:
                    "more packets for the same data: higher CPU load and less throughput; all hosts of that network must agree",
                  command: `ip link set dev IFACE mtu ${table.orderZeroUpTo}`,
                },
              ]
            : []),
        ],
      ),
    ];
  },
};

/** Interfaces whose MTU the inputs tell, and what it needs. */
function interfaces(c: Case, table: MtuTable): readonly Finding[] {
  return [...c.around.mtus].slice(0, 8).flatMap(([name, told]) => {
    const row = table.rows.find((r) => r.from <= told.value && told.value <= r.to);
    if (row === undefined) return [];
    return [
      (row.order === 0 ? yes : no)(
        `mtu.interface.${name}`,
        `Does ${name} with its MTU of ${told.value} stay at order 0, if it is the ${table.driver}? Order ${row.order}: ${row.needs.join("; ")}.`,
        [told.quote],
      ),
    ];
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
