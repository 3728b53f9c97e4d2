// The index of the kernel's network functions for Node: a file beside the facts, unpacked when the first frame asks for it.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { giveFunctionIndex } from "../kernel/facts/functions/index.ts";
import { readFunctionIndex } from "../kernel/facts/functions/packed.ts";
import type { FunctionIndex } from "../kernel/facts/functions/roles.ts";

let isGiven = false;
let index: FunctionIndex | undefined;

/** The index of the file, which is read once. */
export function functionIndexFile(): FunctionIndex {
  index ??= readFunctionIndex(
    gunzipSync(readFileSync(new URL("../kernel/facts/functions/network.idx.gz", import.meta.url))),
  );
  return index;
}

/** Lets stacks be read with the index. Nothing is read before a frame asks, and the file once. */
export function giveFunctionIndexFile(): void {
  if (isGiven) return;
  isGiven = true;
  giveFunctionIndex(functionIndexFile);
}
