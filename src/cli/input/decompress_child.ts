// xz and zstd through the machine's own tools, which are several times faster than JavaScript.
import { spawn } from "node:child_process";
import { Duplex } from "node:stream";
import { BadInput } from "../../base/bad_input.ts";

/** A stream that takes compressed bytes and gives plain ones; its errors are BadInput naming `path`. */
export function spawnDecompressor(kind: "xz" | "zstd", path: string): Duplex {
  const child = spawn(kind, ["-dc"], { stdio: ["pipe", "pipe", "ignore"] });
  const pipe = Duplex.from({ writable: child.stdin, readable: child.stdout });
  child.on("error", () => {
    pipe.destroy(
      new BadInput(
        `This needs the program ${kind}, which is not installed.`,
        { file: path },
        `Install it, or unpack the file first.`,
      ),
    );
  });
  child.on("exit", (code) => {
    if (code !== 0 && code !== null) pipe.destroy(new BadInput(`The ${kind} data is damaged or cut.`, { file: path }));
  });
  return pipe;
}
