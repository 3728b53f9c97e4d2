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
 * @returns {{ machine: "x86" | "arm64", functions: Fn[], objects: Obj[], btf: Uint8Array | undefined, references: Ref[] }}
 */
export function readModule(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (at) => view.getUint16(at, true);
  const u32 = (at) => view.getUint32(at, true);
  const u64 = (at) => Number(view.getBigUint64(at, true));
  const nul = (at) => text.decode(bytes.subarray(at, bytes.indexOf(0, at)));
  const machine = u16(0x12) === 0xb7 ? "arm64" : "x86";
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
  const symtab = sections.find((s) => s.type === shtSymtab);
  const strings = sections[symtab.link];
  const symbols = Array.from({ length: symtab.size / 24 }, (_, i) => {
    const at = symtab.offset + i * 24;
    const type = bytes[at + 4] & 15;
    const section = u16(at + 6);
    return {
      name: type === 3 ? "" : nul(strings.offset + u32(at)),
      type,
      global: bytes[at + 4] >> 4 !== 0,
      section,
      value: u64(at + 8),
      size: u64(at + 16),
    };
  });
  const functions = symbols
    .filter((s) => s.type === 2 && s.section !== 0 && s.section < 0xff00 && s.size > 0)
    .map((s) => ({ name: s.name, section: s.section, at: s.value, size: s.size, global: s.global }));
  const objects = symbols
    .filter((s) => s.type === 1 && s.section !== 0 && s.section < 0xff00 && s.size > 0)
    .map((s) => ({ name: s.name, section: s.section, at: s.value, size: s.size }));
  const starts = new Map(functions.map((f) => [`${f.section}:${f.at}`, f]));
  const bySection = new Map();
  for (const f of [...functions].sort((a, b) => a.at - b.at))
    bySection.set(f.section, [...(bySection.get(f.section) ?? []), f]);
  /** The function whose body holds a place of a section. */
  const holder = (section, at) => {
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
  /** What a relocation points to: a function of this file, or the name of one elsewhere. */
  const target = (symbol, offset) => {
    if (symbol.section === 0) return symbol.name === "" ? undefined : { outside: symbol.name };
    const found = starts.get(`${symbol.section}:${symbol.value + offset}`);
    return found === undefined ? undefined : { function: found };
  };
  const references = [];
  const relocated = new Set();
  for (const s of sections) {
    if (s.type !== shtRela) continue;
    const to = sections[s.info];
    if (to === undefined || (to.flags & 2) === 0) continue;
    const code = (to.flags & 4) !== 0;
    if (!code && !/^\.(ro)?data|^\.init\.data|^\.data\.rel|^\.exit\.data/.test(to.name)) continue;
    for (let at = s.offset; at < s.offset + s.size; at += 24) {
      const where = u64(at);
      const type = u32(at + 8);
      const addend = Number(view.getBigInt64(at + 16, true));
      const symbol = symbols[u32(at + 12)];
      if (code) {
        const from = holder(to.index, where);
        if (from === undefined) continue;
        if (machine === "x86" && relative.has(type)) {
          const opcode = bytes[to.offset + where - 1];
          const before = bytes[to.offset + where - 2];
          const call = opcode === 0xe8 || opcode === 0xe9 || (before === 0x0f && (opcode & 0xf0) === 0x80);
          relocated.add(`${to.index}:${where}`);
          const t = target(symbol, addend + 4);
          if (t !== undefined) references.push({ from, ...t, kind: call ? "call" : "address" });
        } else if (machine === "arm64" && branch26.has(type)) {
          relocated.add(`${to.index}:${where}`);
          const t = target(symbol, addend);
          if (t !== undefined) references.push({ from, ...t, kind: "call" });
        } else {
          const t = target(symbol, addend);
          if (t !== undefined) references.push({ from, ...t, kind: "address" });
        }
      } else if (pointer.has(type)) {
        const t = target(symbol, addend);
        if (t !== undefined) references.push({ data: to.index, at: where, ...t, kind: "table" });
      }
    }
  }
  // Calls within a section: the assembler has resolved them, so they are found by their code.
  for (const f of functions) {
    const s = sections[f.section];
    if (s.type === shtNobits) continue;
    const base = s.offset + f.at;
    if (machine === "x86") {
      for (let i = 0; i + 5 <= f.size; i++) {
        const op = bytes[base + i];
        const wide = op === 0x0f && (bytes[base + i + 1] & 0xf0) === 0x80 ? 1 : 0;
        if (op !== 0xe8 && op !== 0xe9 && wide === 0) continue;
        if (i + 5 + wide > f.size || relocated.has(`${f.section}:${f.at + i + 1 + wide}`)) continue;
        const to = starts.get(`${f.section}:${f.at + i + 5 + wide + view.getInt32(base + i + 1 + wide, true)}`);
        if (to !== undefined && to !== f) references.push({ from: f, function: to, kind: "call" });
      }
    } else {
      for (let i = 0; i + 4 <= f.size; i += 4) {
        const op = u32(base + i);
        if ((op & 0x7c000000) !== 0x14000000 || relocated.has(`${f.section}:${f.at + i}`)) continue;
        const distance = ((op & 0x3ffffff) << 6) >> 4;
        const to = starts.get(`${f.section}:${f.at + i + distance}`);
        if (to !== undefined && to !== f) references.push({ from: f, function: to, kind: "call" });
      }
    }
  }
  const btf = sections.find((s) => s.name === ".BTF");
  return {
    machine,
    functions,
    objects,
    references,
    btf: btf === undefined ? undefined : bytes.subarray(btf.offset, btf.offset + btf.size),
  };
}
