// Every file that skblab writes goes through here. A regular file appears whole or not at all: it is written beside its place under a name of
// its own and renamed, so that a full disk leaves nothing half behind and a link at that place is replaced, not followed. "-" is standard output;
// a device or a FIFO is written where it stands.
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join } from "node:path";
import { BadInput } from "../base/bad_input.ts";

const whyNot: Readonly<Record<string, string>> = {
  ENOENT: "there is no such directory",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is not a directory",
  EEXIST: "a part of the path is not a directory",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "nothing can be written there",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota is used up",
  ELOOP: "the symbolic links form a loop",
  ENXIO: "nobody reads from this FIFO",
};

/** The sentence for a file that a user named and the system would not open or fill. */
export function cannotWrite(path: string, error: unknown): BadInput {
  const { code = "", message } = error as NodeJS.ErrnoException;
  return new BadInput(`It cannot be written: ${whyNot[code] ?? (code || message)}.`, { file: path });
}

/** A file that is being written. Nothing stands at its place before `commit`. */
export interface Output {
  write(data: string | Uint8Array): void;
  commit(): void;
  /** Gives up: what was written so far is removed. After commit it does nothing. */
  discard(): void;
}

/** Opens `path` for writing; throws BadInput when the system will not, and when nobody reads from a FIFO for so long. */
export function openOutput(path: string, waitMillis = 10_000): Output {
  return guarded(path, () =>
    path === "-" ? inPlace(path, 1) : isSpecial(path) ? inPlace(path, openSpecial(path, waitMillis)) : beside(path),
  );
}

/** Writes a whole file, or standard output for "-". */
export function writeOutput(path: string, data: string | Uint8Array): void {
  writeOutputs([[path, data]]);
}

/**
 * Writes several files, all or none: each is written beside its place before the first one is renamed. `also` are outputs that were filled
 * already and are to appear with them. Directories on the way are made when `parents` says so.
 */
export function writeOutputs(
  files: readonly (readonly [path: string, data: string | Uint8Array])[],
  { parents = false, also = [] as readonly Output[] } = {},
): void {
  const outputs: Output[] = [...also];
  try {
    for (const [path, data] of files) {
      if (parents && path !== "-") guarded(path, () => mkdirSync(dirname(path), { recursive: true }));
      const output = openOutput(path);
      outputs.push(output);
      output.write(data);
    }
    for (const output of outputs) output.commit();
  } finally {
    for (const output of outputs) output.discard();
  }
}

/** Throws BadInput where a file could not be made now: before work begins that ends in writing it. */
export function checkPlace(path: string): void {
  guarded(path, () => {
    isSpecial(path);
    const folder = statSync(dirname(path));
    if (!folder.isDirectory()) throw Object.assign(new Error("no directory"), { code: "ENOTDIR" });
  });
}

/** A directory for what may be thrown away: the user's own (XDG_CACHE_HOME, else ~/.cache), readable by nobody else. */
export function cacheDirectory(name: string): string {
  const base = process.env.XDG_CACHE_HOME ?? "";
  const path = join(base !== "" && isAbsolute(base) ? base : join(homedir(), ".cache"), "skblab", name);
  guarded(path, () => mkdirSync(path, { recursive: true, mode: 0o700 }));
  const stats = lstatSync(path);
  if (!stats.isDirectory() || (process.getuid !== undefined && stats.uid !== process.getuid()))
    throw new BadInput(
      "It belongs to somebody else or is a link.",
      { file: path },
      "Set XDG_CACHE_HOME to a directory of yours.",
    );
  return path;
}

function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof BadInput ? error : cannotWrite(path, error);
  }
}

/** Whether something other than a regular file stands there: it cannot be replaced by renaming. A link to a device counts as the device. */
function isSpecial(path: string): boolean {
  try {
    const stats = lstatSync(path);
    if (stats.isDirectory()) throw Object.assign(new Error("directory"), { code: "EISDIR" });
    if (stats.isSymbolicLink()) return /^\/(dev|proc)\//.test(realpathSync(path));
    return !stats.isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** A device as it is; a FIFO once somebody reads from it, which is waited for, ENXIO after that time. */
function openSpecial(path: string, waitMillis: number): number {
  if (!statSync(path).isFIFO()) return openSync(path, "w");
  for (let waited = 0; ; waited += 50)
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENXIO" || waited >= waitMillis) throw error;
      pause(50);
    }
}

/**
 * For a file that is appended to where it stands, which a rename cannot do: throws BadInput when `path` is a link of another user's, who could
 * lead it anywhere. Links of one's own and of root's are followed.
 */
export function refuseForeignLink(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.isSymbolicLink() === true && stats.uid !== 0 && stats.uid !== process.getuid?.())
    throw new BadInput("It is a link that belongs to somebody else.", { file: path }, "Name another file.");
}

function inPlace(path: string, fd: number): Output {
  let open = fd > 2;
  const close = (): void => {
    if (open) closeSync(fd);
    open = false;
  };
  return { write: (data) => guarded(path, () => writeAll(fd, data)), commit: close, discard: close };
}

/** Outputs that are neither committed nor given up: a run that is stopped takes their temporary files away. */
const unfinished = new Set<Output>();
let watching = false;

function watchEnd(): void {
  if (watching) return;
  watching = true;
  const discardAll = (): void => {
    for (const output of unfinished) output.discard();
  };
  process.on("exit", discardAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => {
      discardAll();
      process.kill(process.pid, signal);
    });
}

/** The global's own door: the module is read at every start, and few of them write a file. */
const randomName = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString("hex");

function beside(path: string): Output {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomName()}`);
  const fd = openSync(temporary, "wx", 0o666);
  let state: "open" | "closed" | "done" = "open";
  watchEnd();
  const output: Output = {
    write: (data) => guarded(path, () => writeAll(fd, data)),
    commit: () =>
      guarded(path, () => {
        closeSync(fd);
        state = "closed";
        renameSync(temporary, path);
        state = "done";
        unfinished.delete(output);
      }),
    discard() {
      if (state === "done") return;
      if (state === "open") closeSync(fd);
      state = "done";
      unfinished.delete(output);
      unlinkSync(temporary);
    },
  };
  unfinished.add(output);
  return output;
}

function writeAll(fd: number, data: string | Uint8Array): void {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length; ) at += writeSome(fd, bytes.subarray(at));
}

/** A pipe that is full for the moment is waited for: writeSync gives up with EAGAIN where standard output does not block. */
function writeSome(fd: number, bytes: Uint8Array): number {
  for (;;)
    try {
      return writeSync(fd, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      pause(5);
    }
}

const pause = (millis: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis);
