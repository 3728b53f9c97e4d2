// Packs the index: names sorted and front-coded in blocks, what is known of a function as a number into a list of what occurs.
// The reader, and the description of the form, is src/kernel/facts/functions/packed.ts.
import { gzipSync } from "node:zlib";

export const blockNames = 32;

/**
 * @param {{ kernels: string[], roles: string[], modules: [name: string, directory: string, option: string][], rows: Map<string, Map<number, { facts: string, kernels: number }>> }} index
 */
export function pack({ kernels, roles, modules, rows }) {
  const factList = [];
  const factIndex = new Map();
  const counts = new Map();
  for (const places of rows.values())
    for (const { facts, kernels: seen } of places.values()) {
      const key = `${facts},${seen}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  for (const key of [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1))) {
    factIndex.set(key, factList.length);
    factList.push(key.split(",").map(Number));
  }
  const names = [...rows.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const out = [];
  const blocks = [];
  const varint = (n) => {
    let left = n;
    while (left > 127) {
      out.push((left & 127) | 128);
      left >>>= 7;
    }
    out.push(left);
  };
  let previous = "";
  names.forEach((name, i) => {
    if (i % blockNames === 0) {
      blocks.push(out.length);
      previous = "";
    }
    let shared = 0;
    while (shared < previous.length && shared < name.length && previous[shared] === name[shared]) shared++;
    varint(shared);
    varint(name.length - shared);
    for (const c of name.slice(shared)) out.push(c.charCodeAt(0));
    const places = [...rows.get(name)];
    varint(places.length);
    for (const [module, { facts, kernels: seen }] of places) {
      varint(module);
      varint(factIndex.get(`${facts},${seen}`));
    }
    previous = name;
  });
  const head = Buffer.from(
    `${JSON.stringify({ form: 1, kernels, roles, modules, facts: factList, blockNames, blocks: blocks.length, bytes: out.length })}\n`,
  );
  const offsets = Buffer.alloc(blocks.length * 4);
  blocks.forEach((at, i) => {
    offsets.writeUInt32LE(at, i * 4);
  });
  return {
    packed: gzipSync(Buffer.concat([head, offsets, Buffer.from(out)]), { level: 9 }),
    names: names.length,
    facts: factList.length,
  };
}
