// Kernel addresses of an image, and the bytes behind them. Translation is by page tables (4 or 5 levels) with the direct map and the
// kernel's own mapping as short cuts. Addresses are unsigned 64-bit BigInts; bytes that are not in the image raise `Absent`.
import { BadInput } from "../base/bad_input.ts";
import type { PhysicalMemory } from "./container/physical.ts";
import { pageBytes } from "./container/physical.ts";
import type { Vmcoreinfo } from "./vmcoreinfo.ts";

/** Thrown when bytes are asked for that the image does not hold, or an address leads nowhere. Never an answer of zeros. */
export class Absent extends Error {
  override readonly name = "Absent";
  readonly address: bigint;
  /** True when its page, or the page table that leads there, was left out of the image; false when it is mapped nowhere. */
  readonly isMapped: boolean;

  constructor(address: bigint, isMapped: boolean) {
    super(`no memory at ${address.toString(16)}`);
    this.address = address;
    this.isMapped = isMapped;
  }
}

/** `value` of `read`, or undefined when the bytes are not in the image. */
export function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Absent) return undefined;
    throw error;
  }
}

const u64 = (a: bigint): bigint => BigInt.asUintN(64, a);
/** __START_KERNEL_map, arch/x86/include/asm/page_64_types.h since 2.6.11. */
const kernelMap = 0xffffffff80000000n;
const mostCached = 8192;

const tableMask = 0x000ffffffffff000n;
const present = 1n;
const large = 0x80n;

export class AddressSpace {
  readonly memory: PhysicalMemory;
  readonly physBase: bigint;
  readonly levels: 4 | 5;
  /** Start of the direct map; known when kallsyms has told (setDirectMap). */
  pageOffset = 0n;
  private directEnd = 0n;
  private readonly imageEnd: bigint;
  private readonly topTable: number;
  private readonly encryptionMask: bigint;
  private readonly pages = new Map<bigint, Uint8Array>();
  private lastFrame = -1n;
  private lastPage: Uint8Array = new Uint8Array(0);
  private lastView: DataView = new DataView(new ArrayBuffer(0));

  constructor(memory: PhysicalMemory, info: Vmcoreinfo) {
    this.memory = memory;
    const base = info.number("phys_base") ?? memory.physBase;
    if (base === undefined)
      throw new BadInput("Nothing says where the kernel lies (phys_base).", { file: memory.name });
    this.physBase = base;
    this.levels = info.number("pgtable_l5_enabled") === 1n ? 5 : 4;
    this.imageEnd = kernelMap + (info.number("KERNEL_IMAGE_SIZE") ?? 0x40000000n);
    const mask = info.number("sme_mask") ?? 0n;
    this.encryptionMask = u64(mask);
    const top = info.symbol("swapper_pg_dir") ?? info.symbol("init_top_pgt");
    if (top === undefined)
      throw new BadInput("Its VMCOREINFO names no page table (swapper_pg_dir).", { file: memory.name });
    this.topTable = Number(u64(top - kernelMap + base));
  }

  /** Tells where the direct map begins, so that its addresses need no page tables. */
  setDirectMap(pageOffset: bigint): void {
    this.pageOffset = pageOffset;
    this.directEnd = pageOffset + BigInt(this.memory.endPfn) * BigInt(pageBytes);
  }

  /** Physical address of a kernel address; undefined when it is mapped nowhere or the tables are absent. */
  translate(address: bigint): number | undefined {
    if (address >= kernelMap && address < this.imageEnd) return Number(u64(address - kernelMap + this.physBase));
    if (address >= this.pageOffset && address < this.directEnd) return Number(address - this.pageOffset);
    return this.walk(address);
  }

  /** As translate(), with how many bytes from there on are contiguous in physical memory. */
  run(address: bigint): { readonly physical: number; readonly bytes: number } | undefined {
    const physical = this.walk(address);
    if (physical === undefined) return undefined;
    return { physical, bytes: this.walkedBytes - Number(address & BigInt(this.walkedBytes - 1)) };
  }

  private walkedBytes = pageBytes;
  /** The last walk ended at a page table that is not in the image. */
  private lacksTable = false;

  private walk(address: bigint): number | undefined {
    let table = this.topTable;
    this.lacksTable = false;
    for (let level: number = this.levels; level >= 1; level--) {
      const shift = BigInt(12 + 9 * (level - 1));
      const page = this.memory.page(Math.floor(table / pageBytes));
      if (page === undefined) {
        this.lacksTable = true;
        return undefined;
      }
      const at = Number((address >> shift) & 511n) * 8;
      const raw = new DataView(page.buffer, page.byteOffset + at, 8).getBigUint64(0, true);
      const entry = raw & ~this.encryptionMask;
      if ((entry & present) === 0n) return undefined;
      const target = entry & tableMask;
      if (level === 1 || (level <= 3 && (entry & large) !== 0n)) {
        const inside = (1n << shift) - 1n;
        this.walkedBytes = Number(inside) + 1;
        // Bit 12 of a large entry is PAT, not address.
        return Number((target & ~inside) + (address & inside));
      }
      table = Number(target);
    }
    return undefined;
  }

  /** The whole page that holds an address. Throws Absent. */
  pageAt(address: bigint): Uint8Array {
    const frame = address >> 12n;
    if (frame === this.lastFrame) return this.lastPage;
    let page = this.pages.get(frame);
    if (page === undefined) {
      if (address < 0n || address >> 47n === 0n) throw new Absent(address, false);
      const physical = this.translate(address);
      page = physical === undefined ? undefined : this.memory.page(Math.floor(physical / pageBytes));
      if (page === undefined) throw new Absent(address, physical !== undefined || this.lacksTable);
      if (this.pages.size >= mostCached) this.pages.delete(this.pages.keys().next().value as bigint);
      this.pages.set(frame, page);
    }
    this.lastFrame = frame;
    this.lastPage = page;
    this.lastView = new DataView(page.buffer, page.byteOffset, page.length);
    return page;
  }

  /** Bytes at an address, a copy where they cross pages. At most 16 MiB. Throws Absent. */
  bytes(address: bigint, length: number): Uint8Array {
    if (length > 1 << 24 || length < 0) throw new Absent(address, false);
    const from = Number(address & 0xfffn);
    const first = this.pageAt(address);
    if (from + length <= pageBytes) return first.subarray(from, from + length);
    const whole = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = address + BigInt(done);
      const offset = Number(at & 0xfffn);
      const piece = this.pageAt(at).subarray(offset, offset + length - done);
      whole.set(piece, done);
      done += piece.length;
    }
    return whole;
  }

  private viewOf(address: bigint, length: number): { view: DataView; at: number } {
    const at = Number(address & 0xfffn);
    if (at + length <= pageBytes) {
      this.pageAt(address);
      return { view: this.lastView, at };
    }
    const copy = this.bytes(address, length);
    return { view: new DataView(copy.buffer, copy.byteOffset, length), at: 0 };
  }

  u8(address: bigint): number {
    return this.pageAt(address)[Number(address & 0xfffn)] as number;
  }

  u16(address: bigint): number {
    const { view, at } = this.viewOf(address, 2);
    return view.getUint16(at, true);
  }

  u32(address: bigint): number {
    const { view, at } = this.viewOf(address, 4);
    return view.getUint32(at, true);
  }

  i32(address: bigint): number {
    return this.u32(address) | 0;
  }

  u64(address: bigint): bigint {
    const { view, at } = this.viewOf(address, 8);
    return view.getBigUint64(at, true);
  }

  i64(address: bigint): bigint {
    return BigInt.asIntN(64, this.u64(address));
  }

  /** Text up to its NUL, at most `most` bytes; bytes that are no ASCII text become `\xNN`. */
  text(address: bigint, most: number): string {
    let out = "";
    for (let i = 0; i < most; i++) {
      const byte = this.u8(address + BigInt(i));
      if (byte === 0) break;
      out += printable(byte);
    }
    return out;
  }
}

const printable = (byte: number): string =>
  byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;

/** An address as the kernel prints it, without 0x. */
export const hex = (address: bigint): string => address.toString(16);
