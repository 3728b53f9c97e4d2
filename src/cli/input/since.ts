// `--since`: a moment that a user wrote, and whether a report came before it. Logs print times in many ways, without a zone and often without a
// year; what cannot be compared is not left out.
import { BadInput } from "../../base/bad_input.ts";
import type { Occurrence } from "../../diagnosis/finding.ts";

export interface Since {
  /** As it is told: "2026-11-29 22:00:00", "3600 s after boot". */
  readonly text: string;
  /** True: the report is older. Undefined: it carries no time that can be compared. */
  before(at: Pick<Occurrence, "seconds" | "wallClock">): boolean | undefined;
}

const unit: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3600, d: 86_400 };

/**
 * `2026-11-29`, `2026-11-29 22:00[:05]`, `22:00` (today), `90min`, `2h`, `3d` (ago), `boot+3600` (seconds after boot). Times without a zone are this
 * machine's, in what the user wrote and in the log.
 */
export function parseSince(text: string, now = new Date()): Since {
  const boot = /^boot\+(\d{1,10}(?:\.\d{1,6})?)s?$/.exec(text)?.[1];
  if (boot !== undefined) {
    const from = Number(boot);
    return {
      text: `${from} s after boot`,
      before: ({ seconds }) => (seconds === undefined ? undefined : seconds < from),
    };
  }
  const ago = /^(\d{1,6})(s|min|h|d)$/.exec(text);
  const today = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text);
  const from =
    ago !== null
      ? now.getTime() - Number(ago[1]) * (unit[ago[2] as string] as number) * 1000
      : today !== null
        ? new Date(now.getFullYear(), now.getMonth(), now.getDate(), ...numbers(today.slice(1))).getTime()
        : isoMoment(text);
  const beyond = today !== null && numbers(today.slice(1)).some((n, i) => n > (i === 0 ? 23 : 59));
  if (from === undefined || Number.isNaN(from) || beyond)
    throw new BadInput(
      `--since "${text}" is not a time.`,
      undefined,
      'Write "2026-11-29 22:00", 22:00 (today), 90min, 2h or 3d (ago), or boot+3600 (seconds after boot).',
    );
  return {
    text: localText(new Date(from)),
    before: ({ wallClock }) => {
      const at = wallClock === undefined ? undefined : momentOf(wallClock, now);
      return at === undefined ? undefined : at < from;
    },
  };
}

const numbers = (parts: readonly (string | undefined)[]): [number, number, number] => {
  const [hours = 0, minutes = 0, seconds = 0] = parts.map((p) => Number(p ?? 0));
  return [hours, minutes, seconds];
};

const two = (n: number): string => String(n).padStart(2, "0");
const localText = (d: Date): string =>
  `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;

/** Milliseconds of `2026-11-29[T22:00[:05[.123]][zone]]`; undefined for another form, or a day that no month has. */
function isoMoment(text: string): number | undefined {
  const m =
    /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d{2}:?\d{2})?$/.exec(text);
  if (m === null) return undefined;
  const [year = 0, month = 0, day = 0] = m.slice(1, 4).map(Number);
  const [hours, minutes, seconds] = numbers(m.slice(4, 7));
  const millis = Number(`0.${m[7] ?? "0"}`) * 1000;
  if (month < 1 || month > 12 || day < 1 || hours > 24 || minutes > 59 || seconds > 60) return undefined;
  if (day > new Date(year, month, 0).getDate()) return undefined;
  const zone = m[8];
  if (zone === undefined) return new Date(year, month - 1, day, hours, minutes, seconds, millis).getTime();
  const sign = zone.startsWith("-") ? -1 : 1;
  const offset = zone === "Z" ? 0 : sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)));
  return Date.UTC(year, month - 1, day, hours, minutes, seconds, millis) - offset * 60_000;
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** Milliseconds of a time as a log prints it; without a year it is the latest that is not in the future (a day is allowed for clocks and zones). */
export function momentOf(wallClock: string, now: Date): number | undefined {
  const iso = isoMoment(wallClock);
  if (iso !== undefined) return iso;
  // `Fri Nov 20 20:35:16 2026`, `Nov 20 20:35:16.123`, `Nov20 20:35`.
  const m =
    /^(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) {0,2}(\d{1,2}) (\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?(?: (\d{4}))?$/.exec(
      wallClock,
    );
  // Android's logcat: `11-20 20:35:16.123`.
  const short = m === null ? /^(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?$/.exec(wallClock) : null;
  const month = m !== null ? months.indexOf((m[1] as string).toLowerCase()) : Number(short?.[1]) - 1;
  const fields = m !== null ? m.slice(2, 6) : short?.slice(2, 6);
  if (fields === undefined || !(month >= 0 && month < 12)) return undefined;
  const [day = 0, ...time] = fields.map((f) => Number(f ?? 0));
  const inYear = (year: number): number => new Date(year, month, day, ...numbers(time.map(String))).getTime();
  if (m?.[6] !== undefined) return inYear(Number(m[6]));
  const thisYear = inYear(now.getFullYear());
  return thisYear <= now.getTime() + 86_400_000 ? thisYear : inYear(now.getFullYear() - 1);
}
