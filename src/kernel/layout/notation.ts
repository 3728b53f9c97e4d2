// How the facts write structs down: a notation of our own, one token a field.
//
//   len:uint            a field and its type (abi.ts lists the scalars)        next:*sk_buff    a pointer
//   cb:char[48]         an array                                               cloned:u8/1      a bit-field of a byte
//   cb:char[48]!8       aligned to 8                                           hwtstamps:skb_shared_hwtstamps   another struct
//   union{ a:u32 b:u16 }   anonymous      page:struct{ p:*page }   named       ?XFRM( sp:*sec_path )   only with that option
//   ?64( … ) ?32( … )   by the width of a pointer                              ?!XFRM( … )      only without it
import { ModelBug } from "../../base/assert.ts";

export type TypeDecl =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "pointer"; readonly to: string }
  | { readonly kind: "array"; readonly of: TypeDecl; readonly length: number }
  /** Bytes of a type that is known by size alone (out of BTF). */
  | { readonly kind: "blob"; readonly text: string; readonly sizeBytes: number; readonly alignBytes: number }
  | { readonly kind: "block"; readonly block: "struct" | "union"; readonly fields: readonly FieldDecl[] };

export interface FieldDecl {
  /** "" when anonymous. */
  readonly name: string;
  readonly type: TypeDecl;
  readonly bits?: number;
  readonly align?: number;
  /** Options that must be on ("XFRM") or off ("!XFRM") for the field to exist. */
  readonly when: readonly string[];
}

const token = /\s*(\?!?[A-Z0-9_]+\(|(?:[A-Za-z_]\w*:)?(?:struct|union)\{|[)}]|[^\s(){}]+)/gy;

/** Reads a declaration; a ModelBug names the token that it cannot read (declarations are our own facts). */
export function parseFields(text: string): readonly FieldDecl[] {
  token.lastIndex = 0;
  const tokens: string[] = [];
  const source = text.trim();
  while (token.lastIndex < source.length) {
    const at = token.lastIndex;
    const match = token.exec(source);
    if (match === null) throw new ModelBug(`cannot read the declaration at "${source.slice(at, at + 30)}"`);
    tokens.push(match[1] as string);
  }
  let at = 0;
  const block = (end: string | undefined, when: readonly string[]): FieldDecl[] => {
    const fields: FieldDecl[] = [];
    for (;;) {
      const t = tokens[at++];
      if (t === end) return fields;
      if (t === undefined || t === ")" || t === "}") throw new ModelBug(`unbalanced declaration near token ${at}`);
      if (t.startsWith("?")) fields.push(...block(")", [...when, t.slice(1, -1)]));
      else if (t.endsWith("{")) {
        const [, name = "", kind] = /^(?:(\w+):)?(struct|union)\{$/.exec(t) ?? [];
        const inner = block("}", []);
        fields.push({ name, type: { kind: "block", block: kind as "struct" | "union", fields: inner }, when });
      } else fields.push({ ...parseField(t), when });
    }
  };
  return block(undefined, []);
}

/** One field without conditions: `name:type[length]/bits!align`. */
function parseField(text: string): Omit<FieldDecl, "when"> {
  const match = /^(\w+):(\*?)(\w+)((?:\[\d+\])*)(?:\/(\d+))?(?:!(\d+))?$/.exec(text);
  if (match === null) throw new ModelBug(`cannot read the field "${text}"`);
  const [, name = "", star, typeName = "", arrays = "", bits, align] = match;
  let type: TypeDecl = star === "*" ? { kind: "pointer", to: typeName } : { kind: "name", name: typeName };
  for (const [, length] of [...arrays.matchAll(/\[(\d+)\]/g)].reverse())
    type = { kind: "array", of: type, length: Number(length) };
  return {
    name,
    type,
    ...(bits === undefined ? {} : { bits: Number(bits) }),
    ...(align === undefined ? {} : { align: Number(align) }),
  };
}
