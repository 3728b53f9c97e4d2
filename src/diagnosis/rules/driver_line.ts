// A driver or protocol says that it could not get memory and the kernel's own report is not there: the size is in the line, the order follows.
import { quote } from "../case.ts";
import { unknown, yes } from "../finding.ts";
import { logCommand } from "../log_command.ts";
import type { Rule } from "../rule.ts";
import { machineOf } from "../wanted.ts";
import { orderWords, size } from "../words.ts";

export const driverLine: Rule = {
  id: "driver_line",
  asks: "What does the size in a driver's own message mean for the page allocator?",
  kinds: ["driver_line"],
  answer: (c) => {
    if (c.incident.kind !== "driver_line") return [];
    const { bytes, text } = c.incident.reading;
    const line = quote(c, "headline", 1);
    if (bytes === undefined)
      return [
        unknown("driver_line.size", `"${text}" does not say how much memory was wanted.`, line, [
          {
            change: { kind: "evidence" },
            action: "Look for the page allocation failure that belongs to it",
            changes: "names the order, the mask and the state of memory",
            costs: "nothing",
            command: `${logCommand(c)} | grep -B2 -A60 'allocation fail'`,
          },
        ]),
      ];
    const m = machineOf(c);
    if (m === undefined) return [];
    const data = Math.ceil((bytes + m.rx.netSkbPad) / m.rx.cacheLine) * m.rx.cacheLine + m.rx.sharedInfo;
    const answer = m.kmalloc.forSize(data);
    return [
      yes(
        "driver_line.size",
        `A packet buffer of ${size(bytes)} takes ${data} bytes with pads and skb_shared_info. ${answer.because} A failure of it means that ${orderWords(answer.minOrder, c.pageKb)} could not be had.`,
        line,
      ),
    ];
  },
};
