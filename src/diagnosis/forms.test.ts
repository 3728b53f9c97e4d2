// Every form in which a kernel's log is handed over says the same as the bare log: what dmesg, the journal, syslog daemons, collectors, consoles, mailers
// and people make of one report. Forms with many parameters are drawn at random in transport.fuzz.ts; here each stands once, as its tool prints it.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { explain } from "./explain.ts";

interface Line {
  readonly seconds: number;
  readonly micros: string;
  readonly text: string;
}

const log = readFileSync(new URL("../../fixtures/logs/e1000_refill_6.1.txt", import.meta.url), "utf8");
const lines: readonly Line[] = log
  .trimEnd()
  .split("\n")
  .map((l) => {
    const [, seconds = "", micros = "", text = ""] = /^\[\s*(\d+)\.(\d+)\] ?(.*)$/.exec(l) ?? [];
    return { seconds: Number(seconds), micros, text };
  });

const began = Date.UTC(2026, 10, 29, 3, 4, 0);
const dateOf = (l: Line): Date => new Date(began + l.seconds * 1000 + Number(l.micros) / 1000);
const iso = (l: Line): string => dateOf(l).toISOString();
const day = (l: Line): string => iso(l).slice(0, 19).replace("T", " ");
const syslog = (l: Line): string => `Nov 29 ${iso(l).slice(11, 19)}`;
const stamp = (l: Line): string => `[${String(l.seconds).padStart(5)}.${l.micros}] `;
const stamped = (l: Line): string => stamp(l) + l.text;
const each = (write: (l: Line, i: number) => string): string => `${lines.map(write).join("\n")}\n`;
const journal = (l: Line): Record<string, string> => ({
  __REALTIME_TIMESTAMP: String(dateOf(l).getTime() * 1000),
  _TRANSPORT: "kernel",
  _HOSTNAME: "host",
  MESSAGE: l.text,
});

/** Lines of at most `width`, broken at blanks as a mailer does it. */
function wrapped(text: string, width: number): string[] {
  const out: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const at = rest.lastIndexOf(" ", width);
    out.push(rest.slice(0, at <= 0 ? width : at));
    rest = rest.slice(at <= 0 ? width : at + 1);
  }
  return [...out, rest];
}

function quotedPrintable(text: string): string {
  let rest = [...Buffer.from(text)]
    .map((c) =>
      c === 61 || c < 32 || c > 126 ? `=${c.toString(16).toUpperCase().padStart(2, "0")}` : String.fromCharCode(c),
    )
    .join("");
  const out: string[] = [];
  while (rest.length > 75) {
    let at = 75;
    while (rest[at - 1] === "=" || rest[at - 2] === "=") at--;
    out.push(`${rest.slice(0, at)}=`);
    rest = rest.slice(at);
  }
  return [...out, rest].join("\n");
}

const dmesgJson = (between: string): string =>
  `{\n   "dmesg": [\n      ${lines
    .map(
      (l) =>
        `{\n         "pri": 4,\n         "time": ${String(l.seconds).padStart(5)}.${l.micros},\n         "msg": ${JSON.stringify(l.text)}\n      }`,
    )
    .join(between)}\n   ]\n}\n`;

/** util-linux 2.38.1 does not end a message where the file's next line begins. */
const dmesgFileJson = `{\n   "dmesg": [\n      ${lines
  .map(
    (l, i) =>
      `{\n         "pri": 4,\n         "time": ${String(l.seconds).padStart(5)}.${l.micros},\n         "msg": ${JSON.stringify(
        `${l.text}\n${lines
          .slice(i + 1)
          .map((x) => `<4>${stamped(x)}\n`)
          .join("")}`.trimEnd(),
      )}\n      }`,
  )
  .join(",")}\n   ]\n}\n`;

const debugFormat = each(
  (l) => `Debug line with all properties:
FROMHOST: 'host', fromhost-ip: '127.0.0.1', HOSTNAME: 'host', PRI: 4,
syslogtag 'kernel:', programname: 'kernel', APP-NAME: 'kernel', PROCID: '-', MSGID: '-',
TIMESTAMP: '${syslog(l)}', STRUCTURED-DATA: '-',
msg: ' ${l.text}'
escaped msg: ' ${l.text}'
inputname: imklog rawmsg: '<4>${l.text}'
$!:
$.:
$/:
`,
);

const packed = (text: string): string =>
  Buffer.from(text)
    .toString("base64")
    .replace(/.{76}/g, (row) => `${row}\n`);
const mailHead = "From: somebody\nSubject: a report\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n";

const forms: Readonly<Record<string, string | Uint8Array>> = {
  "dmesg -t": each((l) => l.text),
  "dmesg -T": each((l) => `[Sun ${syslog(l)} 2026] ${l.text}`),
  "dmesg -H": each((l, i) => (i === 0 ? `[Nov29 03:04] ${l.text}` : `[  +0.000${100 + i}] ${l.text}`)),
  "dmesg -x": each((l) => `kern  :warn  : ${stamped(l)}`),
  "dmesg --time-format iso": each((l) => `${iso(l).slice(0, 19)},${l.micros}+00:00 ${l.text}`),
  "dmesg --json": dmesgJson(","),
  "dmesg --json, each object on a line of its own": dmesgJson(",\n      "),
  "journalctl -o short": each((l) => `${syslog(l)} host kernel: ${l.text}`),
  "journalctl -o short-iso": each((l) => `${iso(l).slice(0, 19)}+0000 host kernel: ${l.text}`),
  "journalctl -o short-iso-precise": each((l) => `${iso(l).slice(0, 19)}.${l.micros}+00:00 host kernel: ${l.text}`),
  "journalctl -o short-precise": each((l) => `${syslog(l)}.${l.micros} host kernel: ${l.text}`),
  "journalctl -o short-monotonic": each((l) => `${stamp(l)}host kernel: ${l.text}`),
  "journalctl -o short-delta": each(
    (l) => `${stamp(l).trimEnd().slice(0, -1)} <    0.000281 >] host kernel: ${l.text}`,
  ),
  "journalctl -o json-sse": each((l) => `data: ${JSON.stringify(journal(l))}\n`),
  "journalctl -o short-full": each((l) => `Sun ${day(l)} UTC host kernel: ${l.text}`),
  "journalctl -o short-unix": each(
    (l) => `${Math.floor(dateOf(l).getTime() / 1000)}.${l.micros} host kernel: ${l.text}`,
  ),
  "journalctl -o with-unit": each((l) => `Sun ${day(l)} UTC host kernel[n/a]: ${l.text}`),
  "journalctl -o verbose": each(
    (l) =>
      `Sun ${day(l)}.${l.micros} UTC [s=aa;i=1;b=bb;m=1;t=2;x=3]\n    _TRANSPORT=kernel\n    PRIORITY=4\n    MESSAGE=${l.text}\n    _HOSTNAME=host`,
  ),
  "journalctl -o json": each((l) => JSON.stringify(journal(l))),
  "journalctl -o json-pretty": each((l) => JSON.stringify(journal(l), undefined, "\t")),
  "journalctl -o json-seq": each((l) => `\u001e${JSON.stringify(journal(l))}`),
  "journalctl -o export": each(
    (l) =>
      `${Object.entries(journal(l))
        .map(([k, v]) => `${k}=${v}`)
        .join("\n")}\n`,
  ),
  "rsyslog without a host": each((l) => `${syslog(l)} kernel: ${stamped(l)}`),
  "facility.level": each((l) => `${syslog(l)} host kern.warn kernel: ${stamped(l)}`),
  PRI: each((l) => `<4>${stamped(l)}`),
  "RFC 5424": each((l) => `<4>1 ${iso(l)} host kernel - - - ${l.text}`),
  "Docker's json-file": each((l) => JSON.stringify({ log: `${l.text}\n`, stream: "stdout", time: iso(l) })),
  "kubectl logs, CRI": each((l) => `${iso(l)} stdout F ${stamped(l)}`),
  "a cloud's textPayload": each((l) => JSON.stringify({ textPayload: stamped(l), timestamp: iso(l) })),
  logcat: each((l) => `11-29 03:04:${String(l.seconds).padStart(2, "0")}.676     0     0 W         : ${l.text}`),
  "a vendor's CPU and task": each((l) => `<4>${stamp(l)} [2:     kworker:  44] ${l.text}`),
  netconsole: each((l, i) => `4,${1000 + i},${l.seconds}${l.micros},-;${l.text}`),
  pstore: `Panic#1 Part1\n${each((l) => `<4>${stamped(l)}`)}`,
  "a serial console's own stamp": each(
    (l) => `[2026-11-29 03:04:${String(l.seconds).padStart(2, "0")}.111] ${stamped(l)}`,
  ),
  "CONFIG_PRINTK_CALLER, a task": each((l) => `${stamp(l).trimEnd()}[  T44] ${l.text}`),
  "CONFIG_PRINTK_CALLER, a CPU": each((l) => `${stamp(l).trimEnd()}[    C1] ${l.text}`),
  "symbols with source lines": each((l) =>
    l.text.replace(/^(\s+(?:\? )?\S+\+0x[0-9a-f]+\/0x[0-9a-f]+)/, "$1 mm/page_alloc.c:99"),
  ),
  "decoded frames": each((l) =>
    l.text.replace(/^(\s+(?:\? )?)(\S+)\+0x[0-9a-f]+\/0x[0-9a-f]+/, "$1$2 (mm/page_alloc.c:99 (discriminator 1))"),
  ),
  tabs: each((l) => `\t${stamped(l)}`),
  "a Markdown quote": each((l) => `> ${stamped(l)}`),
  "a quote in a quote": each((l) => `> > ${l.text}`),
  "a code fence": `\`\`\`\n${each(stamped)}\`\`\`\n`,
  "a code fence on the line of the text": `Seen today:\n\`\`\`${each(stamped)}\`\`\`\nAny idea?\n`,
  "one pair of backticks around all": `Seen today:\n\`${each(stamped).trimEnd()}\`\nAny idea?\n`,
  "backticks around each line": each((l) => `\`${stamped(l)}\``),
  "HTML entities": each((l) => stamped(l).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")),
  "quoted-printable": each((l) => quotedPrintable(stamped(l))),
  "dmesg -F FILE --json": dmesgFileJson,
  "rsyslog's debug format": debugFormat,
  "a mail in base64": `${mailHead}Content-Transfer-Encoding: base64\n\n${packed(`Hello,\r\n\r\n${each(stamped)}`)}\n`,
  "base64 without its mail": packed(each(stamped)),
  "a mail of two parts, one in base64": `${mailHead}\n--part\nContent-Type: text/plain\n\nSee below.\n--part\nContent-Transfer-Encoding: BASE64\r\n\r\n${packed(each(stamped)).replaceAll("\n", "\r\n")}\r\n--part--\nend\n`,
  "docker compose logs": each((l) => `kernel-log-1  | ${stamped(l)}`),
  "kubectl logs --prefix": each((l) => `[pod/kernel-log-x7k2p/tail] ${stamped(l)}`),
  "a console's output in one JSON text": JSON.stringify({ InstanceId: "i-0", Output: each(stamped) }),
  "a cloud's jsonPayload": each((l) => JSON.stringify({ jsonPayload: { message: stamped(l) }, timestamp: iso(l) })),
  GELF: each((l) => JSON.stringify({ version: "1.1", host: "host", short_message: stamped(l), level: 4 })),
  "a search engine's hits": each((l) => JSON.stringify({ _index: "logs", _source: { message: stamped(l) } })),
  "a search result with _raw": each((l) => JSON.stringify({ preview: false, result: { _raw: stamped(l) } })),
  "OpenTelemetry's body": each((l) => JSON.stringify({ timeUnixNano: "1", body: { stringValue: stamped(l) } })),
  "a tag and JSON": each((l) => `${iso(l)}\tkernel\t${JSON.stringify({ message: stamped(l) })}`),
  "a table with commas": `Time,Line\n${each((l) => `${iso(l)},"${stamped(l).replaceAll('"', '""')}"`)}`,
  "a mailer's wrap": each((l) => wrapped(stamped(l), 72).join("\n")),
  "a mailer's wrap, quoted": each((l) =>
    wrapped(stamped(l), 72)
      .map((w) => `> ${w}`)
      .join("\n"),
  ),
  "a terminal's wrap": each((l) => (stamped(l).match(/.{1,80}/g) ?? [""]).join("\n")),
  "a host called <hostname>": each((l) => `${syslog(l)} <hostname> kernel: ${l.text}`),
  "a host of stars": each((l) => `${syslog(l)} *** kernel: ${l.text}`),
  "a host left blank": each((l) => `${syslog(l)}  kernel: ${l.text}`),
  "newest first": `${each((l) => `${syslog(l)} host kernel: ${stamped(l)}`)
    .trimEnd()
    .split("\n")
    .reverse()
    .join("\n")}\n`,
  "CR LF": each(stamped).replaceAll("\n", "\r\n"),
  "UTF-16": Buffer.from(`\ufeff${each(stamped)}`, "utf16le"),
  "another host between": each(
    (l, i) =>
      `${syslog(l)} a kernel: ${l.text}\n${syslog(l)} b kernel: usb ${i}-1: new high-speed USB device number ${i}`,
  ),
  "blank lines between": each((l) => `${stamped(l)}\n`),
  "cat -n": each((l, i) => `${String(i + 1).padStart(6)}\t${stamped(l)}`),
  "an editor's numbers": each((l, i) => `${String(i + 1).padStart(4)}  ${stamped(l)}`),
  "grep -n": each((l, i) => `/var/log/kern.log:${i + 1}:${syslog(l)} host kernel: ${l.text}`),
  "grep -A": each((l, i) => `${i + 12}${i === 8 ? ":" : "-"}${stamped(l)}`),
  "a vendor's report of a container runtime": each(
    (l) => `[2026-11-29 03:04:${String(l.seconds).padStart(2, "0")}] stdout F ${l.text}`,
  ),
  colours: each((l) => `\u001b[32m${stamp(l)}\u001b[0m\u001b[33m${l.text}\u001b[0m`),
  "a hypervisor's log of its guest": each(
    (l) => `2026-11-29T03:04:${String(l.seconds).padStart(2, "0")}.676Z| vcpu-0| I125: Guest: ${stamped(l)}`,
  ),
};

/** What the answer says of the machine; where lines stand and when they came is the form's own. */
async function told(text: string | Uint8Array): Promise<unknown> {
  const { incidents } = await explain({ log: typeof text === "string" ? text : [text] });
  return incidents.map((i) => [
    i.kind,
    i.order,
    i.driver,
    i.direction,
    i.severity,
    i.kernel.release,
    i.findings.map((f) => [f.id, f.answer]),
  ]);
}

const bare = told(log);

test("the bare log has its report", async () => {
  expect(((await bare) as unknown[][]).map((i) => i.slice(0, 4))).toEqual([["alloc_failure", 0, "e1000", "rx refill"]]);
});

test.each(Object.entries(forms))("%s says the same", async (_, text) => {
  expect(await told(text)).toEqual(await bare);
});
