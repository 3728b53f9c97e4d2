// What transports put before a kernel line: quoting, syslog, journald, dmesg in its many formats, priorities, timestamps, callers.
// One function takes all of it off and says what it found. Sources: rsyslog and systemd-journald output formats, util-linux dmesg(1),
// Documentation/admin-guide/printk (caller ids), Android and MediaTek kernels (cpu and pid in brackets).

/** A line's prefix, taken apart. */
export interface Prefix {
  readonly text: string;
  seconds?: number;
  deltaSeconds?: number;
  wallClock?: string;
  level?: number;
  caller?: string;
  host?: string;
  /** The kernel's stamp stood behind another one. */
  twice?: true;
  /** The host of a prefix round the one that names `host`: whoever collects the logs of others. */
  relay?: string;
}

type Found = Omit<Prefix, "text">;
/** One kind of prefix. */
interface Stripper {
  /** The first characters it can begin with, as one of the classes of {@link classOf}. */
  readonly first: string;
  readonly pattern: RegExp;
  /** Notes what the parts say; a text that it returns stands before the rest of the line. */
  readonly note: (groups: readonly (string | undefined)[], found: Found) => string | undefined;
}

/** What a text begins with: `[`, `<`, `(`, 0 for a digit, a for anything else that may be a word; blank ends it. */
function classOf(text: string): string {
  const c = text[0] ?? "";
  if (c === "[" || c === "<" || c === "(") return c;
  if (c === " ") return text[1] === "(" ? "(" : "";
  if (c === "\t" || c === "") return "";
  return c >= "0" && c <= "9" ? "0" : "a";
}

type Note = (groups: readonly (string | undefined)[], found: Found) => void;

const stripper = (first: string, pattern: RegExp, note: Note): Stripper => ({
  first,
  pattern,
  note: (groups, found) => {
    note(groups, found);
    return undefined;
  },
});

/** A stripper for logcat, whose tag is a part of the kernel's words. */
const tagged = (first: string, pattern: RegExp, time: boolean): Stripper => ({
  first,
  pattern,
  note: (groups, found) => {
    if (time && groups[0] !== undefined) found.wallClock = groups[0];
    return tagText(groups[time ? 1 : 0]);
  },
});

const clock = "\\d{1,2}:\\d\\d:\\d\\d(?:[.,]\\d+)?";
const isoTime = `\\d{4}-\\d\\d-\\d\\d[T ]${clock}(?:Z|[+-]\\d\\d:?\\d\\d)?`;
const month = "[^\\s\\d\\[\\]:<>]{2,9}";
const weekday = "[^\\s\\d\\[\\]:<>]{2,9}";
const host = "[\\w.-]+";
/** Between a time and `kernel:` any one word is the host, also a blackened one, or none; busybox puts facility and level behind it. */
const anyHost =
  "(?:(?![a-z]\\w{1,9}\\.(?:emerg|alert|crit|err|warn|notice|info|debug)\\S{0,8} k)(\\S{1,100}) )? ?(?:[a-z]\\w{1,9}\\.([a-z]{3,8}) )?(?:kernel|klogd)(?:\\[ {0,6}[\\d.]{1,20}\\])?: ?";
const levels = ["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

/** The innermost host is the one that printed the line. */
function setHost(found: Found, host: string): void {
  if (found.host !== undefined && found.host !== host) found.relay = found.host;
  found.host = host;
}

/** The innermost stamp is the kernel's. */
function setSeconds(found: Found, seconds: string | number): void {
  if (found.seconds !== undefined) found.twice = true;
  found.seconds = Number(seconds);
}

/** Host and level where they stand before `kernel:`. */
function from(found: Found, h: string | undefined, level: string | undefined): void {
  if (h !== undefined) setHost(found, h);
  const n = level === undefined ? -1 : levels.findIndex((l) => level.startsWith(l));
  if (n >= 0) found.level = n;
}

/** `<4>`; syslog sends facility * 8 + level (kern is facility 0, others are not the kernel's). */
const priority = stripper("<", /^<(\d{1,3})>(?:1 )?/, ([n], f) => {
  f.level = Number(n) & 7;
});

/** In the order they are tried; the list is walked again until nothing comes off. */
const strippers: readonly Stripper[] = [
  priority,
  // /dev/kmsg: 6,339,5140900,-;text or 6,339,5140900,-,caller=T1;text
  stripper("0", /^(\d{1,4}),\d+,(\d+),[-c+](?:,caller=([TC]\d+))?[^;]{0,40};/, ([level, micros, caller], f) => {
    f.level = Number(level) & 7;
    setSeconds(f, Number(micros) / 1e6);
    if (caller !== undefined) f.caller = caller;
  }),
  // 2026-11-20T20:35:16.123456+00:00 host kernel: ; also without host (dmesg --time-format iso)
  stripper("0", new RegExp(`^(${isoTime}(?: [A-Z]{2,5})?) ${anyHost}`), ([time, h, level], f) => {
    f.wallClock = time as string;
    from(f, h, level);
  }),
  // journalctl -o short-unix: 1700000000.123456 host kernel:
  stripper("0", new RegExp(`^(\\d{9,10}\\.\\d{3,9}) ${anyHost}`), ([time, h, level], f) => {
    f.wallClock = time as string;
    from(f, h, level);
  }),
  // RFC 5424: TIME HOST kernel - - - text
  stripper("0", new RegExp(`^(${isoTime}) (${host}) kernel - - (?:-|\\[[^\\]]*\\]) `), ([time, h], f) => {
    f.wallClock = time as string;
    setHost(f, h as string);
  }),
  // vmware.log: 2026-11-20T20:35:16.123Z| vcpu-0| I125: Guest: text
  stripper("0", new RegExp(`^(${isoTime})\\| [\\w-]{1,20}\\| [A-Z]\\d{1,4}: (?:Guest: ?)?`), ([time], f) => {
    f.wallClock = time as string;
  }),
  stripper("0", new RegExp(`^(${isoTime})(?::)? `), ([time], f) => {
    f.wallClock = time as string;
  }),
  // Jun 25 03:14:07 host kernel: , month in any language, year or weekday perhaps before or after
  stripper(
    "a",
    new RegExp(`^((?:${weekday} )?(?:\\d{4} )?${month} {1,2}\\d{1,2}(?: \\d{4})? ${clock}(?: \\d{4})?) ${anyHost}`),
    ([time, h, level], f) => {
      f.wallClock = time as string;
      from(f, h, level);
    },
  ),
  // journalctl -o short-full: Wed 2024-05-01 11:10:03 CEST host kernel:
  stripper("a", new RegExp(`^(${weekday} ${isoTime}(?: [A-Z]{2,5})?) ${anyHost}`), ([time, h, level], f) => {
    f.wallClock = time as string;
    from(f, h, level);
  }),
  // OpenWrt logread: Sat Nov 20 20:35:16 2026 kern.warn kernel: text
  stripper(
    "a",
    new RegExp(`^(${weekday} ${month} {1,2}\\d{1,2} ${clock} \\d{4}) kern\\.(\\w+) kernel: ?`),
    ([time, level], f) => {
      f.wallClock = time as string;
      const n = levels.findIndex((l) => (level as string).startsWith(l));
      if (n >= 0) f.level = n;
    },
  ),
  // Android logcat: 11-20 20:35:16.123  123  123 W kernel  : text
  stripper("0", new RegExp(`^(\\d\\d-\\d\\d ${clock})(?: +\\d+){0,2} [VDIWEF] kernel *: `), ([time], f) => {
    f.wallClock = time as string;
  }),
  // logd takes what stands before a kernel line's first colon for the tag, filled up with blanks: W Binder  : 672_7: page allocation failure
  tagged("0", new RegExp(`^(\\d\\d-\\d\\d ${clock}) {1,6}0 {1,6}0 [VDIWEF] ([^:]{0,40}): ?`), true),
  tagged("0", new RegExp(`^(\\d\\d-\\d\\d ${clock}) [VDIWEF]/([^(:]{0,40})\\( {0,5}\\d{1,7}\\): ?`), true),
  tagged("a", /^[VDIWEF]\/([^(:]{0,40})\( {0,5}\d{1,7}\): ?/, false),
  // Huawei: 07-13 08:41:51.341 <4>[309805.658142s][pid:17,cpu1,comm]
  stripper("0", new RegExp(`^(\\d\\d-\\d\\d ${clock}) (?=<\\d>)`), ([time], f) => {
    f.wallClock = time as string;
  }),
  stripper("[", /^\[ {0,9}(\d{1,10}\.\d{3,9})s\]/, ([s], f) => {
    setSeconds(f, s as string);
  }),
  stripper("[", /^\[pid:\d{1,7},cpu(\d{1,4}),[^\]]{1,24}\] ?/, ([cpu], f) => {
    f.caller = `C${cpu}`;
  }),
  // dmesg -x: kern  :warn  : text
  stripper("a", /^kern\s*:(\w+)\s*: /, ([level], f) => {
    const n = levels.findIndex((l) => (level as string).startsWith(l));
    if (n >= 0) f.level = n;
  }),
  // [   12.345678] ; 2.6 kernels may print six digits before the point as well
  stripper("[", /^\[ *(\d{1,10}\.\d{3,9})\] ?/, ([s], f) => {
    setSeconds(f, s as string);
  }),
  // journalctl -o short-delta puts a blank more before the bracket. dmesg -d: [  12.345678 <    0.000004>] or [<    0.000004>]; dmesg -e: [  +0.000004]
  stripper("[", /^\[ *(\d+\.\d{3,9}) < *(\d+\.\d{3,9}) ?>\] ?/, ([s, d], f) => {
    setSeconds(f, s as string);
    f.deltaSeconds = Number(d);
  }),
  stripper("[", /^\[(?:< *| *\+)(\d+\.\d{3,9})>?\] ?/, ([d], f) => {
    f.deltaSeconds = Number(d);
  }),
  // dmesg -T: [Fri Nov 20 20:35:16 2026] in any language; dmesg -e: [Nov20 20:35]
  stripper("[", new RegExp(`^\\[((?:${weekday} )?${month} {1,2}\\d{1,2} ${clock}(?: \\d{4})?)\\] ?`), ([time], f) => {
    f.wallClock = time as string;
  }),
  stripper("[", /^\[([A-Z][a-z]{2} ?\d{1,2} \d\d:\d\d)\] /, ([time], f) => {
    f.wallClock = time as string;
  }),
  // a terminal program's log: [2026-11-20 20:35:16.123]
  stripper("[", new RegExp(`^\\[(${isoTime})\\] ?`), ([time], f) => {
    f.wallClock ??= time as string;
  }),
  // a console server's clock: [20:35:16] or [20:35:16.123]
  stripper("[", new RegExp(`^\\[(${clock})\\] ?`), ([time], f) => {
    f.wallClock ??= time as string;
  }),
  // CONFIG_PRINTK_CALLER: [  T123] or [    C1]
  stripper("[", /^\[ *([TC]\d{1,7})(?:@\d+)?\] ?/, ([caller], f) => {
    f.caller = caller as string;
  }),
  // vendor kernels: (0)[123:comm] ; [1:swapper/0:1] ; [0: swapper/0: 0]
  stripper("(", /^ ?\((\d{1,3})\)\[\d+:[^\]]{1,24}\] ?/, ([cpu], f) => {
    f.caller = `C${cpu}`;
  }),
  stripper("a", /^[-.]\((\d{1,3})\)\[\d+:[^\]]{1,24}\] ?/, ([cpu], f) => {
    f.caller = `C${cpu}`;
  }),
  stripper("[", /^\[(\d{1,3}):(?!\d{1,2}:\d\d\]) {0,4}[^\]:]{1,24}: {0,6}\d{1,10}\] ?/, ([cpu], f) => {
    f.caller = `C${cpu}`;
  }),
  stripper("a", /^[A-Z]\[(\d{1,3}): *[^\]:]{1,24}: *\d+\] ?/, ([cpu], f) => {
    f.caller = `C${cpu}`;
  }),
  // busybox and a logger's own stamp leave: kern.warn kernel: text
  stripper("a", /^[a-z]\w{1,9}\.(emerg|alert|crit|err|warn|notice|info|debug)\w{0,8} kernel: ?/, ([level], f) =>
    from(f, undefined, level),
  ),
  // journalctl -o short-monotonic leaves: host kernel: text
  stripper("a", new RegExp(`^(${host}) kernel: ?`), ([h], f) => {
    setHost(f, h as string);
  }),
  stripper("a", /^kernel: ?/, () => undefined),
  // a container runtime's log, behind its time
  stripper("a", /^std(?:out|err) [FP] /, () => undefined),
];

const byClass = new Map<string, readonly Stripper[]>(
  ["[", "<", "(", "0", "a"].map((c) => [c, strippers.filter((s) => s.first === c)]),
);

/** `>]` ends an address that a terminal broke. */
const quote = /^(?:[ ]{0,3}(?:>(?!\])|\|(?=[ >]))[ ]?)+/;

/** A line without the marks of mail quoting before it; undefined when it has none. */
export function stripQuote(line: string): string | undefined {
  const c = line[0];
  if (c !== ">" && c !== "|" && c !== " ") return undefined;
  const m = quote.exec(line);
  return m === null ? undefined : line.slice(m[0].length);
}

/** A tag that logd made of the kernel's own words stands before the rest again. */
function tagText(tag: string | undefined): string {
  const words = (tag ?? "").trimEnd();
  return words === "" || words === "kernel" ? "" : `${words}: `;
}

/** Takes every known prefix off a line. The text keeps its own leading blanks, but one blank after a prefix belongs to the prefix. */
export function stripPrefix(line: string): Prefix {
  const found: Found = {};
  let text = line;
  // Twelve rounds bound a hostile line of prefixes; real ones need at most six.
  for (let round = 0; round < 12; round++) {
    const rest = stripOne(text, found);
    if (rest === undefined) break;
    text = rest;
  }
  return { text, ...found };
}

/** What the parts of a learned prefix say: time, host, level, CPU. */
export function readLearned(prefix: string): Omit<Prefix, "text"> {
  const found: Found = {};
  let text = prefix;
  for (let round = 0; round < 40 && text !== ""; round++) {
    const rest = stripOne(`${text} x`, found);
    if (rest !== undefined) text = rest.slice(0, Math.max(0, rest.length - 2));
    else text = text.replace(/^(?:\s+|[^\s[(<]+|[\s\S])/, "");
  }
  return found;
}

function stripOne(text: string, found: Found): string | undefined {
  for (const { pattern, note } of byClass.get(classOf(text)) ?? []) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const before = note(match.slice(1), found);
    const rest = text.slice(match[0].length);
    return typeof before === "string" ? before + rest : rest;
  }
  return undefined;
}
