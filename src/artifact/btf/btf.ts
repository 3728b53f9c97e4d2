// BTF, the types that a kernel carries about itself (Documentation/bpf/btf.rst): either byte order, whole or split onto a base.
// Types are looked at where they lie; only names and positions are indexed.
import { BadInput } from "../../base/bad_input.ts";
import type { Member, StructLayout, StructSource } from "../../kernel/layout/layout.ts";
import type { ByteReader } from "./bytes.ts";
import { byteReader } from "./bytes.ts";

/** BTF read: a source of structs, usable as the facts of a machine. */
export interface Btf extends StructSource {
  readonly littleEndian: boolean;
  /** Types in this file; ids go on from the base's. */
  readonly typeCount: number;
  /** Named structs and unions with their bytes; the first of a name counts. */
  sizes(): ReadonlyMap<string, number>;
  /** How many structs and unions there are of a name (unlike ones keep their own). */
  countOf(name: string): number;
  /** Every struct or union of a name. */
  layouts(name: string): readonly StructLayout[];
  /** Enumerators of an enum by its name. */
  enumerators(name: string): ReadonlyMap<string, number> | undefined;
  /** The functions of this file with their prototypes as C writes them, `int (struct napi_struct *, int)`; the first of a name counts. */
  functions(): ReadonlyMap<string, string>;
}

const kinds = {
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  func: 12,
  funcProto: 13,
  variable: 14,
  section: 15,
  float: 16,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

/** Bytes behind the 12 of a type, for kinds with a fixed tail, and for each of their `vlen` entries. */
const tails: readonly (readonly [fixed: number, each: number] | undefined)[] = [
  undefined,
  [4, 0],
  [0, 0],
  [12, 0],
  [0, 12],
  [0, 12],
  [0, 8],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 8],
  [4, 0],
  [0, 12],
  [0, 0],
  [4, 0],
  [0, 0],
  [0, 12],
];

/** True for raw BTF of either byte order. */
export function isBtf(bytes: Uint8Array): boolean {
  return (bytes[0] === 0x9f && bytes[1] === 0xeb) || (bytes[0] === 0xeb && bytes[1] === 0x9f);
}

interface Tables {
  readonly r: ByteReader;
  /** Position of each type of this file. */
  readonly at: Uint32Array;
  readonly firstId: number;
  readonly stringsAt: number;
  readonly stringsLength: number;
  readonly firstString: number;
  readonly base: Tables | undefined;
}

const tablesOf = new WeakMap<Btf, Tables>();
const baseOf = new WeakMap<Btf, Btf>();
/** Ids of the structs of a name in a file itself. */
const idsOf = new WeakMap<Btf, (name: string) => readonly number[]>();

/** Reads raw BTF. `base` is needed for the BTF of a module; `pointerBytes` is what the file around it says of pointers. Throws BadInput: not BTF, another version, cut off, wrong base. */
export function readBtf(bytes: Uint8Array, file: string, base?: Btf, pointerBytes?: 4 | 8): Btf {
  if (!isBtf(bytes))
    throw new BadInput(
      "It does not begin with BTF's magic number eB9F.",
      { file },
      "Give raw BTF, a vmlinux, a vmlinuz or a module.",
    );
  const r = byteReader(bytes, file, bytes[0] === 0x9f);
  const version = r.u8(2);
  if (version !== 1)
    throw new BadInput(
      `It is BTF of version ${version}; only version 1 is known.`,
      { file },
      "Is skblab older than this kernel?",
    );
  const headerLength = r.u32(4);
  const typesAt = headerLength + r.u32(8);
  const typesLength = r.u32(12);
  const stringsAt = headerLength + r.u32(16);
  const stringsLength = r.u32(20);
  r.part(typesAt, typesLength, "type section");
  r.part(stringsAt, stringsLength, "string section");
  const below = base === undefined ? undefined : tablesOf.get(base);
  const firstId = below === undefined ? 1 : below.firstId + below.at.length;
  const tables: Tables = {
    r,
    at: positions(r, typesAt, typesAt + typesLength),
    firstId,
    stringsAt,
    stringsLength,
    firstString: below === undefined ? 0 : below.firstString + below.stringsLength,
    base: below,
  };
  const btf = sourceOver(tables, file, base, pointerBytes);
  tablesOf.set(btf, tables);
  if (base !== undefined) baseOf.set(btf, base);
  return btf;
}

/** Where each type lies. */
function positions(r: ByteReader, start: number, end: number): Uint32Array {
  let list = new Uint32Array(1024);
  let count = 0;
  for (let at = start; at < end; ) {
    const info = r.u32(at + 4);
    const kind = (info >>> 24) & 0x1f;
    const tail = tails[kind];
    if (tail === undefined)
      throw new BadInput(
        `Type ${count + 1} at byte ${at} is of kind ${kind}, which is unknown.`,
        { file: r.file },
        "Is the file damaged, or skblab older than this kernel?",
      );
    if (count === list.length) {
      const more = new Uint32Array(list.length * 2);
      more.set(list);
      list = more;
    }
    list[count++] = at;
    at += 12 + tail[0] + tail[1] * (info & 0xffff);
  }
  return list.slice(0, count);
}

/** One type's words. */
interface TypeWords {
  readonly t: Tables;
  readonly at: number;
  readonly kind: number;
  readonly count: number;
  readonly flag: boolean;
  /** Size in bytes, or the type referred to. */
  readonly value: number;
  readonly name: number;
}

function typeAt(tables: Tables, id: number): TypeWords | undefined {
  if (id === 0) return undefined;
  let t: Tables | undefined = tables;
  while (t !== undefined && id < t.firstId) t = t.base;
  const at = t?.at[id - t.firstId];
  if (t === undefined || at === undefined)
    throw new BadInput(
      `It refers to type ${id}, which does not exist.`,
      { file: tables.r.file },
      tables.base === undefined
        ? "If it is a module, give its kernel's BTF with --btf-base."
        : "Is --btf-base the BTF of the very kernel that the module was built for?",
    );
  const info = t.r.u32(at + 4);
  return {
    t,
    at,
    kind: (info >>> 24) & 0x1f,
    count: info & 0xffff,
    flag: info >>> 31 === 1,
    value: t.r.u32(at + 8),
    name: t.r.u32(at),
  };
}

function stringAt(tables: Tables, offset: number): string {
  let t: Tables | undefined = tables;
  while (t !== undefined && offset < t.firstString) t = t.base;
  if (t === undefined || offset - t.firstString >= t.stringsLength)
    throw new BadInput(
      `It refers to a name at ${offset}, behind the end of its names.`,
      { file: tables.r.file },
      tables.base === undefined && offset > 0
        ? "If it is a module, give its kernel's BTF with --btf-base."
        : "The file is damaged.",
    );
  return t.r.text(t.stringsAt + offset - t.firstString, t.stringsAt + t.stringsLength);
}

const word = (w: TypeWords, index: number): number => w.t.r.u32(w.at + 12 + index * 4);

/** Through typedefs and qualifiers to the type itself. */
function bare(tables: Tables, id: number): TypeWords | undefined {
  let w = typeAt(tables, id);
  for (let hops = 0; w !== undefined && hops < 64; hops++) {
    const { kind } = w;
    const passes = (kind >= kinds.typedef && kind <= kinds.restrict) || kind === kinds.typeTag;
    if (!passes) return w;
    w = typeAt(tables, w.value);
  }
  return w;
}

function sizeOf(tables: Tables, id: number, pointerBytes: number, depth = 0): number {
  const w = bare(tables, id);
  // Types of a damaged file may go in circles.
  if (w === undefined || depth > 16) return 0;
  switch (w.kind) {
    case kinds.pointer:
      return pointerBytes;
    case kinds.array:
      return word(w, 2) * sizeOf(tables, word(w, 0), pointerBytes, depth + 1);
    case kinds.int:
    case kinds.struct:
    case kinds.union:
    case kinds.enum:
    case kinds.enum64:
    case kinds.float:
      return w.value;
    default:
      return 0;
  }
}

/** A type as C writes it, without a name. */
function textOf(tables: Tables, id: number, depth = 0): string {
  const w = typeAt(tables, id);
  if (w === undefined) return "void";
  const name = stringAt(tables, w.name);
  if (depth > 32) return "…";
  const inner = (): string => textOf(tables, w.value, depth + 1);
  switch (w.kind) {
    case kinds.pointer: {
      const to = bare(tables, w.value);
      if (to?.kind === kinds.funcProto && typeAt(tables, w.value)?.kind !== kinds.typedef)
        return `${textOf(tables, to.value, depth + 1)} (*)()`;
      const of = inner();
      return of.endsWith("*") ? `${of}*` : `${of} *`;
    }
    case kinds.array:
      return `${textOf(tables, word(w, 0), depth + 1)}[${word(w, 2)}]`;
    case kinds.struct:
      return name === "" ? "struct" : `struct ${name}`;
    case kinds.union:
      return name === "" ? "union" : `union ${name}`;
    case kinds.forward:
      return `${w.flag ? "union" : "struct"} ${name}`;
    case kinds.enum:
    case kinds.enum64:
      return name === "" ? "enum" : `enum ${name}`;
    case kinds.const:
    case kinds.volatile: {
      const word = w.kind === kinds.const ? "const" : "volatile";
      return typeAt(tables, w.value)?.kind === kinds.pointer ? `${inner()}${word}` : `${word} ${inner()}`;
    }
    case kinds.restrict:
    case kinds.typeTag:
      return inner();
    default:
      return name;
  }
}

/** Members with offsets of the outermost struct; structs inside structs carry theirs. */
function membersOf(tables: Tables, w: TypeWords, startBits: number, pointerBytes: number, depth: number): Member[] {
  const members: Member[] = [];
  for (let i = 0; i < w.count; i++) {
    const type = word(w, i * 3 + 1);
    const place = word(w, i * 3 + 2);
    const target = bare(tables, type);
    let offsetBits = startBits + (w.flag ? place & 0xffffff : place);
    let bits = w.flag ? place >>> 24 : 0;
    if (!w.flag && target?.kind === kinds.int) {
      // Without the flag a bit-field's width and shift stand in the integer type itself.
      const encoded = word(target, 0);
      const width = encoded & 0xff;
      if (width !== target.value * 8 && width !== 0) {
        bits = width;
        offsetBits += (encoded >>> 16) & 0xff;
      }
    }
    const block = blockOf(tables, target);
    members.push({
      name: stringAt(w.t, word(w, i * 3)),
      type: textOf(tables, type),
      offsetBits,
      sizeBytes: sizeOf(tables, type, pointerBytes),
      ...(bits === 0 ? {} : { bits }),
      ...(block === undefined || depth > 24
        ? {}
        : {
            // An array of structs shows the members of its first element and is no struct itself.
            ...(block === target
              ? { kind: block.kind === kinds.struct ? ("struct" as const) : ("union" as const) }
              : {}),
            members: membersOf(tables, block, offsetBits, pointerBytes, depth + 1),
          }),
    });
  }
  return members;
}

/** The struct or union that a member is, or that it is an array of. */
function blockOf(tables: Tables, target: TypeWords | undefined): TypeWords | undefined {
  let w = target;
  while (w?.kind === kinds.array) w = bare(tables, word(w, 0));
  return w?.kind === kinds.struct || w?.kind === kinds.union ? w : undefined;
}

function sourceOver(tables: Tables, file: string, base: Btf | undefined, pointerBytes: 4 | 8 | undefined): Btf {
  const { firstId, at } = tables;
  let index: ReadonlyMap<string, readonly number[]> | undefined;
  let enums: ReadonlyMap<string, number> | undefined;
  let typedefs: ReadonlyMap<string, number> | undefined;
  const build = (): ReadonlyMap<string, readonly number[]> => {
    if (index !== undefined) return index;
    const structs = new Map<string, number[]>();
    const enumIds = new Map<string, number>();
    const typedefIds = new Map<string, number>();
    for (let i = 0; i < at.length; i++) {
      const w = typeAt(tables, firstId + i) as TypeWords;
      if (w.name === 0) continue;
      if (w.kind === kinds.struct || w.kind === kinds.union) {
        const name = stringAt(tables, w.name);
        const ids = structs.get(name);
        if (ids === undefined) structs.set(name, [firstId + i]);
        else ids.push(firstId + i);
      } else if (w.kind === kinds.enum || w.kind === kinds.enum64) {
        const name = stringAt(tables, w.name);
        if (!enumIds.has(name)) enumIds.set(name, firstId + i);
      } else if (w.kind === kinds.typedef) {
        const name = stringAt(tables, w.name);
        if (!typedefIds.has(name)) typedefIds.set(name, firstId + i);
      }
    }
    enums = enumIds;
    typedefs = typedefIds;
    index = structs;
    return structs;
  };
  const layoutOfId = (id: number): StructLayout => {
    const w = typeAt(tables, id) as TypeWords;
    return {
      name: stringAt(tables, w.name),
      kind: w.kind === kinds.struct ? "struct" : "union",
      sizeBytes: w.value,
      alignBytes: 0,
      members: membersOf(tables, w, 0, btf.pointerBytes, 0),
    };
  };
  const own = (wanted: string): readonly number[] => {
    const name = wanted.replace(/^(struct|union)\s+/, "");
    const ids = build().get(name);
    if (ids !== undefined) return ids;
    // A typedef of a struct is asked for by its own name: skb_frag_t.
    let id = typedefs?.get(name);
    for (let hops = 0; id !== undefined && hops < 64; hops++) {
      const w = typeAt(tables, id);
      if (w === undefined) return [];
      if (w.kind === kinds.struct || w.kind === kinds.union) return [id];
      if (w.kind !== kinds.typedef && w.kind !== kinds.const && w.kind !== kinds.volatile) return [];
      id = w.value;
    }
    return [];
  };
  const btf: Btf = {
    name: file,
    pointerBytes: base?.pointerBytes ?? pointerBytes ?? pointerBytesOf(tables),
    littleEndian: tables.r.littleEndian,
    typeCount: at.length,
    names: () => [...build().keys(), ...(typedefs ?? new Map<string, number>()).keys()],
    layout(name) {
      const id = own(name)[0];
      return id === undefined ? base?.layout(name) : layoutOfId(id);
    },
    layouts: (name) => own(name).map(layoutOfId),
    countOf: (name) => own(name).length,
    sizes: () =>
      new Map([...build()].map(([name, ids]) => [name, (typeAt(tables, ids[0] as number) as TypeWords).value])),
    enumerators(name) {
      build();
      const id = enums?.get(name);
      if (id === undefined) return base?.enumerators(name);
      const w = typeAt(tables, id) as TypeWords;
      const wide = w.kind === kinds.enum64;
      const values = new Map<string, number>();
      for (let i = 0; i < w.count; i++) {
        const low = word(w, i * (wide ? 3 : 2) + 1);
        const high = wide ? word(w, i * 3 + 2) : 0;
        const signed = w.flag ? (wide ? (high | 0) * 2 ** 32 + low : low | 0) : high * 2 ** 32 + low;
        values.set(stringAt(w.t, word(w, i * (wide ? 3 : 2))), signed);
      }
      return values;
    },
    functions() {
      const prototypes = new Map<string, string>();
      for (let i = 0; i < at.length; i++) {
        const w = typeAt(tables, firstId + i) as TypeWords;
        if (w.kind !== kinds.func) continue;
        const name = stringAt(tables, w.name);
        if (!prototypes.has(name)) prototypes.set(name, prototypeOf(tables, w.value));
      }
      return prototypes;
    },
  };
  idsOf.set(btf, own);
  return btf;
}

/** Where a member lies, found without laying out the whole struct. */
export interface MemberPlace {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** Of a bit-field: its first bit counted from the start of the struct, and its width. */
  readonly bitField: { readonly firstBit: number; readonly bits: number } | undefined;
  /** Elements of an array (of the outermost dimension), 1 for anything else. */
  readonly elements: number;
  /** Name of the struct or union that the member is, is an array of, or points to; "" for others. */
  readonly struct: string;
}

/** Members that one search may look at: more is a damaged or hostile file. */
const mostMembersSeen = 100_000;

/** The place of `path` (`free_area`, `sk_backlog.head`) in a struct; anonymous structs and unions are seen through. Undefined when there is none. */
export function memberPlace(btf: Btf, struct: string, path: string): MemberPlace | undefined {
  const tables = tablesOf.get(btf);
  const names = idsOf.get(btf);
  if (tables === undefined || names === undefined) return undefined;
  const [id] = names(struct);
  if (id === undefined) {
    const base = baseOf.get(btf);
    return base === undefined ? undefined : memberPlace(base, struct, path);
  }
  let bits = 0;
  let w = typeAt(tables, id);
  const budget = { left: mostMembersSeen };
  const parts = path.split(".");
  for (const [i, part] of parts.entries()) {
    const found: Found | undefined = w === undefined ? undefined : findMember(tables, w, part, budget, 0);
    if (found === undefined) return undefined;
    bits += found.bits;
    if (i === parts.length - 1) return placeOf(tables, found, bits, btf.pointerBytes);
    w = blockOf(tables, bare(tables, found.type));
  }
  return undefined;
}

interface Found {
  readonly type: number;
  readonly bits: number;
  readonly width: number;
}

function findMember(
  tables: Tables,
  w: TypeWords,
  name: string,
  budget: { left: number },
  depth: number,
): Found | undefined {
  if (depth > 16 || (w.kind !== kinds.struct && w.kind !== kinds.union)) return undefined;
  for (let i = 0; i < w.count; i++) {
    if (budget.left-- <= 0) return undefined;
    const nameAt = word(w, i * 3);
    const type = word(w, i * 3 + 1);
    const place = word(w, i * 3 + 2);
    const bits = w.flag ? place & 0xffffff : place;
    if (nameAt === 0) {
      const block = bare(tables, type);
      const inner = block === undefined ? undefined : findMember(tables, block, name, budget, depth + 1);
      if (inner !== undefined) return { ...inner, bits: inner.bits + bits };
    } else if (stringAt(w.t, nameAt) === name) return { type, bits, width: w.flag ? place >>> 24 : 0 };
  }
  return undefined;
}

function placeOf(tables: Tables, found: Found, bits: number, pointerBytes: number): MemberPlace {
  const target = bare(tables, found.type);
  let named = target?.kind === kinds.pointer ? bare(tables, target.value) : target;
  for (let hops = 0; named?.kind === kinds.array && hops < 8; hops++) named = bare(tables, word(named, 0));
  if (named?.kind === kinds.pointer) named = bare(tables, named.value);
  const isBlock = named?.kind === kinds.struct || named?.kind === kinds.union;
  return {
    offsetBytes: bits >>> 3,
    sizeBytes: sizeOf(tables, found.type, pointerBytes),
    bitField: found.width === 0 ? undefined : { firstBit: bits, bits: found.width },
    elements: target?.kind === kinds.array ? word(target, 2) : 1,
    struct: isBlock && named !== undefined ? stringAt(named.t, named.name) : "",
  };
}

/** `int (struct napi_struct *, int)`; a variadic tail is `...`. */
function prototypeOf(tables: Tables, id: number): string {
  const proto = typeAt(tables, id);
  if (proto === undefined) return "void ()";
  const parameters = Array.from({ length: proto.count }, (_, i) => {
    const type = word(proto, i * 2 + 1);
    return type === 0 ? "..." : textOf(tables, type);
  });
  return `${textOf(tables, proto.value)} (${parameters.join(", ")})`;
}

/** The width of a pointer is that of the kernel's long. */
function pointerBytesOf(tables: Tables): 4 | 8 {
  const longs = new Set(["long", "unsigned long", "long int", "long unsigned int", "unsigned long int"]);
  for (let i = 0; i < tables.at.length; i++) {
    const w = typeAt(tables, tables.firstId + i) as TypeWords;
    if (w.kind === kinds.int && longs.has(stringAt(tables, w.name))) return w.value === 4 ? 4 : 8;
  }
  return 8;
}

/** Raw BTF somewhere in a file that is no ELF (an arm64 Image): a magic number with a header that fits what follows. */
export function findBtf(bytes: Uint8Array): Uint8Array | undefined {
  for (let at = bytes.indexOf(0x9f); at >= 0; at = bytes.indexOf(0x9f, at + 1)) {
    if (bytes[at + 1] !== 0xeb || bytes[at + 2] !== 1 || bytes[at + 3] !== 0) continue;
    if (at + 24 > bytes.length) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 24);
    const u32 = (i: number): number => view.getUint32(i, true);
    const total = u32(4) + u32(16) + u32(20);
    if (u32(4) === 24 && u32(8) === 0 && u32(16) === u32(12) && u32(12) > 1000 && at + total <= bytes.length)
      return bytes.subarray(at, at + total);
  }
  return undefined;
}
