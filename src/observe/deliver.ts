// Ways in which a log reaches its reader: stamps, hosts, tags, pads, quotes, wrappers, escapes, another host between the lines. Each keeps
// what the kernel wrote.
import type { Prng } from "../base/prng.ts";

/** A text as some transport delivers it. */
export interface Delivered {
  readonly how: string;
  readonly text: string;
}

/** A text on its way. */
interface Sent extends Delivered {
  /** Each record begins with a prefix. */
  readonly prefixed?: true;
}

const bare = (line: string): string => line.replace(/^\[ *\d+\.\d+\] ?/, "");
const two = (n: number): string => String(n).padStart(2, "0");
const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const days = "Mon Tue Wed Thu Fri Sat Sun".split(" ");
const pick = <T>(from: readonly T[], p: Prng): T => from[p.below(from.length)]!;

/** A time stamp for the line at `second`, in one of the forms that loggers write. */
function stampForm(p: Prng): (second: number) => string {
  const [month, day, year] = [p.below(12), 1 + p.below(28), 2015 + p.below(12)];
  const clock = (s: number): string =>
    `${two(3 + (Math.floor(s / 3600) % 20))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  const iso = `${year}-${two(month + 1)}-${two(day)}`;
  return pick<(s: number) => string>(
    [
      (s) => `${months[month]} ${String(day).padStart(2)} ${clock(s)}`,
      (s) => `${months[month]} ${String(day).padStart(2)} ${clock(s)} ${year}`,
      (s) => `${iso}T${clock(s)}+00:00`,
      (s) => `${iso} ${clock(s)}.123`,
      (s) => `${iso}T${clock(s)}.123456Z`,
      (s) => `${pick(days, p)} ${iso} ${clock(s)} CEST`,
      (s) => `${day}.${month + 1}.${year} ${clock(s)}`,
      (s) => `[${clock(s)}]`,
      (s) => `${year}/${two(month + 1)}/${two(day)}-${clock(s)}`,
    ],
    p,
  );
}

const hosts = ["web1", "db-2.example.org", "<hostname>", "[host]", "***", "(none)", "10.0.0.7", "xxx"];
const tags = ["kernel:", "kern.warn kernel:", "kernel[0]:", "kernel: <4>"];

/** A prefix that a logger may put before each line. */
function loggerForm(p: Prng): (i: number) => string {
  const stamp = stampForm(p);
  const host = p.chance(0.8) ? `${pick(hosts, p)} ` : "";
  const tag = pick(tags, p);
  const ends = tag.endsWith(">") ? "" : " ";
  return (i) => `${stamp(1000 + Math.floor(i / 20))} ${host}${tag}${ends}`;
}

/** Prefixes of kernels and consoles, and inventions that no list can know. */
function otherForm(p: Prng): (i: number) => string {
  const cpu = p.below(8);
  return pick<(i: number) => string>(
    [
      (i) => `<4>[${(500 + i / 1e4).toFixed(6).padStart(12)}] (${cpu})[17:ksoftirqd/1]`,
      (i) => `<4>[${(500 + i / 1e4).toFixed(6).padStart(12)}] I[${cpu}:    ksoftirqd/1:   17] `,
      (i) => `07-13 08:41:51.341 <4>[${(309805 + i / 1e4).toFixed(6)}s][pid:17,cpu${cpu},ksoftirqd/1]`,
      () => `11-20 20:35:16.123     0     0 W kernel  : `,
      (i) => `console-log ${String(i + 1).padStart(6)} | `,
      (i) => `serial0@rack7 {${1000 + i}} >> `,
      () => "* ",
      (i) => `${String(i + 1).padStart(5)}: `,
      (i) => `ttyS0;${500 + i};INFO;`,
      (i) => `[${(i / 10).toFixed(3)}s] (host-a) %KERN-4: `,
    ],
    p,
  );
}

const noise = [
  "sshd[811]: Accepted publickey for root",
  "CRON[9]: (root) CMD (run-parts)",
  "systemd[1]: Started a unit.",
];

/** One seeded transport of kernel lines, with `breaks` also broken at a column. Lines have the kernel's own stamps or none. */
export function deliver(lines: readonly string[], p: Prng, { breaks = false } = {}): Delivered {
  const texts = p.chance(0.5) ? lines : lines.map(bare);
  const inner = pick<() => Sent>(
    [
      () => ({ how: "bare", text: texts.join("\n") }),
      () => prefixed("logger", texts, loggerForm(p)),
      () => prefixed("logger", texts, loggerForm(p)),
      () => prefixed("other", lines.map(bare), otherForm(p)),
      () => withSecondHost(lines.map(bare), p),
      () => withSecondCpu(lines.map(bare), p),
      () => prefixed("serial console's stamp before the kernel's", stampedAgain(lines), serialForm(p)),
      () => ({
        how: "JSON lines",
        text: texts.map((t) => JSON.stringify({ log: `${t}\n`, stream: "stdout" })).join("\n"),
      }),
      () => ({
        how: "pretty JSON",
        text: texts
          .map((t) => JSON.stringify({ MESSAGE: t, PRIORITY: "4", _TRANSPORT: "kernel" }, null, "\t"))
          .join("\n"),
      }),
      () => ({
        how: "export",
        text: texts.map((t, i) => `__CURSOR=s=${i}\n_TRANSPORT=kernel\nMESSAGE=${t}\n`).join("\n"),
      }),
    ],
    p,
  )();
  return around(breaks ? wrapped(inner, p) : inner, p);
}

const prefixed = (how: string, lines: readonly string[], form: (i: number) => string): Sent => ({
  how: `${how} "${form(0)}"`,
  text: lines.map((l, i) => form(i) + l).join("\n"),
  prefixed: true,
});

function withSecondHost(lines: readonly string[], p: Prng): Sent {
  const form = (host: string) => (i: number) => `Nov 20 20:35:${two(i % 60)} ${host} `;
  const [own, other] = [form("web1"), form("db2")];
  const out = lines.flatMap((l, i) =>
    (p.chance(0.1) ? [`${other(i)}${pick(noise, p)}`] : []).concat(`${own(i)}kernel: ${l}`),
  );
  return { how: "a second host between the lines", text: out.join("\n"), prefixed: true };
}

const otherCpu = [
  "usb 1-1: new high-speed USB device number 7 using xhci_hcd",
  "device eth1 entered promiscuous mode",
  "random: crng init done",
];

/** CONFIG_PRINTK_CALLER tells whose a line is. */
function withSecondCpu(lines: readonly string[], p: Prng): Sent {
  const [own, other] = p.chance(0.5) ? ["   T17", "   T99"] : ["    C0", "    C1"];
  const stamp = (i: number): string => `[${(500 + i / 1e4).toFixed(6).padStart(12)}]`;
  const out = lines.flatMap((l, i) =>
    (p.chance(0.1) ? [`${stamp(i)}[${other}] ${pick(otherCpu, p)}`] : []).concat(`${stamp(i)}[${own}] ${l}`),
  );
  return { how: "a second CPU between the lines", text: out.join("\n"), prefixed: true };
}

/** The lines with a stamp of the kernel's own each; where some have one, the others have none for a reason, and two clocks are no one's. */
const stampedAgain = (lines: readonly string[]): readonly string[] =>
  lines.some((l) => bare(l) !== l) ? lines : lines.map((l, i) => `[${(500 + i / 1e4).toFixed(6).padStart(12)}] ${l}`);

function serialForm(p: Prng): (i: number) => string {
  return pick<(i: number) => string>(
    [
      (i) => `[2026-11-29 03:04:${two(i % 60)}.111] `,
      (i) => `2026-11-29T03:04:${two(i % 60)}.676Z| vcpu-0| I125: Guest: `,
      (i) => `[03:04:${two(i % 60)}] `,
      (i) => `2026-11-29T03:04:${two(i % 60)}.123456789Z stdout F `,
    ],
    p,
  );
}

/** Lines broken at a column: by a mailer at the last blank before it, by a terminal wherever it is. Without a prefix it is lost which lines
 *  begin a record: a break of bare lines is no transport that keeps what the kernel wrote. */
function wrapped({ how, text, prefixed }: Sent, p: Prng): Delivered {
  if (prefixed === undefined) return { how, text };
  const width = pick([72, 76, 78, 80, 100, 120], p);
  const mailer = p.chance(0.6);
  const records = text.split(/\r?\n/);
  const lines = records.flatMap((line) => (mailer ? atBlanks(line, width) : atColumn(line, width)));
  if (lines.length === records.length) return { how, text };
  return { how: `${how}, wrapped at ${width} by a ${mailer ? "mailer" : "terminal"}`, text: lines.join("\n") };
}

function atBlanks(line: string, width: number): string[] {
  const out: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const before = rest.lastIndexOf(" ", width);
    // A word that fills the line stays whole.
    const at = rest.slice(0, before).trim() === "" ? rest.indexOf(" ", width) : before;
    if (at < 0) break;
    out.push(rest.slice(0, at));
    rest = rest.slice(at + 1);
  }
  return [...out, rest];
}

function atColumn(line: string, width: number): string[] {
  const out: string[] = [];
  for (let at = 0; at < line.length; at += width) out.push(line.slice(at, at + width));
  return out.length === 0 ? [line] : out;
}

function around({ how, text }: Delivered, p: Prng): Delivered {
  if (how === "pretty JSON" || how === "export") return { how, text };
  const each = (f: (line: string) => string): string => text.split("\n").map(f).join("\n");
  return pick<() => Delivered>(
    [
      () => ({ how, text }),
      () => ({ how, text }),
      () => ({ how: `${how}, quoted`, text: each((l) => `> ${l}`) }),
      () => ({ how: `${how}, indented`, text: each((l) => `    ${l}`) }),
      () => ({ how: `${how}, behind a tab`, text: each((l) => `\t${l}`) }),
      () => ({ how: `${how}, CRLF`, text: each((l) => `${l}\r`) }),
      () => ({
        how: `${how}, entities`,
        text: each((l) => l.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;")),
      }),
      () =>
        how === "JSON lines"
          ? { how, text }
          : { how: `${how}, backticks`, text: each((l) => (l === "" ? l : `\`${l}\``)) },
    ],
    p,
  )();
}
