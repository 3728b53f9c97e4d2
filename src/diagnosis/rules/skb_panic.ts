// skb_over_panic and skb_under_panic: a put or a push left the linear buffer. What is said of it depends on which numbers of the line are
// real, on who wrote before the check, and on where the length came from.

import { isKnown, nothingMissing } from "../../kernel/readings/part.ts";
import type { SkbPanic } from "../../kernel/readings/skb_panic.ts";
import type { Case } from "../case.ts";
import { byKind, frameName, quote, quoteFrames } from "../case.ts";
import type { Advice, Finding } from "../finding.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";
import type { SkbGeometry } from "../skb_geometry.ts";
import { skbGeometry } from "../skb_geometry.ts";
import { count } from "../words.ts";
import { ofFragmentation } from "./fragmentation.ts";

const { questions, no, unknown, yes } = defineQuestions({
  "skb_panic.hashed": { question: "Are its pointers hashed?" },
  ...ofFragmentation,
  "skb_panic.bounds": { question: "How far past the buffer did it go?", open: true, rank: 6 },
  "skb_panic.flipped": { question: "Is a bit of the packet's pointer flipped?", rank: 13 },
  "skb_panic.who": { question: "Who changed the packet?", open: true },
  "skb_panic.dev": { question: "Is the device known?" },
});

export const skbPanic = defineRule({
  id: "skb_panic",
  asks: "By how much did the packet leave its buffer, and who pushed it?",
  questions,
  kinds: ["skb_panic"],
  answer: (c) => (c.incident.kind === "skb_panic" ? explain(c, c.incident.reading) : []),
});

/** Where the length came from, which says who can be wrong and who may have written already; `other`: a descriptor, or nobody knows. */
type Source = "guest" | "local" | "other";

const putters = /^(?:skb_panic|skb_over_panic|skb_under_panic|skb_put|skb_push|__skb_put|__skb_push)/;
const receiving = /poll|_rx|rx_|clean_|napi|tasklet|_irq|interrupt|giveback_urb|netif_receive|gether/;
const sending = /sendmsg|sendto|_xmit|tx_fixup|_output|write/;

/** Index of the frame that put or pushed. */
const pusherOf = (c: Case): number => c.stack.frames.findIndex((f) => f.reliable && !putters.test(f.function));

function sourceOf(c: Case): Source {
  const names = c.stack.frames.map((f) => f.function);
  const pusher = names[pusherOf(c)] ?? "";
  if (/^(?:vhost|handle_tx|virtio_transport|xenvif)/.test(pusher)) return "guest";
  const first = names.find((n) => receiving.test(n) || sending.test(n));
  if (first === undefined || !sending.test(first) || /_rx|rx_/.test(first)) return "other";
  // What a sender hands on may have come back as a received packet: that no such frame stands between only the frames between say.
  return nothingMissing(c.stack.joined) === undefined ? "other" : "local";
}

/** Whether the bytes may lie in memory already: on receive the device or the driver writes before skb_put() is called. */
export const mayBeWritten = (c: Case): boolean => sourceOf(c) !== "local";

const allOnes = (n: number | undefined): boolean => n === 0xffff || n === 0x3fff || n === -1;

function explain(c: Case, p: SkbPanic): readonly Finding[] {
  const line = quote(c, "headline", 1);
  const g = skbGeometry(p, c.verdict.version);
  return [
    ...(g.flipped === undefined ? bounds(c, p, g) : flipped(c, p, g.flipped)),
    ...(g.hashed
      ? [
          yes(
            "skb_panic.hashed",
            "text, head and data in this line are hashed (%p, 4.15 to 5.7), not real addresses: nothing was lost, and nothing is computed with them.",
            line,
          ),
        ]
      : []),
    ...who(c),
    device(c, p),
    no(
      "fragmentation",
      "This is not a shortage of memory: a length or a header did not fit the buffer that was there.",
      byKind(c, line),
    ),
  ];
}

function bounds(c: Case, p: SkbPanic, g: SkbGeometry): readonly Finding[] {
  const line = quote(c, "headline", 1);
  const put = p.put === undefined ? "More bytes than fit" : count(p.put, "byte");
  const were = p.put === 1 ? "was" : "were";
  const over = p.what === "skb_over_panic";
  if (g.beyond === undefined) {
    const lacks =
      p.dev === undefined && p.form === "2.6" ? " The line is cut: what stood behind would have said by how much." : "";
    return [
      unknown(
        "skb_panic.bounds",
        `${noPlace(p, g)}${put} ${were} ${over ? "appended to a packet whose buffer does not hold them" : "put in front of a packet that had no room for them"}.${lacks === "" ? " The report does not say by how much." : lacks}`,
        line,
        advice(c, p),
      ),
    ];
  }
  if (g.beyond <= 0)
    return [
      unknown(
        "skb_panic.bounds",
        `The numbers as printed do not leave the buffer (${numbersOf(p)}): a digit was lost or changed on the way.`,
        line,
      ),
    ];
  return [
    yes("skb_panic.bounds", over ? overWords(c, p, g, put, were) : underWords(p, g, put, were), line, advice(c, p)),
  ];
}

function flipped(c: Case, p: SkbPanic, { bit, expected }: NonNullable<SkbGeometry["flipped"]>): readonly Finding[] {
  return [
    yes(
      "skb_panic.flipped",
      `data is ${p.data}, and head, tail and len put it at ${expected}: bit ${bit} is flipped. The packet had room; its pointer was damaged.`,
      quote(c, "headline", 1),
      [
        {
          change: { kind: "evidence" },
          action: "Test the memory (memtest86+), and look at its errors in the log",
          changes: "tells bad RAM from code that writes a bit where it should not",
          costs: "hours without the machine",
          command: "journalctl -k -b --no-pager | grep -iE 'edac|mce|hardware error'",
        },
      ],
    ),
  ];
}

const numbersOf = (p: SkbPanic): string =>
  (["tail", "end", "data", "head"] as const).flatMap((n) => (p[n] === undefined ? [] : [`${n} ${p[n]}`])).join(", ");

/** A tail that is no offset into any buffer: it was not a length that was wrong. */
function noPlace(p: SkbPanic, g: SkbGeometry): string {
  return g.room !== undefined &&
    p.tail !== undefined &&
    p.what === "skb_over_panic" &&
    /^(?:0x)?(?:[0-9a-f]{8}){1,2}$/i.test(p.tail)
    ? `The packet's tail, ${p.tail}, is no place in a buffer of ${count(g.room, "byte")}: its own fields are wrong, not only a length, as when a driver stores a pointer where an offset belongs. `
    : "";
}

function overWords(c: Case, p: SkbPanic, g: SkbGeometry, put: string, were: string): string {
  const room = g.room === undefined ? "" : ` of a packet whose linear buffer has ${count(g.room, "byte")}`;
  const written = mayBeWritten(c)
    ? "On receive the device or the driver writes before it calls skb_put(): what lies behind the end, skb_shared_info first, may hold those bytes already."
    : "The processor itself was about to write: skb_put() is called before the copy, so the check came first.";
  return `${put} ${were} appended to the data${room}: its end would be ${count(g.beyond as number, "byte")} behind the buffer's (len ${p.len ?? "?"}). ${written}`;
}

function underWords(p: SkbPanic, g: SkbGeometry, put: string, were: string): string {
  const beyond = g.beyond as number;
  const had = p.put === undefined ? "" : ` that had ${count(p.put - beyond, "byte")} of headroom`;
  return `${put} ${were} put in front of a packet${had}: the data would have begun ${count(beyond, "byte")} before the buffer (len ${p.len ?? "?"}). skb_push() comes before the header is written.`;
}

function advice(c: Case, p: SkbPanic): readonly Advice[] {
  const name = frameName(c, pusherOf(c) < 0 ? undefined : pusherOf(c)) ?? "the caller";
  const code = (action: string, costs: string, command?: string): Advice => ({
    change: { kind: "code" },
    action,
    changes: "stops the panic",
    costs,
    ...(command === undefined ? {} : { command }),
  });
  if (p.what === "skb_under_panic")
    return [
      code(
        `Make ${name} check or extend the headroom (skb_cow_head) before it adds a header`,
        "a fix in the module that adds the header; until then take the tunnel or VLAN off that device",
        "ip -d link show",
      ),
    ];
  if (allOnes(p.put) || allOnes(p.len))
    return [
      code(
        `Make ${name} check the status and the length of the descriptor: ${allOnes(p.put) ? p.put : p.len} is a length that was read as all ones, which no frame has`,
        "a fix of the driver; see whether the device still answers (a bus error or a hot-unplug reads as ones)",
      ),
    ];
  const source = sourceOf(c);
  if (source === "guest")
    return [code(`Run a kernel in which ${name} checks the length that the other side gives`, "an upgrade")];
  if (source === "local" || p.dev === undefined || isNoDevice(p.dev))
    return [
      code(
        `Find why ${name} appends more than it reserved: the sum of its lengths is wrong`,
        "a fix of the code that builds the packet",
      ),
    ];
  if (jumbo(p))
    return [
      code(
        `Compare the MTU on both sides with the buffers of ${p.dev}: a frame of ${p.put} bytes came into a buffer that was made for a smaller MTU, and ${name} did not refuse it`,
        "a driver fix or update; until then a sender with the MTU of this interface does not send such frames",
        "ip link show; ethtool -g IFACE; ethtool -i IFACE",
      ),
    ];
  return [
    code(
      `Find why ${name} trusts a length that is larger than the buffer: the descriptor, the transfer or the device's own packing says it`,
      "a driver fix or update",
      "ethtool -i IFACE",
    ),
  ];
}

/** A frame longer than a standard one by more than tags, and no longer than devices make them. */
const jumbo = (p: SkbPanic): boolean => isKnown(p.put, (n) => n > 2100 && n <= 16_384 && n % 512 !== 0);

/** What stands in the place of a device that is not there: no device, or a string that may not be read (lib/vsprintf.c). */
const isNoDevice = (dev: string): boolean => /^[<(]/.test(dev);

function who(c: Case): readonly Finding[] {
  const pusher = pusherOf(c);
  const name = frameName(c, pusher < 0 ? undefined : pusher);
  if (name === undefined) return [];
  const module = c.stack.frames[pusher]?.module;
  return [
    yes(
      "skb_panic.who",
      `${name} changed the packet${module === undefined ? "" : `, a function of the module ${module}`}.`,
      quoteFrames(c, [pusher]),
    ),
  ];
}

function device(c: Case, p: SkbPanic): Finding {
  const line = quote(c, "headline", 1);
  if (p.dev === undefined)
    return unknown("skb_panic.dev", "The report does not say which device: the line is cut before it.", line);
  if (/^\((?:efault|null|e)/i.test(p.dev))
    return unknown(
      "skb_panic.dev",
      `The report does not say which device: ${p.dev} is what the kernel prints for a string that it may not read, so the packet's device field did not hold a device (its place is shared with the queue of a socket).`,
      line,
    );
  if (isNoDevice(p.dev))
    return unknown("skb_panic.dev", "The report does not say which device: the packet had none set.", line);
  return yes("skb_panic.dev", `The packet belonged to ${p.dev}.`, line);
}
