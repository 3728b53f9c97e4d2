// Struct layouts out of the image's own BTF. What a kernel is like is asked member by member; no version number is looked at.
import { type Btf, type MemberPlace, memberPlace } from "../artifact/btf/btf.ts";

/** A struct or member that an answer needs is not in the kernel's BTF: that answer cannot be given, others can. */
export class LayoutUnknown extends Error {
  override readonly name = "LayoutUnknown";
}

/** A member: its offset as a number and as a BigInt to add to addresses. */
export interface Field extends MemberPlace {
  readonly at: bigint;
  readonly off: number;
  /** Bytes from one element of an array to the next; the size itself for anything else. */
  readonly stride: number;
}

/** One struct of the kernel. Lookups are remembered. */
export class Struct {
  readonly name: string;
  readonly sizeBytes: number;
  private readonly btf: Btf;
  private readonly known = new Map<string, Field | undefined>();

  constructor(btf: Btf, name: string, sizeBytes: number) {
    this.btf = btf;
    this.name = name;
    this.sizeBytes = sizeBytes;
  }

  /** The member, undefined when this kernel's struct has none of that name. */
  find(path: string): Field | undefined {
    if (this.known.has(path)) return this.known.get(path);
    const place = memberPlace(this.btf, this.name, path);
    const field =
      place === undefined
        ? undefined
        : {
            ...place,
            at: BigInt(place.offsetBytes),
            off: place.offsetBytes,
            stride: place.elements > 0 ? Math.floor(place.sizeBytes / place.elements) : place.sizeBytes,
          };
    this.known.set(path, field);
    return field;
  }

  /** The first of several names that this kernel has (a member was renamed, its meaning stayed). Throws LayoutUnknown. */
  field(...paths: readonly string[]): Field {
    for (const path of paths) {
      const found = this.find(path);
      if (found !== undefined) return found;
    }
    throw new LayoutUnknown(`struct ${this.name} has no member ${paths.join(" or ")}`);
  }

  has(path: string): boolean {
    return this.find(path) !== undefined;
  }

  /** Offset to add to an address. Throws LayoutUnknown. */
  at(...paths: readonly string[]): bigint {
    return this.field(...paths).at;
  }

  /** Offset in a copy of the struct. Throws LayoutUnknown. */
  off(...paths: readonly string[]): number {
    return this.field(...paths).off;
  }
}

/** All structs of one kernel, its modules' among them where their BTF could be read. */
export class Types {
  private readonly btf: Btf;
  private readonly sizes: ReadonlyMap<string, number>;
  private readonly structs = new Map<string, Struct>();
  private readonly modules: {
    readonly name: string;
    readonly btf: Btf;
    own: ReadonlyMap<string, number> | undefined;
  }[] = [];

  constructor(btf: Btf) {
    this.btf = btf;
    this.sizes = btf.sizes();
  }

  get kernel(): Btf {
    return this.btf;
  }

  get modulesRead(): number {
    return this.modules.length;
  }

  addModule(name: string, btf: Btf): void {
    this.modules.push({ name, btf, own: undefined });
  }

  /** The BTF of modules with the names of the structs that are their own. */
  moduleTypes(): readonly { readonly name: string; readonly btf: Btf; readonly own: readonly string[] }[] {
    return this.modules.map(({ name, btf }) => ({
      name,
      btf,
      own: [...btf.sizes().keys()].filter((n) => !this.sizes.has(n)),
    }));
  }

  find(name: string): Struct | undefined {
    const known = this.structs.get(name);
    if (known !== undefined) return known;
    const size = this.sizes.get(name);
    if (size !== undefined) return this.keep(new Struct(this.btf, name, size));
    for (const m of this.modules) {
      m.own ??= m.btf.sizes();
      const own = m.own.get(name);
      if (own !== undefined) return this.keep(new Struct(m.btf, name, own));
    }
    // A typedef of a nameless struct (skb_frag_t up to 6.8).
    const layout = this.btf.layout(name);
    return layout === undefined ? undefined : this.keep(new Struct(this.btf, name, layout.sizeBytes));
  }

  private keep(struct: Struct): Struct {
    this.structs.set(struct.name, struct);
    return struct;
  }

  /** Throws LayoutUnknown when the kernel has no such struct. */
  struct(...names: readonly string[]): Struct {
    for (const name of names) {
      const found = this.find(name);
      if (found !== undefined) return found;
    }
    throw new LayoutUnknown(`this kernel's BTF has no struct ${names.join(" or ")}`);
  }

  /** A value of an enum, undefined when this kernel has none of that name. */
  constant(enumName: string, name: string): number | undefined {
    return this.btf.enumerators(enumName)?.get(name);
  }

  enumerators(enumName: string): ReadonlyMap<string, number> {
    return this.btf.enumerators(enumName) ?? new Map();
  }
}
