// The index of the kernel's network functions in the browser: a file of the site, or a part of the one file. Fetched when a stack has asked.
import { giveFunctionIndex } from "../../kernel/facts/functions/index.ts";
import place from "../../kernel/facts/functions/network.idx.gz?url";
import { readFunctionIndex } from "../../kernel/facts/functions/packed.ts";
import type { FunctionIndex } from "../../kernel/facts/functions/roles.ts";

let index: FunctionIndex | undefined;
giveFunctionIndex(() => index);

/** Loads the index. True when it was not there before: what was answered without it is worth asking again. Without the file: false. */
export async function loadFunctionIndex(): Promise<boolean> {
  if (index !== undefined) return false;
  try {
    index = readFunctionIndex(await unpacked(await bytesAt(place)));
    return true;
  } catch {
    return false;
  }
}

/** The page's policy lets nobody fetch a data: address; its text is here anyhow. */
async function bytesAt(address: string): Promise<Uint8Array<ArrayBuffer>> {
  const comma = address.indexOf(",");
  if (address.startsWith("data:")) return Uint8Array.from(atob(address.slice(comma + 1)), (c) => c.charCodeAt(0));
  const reply = await fetch(address);
  if (!reply.ok) throw new Error(`${address}: ${reply.status}`);
  return new Uint8Array(await reply.arrayBuffer());
}

/** Some servers send a .gz as an encoding, and the browser has unpacked it then. */
async function unpacked(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
