// Why the system would not open or read what a user named, in the same words wherever it is named.
import { BadInput } from "../../base/bad_input.ts";

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "There is no such file or directory.",
  EISDIR: "It is a directory. Name a file.",
  ENOTDIR: "A part of the path is not a directory.",
  EACCES: "Permission denied.",
  EPERM: "Permission denied.",
  ELOOP: "The symbolic links form a loop.",
  ENXIO: "There is no such device.",
  EIO: "It could not be read: input/output error.",
  EMFILE: "Too many files are open.",
  ENAMETOOLONG: "The name is too long.",
  EROFS: "It cannot be written to. Write elsewhere.",
  ENOSPC: "The disk is full. Make room, or write elsewhere.",
};

/** The sentence of a system error, without the file's name. */
export function systemReason(error: unknown): string {
  const { code = "", message = String(error) } = error as { readonly code?: string; readonly message?: string };
  return reasons[code] ?? `It cannot be read: ${code || message}.`;
}

/** A file that could not be opened or read, as bad input. */
export const cannotRead = (file: string, error: unknown, advice?: string): BadInput =>
  (error as { readonly code?: string }).code === "EISDIR"
    ? new BadInput("It is a directory.", { file }, "Name a file.")
    : new BadInput(systemReason(error), { file }, advice);

/** Whether the system refused it, rather than our own code. */
export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && typeof (error as { readonly syscall?: unknown }).syscall === "string";
