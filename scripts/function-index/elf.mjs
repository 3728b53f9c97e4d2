// What a kernel module says of its functions: symbols, sections, relocations, read straight from the ELF file (64 bit, little-endian).

const text = new TextDecoder();
const shtSymtab = 2;
const shtRela = 4;
const shtNobits = 8;

/** R_X86_64_PC32 and PLT32 stand behind a call's opcode; R_AARCH64_JUMP26 and CALL26 within the instruction. */
const relative = new Set([2, 4]);
const branch26 = new Set([282, 283]);
/** R_X86_64_64 and R_AARCH64_ABS64: a pointer in data. */
const pointer = new Set([1, 257]);

/**
 * @param {Uint8Array} bytes a module
 * @returns functions and objects by section and place, references between them, and the raw BTF
 */
export function readModule(bytes) {
  const elf = opened(bytes);
  const symbols = symbolsOf(elf);
  const placed = (type) =>
    symbols.filter((s) => s.type === type && s.section !== 0 && s.section < 0xff00 && s.size > 0);
  const functions = placed(2).map((s) => ({
    name: s.name,
    section: s.section,
    at: s.value,
    size: s.size,
    global: s.global,
  }));
  const objects = placed(1).map((s) => ({ name: s.name, section: s.section, at: s.value, size: s.size }));
  const places = { starts: new Map(functions.map((f) => [`${f.section}:${f.at}`, f])), holder: holderOf(functions) };
  const relocated = new Set();
  const references = [
    ...relocatedReferences(elf, symbols, places, relocated),
    ...functions.flatMap((f) => [...callsWithin(elf, f, places.starts, relocated)]),
  ];
  const btf = elf.sections.find((s) => s.name === ".BTF");
  return {
    functions,
    objects,
    references,
    btf: btf === undefined ? undefined : bytes.subarray(btf.offset, btf.offset + btf.size),
  };
}

/** The file with its sections. */
function opened(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (at) => view.getUint16(at, true);
  const u32 = (at) => view.getUint32(at, true);
  const u64 = (at) => Number(view.getBigUint64(at, true));
  const nul = (at) => text.decode(bytes.subarray(at, bytes.indexOf(0, at)));
  const table = u64(0x28);
  const sections = Array.from({ length: u16(0x3c) }, (_, i) => {
    const at = table + i * u16(0x3a);
    return {
      index: i,
      nameAt: u32(at),
      type: u32(at + 4),
      flags: u64(at + 8),
      offset: u64(at + 0x18),
      size: u64(at + 0x20),
      link: u32(at + 0x28),
      info: u32(at + 0x2c),
    };
  });
  const names = sections[u16(0x3e)];
  for (const s of sections) s.name = nul(names.offset + s.nameAt);
  return { bytes, view, u16, u32, u64, nul, sections, arm64: u16(0x12) === 0xb7 };
}

function symbolsOf({ bytes, u16, u32, u64, nul, sections }) {
  const symtab = sections.find((s) => s.type === shtSymtab);
  const strings = sections[symtab.link];
  return Array.from({ length: symtab.size / 24 }, (_, i) => {
    const at = symtab.offset + i * 24;
    const type = bytes[at + 4] & 15;
    return {
      name: type === 3 ? "" : nul(strings.offset + u32(at)),
      type,
      global: bytes[at + 4] >> 4 !== 0,
      section: u16(at + 6),
      value: u64(at + 8),
      size: u64(at + 16),
    };
  });
}

/** Finds the function whose body holds a place of a section. */
function holderOf(functions) {
  const bySection = new Map();
  for (const f of [...functions].sort((a, b) => a.at - b.at)) {
    const list = bySection.get(f.section);
    if (list === undefined) bySection.set(f.section, [f]);
    else list.push(f);
  }
  return (section, at) => {
    const list = bySection.get(section) ?? [];
    let low = 0;
    let high = list.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if (list[mid].at <= at) low = mid;
      else high = mid - 1;
    }
    const f = list[low];
    return f !== undefined && f.at <= at && at < f.at + f.size ? f : undefined;
  };
}

/** What the relocations of code and data point to: a function of this file, or the name of one elsewhere. */
function* relocatedReferences({ bytes, view, u32, u64, sections, arm64 }, symbols, { starts, holder }, relocated) {
  const target = (symbol, offset) => {
    if (symbol.section === 0) return symbol.name === "" ? undefined : { outside: symbol.name };
    const found = starts.get(`${symbol.section}:${symbol.value + offset}`);
    return found === undefined ? undefined : { function: found };
  };
  for (const s of sections) {
    const to = sections[s.info];
    if (s.type !== shtRela || to === undefined || (to.flags & 2) === 0) continue;
    const code = (to.flags & 4) !== 0;
    if (!code && !/^\.(ro)?data|^\.init\.data|^\.data\.rel|^\.exit\.data/.test(to.name)) continue;
    for (let at = s.offset; at < s.offset + s.size; at += 24) {
      const where = u64(at);
      const type = u32(at + 8);
      const addend = Number(view.getBigInt64(at + 16, true));
      const symbol = symbols[u32(at + 12)];
      const isRelative = !arm64 && relative.has(type);
      const aims = target(symbol, isRelative ? addend + 4 : addend);
      if (!code) {
        if (pointer.has(type) && aims !== undefined) yield { data: to.index, at: where, ...aims, kind: "table" };
        continue;
      }
      if (isRelative || branch26.has(type)) relocated.add(`${to.index}:${where}`);
      const from = holder(to.index, where);
      if (from === undefined || aims === undefined) continue;
      const call = arm64 ? branch26.has(type) : isRelative && isCall(bytes, to.offset + where);
      yield { from, ...aims, kind: call ? "call" : "address" };
    }
  }
}

/** call, jmp and the long conditional jumps have their distance behind the opcode. */
function isCall(bytes, at) {
  const opcode = bytes[at - 1];
  return opcode === 0xe8 || opcode === 0xe9 || (bytes[at - 2] === 0x0f && (opcode & 0xf0) === 0x80);
}

/** Calls within a section: the assembler has resolved them, so they are found by their code. */
function* callsWithin({ bytes, view, u32, sections, arm64 }, f, starts, relocated) {
  const s = sections[f.section];
  if (s.type === shtNobits) return;
  const base = s.offset + f.at;
  for (let i = 0; i + 4 <= f.size; i += arm64 ? 4 : 1) {
    let to;
    if (arm64) {
      const op = u32(base + i);
      if ((op & 0x7c000000) !== 0x14000000 || relocated.has(`${f.section}:${f.at + i}`)) continue;
      to = starts.get(`${f.section}:${f.at + i + (((op & 0x3ffffff) << 6) >> 4)}`);
    } else {
      const op = bytes[base + i];
      const wide = op === 0x0f && (bytes[base + i + 1] & 0xf0) === 0x80 ? 1 : 0;
      if ((op !== 0xe8 && op !== 0xe9 && wide === 0) || i + 5 + wide > f.size) continue;
      if (relocated.has(`${f.section}:${f.at + i + 1 + wide}`)) continue;
      to = starts.get(`${f.section}:${f.at + i + 5 + wide + view.getInt32(base + i + 1 + wide, true)}`);
    }
    if (to !== undefined && to !== f) yield { from: f, function: to, kind: "call" };
  }
}
