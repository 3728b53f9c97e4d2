// Grows a small memory image into one of a large machine: a Normal zone of N GiB is added from 4 GiB on, with sections, a memory map that is
// mapped by 2 MiB pages, free lists, LRU pages, slabs, page tables and compound pages, written into a sparse ELF core. What pages look like is
// copied from pages of the small image; their places follow a seed.
//   node bench/image/grow.mjs BASE OUT [GiB=64] [seed=1]
import { closeSync, ftruncateSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { prng } from "../../dist/base/prng.js";
import { openImage } from "../../dist/image/container/open.js";
import { readImage } from "../../dist/image/image.js";
import { openKernel } from "../../dist/image/kernel.js";
import { mappingAnon } from "../../dist/image/mm/mem_map.js";
import { pageKind, pageMarksOf } from "../../dist/image/mm/page_kinds.js";

const [base, out, gibText = "64", seedText = "1"] = process.argv.slice(2);
if (base === undefined || out === undefined) {
  console.error(
    "usage: node bench/image/grow.mjs BASE OUT [GiB] [seed]   (BASE: an unpacked memory image of a small x86-64 guest)",
  );
  process.exit(2);
}
const gib = Number(gibText);
const random = prng(Number(seedText));
const fd = openSync(base, "r");
const source = { name: base, size: statSync(base).size, read: (at, into) => readSync(fd, into, 0, into.length, at) };
const memory = openImage([source]);
const kernel = openKernel(memory);
const { space, types, info } = kernel;
const small = readImage(memory, { kernel, pointers: false });
const marks = pageMarksOf(kernel);
const structBytes = kernel.pageStructBytes;
const pageOffset = kernel.pageOffset;

const firstPfn = 1 << 20;
const frames = gib * 2 ** 18;
const endPfn = firstPfn + frames;
const mapBytes = frames * structBytes;
const start = firstPfn * 4096;
/** Tables first, then the memory map; both in the new memory, as in a machine. */
const tableBytes = 64 << 20;
const mapAt = start + tableBytes;
const reservedFrames = (tableBytes + mapBytes) / 4096;

// --- the file: small memory as it is, then the new memory, sparse
const smallBytes = memory.endPfn * 4096;
const fileA = 8192;
const fileB = fileA + smallBytes;
const file = openSync(out, "w+");
ftruncateSync(file, fileB + frames * 4096);
const placeOf = (physical) => (physical < start ? fileA + physical : fileB + (physical - start));
const put = (physical, bytes) => writeSync(file, bytes, 0, bytes.length, placeOf(physical));
const word = Buffer.alloc(8);
const put64 = (physical, value) => {
  word.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  put(physical, word);
};
const get64 = (physical) => {
  readSync(file, word, 0, 8, placeOf(physical));
  return word.readBigUInt64LE();
};
for (let pfn = 0; pfn < memory.endPfn; pfn++) {
  const page = memory.page(pfn);
  if (page !== undefined) put(pfn * 4096, page);
}
const note = Buffer.from(`${memory.vmcoreinfo ?? kernel.info.text}`);
const notes = Buffer.alloc(12 + 12 + Math.ceil(note.length / 4) * 4);
notes.writeUInt32LE(11, 0);
notes.writeUInt32LE(note.length, 4);
notes.write("VMCOREINFO\0", 12);
note.copy(notes, 24);
const header = Buffer.alloc(64 + 3 * 56);
header.write("\x7fELF\x02\x01\x01", 0, "latin1");
header.writeUInt16LE(4, 16);
header.writeUInt16LE(62, 18);
header.writeUInt32LE(1, 20);
header.writeBigUInt64LE(64n, 32);
header.writeUInt16LE(64, 52);
header.writeUInt16LE(56, 54);
header.writeUInt16LE(3, 56);
const segment = (i, type, offset, physical, bytes) => {
  const at = 64 + i * 56;
  header.writeUInt32LE(type, at);
  header.writeBigUInt64LE(BigInt(offset), at + 8);
  header.writeBigUInt64LE(BigInt(physical), at + 24);
  header.writeBigUInt64LE(BigInt(bytes), at + 32);
  header.writeBigUInt64LE(BigInt(bytes), at + 40);
};
segment(0, 4, 512, 0, notes.length);
segment(1, 1, fileA, 0, smallBytes);
segment(2, 1, fileB, start, frames * 4096);
writeSync(file, header, 0, header.length, 0);
writeSync(file, notes, 0, notes.length, 512);

let nextTable = start;
const allocTable = (bytes = 4096) => {
  const at = nextTable;
  nextTable += Math.ceil(bytes / 4096) * 4096;
  if (nextTable > mapAt) throw new Error("no room for tables");
  return at;
};
const physicalOf = (address) => space.translate(address);

// --- page tables of the memory map: 2 MiB pages
const top = Number(BigInt.asUintN(64, info.symbol("swapper_pg_dir") - 0xffffffff80000000n + space.physBase));
for (let done = 0; done < mapBytes; done += 2 << 20) {
  const address = kernel.vmemmap + BigInt(firstPfn * structBytes + done);
  let table = top;
  for (let level = space.levels; level > 2; level--) {
    const at = table + Number((address >> BigInt(12 + 9 * (level - 1))) & 511n) * 8;
    let entry = get64(at);
    if ((entry & 1n) === 0n) {
      entry = BigInt(allocTable()) | 0x63n;
      put64(at, entry);
    }
    table = Number(entry & 0x000ffffffffff000n);
  }
  put64(table + Number((address >> 21n) & 511n) * 8, BigInt(mapAt + done) | 0xe3n);
}

// --- sections
const section = types.struct("mem_section");
const usage = types.struct("mem_section_usage");
const sectionFrames = 2 ** (Number(info.number("SECTION_SIZE_BITS") ?? 27n) - 12);
const perRoot = 4096 / section.sizeBytes;
const bits = types.enumerators("pageblock_bits");
const bitsPerBlock = (bits.get("NR_PAGEBLOCK_BITS") ?? bits.get("__NR_PAGEBLOCK_BITS") ?? 4) <= 4 ? 4 : 8;
const usageBytes = usage.sizeBytes + (sectionFrames / 512) * (bitsPerBlock / 8);
let usageAt = allocTable((frames / sectionFrames) * Math.ceil(usageBytes / 8) * 8);
for (let number = firstPfn / sectionFrames; number < endPfn / sectionFrames; number++) {
  const rootAt = physicalOf(info.symbol("mem_section") + BigInt(Math.floor(number / perRoot) * 8));
  // mem_section is a pointer to the array of roots in some kernels; both are read the same way by VMCOREINFO.
  let root = get64(rootAt);
  if (root === 0n) {
    root = pageOffset + BigInt(allocTable());
    put64(rootAt, root);
  }
  const at =
    (root < pageOffset + BigInt(start) ? physicalOf(root) : Number(root - pageOffset)) +
    (number % perRoot) * section.sizeBytes;
  put64(at + section.off("section_mem_map"), kernel.vmemmap | 15n);
  put64(at + section.off("usage"), pageOffset + BigInt(usageAt));
  put(
    usageAt + usage.off("pageblock_flags"),
    Buffer.alloc(((sectionFrames / 512) * bitsPerBlock) / 8, bitsPerBlock === 4 ? 0x11 : 0x01),
  );
  usageAt += Math.ceil(usageBytes / 8) * 8;
}

// --- templates
const pageBytesOf = (pfn) => Buffer.from(space.bytes(kernel.vmemmap + BigInt(pfn * structBytes), structBytes));
const { map } = small;
const find = (what, test) => {
  for (let pfn = 0; pfn < map.endPfn; pfn++) if (test(pfn)) return pageBytesOf(pfn);
  throw new Error(`the small image has no page of the kind ${what}`);
};
const cache = small.caches
  .filter((c) => c.order === 0 && c.refcount === 1 && c.slabs.length > 0)
  .sort((a, b) => b.slabs.length - a.slabs.length)[0];
const slabStruct = types.struct("slab");
const slabTemplate = pageBytesOf(cache.slabs[0]);
slabTemplate.writeBigUInt64LE(0n, slabStruct.off("freelist"));
const inuse = slabStruct.field("inuse");
const counters = inuse.bitField === undefined ? undefined : Math.floor(inuse.bitField.firstBit / 8);
if (counters === undefined) slabTemplate.writeUInt16LE(cache.objectsPerSlab, inuse.off);
else slabTemplate.writeUInt32LE(cache.objectsPerSlab | (cache.objectsPerSlab << 16), counters);
const at = marks.words;
const shapeOf = (pfn) => map.shape[pfn] & 3;
const templates = {
  anon: find(
    "anonymous",
    (p) => map.kind[p] === pageKind.lru && (map.shape[p] & mappingAnon) !== 0 && shapeOf(p) === 0,
  ),
  file: find("file", (p) => map.kind[p] === pageKind.lru && (map.shape[p] & mappingAnon) === 0 && shapeOf(p) === 0),
  table: find("page table", (p) => map.kind[p] === pageKind.pageTable),
  unknown: find("unknown", (p) => map.kind[p] === pageKind.unknown && shapeOf(p) === 0),
  reserved: find("reserved", (p) => map.kind[p] === pageKind.reserved),
  free: find("free", (p) => map.kind[p] === pageKind.buddy),
  freeTail: find("inside a free block", (p) => map.kind[p] === pageKind.freeTail),
};
const linkTo = (buffer, offset, next, prev) => {
  buffer.writeBigUInt64LE(next, offset + at.link * 4);
  buffer.writeBigUInt64LE(prev, offset + at.link * 4 + 8);
};
const pageVa = (pfn) => kernel.vmemmap + BigInt(pfn * structBytes);
const linkVa = (pfn) => pageVa(pfn) + BigInt(at.link * 4);

// --- what lies where: runs of 1024 frames (free), or of pages mixed by chance
const zone = types.struct("zone");
const node = physicalOf(info.symbol("node_data"));
const nodeAt = physicalOf(get64(node));
const zonesField = types.struct("pglist_data").field("node_zones");
const zoneAt = nodeAt + zonesField.off + 2 * zone.sizeBytes;
const zoneVa = get64(node) + zonesField.at + BigInt(2 * zone.sizeBytes);
const area = types.struct("free_area");
const orders = zone.field("free_area").elements;
const chunks = frames / 1024;
const isFree = Uint8Array.from({ length: chunks }, (_, i) =>
  i * 1024 < reservedFrames ? 0 : random.chance(0.25) ? 1 : 0,
);
const freeBlocks = [];
for (let i = 0; i < chunks; i++) if (isFree[i] === 1) freeBlocks.push(firstPfn + i * 1024);
for (let i = freeBlocks.length - 1; i > 0; i--) {
  const j = random.below(i + 1);
  [freeBlocks[i], freeBlocks[j]] = [freeBlocks[j], freeBlocks[i]];
}
const placeInList = new Map(freeBlocks.map((pfn, i) => [pfn, i]));
const order = orders - 1;
const headVa = (o, type) =>
  zoneVa + zone.at("free_area") + BigInt(o * area.sizeBytes) + area.at("free_list") + BigInt(type * 16);
for (let o = 0; o < orders; o++) {
  for (let type = 0; type < area.field("free_list").elements; type++) {
    const isOurs = o === order && type === 1 && freeBlocks.length > 0;
    const physical = zoneAt + zone.off("free_area") + o * area.sizeBytes + area.off("free_list") + type * 16;
    put64(physical, isOurs ? linkVa(freeBlocks[0]) : headVa(o, type));
    put64(physical + 8, isOurs ? linkVa(freeBlocks.at(-1)) : headVa(o, type));
  }
  put64(zoneAt + zone.off("free_area") + o * area.sizeBytes + area.off("nr_free"), o === order ? freeBlocks.length : 0);
}
put64(zoneAt + zone.off("zone_start_pfn"), firstPfn);
for (const field of ["spanned_pages", "present_pages", "managed_pages"]) put64(zoneAt + zone.off(field), frames);
put64(zoneAt + zone.off("vm_stat"), freeBlocks.length * 1024);
put64(zoneAt + zone.off("_watermark", "watermark"), 4096);
put64(zoneAt + zone.off("_watermark", "watermark") + 8, 5120);
put64(zoneAt + zone.off("_watermark", "watermark") + 16, 6144);

// --- the memory map
const rows = Buffer.alloc(1024 * structBytes);
let slabs = 0;
const sums = {};
for (let chunk = 0; chunk < chunks; chunk++) {
  const first = firstPfn + chunk * 1024;
  const count = (kind, n) => {
    sums[kind] = (sums[kind] ?? 0) + n;
  };
  if (chunk * 1024 < reservedFrames) {
    for (let i = 0; i < 1024; i++) templates.reserved.copy(rows, i * structBytes);
    count("reserved", 1024);
  } else if (isFree[chunk] === 1) {
    for (let i = 1; i < 1024; i++) templates.freeTail.copy(rows, i * structBytes);
    templates.free.copy(rows, 0);
    rows.writeBigUInt64LE(BigInt(order), at.private * 4);
    const i = placeInList.get(first);
    linkTo(
      rows,
      0,
      i + 1 < freeBlocks.length ? linkVa(freeBlocks[i + 1]) : headVa(order, 1),
      i > 0 ? linkVa(freeBlocks[i - 1]) : headVa(order, 1),
    );
    count("free", 1024);
  } else {
    for (let i = 0; i < 1024; ) {
      const kind = ["anon", "anon", "anon", "file", "file", "file", "slab", "table", "unknown"][random.below(9)];
      const n = Math.min(1024 - i, 1 + random.below(kind === "slab" || kind === "table" ? 8 : 64));
      const template = kind === "slab" ? slabTemplate : templates[kind];
      for (let k = i; k < i + n; k++) {
        template.copy(rows, k * structBytes);
        if (kind === "anon" || kind === "file")
          linkTo(rows, k * structBytes, linkVa(first + k + 1), linkVa(first + k - 1));
      }
      if (kind === "slab") slabs += n;
      count(kind, n);
      i += n;
    }
  }
  put(mapAt + chunk * rows.length, rows);
}

// --- the slabs of the new memory count in their cache
const nodeStruct = types.struct("kmem_cache_node");
const cacheStruct = types.struct("kmem_cache");
const perNode = cacheStruct.find("per_node") ?? cacheStruct.field("node");
const nodePointer = space.u64(cache.address + perNode.at);
const cacheNode = physicalOf(nodePointer);
put64(cacheNode + nodeStruct.off("nr_slabs"), get64(cacheNode + nodeStruct.off("nr_slabs")) + BigInt(slabs));
put64(
  cacheNode + nodeStruct.off("total_objects"),
  get64(cacheNode + nodeStruct.off("total_objects")) + BigInt(slabs * cache.objectsPerSlab),
);
closeSync(file);
console.log(
  `${out}: ${gib} GiB, ${frames} pages more, ${(statSync(out).blocks * 512) >> 20} MiB on disk; ${Object.entries(sums)
    .map(([k, n]) => `${k} ${n}`)
    .join(", ")}; ${freeBlocks.length} free blocks of order ${order}; ${slabs} slabs of ${cache.name}`,
);
