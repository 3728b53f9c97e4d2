// Tables as files: CSV for spreadsheets, JSON for programs.

/** A table as text, cell by cell. */
export interface TableData {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** `1,234` and `-5.5` are numbers; everything else stays text. */
const numberOf = (text: string): number | undefined =>
  /^-?\d{1,3}(,\d{3})*(\.\d+)?$|^-?\d+(\.\d+)?$/.test(text) ? Number(text.replaceAll(",", "")) : undefined;

/** RFC 4180. A text that a spreadsheet would take for a formula is marked as text: it may come from a hostile log. */
export function csvOf({ columns, rows }: TableData): string {
  const cell = (text: string): string => {
    const plain = numberOf(text)?.toString() ?? (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
    return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
  };
  return [columns, ...rows].map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** One object a row, by the columns' titles; columns without a title have their number. */
export function recordsOf({ columns, rows }: TableData): Record<string, number | string>[] {
  const keys = columns.map((c, i) =>
    c === "" || columns.indexOf(c) !== i ? `${c === "" ? "column" : c} ${i + 1}` : c,
  );
  return rows.map((row) => Object.fromEntries(keys.map((key, i) => [key, numberOf(row[i] ?? "") ?? row[i] ?? ""])));
}
