import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BadInput } from "../../base/bad_input.ts";
import { prng } from "../../base/prng.ts";
import type { Member, StructLayout } from "../../kernel/layout/layout.ts";
import { holesOf, memberOf } from "../../kernel/layout/layout.ts";
import type { Btf } from "./btf.ts";
import { isBtf, readBtf } from "./btf.ts";
import type { Unpack } from "./kernel_file.ts";
import { rawBtf, readKernelFile } from "./kernel_file.ts";

const fixtures = join(import.meta.dirname, "../../../fixtures/btf");
const fixture = (name: string): Uint8Array => new Uint8Array(readFileSync(join(fixtures, name)));
const small = (): Btf => readBtf(fixture("small.btf"), "small.btf");
const gunzip: Unpack = async (packing, packed) => {
  if (packing !== "gzip") throw new BadInput(`no ${packing} here`);
  return new Uint8Array(gunzipSync(packed));
};
const layoutIn = (btf: Btf, name: string): StructLayout => btf.layout(name) as StructLayout;

describe("a small file, compiled for the purpose (fixtures/btf/small.c)", () => {
  test("members stand where the compiler put them, bit-fields by bit", () => {
    const places = layoutIn(small(), "outer").members.map((m) => [
      m.name,
      m.offsetBits,
      m.bits ?? m.sizeBytes * 8,
      m.type,
    ]);
    expect(places).toEqual([
      ["first", 0, 3, "unsigned char"],
      ["second", 3, 5, "unsigned char"],
      ["third", 8, 20, "unsigned int"],
      ["fourth", 32, 15, "unsigned int"],
      ["next", 64, 64, "struct outer *"],
      ["destructor", 128, 64, "void (*)()"],
      ["", 192, 32, "union"],
      ["three", 224, 288, "inner_t[3]"],
      ["pairs", 512, 128, "struct[2]"],
      ["text", 640, 64, "volatile const char *const"],
      ["colour", 704, 32, "enum colour"],
      ["big", 768, 64, "enum big"],
      ["either", 832, 64, "union either"],
      ["weight", 896, 64, "double"],
      ["flag", 960, 8, "_Bool"],
      ["tail", 992, 0, "int[0]"],
    ]);
    expect(layoutIn(small(), "outer").sizeBytes).toBe(128);
  });

  test("anonymous members are reached by name, array elements by their array", () => {
    const outer = layoutIn(small(), "outer");
    expect(memberOf(outer, "offset")?.offsetBits).toBe(26 * 8);
    expect(memberOf(outer, "pairs.y")?.offsetBits).toBe(68 * 8);
    expect(memberOf(outer, "either.bytes")?.sizeBytes).toBe(5);
    expect(memberOf(layoutIn(small(), "holds"), "in.b")?.offsetBits).toBe(20 * 8);
  });

  test("holes are those that pahole prints", () => {
    expect(holesOf(layoutIn(small(), "inner"))).toEqual([
      { after: "a", offsetBits: 8, bits: 24, depth: 0 },
      { after: "c", offsetBits: 80, bits: 16, depth: 0 },
    ]);
    expect(holesOf(layoutIn(small(), "outer")).map((h) => [h.after, h.bits])).toEqual([
      ["third", 4],
      ["fourth", 17],
      ["colour", 32],
      ["flag", 24],
      ["tail", 32],
    ]);
  });

  test("typedefs, enumerators (negative and 64 bits wide) and sizes by name", () => {
    expect(layoutIn(small(), "inner_t").name).toBe("inner");
    expect([...(small().enumerators("colour") ?? [])]).toEqual([
      ["RED", 0],
      ["GREEN", 7],
      ["BLUE", -3],
    ]);
    expect(Object.fromEntries(small().sizes())).toEqual({ inner: 12, either: 8, outer: 128, holds: 32 });
    expect(small().layout("forward")).toBeUndefined();
  });

  test("the opposite byte order reads the same", () => {
    const big = readBtf(fixture("small-big-endian.btf"), "big");
    expect(big.littleEndian).toBe(false);
    for (const name of ["inner", "either", "outer", "holds"]) expect(big.layout(name)).toEqual(small().layout(name));
  });
});

describe("files that hold BTF", () => {
  test("an ELF object of 64 bits, one of 32 bits, and either packed", async () => {
    expect((await readKernelFile(fixture("small.o"), "small.o", gunzip)).layout("outer")).toEqual(
      small().layout("outer"),
    );
    const narrow = await readKernelFile(new Uint8Array(gzipSync(fixture("small32.o"))), "small32.o.gz", gunzip);
    expect(narrow.pointerBytes).toBe(4);
    expect(memberOf(layoutIn(narrow, "outer"), "destructor")?.offsetBits).toBe(12 * 8);
    // An 8-byte integer is aligned to 4 there: 108 is no multiple of 8.
    expect(layoutIn(narrow, "outer").sizeBytes).toBe(108);
  });

  test("a bzImage: the packed vmlinux behind its real-mode part", async () => {
    const packed = gzipSync(fixture("small.o"));
    const image = new Uint8Array(0x400 + 0x80 + packed.length);
    const view = new DataView(image.buffer);
    view.setUint8(0x1f1, 1);
    view.setUint32(0x202, 0x53726448, true);
    view.setUint16(0x206, 0x020f, true);
    view.setUint32(0x248, 0x80, true);
    view.setUint32(0x24c, packed.length, true);
    image.set(packed, 0x400 + 0x80);
    expect((await readKernelFile(image, "vmlinuz", gunzip)).layout("inner")?.sizeBytes).toBe(12);
    view.setUint16(0x206, 0x0204, true);
    await expect(readKernelFile(image, "vmlinuz", gunzip)).rejects.toThrow(/boot protocol is 2\.04/);
  });

  test("split BTF takes names and types from its base, and says so when the base is missing", () => {
    // A module with one struct: { struct inner a; struct outer *own; } whose ids and names go on from small.btf's.
    const base = small();
    const strings = new TextEncoder().encode("\0own_struct\0a\0own\0");
    const baseStrings = new DataView(fixture("small.btf").buffer).getUint32(20, true);
    const id = (name: string): number => idOf(base, name);
    const types = new Uint32Array([
      baseStrings + 1,
      (4 << 24) | 2,
      24, // struct own_struct, 2 members, 24 bytes
      baseStrings + 12,
      id("inner"),
      0,
      baseStrings + 14,
      base.typeCount + 2,
      128,
      0,
      2 << 24,
      id("outer"), // a pointer to struct outer
    ]);
    const head = new Uint8Array(24);
    const view = new DataView(head.buffer);
    view.setUint16(0, 0xeb9f, true);
    view.setUint8(2, 1);
    view.setUint32(4, 24, true);
    view.setUint32(12, types.byteLength, true);
    view.setUint32(16, types.byteLength, true);
    view.setUint32(20, strings.length, true);
    const module = new Uint8Array([...head, ...new Uint8Array(types.buffer), ...strings]);
    const btf = readBtf(module, "module.ko", base);
    expect(layoutIn(btf, "own_struct").members.map((m) => [m.name, m.offsetBits, m.sizeBytes, m.type])).toEqual([
      ["a", 0, 12, "struct inner"],
      ["own", 128, 8, "struct outer *"],
    ]);
    expect(btf.layout("outer")).toEqual(base.layout("outer"));
    expect(() => readBtf(module, "module.ko").layout("own_struct")).toThrow(/--btf-base|behind the end/);
  });
});

/** A struct's id by trying every id in a pointer's place: what a real module has from its linker. */
function idOf(base: Btf, name: string): number {
  const bytes = fixture("small.btf");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = 24 + view.getUint32(12, true);
  const strings = 24 + view.getUint32(16, true);
  const tail = [0, 4, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 4, 0, 0];
  const each = [0, 0, 0, 0, 12, 12, 8, 0, 0, 0, 0, 0, 0, 8, 0, 12, 0, 0, 0, 12];
  let id = 1;
  for (let at = 24; at < end; id++) {
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 31;
    const from = strings + view.getUint32(at, true);
    const text = new TextDecoder().decode(bytes.subarray(from, bytes.indexOf(0, from)));
    if (kind === 4 && text === name) return id;
    at += 12 + (tail[kind] ?? 0) + (each[kind] ?? 0) * (info & 0xffff);
  }
  throw new Error(`no ${name} among ${base.typeCount} types`);
}

describe("what is not BTF is named, never a crash", () => {
  test("another version, a cut-off file, an ELF without BTF, something else", async () => {
    const later = fixture("small.btf");
    later[2] = 2;
    expect(() => readBtf(later, "x.btf")).toThrow(/version 2/);
    expect(() => readBtf(fixture("small.btf").subarray(0, 700), "x.btf")).toThrow(/should reach|ends at byte/);
    await expect(readKernelFile(new Uint8Array(0), "x", gunzip)).rejects.toThrow(/empty/);
    await expect(readKernelFile(new TextEncoder().encode("hello ".repeat(200)), "x", gunzip)).rejects.toThrow(
      /neither BTF/,
    );
    const bare = fixture("small.o");
    const name = new TextEncoder().encode(".BTF");
    for (let i = 0; i + 5 < bare.length; i++)
      if (name.every((b, j) => bare[i + j] === b) && bare[i + 4] === 0) bare[i + 1] = 0x58;
    await expect(readKernelFile(bare, "x.o", gunzip)).rejects.toThrow(/no \.BTF section/);
  });

  test("every cut and 2000 flipped bytes give BadInput or a reading (seed 4)", async () => {
    const random = prng(4);
    const whole = fixture("small.btf");
    const tryAll = (bytes: Uint8Array): void => {
      try {
        const btf = readBtf(bytes, "fuzz");
        for (const name of btf.names()) btf.layout(name);
      } catch (error) {
        if (!(error instanceof BadInput)) throw error;
      }
    };
    for (let n = 0; n < whole.length; n += 7) tryAll(whole.subarray(0, n));
    for (let i = 0; i < 2000; i++) {
      const bytes = whole.slice();
      for (let k = 0; k < 3; k++) bytes[random.below(bytes.length)] = random.below(256);
      tryAll(bytes);
    }
    const elf = fixture("small.o");
    for (let i = 0; i < 300; i++) {
      const bytes = elf.slice();
      bytes[random.below(64)] = random.below(256);
      await readKernelFile(bytes, "fuzz.o", gunzip).catch((error: unknown) => {
        if (!(error instanceof BadInput)) throw error;
      });
    }
  });
});

/** One line of pahole's output: [name, bit offset, type bytes]. */
type Line = readonly [name: string, offsetBits: number, sizeBytes: number];

/** Members in pahole's order: what is inside an unnamed struct comes before its own closing line. */
function lines(members: readonly Member[]): Line[] {
  return members.flatMap((m): Line[] => {
    const unnamed = /^(?:const |volatile )*(struct|union)(\[|$)/.test(m.type);
    return [...(unnamed ? lines(m.members ?? []) : []), [m.name, m.offsetBits, m.sizeBytes]];
  });
}

const hasPahole = ((): boolean => {
  try {
    execFileSync("pahole", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();
/** The running kernel, kernel images that are installed, and one that the environment names (a Debian vmlinuz). */
const kernels = [
  "/sys/kernel/btf/vmlinux",
  ...(existsSync("/boot")
    ? readdirSync("/boot")
        .filter((f) => /^vmlinuz-/.test(f))
        .map((f) => join("/boot", f))
    : []),
  ...(process.env.SKBLAB_KERNEL === undefined ? [] : [process.env.SKBLAB_KERNEL]),
].filter((f) => existsSync(f));

const unpack: Unpack = async (packing, packed) => {
  if (packing === "gzip") return new Uint8Array(gunzipSync(packed));
  return new Uint8Array(
    execFileSync(packing === "bzip2" ? "bzip2" : packing, ["-dc"], {
      input: packed,
      maxBuffer: 2 ** 30,
      stdio: ["pipe", "pipe", "ignore"],
    }),
  );
};

/** pahole's text of every struct, of the raw BTF in `file`. */
function paholeOf(file: string): string {
  return (
    execFileSync("pahole", ["-F", "btf", file], { maxBuffer: 2 ** 30, stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      // What a pointer to an unnamed struct points to is printed too; it is no part of the struct.
      .replace(/^(\t+)(?:struct|union) \{\n(?:\1\t.*\n|\n)*?\1\} \*/gm, "$1struct *")
  );
}

/** Where we and pahole differ, one line a struct, and how much was compared. */
function compareWithPahole(btf: Btf, printed: string): { structs: number; members: number; wrong: string[] } {
  let structs = 0;
  let members = 0;
  const wrong: string[] = [];
  for (const text of printed.split(/^(?=(?:struct|union) \w+ \{$)/m)) {
    const name = /^(?:struct|union) (\w+) \{\n/.exec(text)?.[1];
    if (name === undefined) continue;
    const size = /^\t\/\* size: (\d+)/m.exec(text)?.[1];
    const theirs: Line[] = [];
    for (const [, before = "", byte = "", bit, bytes = ""] of text.matchAll(
      /^\t+(.*?);\s*\/\*\s*(\d+)(?::\s*(\d+))?\s+(\d+)\s*\*\/$/gm,
    ))
      theirs.push([before, Number(byte) * 8 + Number(bit ?? 0), Number(bytes)]);
    const candidates = btf.layouts(name).filter((l) => size === undefined || l.sizeBytes === Number(size));
    structs++;
    members += theirs.length;
    const same = (l: StructLayout): boolean => {
      const mine = lines(l.members);
      return (
        mine.length === theirs.length &&
        mine.every(([field, at, bytes], i) => {
          const [declared = "", offset, size] = theirs[i] as Line;
          return at === offset && bytes === size && declared.includes(field);
        })
      );
    };
    if (!candidates.some(same))
      wrong.push(
        `${name}, ${size} bytes: ${lines(candidates[0]?.members ?? []).length} members, pahole ${theirs.length}`,
      );
  }
  return { structs, members, wrong };
}

const can = hasPahole && kernels.length > 0;
describe("every struct of a real kernel agrees with pahole in size, every member in offset", () => {
  test.skipIf(can)(
    "SKIPPED: needs pahole (package dwarves) and /sys/kernel/btf/vmlinux or a vmlinuz in /boot",
    () => {},
  );

  test.skipIf(!can).each(kernels)("%s", async (file) => {
    const bytes = new Uint8Array(readFileSync(file));
    const btf = await readKernelFile(bytes, file, unpack);
    let raw = file;
    const folder = mkdtempSync(join(tmpdir(), "skblab-btf-"));
    try {
      if (!isBtf(bytes)) {
        raw = join(folder, "raw.btf");
        writeFileSync(raw, await rawBtf(bytes, file, unpack));
      }
      const { structs, members, wrong } = compareWithPahole(btf, paholeOf(raw));
      expect(wrong.slice(0, 20)).toEqual([]);
      expect(structs).toBeGreaterThan(1000);
      expect(members).toBeGreaterThan(structs);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
