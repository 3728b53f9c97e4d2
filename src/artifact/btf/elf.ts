// Sections of an ELF file (32 and 64 bit, either byte order): just enough to find .BTF in a vmlinux or a module.
import { BadInput } from "../../base/bad_input.ts";
import { byteReader } from "./bytes.ts";

export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** The contents of the section `name`; undefined when there is none of that name. */
export function elfSection(bytes: Uint8Array, name: string, file: string): Uint8Array | undefined {
  const wide = bytes[4] === 2;
  if (bytes[4] !== 1 && bytes[4] !== 2)
    throw new BadInput(
      bytes.length < 5
        ? "It is cut off within its ELF header."
        : `It is an ELF file of class ${bytes[4]}, which does not exist: it is damaged.`,
      { file },
      "Copy it again, whole.",
    );
  const r = byteReader(bytes, file, bytes[5] === 1);
  const table = wide ? r.u64(0x28) : r.u32(0x20);
  const entry = r.u16(wide ? 0x3a : 0x2e);
  const count = r.u16(wide ? 0x3c : 0x30);
  const nameIndex = r.u16(wide ? 0x3e : 0x32);
  const at = (i: number): number => table + i * entry;
  const offset = (i: number): number => (wide ? r.u64(at(i) + 0x18) : r.u32(at(i) + 0x10));
  const size = (i: number): number => (wide ? r.u64(at(i) + 0x20) : r.u32(at(i) + 0x14));
  if (count === 0 || table === 0) return undefined;
  r.part(table, entry * count, "section table");
  const names = r.part(offset(nameIndex), size(nameIndex), "table of section names");
  const namesAt = offset(nameIndex);
  for (let i = 1; i < count; i++)
    if (r.text(namesAt + r.u32(at(i)), namesAt + names.length) === name)
      return r.part(offset(i), size(i), `section ${name}`);
  return undefined;
}
