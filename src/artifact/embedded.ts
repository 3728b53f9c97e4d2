// Finds /proc, ethtool and sysctl texts inside a larger one: a support bundle pasted together, a mail, a log that a script wrote them to.
import { stripPrefix } from "./log/prefix.ts";
import type { FoundReading, SourceLine, TextReader } from "./reader.ts";
import { textReaders } from "./readers.ts";

/** The reader of a table whose first line this may be; `next` is the line below it, where it is known. */
export function tableStarter(text: string, next?: string): TextReader | undefined {
  // No text of the kernel's begins with a blank, and most lines of a stack do; slabtop's table does.
  if (text === "" || (text.startsWith(" ") && !/^ {1,2}(?:Active \/ Total |OBJS ACTIVE )/.test(text))) return undefined;
  return textReaders.find((r) => r.starts(text, next));
}

/** Every reading in the lines, in order. Lines must have their prefixes off. */
export function findReadings(lines: readonly SourceLine[]): FoundReading[] {
  const found: FoundReading[] = [];
  for (let i = 0; i < lines.length; ) {
    const reader = tableStarter(lines[i]!.text, lines[i + 1]?.text ?? "");
    if (reader === undefined) {
      i++;
      continue;
    }
    let end = i + 1;
    while (end < lines.length && goesOn(reader, lines, end)) end++;
    while (lines[end - 1]!.text === "") end--;
    const own = lines.slice(i, end);
    const read = reader.read(own);
    const { line: firstLine, host } = own[0]!;
    found.push({ ...read, firstLine, lastLine: own.at(-1)!.line, lines: own, ...(host === undefined ? {} : { host }) });
    i = end;
  }
  return found;
}

// A second text of the same kind begins a reading of its own where its first line cannot stand inside the first one.
function goesOn(reader: TextReader, lines: readonly SourceLine[], at: number): boolean {
  const { text, host } = lines[at]!;
  if (!reader.continues(text) || host !== lines[at - 1]!.host) return false;
  const once =
    reader.kind === "pagetypeinfo" ? /^Page block order/ : reader.kind === "meminfo" ? /^MemTotal:/ : undefined;
  return once === undefined || !once.test(text);
}

/** What stands before every line of a block: a code block of Markdown, a quotation. */
const indentation = /^(?:[ \t]|> ?|\| )*/;

/** Follows tables while a scanner takes lines (ScanOptions.follow): true as long as the next line may belong to the same text. */
export function tableFollower(): (text: string) => boolean {
  let active: TextReader | undefined;
  let indent = "";
  const takes = (text: string): boolean =>
    active !== undefined &&
    (text.startsWith(indent)
      ? active.continues(text.slice(indent.length))
      : text.trim() === "" && active.continues(""));
  return (raw) => {
    const text = stripPrefix(raw.endsWith("\r") ? raw.slice(0, -1) : raw).text;
    if (takes(text)) return true;
    indent = "";
    active = tableStarter(text);
    if (active !== undefined) return true;
    indent = indentation.exec(text)?.[0] ?? "";
    active = tableStarter(text.slice(indent.length));
    return active !== undefined;
  };
}
