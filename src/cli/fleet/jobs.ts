// What a fleet's paths come to: one job a host (or a file whose lines name their hosts), in an order that does not depend on the machine.
import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { readdirSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import { bundleHost, hostInPath, hostOfName, isCommonDirectory } from "../../fleet/host_name.ts";

/** Files that are read together: nothing of one job is used for another. */
export interface Job {
  /** The host where no line, no bundle and no path inside an archive names one. */
  readonly host: string;
  /** Files, or the one folder that is the host's. */
  readonly files: readonly string[];
  readonly bytes: number;
}

/** Directories inside each other. */
const deepest = 40;

/**
 * A file or folder below a named directory is a host's; folders that say nothing of a host (`var`, `2026-11-29`) are walked through, and with
 * `from` all are. Files of one host in several folders are one job.
 */
export function jobsOf(paths: readonly string[], from: RegExp | undefined): Job[] {
  const jobs = new Map<string, { readonly host: string; readonly files: string[]; bytes: number }>();
  const add = (host: string, file: string, bytes: number): void => {
    const known = jobs.get(host) ?? { host, files: [], bytes: 0 };
    jobs.set(host, known);
    known.files.push(file);
    known.bytes += bytes;
  };
  for (const path of paths) {
    if (path === "-") {
      add("standard input", path, 0);
      continue;
    }
    const stats = statOf(path);
    if (stats === undefined) throw new BadInput("There is no such file or directory.", { file: path });
    const own = bundleHost(path) ?? from?.exec(path)?.[1];
    if (!stats.isDirectory()) add(own ?? hostOfName(basename(path)), path, stats.size);
    else if (isBundle(path)) add(own ?? hostOfName(basename(resolve(path))), path, 0);
    else walk(path, "", 0, { base: path, from, add });
  }
  return [...jobs.values()];
}

interface Walk {
  readonly base: string;
  readonly from: RegExp | undefined;
  add(host: string, file: string, bytes: number): void;
}

function walk(directory: string, inside: string, depth: number, w: Walk): void {
  let entries: string[];
  try {
    entries = readdirSync(directory).sort();
  } catch {
    // Reading it as a host's folder says why it cannot be read.
    w.add(hostOfName(basename(resolve(directory))), directory, 0);
    return;
  }
  for (const entry of entries) {
    const path = join(directory, entry);
    const below = inside === "" ? entry : `${inside}/${entry}`;
    const stats = statOf(path);
    const through = w.from !== undefined || isCommonDirectory(entry);
    if (stats?.isDirectory() === true && through && depth < deepest && !isBundle(path)) {
      walk(path, below, depth + 1, w);
      continue;
    }
    const found = w.from?.exec(path);
    const host =
      bundleHost(path) ??
      (found === null || found === undefined ? undefined : (found[1] ?? found[0])) ??
      hostInPath(stats?.isDirectory() === true ? `${below}/file` : below) ??
      hostOfName(basename(resolve(w.base)));
    w.add(host, path, stats?.isFile() === true ? stats.size : 0);
  }
}

/** A machine's own tree, or an unpacked bundle: all below it is one host's. */
function isBundle(directory: string): boolean {
  const has = (name: string): boolean => statOf(join(directory, name)) !== undefined;
  if (has("sos_commands") || has("basic-environment.txt") || has("collect/manifest.txt")) return true;
  return has("proc") && (has("etc") || has("sys"));
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** The same for the same files: parts of a fleet must be cut from one list. */
export function digestOf(jobs: readonly Job[]): string {
  const hash = createHash("sha256");
  for (const { host, files } of jobs) hash.update(`${JSON.stringify([host, files])}\n`);
  return hash.digest("hex").slice(0, 16);
}
