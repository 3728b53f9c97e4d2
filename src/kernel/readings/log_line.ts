// One line of a kernel log, as the readers of incidents see it: what stands in the input, and what the kernel itself wrote.
// Whoever streams an input strips the transport (mail quoting, journald, syslog, dmesg stamps, priorities); nobody downstream does.

/** A line of an input, split into the kernel's own text and what the transport put before it. */
export interface LogLine {
  /** Counts from 1 in the input, before anything was joined or un-interleaved. */
  readonly line: number;
  /** The characters as they stand in the input, without the line end. */
  readonly raw: string;
  /** The kernel's text: every prefix of the transport is gone, leading blanks that the kernel wrote are kept. */
  readonly text: string;
  /** Seconds since boot, from `[   12.032024]`; fractions as printed (micro- or milliseconds). */
  readonly seconds?: number;
  /** A date that the transport put there (`dmesg -T`, syslog, journald), as printed. */
  readonly wallClock?: string;
  /** The CPU or task that printed the line (`C1`, `T44` under CONFIG_PRINTK_CALLER). */
  readonly cpuToken?: string;
  /** The name of the machine, where a syslog or journald prefix gives it. */
  readonly host?: string;
  /** The syslog priority of a `<4>` prefix. */
  readonly priority?: number;
  /** How many times a `> ` of mail quoting stood before the text. */
  readonly quoteDepth?: number;
}

/** Something a reader saw and could not use, or used with a reservation; nothing is dropped without one. */
export interface LogNote {
  /** The line it is about; undefined when it is about a line that is missing. */
  readonly line?: number;
  readonly sentence: string;
}

/** A LogLine for each line of a clean text: nothing is stripped. For tests and for text that our own printers wrote. */
export function plainLines(text: string): LogLine[] {
  const rows = text.split("\n");
  if (rows.at(-1) === "") rows.pop();
  return rows.map((raw, i) => ({ line: i + 1, raw, text: raw }));
}
