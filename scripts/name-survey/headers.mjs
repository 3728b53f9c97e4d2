// What headers of a tree say in numbers and names: the gfp mask's bits and combinations, the members of structs.

/** Value of a `#define`d expression over others; undefined where it needs what is not here. */
function evaluate(expression, defines, depth = 0) {
  if (depth > 12) return undefined;
  const bare = (expression.split(/\/\*|\/\//)[0] ?? "")
    .replace(/\(\s*__force\s+\w+\s*\)|\(\s*gfp_t\s*\)|__force|\(\s*unsigned (?:int|long)\s*\)/g, " ")
    .replace(/\b(0x[0-9a-fA-F]+|\d+)[uUlL]+\b/g, "$1")
    .replace(/\bBIT\(([^()]*)\)/g, "(1 << ($1))");
  let known = true;
  const filled = bare.replace(/[A-Za-z_]\w*/g, (name, at) => {
    if (/[0-9a-fA-FxX]/.test(name[0]) && /^0?x?[0-9a-fA-F]*$/.test(name) && /\d/.test(bare[at - 1] ?? "")) return name;
    const inner = defines.get(name);
    const value =
      typeof inner === "number" ? inner : inner === undefined ? undefined : evaluate(inner, defines, depth + 1);
    if (value === undefined) known = false;
    return value === undefined ? "0" : `(${value})`;
  });
  if (!known || !/^[\s\dxa-fA-F()|&~<>+-]+$/.test(filled) || filled.trim() === "") return undefined;
  try {
    return Function(`return (${filled}) >>> 0`)();
  } catch {
    return undefined;
  }
}

/** Every `GFP_*` and `__GFP_*` of the headers with its value, options taken as not set. */
export function gfpValues(texts) {
  const defines = new Map();
  for (const text of texts) {
    const lines = text.replace(/\\\n/g, " ").split("\n");
    const open = [];
    for (const line of lines) {
      const condition = /^\s*#\s*(ifdef|ifndef|if|elif|else|endif)\b\s*(.*)/.exec(line);
      if (condition !== null) {
        const [, word, what] = condition;
        if (word === "ifdef") open.push(false);
        else if (word === "ifndef") open.push(true);
        else if (word === "if") open.push(!/CONFIG_|IS_ENABLED|defined/.test(what) || /BITS_PER_LONG/.test(what));
        else if (word === "elif") open.push(open.pop() === "done" ? "done" : false);
        else if (word === "else") open.push(open.pop() !== true);
        else open.pop();
        continue;
      }
      if (open.some((o) => o !== true)) continue;
      const define = /^\s*#\s*define\s+(_*GFP_\w+)\s+(.+)$/.exec(line);
      if (define !== null && !defines.has(define[1])) defines.set(define[1], define[2]);
    }
    // An enum numbers its members from 0; those in an #ifdef are left out, as above.
    const list = /enum\s*\{([^}]*___GFP_DMA_BIT[^}]*)\}/.exec(text)?.[1];
    if (list !== undefined) {
      const bare = list.replace(/\/\*.*?\*\//gs, "").replace(/#if[^\n]*\n(?:[^#]*\n)*?\s*#endif[^\n]*/g, "");
      for (const [i, name] of (bare.match(/___GFP_\w+/g) ?? []).entries()) defines.set(name, i);
    }
  }
  const out = {};
  for (const [name, text] of defines) {
    if (!/^(?:__)?GFP_[A-Z0-9_]+$/.test(name) || /MASK|BITS|SHIFT|TABLE|BAD|LEVEL|CONSTRAINT|RECLAIM_MASK/.test(name))
      continue;
    const value = evaluate(String(text), defines);
    if (value !== undefined) out[name] = value;
  }
  return out;
}

/** The words of a struct's body, or undefined where the text does not declare it. */
export function wordsOfStruct(text, tag) {
  const at = new RegExp(`^(?:typedef )?struct ${tag} \\{`, "m").exec(text);
  if (at === null) return undefined;
  let depth = 0;
  for (let i = at.index; i < text.length; i++) {
    if (text[i] === "{") depth++;
    else if (text[i] === "}" && --depth === 0)
      return new Set(
        text
          .slice(at.index, i)
          .replace(/\/\*.*?\*\//gs, " ")
          .replace(/\/\/.*$/gm, " ")
          .match(/[A-Za-z_]\w*/g),
      );
  }
  return undefined;
}
