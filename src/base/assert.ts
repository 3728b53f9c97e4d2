// Assertions that stay on. A failed assertion is our own fault (exit code 70), never a kernel outcome or a bad input.

/** Our own fault: an invariant of the model or of a reader does not hold. The message carries the numbers. */
export class ModelBug extends Error {
  override readonly name = "ModelBug";
}

/** Throws {@link ModelBug} unless `condition` holds; narrows the type where it does. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new ModelBug(typeof message === "string" ? message : message());
}

/** What a user reads of a fault of ours that cost only a part of the answer; `what` is that part. */
export function ourFault(what: string, error: unknown): string {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return `${what} (our fault). Please report it together with these lines: ${said.slice(0, 200)}`;
}

/** The end of a closed union: a compile error while a case is missing, a ModelBug if one slips through. */
export function assertNever(value: never, what: string): never {
  throw new ModelBug(`unexpected ${what}: ${JSON.stringify(value)}`);
}

/** The value, which the caller knows to be there; ModelBug with `what` if it is not. */
export function some<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new ModelBug(`missing ${what}`);
  return value;
}
