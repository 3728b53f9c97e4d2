// Text that a mail program packed into base64: the parts of a mail or an mbox whose header says so, or a file that is nothing else. Lines of
// other parts stay as they are; what a part holds that is no text stays packed.

const headerLine = /^content-transfer-encoding:\s{0,8}base64\s{0,8}$/i;
/** Mailers break base64 at 76 characters (RFC 2045, 6.8), PEM's at 64; of four characters each but the last line of a part. */
const packedLine = /^[A-Za-z0-9+/]{4,998}={0,2}$/;
const fewestLines = 2;

/** Whether the beginning of a text shows a part in base64, or is such a part without its mail. */
export function isBase64Mail(head: string): boolean {
  const lines = head.split("\n", 2000).map((l) => l.trimEnd());
  if (lines.some((l) => headerLine.test(l)))
    return lines.some((l) => /^(?:mime-version|content-type|received|from|subject|message-id):/i.test(l));
  const filled = lines.filter((l) => l !== "");
  // The head may end in the midst of a line.
  const whole = filled.slice(0, Math.max(fewestLines, filled.length - 1));
  const width = whole[0]?.length ?? 0;
  if (whole.length < fewestLines || width < 60 || width > 76 || width % 4 !== 0) return false;
  if (!whole.every((l, i) => packedLine.test(l) && (l.length === width || i === whole.length - 1))) return false;
  const text = unpacked(whole[0]!.slice(0, width));
  return text !== undefined && /^[\t\n\r\x20-\x7e]+$/.test(text);
}

const decoder = new TextDecoder();
const bytesOf = (packed: string): Uint8Array | undefined => {
  try {
    return Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
};

function unpacked(packed: string): string | undefined {
  const bytes = bytesOf(packed);
  return bytes === undefined ? undefined : decoder.decode(bytes);
}

/** A line as it was before it was packed, and the line of the input that it begins on. */
export interface UnpackedLine {
  readonly text: string;
  readonly line: number;
}

/** Longest line that is kept. */
const longest = 1 << 18;

/** Gives the lines of a mail one after another; {@link isBase64Mail} has said that it is one. */
export class Base64Lines {
  /** `packed` is true while lines are those of a part in base64. */
  private packed: boolean;
  private announced = false;
  /** Characters that are no whole group of four yet. */
  private carry = "";
  /** Text behind the last line end, and where it begins. */
  private rest = "";
  private restLine = 1;
  private stream = new TextDecoder();

  constructor(head: string) {
    this.packed = packedLine.test(head.split("\n", 1)[0]!.trimEnd());
  }

  take(raw: string, number: number): readonly UnpackedLine[] {
    const line = raw.trimEnd();
    if (this.packed) {
      if (packedLine.test(this.carry + line)) return this.unpack(this.carry + line, number);
      if (line === "" && this.rest === "" && this.carry === "") return [{ text: "", line: number }];
      this.packed = false;
      return [...this.finish(), ...this.take(raw, number)];
    }
    if (headerLine.test(line)) this.announced = true;
    else if (line === "" && this.announced) {
      this.announced = false;
      this.packed = true;
      this.stream = new TextDecoder();
    }
    return [{ text: raw, line: number }];
  }

  /** What stands behind the last line end of a part. */
  finish(): readonly UnpackedLine[] {
    const { rest, restLine } = this;
    this.rest = "";
    this.carry = "";
    return rest === "" ? [] : [{ text: rest, line: restLine }];
  }

  private unpack(packed: string, number: number): readonly UnpackedLine[] {
    const whole = packed.length - (packed.length % 4);
    this.carry = packed.slice(whole);
    const bytes = bytesOf(packed.slice(0, whole));
    // An attachment that is no text.
    if (bytes === undefined || bytes.includes(0)) return [];
    if (this.rest === "") this.restLine = number;
    const lines = (this.rest + this.stream.decode(bytes, { stream: true })).split("\n");
    this.rest = (lines.pop() ?? "").slice(0, longest);
    const out = lines.map((text, i) => ({
      text: text.endsWith("\r") ? text.slice(0, -1) : text,
      line: i === 0 ? this.restLine : number,
    }));
    if (lines.length > 0) this.restLine = number;
    return out;
  }
}
