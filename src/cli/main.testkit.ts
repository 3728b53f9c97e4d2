// A command line as the program takes it, in this process: what came on both outputs, and the exit code. For tests only; not in the package.
import { vi } from "vitest";
import { main } from "./program.ts";

export interface MainRan {
  readonly out: string;
  readonly err: string;
  readonly exit: unknown;
}

process.stdout.setMaxListeners(0);

export async function runMain(args: readonly string[]): Promise<MainRan> {
  let [out, err] = ["", ""];
  const took = (done: unknown): boolean => {
    if (typeof done === "function") done();
    return true;
  };
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((text, done?: unknown) => {
    out += text;
    return took(done);
  });
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text, done?: unknown) => {
    err += text;
    return took(done);
  });
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await main(args);
    return { out, err, exit: process.exitCode };
  } finally {
    process.exitCode = before;
    stdout.mockRestore();
    stderr.mockRestore();
  }
}
