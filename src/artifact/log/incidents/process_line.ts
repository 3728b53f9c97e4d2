// `Pid: …` / `CPU: … PID: …` and the lines that go with them.

import type { ProcessLine } from "../../../kernel/readings/process_line.ts";
import { compareVersions } from "../../../kernel/release.ts";
import { decimal, field } from "./builder.ts";

const oldLine = /^Pid: (\d+), comm: (.*)$/;
const newLine = /^CPU: (\d+) (?:UID: (\d+) )?PID: (\d+) Comm: (.*)$/;
/** The crash utility's ps and bt. */
const crashLine = /^PID: (\d{1,10}) {1,8}TASK: [0-9a-f]{8,16} {1,8}CPU: (\d{1,5}) {1,8}COMMAND: "([^"]{0,32})"/;
/** Blanks stand for unset taint flags; the release begins with its first digit. */
const taintAndRelease =
  /^(.{0,64}?) {1,20}(Kdump: loaded )?(Not tainted|Tainted: [A-Z][A-Z -]{0,60}(?:\[\w\]=\w{1,24}(?:, )?){0,24})(?: {0,20}(\d{1,4}\.\d\S*)(?: (.*))?)?$/;

/** The process line of a text, or undefined. */
export function readProcessLine(text: string): ProcessLine | undefined {
  const crash = crashLine.exec(text);
  if (crash?.[3] !== undefined) return { cpu: Number(crash[2]), pid: Number(crash[1]), comm: crash[3] };
  const modern = newLine.exec(text);
  const old = modern === null ? oldLine.exec(text) : null;
  const rest = modern?.[4] ?? old?.[2];
  if (rest === undefined) return undefined;
  // A comm has at most 16 bytes; the limit keeps a hostile line of blanks from costing its square.
  const m = taintAndRelease.exec(rest.slice(0, 400));
  // A tainted line keeps the blanks of its unset flags; the one blank before the release is the format's.
  const taint = m?.[3];
  // The build always stands behind the release: a release that ends the line may be cut, and letters without a release may be too.
  const release = m?.[5] === undefined || m[5].trim() === "" ? undefined : m[4];
  return {
    ...field("cpu", decimal(modern?.[1])),
    ...field("uid", decimal(modern?.[2])),
    ...field("pid", decimal(modern?.[3] ?? old?.[1])),
    // The taint stands behind the name in every release: a name without it may be cut, or run into the rest of that word.
    ...field("comm", m?.[1]),
    ...field("kdump", m?.[2] === undefined ? undefined : true),
    ...field(
      "taint",
      taint?.startsWith("Tainted") ? (m?.[4] === undefined ? undefined : taint.replace(/ $/, "")) : taint,
    ),
    ...field("release", release),
    ...readBuild(m?.[5]),
  };
}

/** `#1`, `#1 4715…` with a build id, `#1  Debian 6.1.76-1` with a package. */
function readBuild(text: string | undefined): Pick<ProcessLine, "build" | "buildId" | "packageId"> {
  const m = /^(#\S*)(?: (.*))?$/.exec(text ?? "");
  if (m?.[1] === undefined) return field("build", text?.trimEnd());
  const id = /^[0-9a-f]{20,40}$/.test(m[2] ?? "") ? m[2] : undefined;
  return { build: m[1], ...field("buildId", id), ...field("packageId", id === undefined ? m[2] : undefined) };
}

const taintNames = /^Tainted: (\[\w\]=\w{1,40}(?:, \[\w\]=\w{1,40}){0,63})\s*$/;

/** Reads `Workqueue:`, `Hardware name:` and the line that names the taint flags; undefined for other lines. */
export function readProcessExtra(
  text: string,
): { readonly workqueue: string } | { readonly hardware: string } | { readonly taintNames: string } | undefined {
  const names = taintNames.exec(text)?.[1];
  if (names !== undefined) return { taintNames: names };
  const m = /^(Workqueue|Hardware name): (.*)$/.exec(text);
  if (m?.[2] === undefined) return undefined;
  return m[1] === "Workqueue" ? { workqueue: m[2].trimEnd() } : { hardware: m[2].trimEnd() };
}

/**
 * Who ran, out of a register block: powerpc names the task (`TASK = ce8883f0[770] 'dcb' THREAD: …`) and the release behind `Not tainted`,
 * x86 and arm of 2.6 write `Process dcb (pid: 770, …`.
 */
export function processOfRegisters(lines: readonly string[]): ProcessLine {
  let process: ProcessLine = {};
  for (const line of lines) {
    const task = /TASK ?= ?[0-9a-f]+\[(\d+)\] '([^']*)'/.exec(line);
    if (task?.[1] !== undefined && task[1] !== "")
      process = { ...process, pid: Number(task[1]), ...field("comm", task[2]) };
    const named = /^Process (.{1,32}?) \(pid: (\d+)[,)]/.exec(line);
    if (named?.[2] !== undefined) process = { ...process, pid: Number(named[2]), ...field("comm", named[1]) };
    const release =
      /(Not tainted|Tainted: [A-Z][A-Z -]{0,60}?)(?: VLI)? {1,20}\((\d{1,4}\.\d{1,5}\S{0,100})(?: (#[^)]{0,200}))?\)/.exec(
        line,
      );
    // i386 of 2.6 puts it behind the flags register.
    const flags = /^EFLAGS: [0-9a-f]{8} +\((\d{1,4}\.\d{1,5}\S{0,100})(?: (#[^)]{0,200}))?\)/.exec(line);
    if (flags?.[1] !== undefined) process = { ...process, release: flags[1], ...field("build", flags[2]) };
    if (release?.[2] !== undefined) {
      process = { ...process, ...field("taint", release[1]), release: release[2], ...field("build", release[3]) };
    }
  }
  return process;
}

/**
 * The lines of a process as a release prints them. `Pid:` until 3.9, `CPU:` since 3.10 (lib/dump_stack.c); the UID since 6.11. A build id (CONFIG_STACKTRACE_BUILD_ID,
 * 5.14) or Debian's package version ends it.
 */
export function printProcess(ran: ProcessLine, version: readonly number[]): string[] {
  const since = (v: readonly number[]): boolean => compareVersions(version, v) >= 0;
  const taint = ran.taint ?? "Not tainted";
  const tail = [ran.release, ran.build, ran.buildId ?? ran.packageId].filter((x) => x !== undefined).join(" ");
  const who = since([3, 10])
    ? `CPU: ${ran.cpu ?? 0} ${ran.uid === undefined ? "" : `UID: ${ran.uid} `}PID: ${ran.pid ?? 0} Comm: ${ran.comm ?? ""} ${ran.kdump === true ? "Kdump: loaded " : ""}`
    : `Pid: ${ran.pid ?? 0}, comm: ${ran.comm ?? ""} `;
  const lines = [`${who}${taint} ${tail}`];
  if (ran.taintNames !== undefined) lines.push(`Tainted: ${ran.taintNames}`);
  if (ran.hardware !== undefined) lines.push(`Hardware name: ${ran.hardware}`);
  if (ran.workqueue !== undefined) lines.push(`Workqueue: ${ran.workqueue}`);
  return lines;
}
