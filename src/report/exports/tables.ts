// Tables for other tools: CSV (RFC 4180) and Parquet.
import { parquetWriteBuffer } from "hyparquet-writer";

export interface ExportColumn {
  readonly name: string;
  readonly values: readonly (string | number)[];
}

/** One line of CSV. */
export const csvLine = (cells: readonly (string | number)[]): string => `${cells.map(cell).join(",")}\r\n`;

/** CSV with a header line, CRLF line ends. A cell that a spreadsheet would take for a formula is kept from it by a leading apostrophe. */
export function toCsv(columns: readonly ExportColumn[]): string {
  const rows = columns[0]?.values.length ?? 0;
  const lines = [csvLine(columns.map((c) => c.name))];
  for (let r = 0; r < rows; r++) lines.push(csvLine(columns.map((c) => c.values[r] ?? "")));
  return lines.join("");
}

function cell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** One Parquet file; columns of whole numbers become INT64 where they fit, others DOUBLE, texts UTF8. */
export function toParquet(columns: readonly ExportColumn[]): Uint8Array {
  const columnData = columns.map(({ name, values }) => {
    if (values.every((v) => typeof v === "number")) {
      return values.every((v) => Number.isSafeInteger(v))
        ? { name, data: values.map((v) => BigInt(v as number)), type: "INT64" as const }
        : { name, data: values as number[], type: "DOUBLE" as const };
    }
    return { name, data: values.map(String), type: "STRING" as const };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}
