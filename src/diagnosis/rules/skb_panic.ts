// skb_over_panic and skb_under_panic: a put or a push left the linear buffer. All numbers are in the line.
import type { SkbPanic } from "../../kernel/readings/skb_panic.ts";
import type { Case } from "../case.ts";
import { frameName, quote, quoteFrames } from "../case.ts";
import type { Finding } from "../finding.ts";
import { no, unknown, yes } from "../finding.ts";
import type { Rule } from "../rule.ts";
import { count } from "../words.ts";

export const skbPanic: Rule = {
  id: "skb_panic",
  asks: "By how much did the packet leave its buffer, and who pushed it?",
  kinds: ["skb_panic"],
  answer: (c) => (c.incident.kind === "skb_panic" ? explain(c, c.incident.reading) : []),
};

interface Geometry {
  readonly room: number;
  readonly headroom: number;
  readonly beyond: number;
}

/** Bytes: the whole linear buffer, the room before the data, and how far the data now stands outside. */
export function geometryOf(p: SkbPanic): Geometry | undefined {
  const hex = (text: string | undefined): bigint | undefined => {
    const digits = /^(?:0x)?([0-9a-f]+)$/i.exec(text ?? "")?.[1];
    return digits === undefined ? undefined : BigInt(`0x${digits}`);
  };
  const [head, data, tail, end] = [hex(p.head), hex(p.data), hex(p.tail), hex(p.end)];
  if (head === undefined || data === undefined || tail === undefined || end === undefined) return undefined;
  // Offsets since 2.6.22 on 64-bit, pointers otherwise: a pointer is never smaller than head.
  const asOffset = (x: bigint): bigint => (x >= head && head > 0n ? x - head : x);
  const room = asOffset(end);
  const stop = asOffset(tail);
  const start = data - head;
  const beyond = p.what === "skb_over_panic" ? stop - room : -start;
  return { room: Number(room), headroom: Number(start), beyond: Number(beyond) };
}

function explain(c: Case, p: SkbPanic): readonly Finding[] {
  const over = p.what === "skb_over_panic";
  const line = quote(c, "headline", 1);
  const g = geometryOf(p);
  const pusher = c.stack.frames.findIndex(
    (f) =>
      f.reliable &&
      !/^(skb_panic|skb_over_panic|skb_under_panic|skb_put|skb_push|__skb_put|__skb_push)/.test(f.function),
  );
  const who = frameName(c, pusher < 0 ? undefined : pusher);
  const found: Finding[] = [];
  if (g !== undefined && g.beyond <= 0)
    found.push(
      unknown(
        "skb_panic.bounds",
        `The numbers as printed do not leave the buffer (tail ${p.tail}, end ${p.end}, data ${p.data}, head ${p.head}): a digit was lost or changed on the way.`,
        line,
      ),
    );
  else if (g !== undefined)
    found.push(
      yes(
        "skb_panic.bounds",
        over
          ? `${count(p.put, "byte")} were appended to a packet whose linear buffer holds ${g.room}: the data would have ended ${count(g.beyond, "byte")} behind it (len ${p.len}). Without this check skb_shared_info would have been overwritten.`
          : `${count(p.put, "byte")} were put in front of a packet that had ${g.headroom + p.put} bytes of headroom: the data would have begun ${count(g.beyond, "byte")} before the buffer (len ${p.len}).`,
        line,
        [
          over
            ? {
                change: { kind: "code" },
                action: `Find why ${who ?? "the caller"} trusts a length that is larger than the buffer (a hardware length, a larger MTU than the buffers were made for, corrupted descriptors)`,
                changes: "stops the panic",
                costs: "a driver fix or update; until then a smaller MTU on the sending side avoids it",
                command: "ip link show; ethtool -g IFACE; ethtool -i IFACE",
              }
            : {
                change: { kind: "code" },
                action: `Make ${who ?? "the caller"} check or extend the headroom (skb_cow_head) before it adds a header`,
                changes: "stops the panic",
                costs: "a fix in the module that adds the header; until then take the tunnel or VLAN off that device",
                command: "ip -d link show",
              },
        ],
      ),
    );
  if (who !== undefined)
    found.push(
      yes(
        "skb_panic.who",
        `${who} changed the packet${c.stack.frames[pusher]?.module === undefined ? "" : `, a function of the module ${c.stack.frames[pusher]?.module}`}.`,
        quoteFrames(c, [pusher]),
      ),
    );
  found.push(
    (p.dev === undefined || p.dev === "<NULL>" ? unknown : yes)(
      "skb_panic.dev",
      p.dev === undefined || p.dev === "<NULL>"
        ? "The report does not say which device: the packet had none set yet."
        : `The packet belonged to ${p.dev}.`,
      line,
    ),
    no(
      "fragmentation",
      "This is not a shortage of memory: a length or a header did not fit the buffer that was there.",
      line,
    ),
  );
  return found;
}
