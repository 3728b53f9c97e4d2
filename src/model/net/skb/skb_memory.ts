// The bytes behind heads and fragments, when a run wants them: page by page, by physical address. Without it a model only moves lengths.
// Off by default: copying payload costs, and most questions are about memory, not about its content.
import { assert } from "../../../base/assert.ts";

/** Bytes at physical addresses (pfn * pageSize + offset); pages that were never written read as zero. */
export interface Memory {
  readonly pageSize: number;
  copy(to: number, from: number, bytes: number): void;
  /** Writes `bytes[0..]` at the address. */
  write(to: number, bytes: Uint8Array): void;
  /** A copy of what stands there. */
  read(from: number, bytes: number): Uint8Array;
  /** FNV-1a of `bytes` bytes at `from`, continued from `hash`. */
  fnv(hash: number, from: number, bytes: number): number;
  /** Content tag: the 32-bit number repeated over [to, to + bytes); both are multiples of 4. */
  tag(to: number, bytes: number, tag: number): void;
  /** The one tag that fills [from, from + bytes), or undefined when the range holds more than one. Multiples of 4. */
  tagOf(from: number, bytes: number): number | undefined;
}

/** FNV-1a offset basis. */
export const fnvBasis = 2166136261;

export function createMemory(pageSize: number): Memory {
  const pages = new Map<number, Uint8Array>();
  let lastPfn = -1;
  let lastPage: Uint8Array = new Uint8Array(0);
  const page = (pfn: number): Uint8Array => {
    if (pfn === lastPfn) return lastPage;
    let found = pages.get(pfn);
    if (found === undefined) {
      found = new Uint8Array(pageSize);
      pages.set(pfn, found);
    }
    lastPfn = pfn;
    lastPage = found;
    return found;
  };
  /** Calls `visit` with each piece of a range that lies in one page. */
  const pieces = (
    from: number,
    bytes: number,
    visit: (page: Uint8Array, offset: number, length: number, done: number) => void,
  ): void => {
    let pfn = Math.floor(from / pageSize);
    let offset = from - pfn * pageSize;
    for (let done = 0; done < bytes; pfn++, offset = 0) {
      const length = Math.min(bytes - done, pageSize - offset);
      visit(page(pfn), offset, length, done);
      done += length;
    }
  };
  const read = (from: number, bytes: number): Uint8Array => {
    const out = new Uint8Array(bytes);
    pieces(from, bytes, (p, offset, length, done) => out.set(p.subarray(offset, offset + length), done));
    return out;
  };
  const write = (to: number, bytes: Uint8Array): void =>
    pieces(to, bytes.length, (p, offset, length, done) => p.set(bytes.subarray(done, done + length), offset));
  return {
    pageSize,
    read,
    write,
    copy(to, from, bytes) {
      if (bytes > 0 && to !== from) write(to, read(from, bytes));
    },
    fnv(hash, from, bytes) {
      let h = hash;
      pieces(from, bytes, (p, offset, length) => {
        for (let i = offset; i < offset + length; i++) h = Math.imul(h ^ p[i]!, 16777619);
      });
      return h >>> 0;
    },
    tag(to, bytes, tag) {
      assert(to % 4 === 0 && bytes % 4 === 0, () => `a tag over ${bytes} bytes at ${to} is not of whole words`);
      pieces(to, bytes, (p, offset, length) => void words(p).fill(tag, offset >> 2, (offset + length) >> 2));
    },
    tagOf(from, bytes) {
      assert(from % 4 === 0 && bytes % 4 === 0, () => `a tag over ${bytes} bytes at ${from} is not of whole words`);
      let found: number | undefined;
      let same = true;
      pieces(from, bytes, (p, offset, length) => {
        const w = words(p);
        found ??= w[offset >> 2];
        for (let i = offset >> 2; i < (offset + length) >> 2 && same; i++) same = w[i] === found;
      });
      return same ? found : undefined;
    },
  };
}

const words = (page: Uint8Array): Uint32Array => new Uint32Array(page.buffer, 0, page.length >> 2);
