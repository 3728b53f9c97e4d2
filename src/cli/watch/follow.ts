// diagnose --follow: a log file explained as it is, and then each incident as it comes.
import { createReadStream, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { gather } from "../../artifact/gather.ts";
import { BadInput } from "../../base/bad_input.ts";
import { sourceOf } from "../../base/byte_source.ts";
import type { LeaveOut } from "../../diagnosis/collect.ts";
import { createCollector } from "../../diagnosis/collect.ts";
import { diagnose } from "../../diagnosis/diagnose.ts";
import type { Diagnosis } from "../../diagnosis/finding.ts";
import { inertLine } from "../../report/escape.ts";
import type { Io } from "../command.ts";
import { giveFunctionIndexFile } from "../function_index.ts";
import { followFile } from "./follow_file.ts";
import { createTeller } from "./teller.ts";

export interface FollowOptions {
  readonly path: string;
  readonly io: Io;
  readonly leaveOut: LeaveOut | undefined;
  /** Told of each diagnosis that has incidents, the one of what was there already first. */
  readonly told: (diagnosis: Diagnosis) => Promise<void>;
}

/** Follows until SIGINT or SIGTERM; what has come by then is told. */
export async function follow({ path, io, leaveOut, told }: FollowOptions): Promise<void> {
  const size = sizeOf(path);
  const file = followFile(path, size);
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  try {
    if (size > 0) {
      const { diagnosis, lines } = await firstPart(path, size, leaveOut);
      file.behind(lines);
      if (diagnosis.incidents.length > 0) await told(diagnosis);
    }
    io.note(`Following ${inertLine(path)}; Ctrl-C ends it.`);
    const waiting: Diagnosis[] = [];
    const teller = createTeller({ name: path, around: [], leaveOut, told: (d) => void waiting.push(d) });
    for (;;) {
      const now = performance.now();
      const ending = stop.signal.aborted;
      const lines = file.read(ending).map((l) => ({ sequence: undefined, ...l }));
      for (const remark of file.remarks()) io.note(inertLine(remark));
      teller.lines(lines, now);
      await teller.turn(now, ending);
      for (const d of waiting.splice(0)) if (d.incidents.length > 0) await told(d);
      if (ending) return;
      await sleep(250, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    process.removeListener("SIGINT", end);
    process.removeListener("SIGTERM", end);
    file.close();
  }
}

function sizeOf(path: string): number {
  const stats = statSync(path);
  if (!stats.isFile())
    throw new BadInput("It is not a regular file.", { file: path }, "For the running kernel: skblab watch.");
  return stats.size;
}

/** What the file says already, and how many whole lines that is. */
async function firstPart(
  path: string,
  size: number,
  leaveOut: LeaveOut | undefined,
): Promise<{ diagnosis: Diagnosis; lines: number }> {
  giveFunctionIndexFile();
  const collector = createCollector({ leaveOut });
  let lines = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of createReadStream(path, { end: size - 1 }) as AsyncIterable<Uint8Array>) {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
      yield chunk;
    }
  }
  async function* inputs() {
    yield { source: sourceOf(path, counted()), named: true };
  }
  const diagnosis = diagnose(collector.finish(await gather(inputs(), { onWindow: collector.onWindow })));
  return { diagnosis: leaveOut === undefined ? diagnosis : { ...diagnosis, since: leaveOut.text }, lines };
}
