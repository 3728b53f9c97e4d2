// Dates as logs write them. A syslog line has no year; a clock that was never set says 1970.
const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** A date without a year gets this one; `latest` is the last day it may be ("2026-12-31"): later ones are of the year before. */
export interface Year {
  readonly year: number;
  readonly latest?: string;
}

/** A log's date as ISO 8601 in UTC as far as the text says a zone. Null for what is no date, and for years before 2001: no clock was set. */
export function dateOf(text: string, { year, latest }: Year): string | null {
  const iso = /^(?:[A-Z][a-z]{2} )?(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:[.,]\d+)?\s?(Z|[+-]\d{2}:?\d{2})?/.exec(
    text,
  );
  if (iso !== null) return checked(`${iso[1]}T${iso[2]}${(iso[3] ?? "Z").replace(/^([+-]\d{2})(\d{2})$/, "$1:$2")}`);
  const old =
    /^(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (?:(\d{4}) )?(\d{2}:\d{2}:\d{2})(?:\.\d+)?(?: (\d{4}))?/.exec(
      text,
    );
  const month = months.indexOf((old?.[1] ?? "").toLowerCase());
  if (old === null || month < 0) return null;
  const said = old[3] ?? old[5];
  const at = (y: number | string): string | null =>
    checked(`${y}-${String(month + 1).padStart(2, "0")}-${(old[2] ?? "").padStart(2, "0")}T${old[4]}Z`);
  if (said !== undefined) return at(said);
  const own = at(year);
  return own !== null && latest !== undefined && own.slice(0, 10) > latest ? at(year - 1) : own;
}

function checked(iso: string): string | null {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return null;
  const text = new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z");
  return text < "2001" ? null : text;
}

/** Days since 1970. */
export const dayOf = (iso: string): number => Math.floor(Date.parse(iso) / 86_400_000);
