// What a file of the kernel's source defines: functions and macros of C with their bodies, symbols of assembler, and what macros make of a name.

/** Words before a bracket that are no name of a function. */
const noName =
  /^(?:__\w*attribute__|__printf|__scanf|__aligned|__section|__releases|__acquires|__must_hold|__alloc_size|__realloc_size|__assume_aligned|__cond_acquires|__malloc|__sched|if|while|for|switch|return|sizeof|typeof|__typeof__|defined|asm|noinline_for_stack|__ref|__init|__diag\w*)$/;

/** @returns {{ name: string, body?: string }[]} */
export function readFile(path, text) {
  return path.endsWith(".S") ? assembler(text) : inC(text);
}

function assembler(text) {
  const found = [];
  for (const [, label] of text.matchAll(/^\s*([A-Za-z_.][\w.]*):/gm)) found.push({ name: label });
  for (const [, names] of text.matchAll(/^\s*[A-Za-z_]\w*[ \t]*\(([^)\n]*)\)/gm)) found.push(...madeOf(names));
  for (const [, names] of text.matchAll(
    /^\s*(?:\.globl|\.global|idtentry\w*|apicinterrupt\d*|BUILD_\w+|errorentry|zeroentry|paranoidzeroentry|paranoiderrorentry|interrupt|define_idt_entry|vector_stub|kernel_ventry|entry_handler|ventry|entry)\s+(.*)$/gm,
  ))
    found.push(...madeOf(names));
  return found;
}

/** Names that a macro takes. */
function madeOf(names) {
  return [...names.matchAll(/[A-Za-z_]\w*/g)].map(([name]) => ({ name }));
}

function inC(text) {
  const found = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    const first = line.charCodeAt(0);
    if (first === 35) {
      const macro = /^#\s*define\s+(\w+)\(/.exec(line);
      if (macro !== null) {
        let body = line;
        for (let j = i; lines[j]?.endsWith("\\"); j++) body += lines[j + 1] ?? "";
        found.push({ name: macro[1], body });
      }
      continue;
    }
    // A definition begins in the first column, with a letter.
    if (!(first === 95 || (first > 64 && first < 91) || (first > 96 && first < 123))) continue;
    const open = line.indexOf("(");
    if (open < 0 || line.endsWith(";") || /^(?:typedef|else|case|goto)\b/.test(line)) continue;
    const all = /^([A-Z][A-Z0-9_]{3,})\s*\(([^)]*)/.exec(line);
    if (all !== null) {
      const body = bodyFrom(lines, i);
      const names = [...all[2].matchAll(/[A-Za-z_]\w*/g)].map(([name]) => name);
      if (/SYSCALL_DEFINE/.test(all[1])) {
        for (const kind of ["sys_", "SyS_", "__se_sys_", "__x64_sys_", "__arm64_sys_", "__ia32_sys_", "__do_sys_"])
          found.push({ name: kind + names[0], body });
        if (all[1].startsWith("COMPAT")) found.push({ name: `compat_sys_${names[0]}`, body });
      } else
        for (const name of names)
          found.push(
            { name, body },
            ...(all[1].includes("IDTENTRY") ? [{ name: `asm_${name}` }, { name: `__${name}` }] : []),
          );
      continue;
    }
    for (const m of line.matchAll(/\b([A-Za-z_]\w*)\s*\(/g))
      if (!noName.test(m[1])) {
        found.push({ name: m[1], body: bodyFrom(lines, i) });
        break;
      }
  }
  return found;
}

/** To the bracket that closes it in the first column; nothing of a declaration. */
function bodyFrom(lines, at) {
  let body = "";
  for (let i = at; i < lines.length && i < at + 700; i++) {
    if (i > at && lines[i].startsWith("}")) return body;
    if (i > at && i < at + 12 && !body.includes("{") && /^[^{]*;\s*$/.test(lines[i])) return undefined;
    body += `${lines[i]}\n`;
  }
  return body;
}
