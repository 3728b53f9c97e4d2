// Kernel stacks: reads the frame forms of x86, arm, powerpc and mips with their markers and register blocks, and prints them again.
import type {
  CallTrace,
  CodePlace,
  Frame,
  FrameForm,
  RegisterDump,
  TraceItem,
} from "../../../kernel/readings/call_trace.ts";
import { field } from "./builder.ts";

const symbol = "(\\.?[A-Za-z_$][\\w.$@]*)";
const place = `${symbol}\\+0x([0-9a-f]+)\\/0x([0-9a-f]+)`;
/** `[<c012b4d0>]`; from 4.15 on some architectures print the hashed address, before there is a key for it (lib/vsprintf.c ptr_to_id()). */
const codeAddress = "([0-9a-f]+|\\((?:_{4})?ptrval(?:_{4})?\\))";
const plainFrame = new RegExp(`^\\s*(\\? )?${place}(?: \\[([\\w-]{1,64})[^\\]]{0,120}\\])?(.*)`);
const bracketedFrame = new RegExp(
  `^\\s*((?:<[/#\\w]+> +)*)\\[<${codeAddress}>\\] *(\\? )?(?:${place}|(\\w+))(?: \\[([\\w-]{1,64})[^\\]]{0,120}\\])?(.*)`,
);
/** sparc64, and s390 before it named the address in pointed brackets. */
const sparcFrame = new RegExp(`^\\s*\\[([0-9a-f]{8,16})\\] ${place}(?: \\[([\\w-]{1,64})\\])?\\s*$`);
const powerpcFrame = new RegExp(
  `^\\[([0-9a-f]{8,16})\\] \\[([0-9a-f]{8,16})\\] (?:${place}|(\\S+))(?: \\[([\\w-]{1,64})[^\\]]{0,120}\\])?(.*)`,
);
const armFrame = new RegExp(
  `^\\s*(?:\\[<${codeAddress}>\\] )?\\(?${symbol}(?:\\+0x([0-9a-f]+)\\/0x([0-9a-f]+))?(?: \\[([\\w-]+)\\])?\\)? from (?:\\[<${codeAddress}>\\] )?\\(?${symbol}(?:\\+0x([0-9a-f]+)\\/0x([0-9a-f]+))?(?: \\[([\\w-]{1,64})\\])?\\)?(.*)`,
);
/** The crash utility's bt: ` #8 [ffff8801b9a43b10] page_fault at ffffffff8163dd88 [module]`. */
const crashFrame = new RegExp(
  `^\\s{0,3}#\\d{1,3} \\[([0-9a-f]{8,16})\\] ${symbol} at ([0-9a-f]{8,16})(?: \\[([\\w-]{1,64})\\])?\\s{0,8}$`,
);
const bracedFrame = /<([0-9a-f]{8,16})>\{(:\w+:)?([\w.$]+)\+(\d+)\}/g;
const bareAddress = /^\s*(\? )?(0x[0-9a-f]{6,16})$/;
const markerLine = /^\s*<(\/?[#A-Z][A-Z_0-9]*)>\s*$/;
const headingLine = /^\s*(Call [Tt]race:|Backtrace:|Stack trace:|\[<[0-9a-f]+>\] Call Trace:)\s*(\S.*)?$/;

/** Source places as scripts/decode_stacktrace.sh and syzkaller put them: `net/core/skbuff.c:604`, several with blanks, a discriminator. */
const sourcePlace = /^(?:\.{0,2}\/)?[\w+./-]{1,120}\.[chS]:\d{1,7}(?: |$)/;
const inlineFrame = new RegExp(`^\\s{0,40}(\\? )?${symbol} ([\\w+./-]{1,160}\\.[chS]:\\d{1,7}) \\[inline\\]\\s{0,8}$`);
const decodedFrame = new RegExp(
  `^\\s{0,40}(\\? )?${symbol} \\(([^()]{1,300}(?:\\([^()]{0,40}\\)[^()]{0,200}){0,6})\\)(?: \\[?([\\w-]{1,60})\\]?)?\\s{0,8}$`,
);

/** What a line of a stack is; `rest` is text behind a frame that is not the kernel's (prose glued on by a blog). */
export type TraceLine =
  | { readonly kind: "heading"; readonly text: string; readonly rest: string }
  | { readonly kind: "items"; readonly items: readonly TraceItem[]; readonly form: FrameForm; readonly rest: string };

const hexNumber = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number.parseInt(text, 16);

/** arm names the caller in brackets; the name of one that is not closed may lack its end. */
const openCaller = / from (?:\[<[0-9a-f]{1,16}>\] )?\([^)]{0,200}$/;

const openBracket = /\/0x[0-9a-f]{1,8} {1,2}\[[\w-]{0,64}$/;

/** Reads one line of a stack, or undefined. Constant work per character: every pattern is anchored. */
export function readTraceLine(text: string): TraceLine | undefined {
  // Whose function it is stands in a bracket that is not closed.
  if (openBracket.test(text) || openCaller.test(text)) return undefined;
  const heading = headingLine.exec(text);
  if (heading?.[1] !== undefined) return { kind: "heading", text: heading[1], rest: heading[2] ?? "" };
  const crash = text.includes("#") ? crashFrame.exec(text) : null;
  if (crash?.[2] !== undefined)
    return one(
      {
        kind: "frame",
        function: crash[2],
        ...field("module", crash[4]),
        reliable: true,
        ...field("address", crash[3]),
        ...field("stackPointer", crash[1]),
      },
      "bracketed",
      "",
    );
  const marker = markerLine.exec(text)?.[1];
  if (marker !== undefined) return one({ kind: "marker", name: marker }, "plain", "");
  if (text.includes("{")) return readBraced(text);
  if (text.includes(" from ")) {
    const arm = readArm(text);
    if (arm !== undefined) return arm;
  }
  const sparc = sparcFrame.exec(text);
  if (sparc !== null) return readSparc(sparc);
  if (text.startsWith("[") && !text.startsWith("[<")) return readPowerpc(text);
  if (text.includes("[<")) return readBracketed(text);
  const bare = bareAddress.exec(text);
  if (bare?.[2] !== undefined)
    return one({ kind: "frame", function: bare[2], reliable: bare[1] === undefined }, "plain", "");
  const plain = plainFrame.exec(text);
  if (plain?.[2] === undefined) return readDecoded(text);
  const [unreliable, after] = afterFrame(plain[6] ?? "");
  const rest = sourcePlace.test(after) ? "" : after;
  return one(
    {
      kind: "frame",
      function: plain[2],
      ...field("offset", hexNumber(plain[3])),
      ...field("size", hexNumber(plain[4])),
      ...field("module", plain[5]),
      reliable: plain[1] === undefined && !unreliable,
    },
    "plain",
    rest,
  );
}

const one = (item: TraceItem, form: FrameForm, rest: string): TraceLine => ({
  kind: "items",
  items: [item],
  form,
  rest,
});

/** A frame whose offset a script has replaced by its place in the source; `[inline]` ones the script has added. */
function readDecoded(text: string): TraceLine | undefined {
  if (text.length > 700 || !text.includes(":")) return undefined;
  const inline = inlineFrame.exec(text);
  const decoded = inline === null ? decodedFrame.exec(text) : null;
  const m = inline ?? (decoded !== null && sourcePlace.test(decoded[3] ?? "") ? decoded : null);
  if (m?.[2] === undefined) return undefined;
  const module = inline === null ? m[4] : undefined;
  return one({ kind: "frame", function: m[2], ...field("module", module), reliable: m[1] === undefined }, "plain", "");
}

function afterFrame(text: string): readonly [unreliable: boolean, rest: string] {
  const trimmed = text.trim();
  return trimmed.startsWith("(unreliable)") ? [true, trimmed.slice(12).trim()] : [false, trimmed];
}

/** x86_64 of 2.6.10 to 2.6.24 puts the module before the function: `[<addr>] :tg3:tg3_alloc_rx_skb+0x65/0x140`. */
const moduleBefore = /^(.{0,80}\[<[0-9a-f]{8,16}>\] {0,4}(?:\? )?):([\w-]{1,60}):(?=[A-Za-z_])/;

function readBracketed(printed: string): TraceLine | undefined {
  const before = moduleBefore.exec(printed);
  const text = before === null ? printed : `${before[1]}${printed.slice(before[0].length)}`;
  const m = bracketedFrame.exec(text);
  const name = m?.[4] ?? m?.[7];
  if (m?.[2] === undefined || name === undefined) return undefined;
  const marks = [...(m[1] ?? "").matchAll(/<([/#\w]+)>/g)].map((x) => x[1] as string);
  const [unreliable, rest] = afterFrame(m[9] ?? "");
  return one(
    {
      kind: "frame",
      function: name,
      ...field("offset", hexNumber(m[5])),
      ...field("size", hexNumber(m[6])),
      ...field("module", m[8] ?? before?.[2]),
      reliable: m[3] === undefined && !unreliable,
      address: m[2],
      ...field("marks", marks.length === 0 ? undefined : marks),
    },
    "bracketed",
    rest,
  );
}

function readPowerpc(text: string): TraceLine | undefined {
  const m = powerpcFrame.exec(text);
  const name = m?.[3] ?? m?.[6];
  if (m?.[1] === undefined || m[2] === undefined || name === undefined) return undefined;
  const [unreliable, rest] = afterFrame(m[8] ?? "");
  return one(
    {
      kind: "frame",
      function: name,
      ...field("offset", hexNumber(m[4])),
      ...field("size", hexNumber(m[5])),
      ...field("module", m[7]),
      reliable: !unreliable,
      address: m[2],
      stackPointer: m[1],
    },
    "powerpc",
    rest,
  );
}

function readSparc(m: RegExpExecArray): TraceLine {
  return one(
    {
      kind: "frame",
      function: m[2] as string,
      ...field("offset", hexNumber(m[3])),
      ...field("size", hexNumber(m[4])),
      ...field("module", m[5]),
      reliable: true,
      ...field("address", m[1]),
    },
    "bracketed",
    "",
  );
}

function readArm(text: string): TraceLine | undefined {
  const m = armFrame.exec(text);
  if (m?.[2] === undefined || m[7] === undefined) return undefined;
  // A sentence may have the word too: the caller's place is printed in every release (arch/arm/kernel/traps.c dump_backtrace_entry()).
  if (m[6] === undefined && m[8] === undefined && m[1] === undefined && m[3] === undefined) return undefined;
  return one(
    {
      kind: "frame",
      function: m[2],
      ...field("offset", hexNumber(m[3])),
      ...field("size", hexNumber(m[4])),
      ...field("module", m[5]),
      reliable: true,
      ...field("address", m[1]),
      from: {
        function: m[7],
        ...field("offset", hexNumber(m[8])),
        ...field("size", hexNumber(m[9])),
        ...field("module", m[10]),
        ...field("address", m[6]),
      },
    },
    "arm",
    (m[11] ?? "").trim(),
  );
}

function readBraced(text: string): TraceLine | undefined {
  const items: TraceItem[] = [];
  for (const m of text.matchAll(bracedFrame)) {
    const mark = /<(IRQ|EOI|EOE|NMI)>\s*$/.exec(text.slice(Math.max(0, (m.index ?? 0) - 12), m.index))?.[1];
    items.push({
      kind: "frame",
      function: m[3] as string,
      offset: Number(m[4]),
      ...field("module", m[2]?.replace(/:/g, "")),
      reliable: true,
      ...field("address", m[1]),
      ...field("marks", mark === undefined ? undefined : [mark]),
    });
  }
  return items.length === 0 ? undefined : { kind: "items", items, form: "braced", rest: "" };
}

/** Gathers the lines of one stack. */
export class TraceBuilder {
  private heading = "";
  private form: FrameForm = "plain";
  private readonly items: TraceItem[] = [];
  private dump: string[] | undefined;
  private torn: "inside" | "end" | undefined;
  frames = 0;

  setHeading(text: string): void {
    this.heading = text;
  }

  /** Begins anew where what was read had no heading; false where it had one. */
  restart(): boolean {
    if (this.heading !== "") return false;
    this.items.length = 0;
    this.dump = undefined;
    this.torn = undefined;
    this.frames = 0;
    return true;
  }

  add(items: readonly TraceItem[], form: FrameForm): void {
    this.endDump();
    for (const item of items) {
      this.items.push(item);
      if (item.kind === "frame") {
        if (this.torn !== undefined) this.torn = "inside";
        this.frames++;
        this.form = form;
      }
    }
  }

  /** A line that began as a frame and is cut. */
  tear(): void {
    this.torn ??= "end";
  }

  /** A register line inside the stack. */
  addRegisters(text: string): void {
    this.dump ??= [];
    this.dump.push(text);
  }

  private endDump(): void {
    if (this.dump === undefined) return;
    this.items.push(readRegisters(this.dump));
    this.dump = undefined;
  }

  get started(): boolean {
    return this.heading !== "" || this.items.length > 0;
  }

  finish(): CallTrace | undefined {
    this.endDump();
    return this.started
      ? { form: this.form, heading: this.heading, items: this.items, ...field("torn", this.torn) }
      : undefined;
  }
}

const tornFrame =
  /^\s*(?:\[?<?[0-9a-f]{4,16}>?\]? *)?(?:\? )?[A-Za-z_][\w.]*(?:\+(?:0(?:x[0-9a-f]*)?(?:\/(?:0x?)?)?)?|\+0x[0-9a-f]{1,8}\/0x[0-9a-f]{1,8} ?\[[\w-]{0,64})?$/;

/** A line with the beginning of a frame, cut before its offset and size were whole. */
export const isTornFrame = (text: string): boolean =>
  text.length < 300 && (/^\s*\[?<?[0-9a-f]*$/.test(text) || tornFrame.test(text) || openCaller.test(text));

const registerLine =
  /^\s*(?:[RE]IP[: ]|RSP[: ]|RAX: |RDX: |RBP: |R10: |R13: |FS: |CS: |CR2: |DR0: |DR3: |EFLAGS: |EAX: |ESI: |ESP: |DS: |Code: |NIP|LR \[|LR |REGS: |MSR: |GPR\d\d: |DEAR: |DAR: |CFAR: |SOFTE: |PACATMSCRATCH(?: \[|: )|IRQMASK: |TASK *= |CPU: \d+ Tainted|CPU: \d+ {4}|[PL][CR] is at |pc : |lr : |sp : |x\d+ *: |r\d+ *: |r\d+:[0-9a-f]{8}|Flags: |Control: |Process |Stack: \(|PKRU: |pstate: |CTR: |XER: |ORIG_RAX|Instruction dump:|epc *: |ra *: |\$ *\d+ *: |Hi *: |Lo *: |Status: |Cause *: |BadVA *: |PrId *: |task(?:\.ti)?: [0-9a-f]{8}|Krnl (?:PSW|GPRS|Code) ?:|Last Breaking-Event|ERA *: |BADV: |T?PC: <|TSTATE: |RPC: <|IAOQ\[\d\]: |RP\(r2\): |Exception stack\(|[0-9a-f]{4}: [ 0-9a-f]{8})/;
const hexRow =
  /^\s*(?:<?[0-9a-f]{8}>?|<?[0-9a-f]{16}>?|<?[0-9a-f]{2}>?|<?X{8}>?)(?: (?:<?[0-9a-f]{8}>?|<?[0-9a-f]{16}>?|<?[0-9a-f]{2}>?|<?X{8}>?))*\s*$/;

/** A line of a register block, `Code:` and instruction dumps included. */
export function isRegisterLine(text: string): boolean {
  return registerLine.test(text);
}

/** A row of nothing but hex words: the continuation of a wrapped register or instruction line. */
export const isHexRow = (text: string): boolean => hexRow.test(text);

const stackWords = /^(?:> ?)?\s*>?[0-9a-f]{8}(?:[0-9a-f]{8})?(?:(?: >?|>)[0-9a-f]{8}(?:[0-9a-f]{8})?)+\s*$/;

/** A row of the raw stack, as printed between the process line and the frames up to 4.9 (and still on some architectures). */
export const isStackWords = (text: string): boolean =>
  text.length < 200 && (stackWords.test(text) || /^Stack:\s*$/.test(text));

/** Register values and the place of the instruction pointer out of the lines of a block. */
export function readRegisters(text: readonly string[]): RegisterDump {
  const values: Record<string, string> = {};
  let at: CodePlace | undefined;
  let row: { name: string; next: number } | undefined;
  for (const line of text) {
    at ??= codePlaceAfter(
      line,
      /(?:^|\s)(?:RIP:|EIP:|EIP is at|NIP|[Pp][Cc] is at|pc :|epc *:|Krnl PSW : [0-9a-f]{8,16}|ERA *:|TPC:|IAOQ\[0\]:)\s*/,
    );
    for (const m of line.matchAll(
      /(?:^|\s)([A-Za-z][\w]{0,9}) ?[:=]\s{0,2}(?:[0-9a-f]{4}:)?(?:\[<)?([0-9a-f]{4,16})\b/g,
    )) {
      if (m[1] !== undefined && m[2] !== undefined) values[m[1]] = m[2];
    }
    // powerpc prints eight registers behind the number of the first; mailers wrap that line.
    const gpr = /^GPR(\d\d):((?: [0-9a-f]{8,16})+)/.exec(line);
    if (gpr?.[1] !== undefined) row = { name: "GPR", next: Number(gpr[1]) };
    const words = gpr?.[2] ?? (row !== undefined && hexRow.test(line) ? line : undefined);
    if (words === undefined) row = undefined;
    else if (row !== undefined) {
      for (const word of words.trim().split(" ")) values[`GPR${String(row.next++).padStart(2, "0")}`] = word;
    }
  }
  return { kind: "registers", values, ...field("at", at), text };
}

/** The place that follows `before` in a line: `0010:skb_panic+0x4a/0x4c`, `[c017500c] kfree_skb+0xc/0x38`, `0033:0x47b7a0`. */
export function codePlaceAfter(line: string, before: RegExp): CodePlace | undefined {
  const start = before.exec(line);
  if (start === null) return undefined;
  const rest = line.slice(start.index + start[0].length, start.index + start[0].length + 200);
  const m = new RegExp(
    `^:?\\s*(?:[0-9a-f]{4}:)?(?:(?:\\[<?)?([0-9a-f]{8,16})(?:>?\\]|(?= ))\\s*)*[(<]?(?:${place}(?: \\[([\\w-]+)[^\\]]*\\])?|(0x[0-9a-f]+)|(?=))`,
  ).exec(rest);
  if (m === null) return undefined;
  const address = m[1] ?? m[6]?.slice(2);
  if (m[2] === undefined && address === undefined) return undefined;
  return {
    ...field("function", m[2]),
    ...field("offset", hexNumber(m[3])),
    ...field("size", hexNumber(m[4])),
    ...field("module", m[5]),
    ...field("address", address),
  };
}

const hexText = (n: number | undefined): string => (n === undefined ? "" : `0x${n.toString(16)}`);

function placeText(f: { readonly function: string; readonly offset?: number; readonly size?: number }): string {
  return f.offset === undefined || f.size === undefined
    ? f.function
    : `${f.function}+${hexText(f.offset)}/${hexText(f.size)}`;
}

/** One frame in its form. */
export function printFrame(frame: Frame, form: FrameForm): string {
  const mod = frame.module === undefined ? "" : ` [${frame.module}]`;
  const marks = (frame.marks ?? []).map((m) => ` <${m}> `).join("");
  switch (form) {
    case "plain":
      return ` ${frame.reliable ? "" : "? "}${placeText(frame)}${mod}`;
    case "bracketed":
      return `${marks === "" ? " " : marks}[<${frame.address ?? "0"}>] ${frame.reliable ? "" : "? "}${placeText(frame)}${mod}`;
    case "braced":
      return `${marks === "" ? " " : marks}<${frame.address ?? "0"}>{${frame.module === undefined ? "" : `:${frame.module}:`}${frame.function}+${frame.offset ?? 0}}`;
    case "powerpc":
      return `[${frame.stackPointer ?? ""}] [${frame.address ?? ""}] ${placeText(frame)}${mod}${frame.reliable ? "" : " (unreliable)"}`;
    case "arm":
      return printArm(frame, mod);
  }
}

function printArm(frame: Frame, mod: string): string {
  const { from } = frame;
  const at = frame.address === undefined ? " " : `[<${frame.address}>] `;
  const open = frame.address === undefined ? "" : "(";
  const close = frame.address === undefined ? "" : ")";
  const callee = `${open}${placeText(frame)}${mod}${close}`;
  if (from === undefined) return `${at}${callee}`;
  const fromAt = from.address === undefined ? "" : `[<${from.address}>] `;
  const fromMod = from.module === undefined ? "" : ` [${from.module}]`;
  return `${at}${callee} from ${fromAt}${open}${placeText(from)}${fromMod}${close}`;
}

/** A stack as lines. */
export function printTrace(trace: CallTrace): string[] {
  const lines = trace.heading === "" ? [] : [trace.heading];
  for (const item of trace.items) {
    if (item.kind === "frame") lines.push(printFrame(item, trace.form));
    else if (item.kind === "marker") lines.push(` <${item.name}>`);
    else lines.push(...item.text);
  }
  return lines;
}
