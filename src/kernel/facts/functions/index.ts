// The index of network functions, as whoever reads a stack asks for it. The faces give it: a file in Node, a part of the page in a browser.
// Without one, what is known by hand has to do.
import type { FunctionIndex } from "./roles.ts";

let give: (() => FunctionIndex | undefined) | undefined;
let given: FunctionIndex | undefined;
let wasAsked = false;

/** Hands in where the index comes from; called once, by a face. It is loaded when the first frame asks. */
export function giveFunctionIndex(source: () => FunctionIndex | undefined): void {
  give = source;
  given = undefined;
}

/** The index, or undefined where no face has given one. */
export function functionIndex(): FunctionIndex | undefined {
  wasAsked = true;
  given ??= give?.();
  return given;
}

/** A frame has asked for the index since this program began: a face that loads it in the background learns that it is wanted. */
export const functionIndexAsked = (): boolean => wasAsked;
