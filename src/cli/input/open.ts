// Opens what a user names: files, `-` for standard input, FIFOs and /proc files, directories, and archives of archives of all that. Each
// byte source must be read (or left) before the next one is asked for: archives stream by.
import type { Stats } from "node:fs";
import {
  closeSync,
  constants,
  createReadStream,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { InputItem } from "../../artifact/gather.ts";
import { isTar, tarMembers } from "../../artifact/tar.ts";
import { isZip } from "../../artifact/zip.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { ByteSource } from "../../base/byte_source.ts";
import { readHead, sourceOf, withHead } from "../../base/byte_source.ts";
import { cannotRead, isSystemError, systemReason } from "./cannot_read.ts";
import type { Unpacking } from "./decompress.ts";
import { compressionOf, decompress } from "./decompress.ts";
import type { Budget, InputLimits } from "./limits.ts";
import { inputLimits } from "./limits.ts";
import type { Seekable } from "./unzip.ts";
import { seekableFile, seekableStream, unzipped } from "./unzip.ts";
import { nobodyWrites, writerWait } from "./whole.ts";

export interface OpenOptions {
  readonly limits?: Partial<InputLimits>;
  /** Look for xz, zstd and bzip2 on the machine; true unless said otherwise. */
  readonly nativeTools?: boolean;
  /** What `-` means; process.stdin unless said otherwise. */
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** How long a FIFO may stay without a writer, in ms; 10 s unless said otherwise. */
  readonly writerWait?: number;
}

/** Everything behind the named paths, in the order named. Throws BadInput when a named path cannot be opened. */
export async function* openInputs(paths: readonly string[], options: OpenOptions = {}): AsyncGenerator<InputItem> {
  if (paths.filter((p) => p === "-").length > 1) throw new BadInput("Standard input (-) can be named only once.");
  for (const path of paths) {
    const budget: Budget = { limits: { ...inputLimits, ...options.limits }, unpacked: 0, files: 0 };
    const opener = new Opener(budget, options);
    if (path === "-") yield* opener.expand(sourceOf("-", options.stdin ?? process.stdin), 0, true);
    else yield* opener.named(path);
  }
}

class Opener {
  private readonly budget: Budget;
  private readonly options: OpenOptions;
  /** Real paths of the directories that are being walked or were: a loop of links ends here. */
  private readonly walked = new Set<string>();

  constructor(budget: Budget, options: OpenOptions) {
    this.budget = budget;
    this.options = options;
  }

  async *named(path: string): AsyncGenerator<InputItem> {
    let stats: Stats;
    try {
      stats = statSync(path);
    } catch (error) {
      throw cannotRead(path, error);
    }
    if (stats.isDirectory()) {
      yield* this.directory(path, 0);
      if (this.budget.files === 0) yield { name: path, sentence: "There is no file in this directory." };
      return;
    }
    if (/^\/(?:dev|proc)\/kmsg$|\/trace_pipe$/.test(path)) {
      throw new BadInput(
        "It never ends: the kernel adds to it as it goes.",
        { file: path },
        "Use: dmesg | skblab diagnose -",
      );
    }
    if (stats.isSocket()) throw new BadInput("It is a socket, not a file.", { file: path });
    try {
      yield* this.file(path, stats, true);
    } catch (error) {
      throw isSystemError(error) ? cannotRead(path, error) : error;
    }
  }

  private async *file(path: string, stats: Stats, named: boolean): AsyncGenerator<InputItem> {
    if (stats.isFIFO()) {
      const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        yield* this.expand(fifoSource(path, fd, this.options.writerWait ?? writerWait), 0, named);
      } finally {
        closeSync(fd);
      }
      return;
    }
    if (!stats.isFile()) {
      // A device: reading one may wait, so it is left to the stream.
      const stream = createReadStream(path);
      try {
        yield* this.expand(sourceOf(path, stream), 0, named);
      } finally {
        stream.destroy();
      }
      return;
    }
    const fd = openSync(path, "r");
    try {
      yield* this.expand(descriptorSource(path, fd), 0, named, seekableFile(fd, stats.size));
    } finally {
      closeSync(fd);
    }
  }

  private async *directory(path: string, depth: number): AsyncGenerator<InputItem> {
    const { limits } = this.budget;
    let entries: string[];
    try {
      const real = realpathSync(path);
      if (this.walked.has(real)) return;
      this.walked.add(real);
      entries = readdirSync(path).sort();
    } catch (error) {
      if (depth === 0) throw cannotRead(path, error);
      yield { name: path, sentence: systemReason(error) };
      return;
    }
    for (const entry of entries) {
      const inner = join(path, entry);
      let stats: Stats;
      try {
        stats = statSync(inner);
      } catch (error) {
        yield { name: inner, sentence: systemReason(error) };
        continue;
      }
      if (stats.isDirectory()) {
        if (depth + 1 >= limits.directories)
          yield { name: inner, sentence: `It lies more than ${limits.directories} directories deep and was left out.` };
        else yield* this.directory(inner, depth + 1);
      } else if (!stats.isFile())
        yield { name: inner, sentence: "It is a pipe, a socket or a device and was left out: name it to read it." };
      else if (++this.budget.files > limits.files) {
        yield { name: path, sentence: `There are more than ${limits.files} files: the rest was left out.` };
        return;
      } else yield* this.tryFile(inner, stats);
    }
  }

  private async *tryFile(path: string, stats: Stats): AsyncGenerator<InputItem> {
    try {
      yield* this.file(path, stats, false);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      yield { name: path, sentence: systemReason(error) };
    }
  }

  /** The source itself, or what is packed in it. `seekable` reads anywhere in it, where that can be done. */
  async *expand(
    source: ByteSource,
    depth: number,
    named: boolean,
    seekable: Seekable | undefined = undefined,
  ): AsyncGenerator<InputItem> {
    const head = await readHead(source, 512);
    const whole = withHead(head, source);
    const compression = compressionOf(head);
    const archive = compression !== undefined ? undefined : isTar(head) ? "tar" : isZip(head) ? "zip" : undefined;
    if (compression === undefined && archive === undefined) {
      yield { source: whole, named };
      return;
    }
    if (depth >= this.budget.limits.depth) {
      yield { name: source.name, sentence: `It is packed more than ${depth} layers deep: this layer was left packed.` };
      return;
    }
    if (archive === "tar") yield* this.members(whole, depth);
    else if (archive === "zip") yield* this.zipped(whole, depth, seekable);
    else if (compression !== undefined) {
      const { nativeTools } = this.options;
      const unpacking = decompress(whole, compression, this.budget, { nativeTools: nativeTools !== false });
      try {
        yield* this.expand(unpacking.source, depth + 1, named);
      } finally {
        unpacking.close();
      }
    }
  }

  private async *members(archive: ByteSource, depth: number): AsyncGenerator<InputItem> {
    const problems: string[] = [];
    const members = (async function* () {
      for await (const { source } of tarMembers(archive, (sentence) => problems.push(sentence)))
        yield { source, close: () => undefined };
    })();
    yield* this.each(archive, members, problems, depth);
  }

  private async *zipped(archive: ByteSource, depth: number, seekable: Seekable | undefined): AsyncGenerator<InputItem> {
    const problems: string[] = [];
    const held = seekable ?? (await seekableStream(archive));
    if (typeof held === "string") {
      yield { name: archive.name, sentence: held };
      return;
    }
    const members = unzipped(archive.name, held, this.budget, (sentence) => problems.push(sentence));
    yield* this.each(archive, members, problems, depth);
  }

  private async *each(
    archive: ByteSource,
    unpacked: AsyncIterable<Unpacking>,
    problems: string[],
    depth: number,
  ): AsyncGenerator<InputItem> {
    let members = 0;
    for await (const { source, close } of unpacked) {
      members++;
      if (++this.budget.files > this.budget.limits.files) {
        problems.push(`There are more than ${this.budget.limits.files} files in it: the rest was left out.`);
        break;
      }
      try {
        yield* this.expand(source, depth + 1, false);
      } finally {
        close();
      }
    }
    const problem = archive.problem?.();
    if (problem !== undefined) problems.unshift(problem);
    if (members === 0 && problems.length === 0) problems.push("It is an archive without a file in it.");
    for (const sentence of problems) yield { name: archive.name, sentence };
  }
}

/** A FIFO: its writer may be slow (a password is asked for), but there must be one, or we would wait for ever. */
function fifoSource(name: string, fd: number, wait: number): ByteSource {
  const until = Date.now() + wait;
  let written = false;
  return {
    name,
    async read(into) {
      for (let pause = 1; ; pause = Math.min(20, pause * 2)) {
        try {
          const n = readSync(fd, into, 0, into.length, null);
          if (n > 0 || written || into.length === 0) {
            written = true;
            return n;
          }
        } catch (error) {
          if ((error as { readonly code?: string }).code !== "EAGAIN") throw error;
          written = true;
        }
        if (!written && Date.now() > until) {
          throw nobodyWrites(name, wait);
        }
        await sleep(pause);
      }
    },
  };
}

/** A regular file, read where it is asked for; /proc files say size 0 and are read to their end like any other. */
function descriptorSource(name: string, fd: number): ByteSource {
  let problem: string | undefined;
  return {
    name,
    read(into) {
      try {
        return readSync(fd, into, 0, into.length, null);
      } catch (error) {
        problem = `It could not be read to its end. ${systemReason(error)}`;
        return 0;
      }
    },
    problem: () => problem,
  };
}
