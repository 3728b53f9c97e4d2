// Changes of compiled source that a test should notice: a comparison turned, a bound moved, a condition that always or never holds, a number or a
// date one off, an alternative of a pattern left out, a truth turned, a word of a fact another.

const edits = [
  ["comparison", / < /g, " <= "],
  ["comparison", / <= /g, " < "],
  ["comparison", / > /g, " >= "],
  ["comparison", / >= /g, " > "],
  ["equality", / === /g, " !== "],
  ["equality", / !== /g, " === "],
  ["logic", / && /g, " || "],
  ["logic", / \|\| /g, " && "],
  ["arithmetic", / \+ (?!["`'])/g, " - "],
  ["arithmetic", / - /g, " + "],
  ["arithmetic", / \* /g, " / "],
  ["bounds", /Math\.max/g, "Math.min"],
  ["bounds", /Math\.min/g, "Math.max"],
  ["some and every", /\.some\(/g, ".every("],
  ["some and every", /\.every\(/g, ".some("],
  ["truth", /(?<!<)\btrue\b(?!>)/g, "false"],
  ["truth", /(?<!<)\bfalse\b(?!>)/g, "true"],
  ["condition", /^(\s*(?:\} else )?)if \((.+)\) return/g, "$1if (false) return"],
  ["answer", /\(answer: "yes"|\byes\(/g, "no("],
  ["answer", /\bno\(/g, "yes("],
  ["severity", /severity: "(?:act|watch|corruption)"/g, 'severity: "harmless"'],
  ["severity", /severity: "harmless"/g, 'severity: "act"'],
];
/** Numbers that say something: not a part of a name, not the bound of a repetition. */
const number = /(?<![\w."'`$-]|\{|\{\d{1,6},)(\d[\d_]*(?:\.\d+)?)(?![\w."'`}])/g;
const hexadecimal = /\b0x([0-9a-f]+)\b(?!["'`])/g;
/** One alternative of a pattern: from a bar to the next. */
const alternative = /\|([a-z_]{4,40})(?=[|)])/g;
export const alternatives = (pattern) =>
  [...pattern.matchAll(alternative)].map((m) => ({ index: m.index, text: m[0] }));
/** A kernel's name in a table: another function, counter, flag or driver. */
const word = /"([a-z_][a-z0-9_]{4,40})"/g;

/** Lines that say nothing a run could notice: imports, comments, sources, our own assertions. */
export const noRule = /^\s*(?:\/\/|\/?\*|import |export \{|export \* |source: |.*(?:ourFault|assert\(|ModelBug))/;

/** Every change of a file. */
export function changesOf(file, text) {
  const lines = text.split("\n");
  const out = [];
  const add = (at, kind, now) => {
    if (now !== lines[at])
      out.push({
        file,
        line: at + 1,
        kind,
        whole: lines[at],
        was: lines[at].trim().slice(0, 140),
        now: now.trim().slice(0, 140),
        text: lines.with(at, now).join("\n"),
      });
  };
  for (const [at, line] of lines.entries()) {
    if (noRule.test(line)) continue;
    const code = line.replace(/\/\/ .*$/, "");
    const put = (m, to) => line.slice(0, m.index) + to + line.slice(m.index + m[0].length);
    // Words of a sentence are no rule: only what stands outside of strings is turned, and what is in ${}.
    const spans = [...code.matchAll(/"[^"]*"|`(?:[^`$]|\$(?!\{))*`|\/\/.*/g)].map((m) => [
      m.index,
      m.index + m[0].length,
    ]);
    const inString = (i) => spans.some(([from, to]) => i >= from && i < to);
    for (const [kind, from, to] of edits)
      for (const m of code.matchAll(from)) {
        if (kind !== "severity" && inString(m.index)) continue;
        if (
          (kind === "comparison" || kind === "arithmetic") &&
          /`/.test(code) &&
          !/\$\{[^}]*$/.test(code.slice(0, m.index))
        )
          continue;
        add(at, kind, put(m, m[0].replace(from, to)));
      }
    for (const m of code.matchAll(number))
      if (!inString(m.index) && m[1] !== "0" && !/`/.test(code) && !/^[01]\)/.test(code.slice(m.index)))
        add(at, "number", put(m, String(Number(m[1].replaceAll("_", "")) + 1)));
    for (const m of code.matchAll(hexadecimal))
      if (!inString(m.index)) add(at, "number", put(m, `0x${(BigInt(`0x${m[1]}`) ^ 1n).toString(16)}`));
    if (/\/\^?.*\|.*\/[a-z]*/.test(code)) for (const m of code.matchAll(alternative)) add(at, "pattern", put(m, ""));
    if (/^\s*(?:\[|name: |fn: |modules: |functions: )/.test(code))
      for (const m of code.matchAll(word))
        if (!/source|because|title|claim/.test(code.slice(0, m.index))) add(at, "word", put(m, `"${m[1]}_x"`));
  }
  return out;
}

/** So many of all, the same for the same seed, and from as many kinds and files as there are: at most a sixth of one kind. */
export function thin(all, most, seed) {
  let state = (seed >>> 0) + 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const rest = [...all];
  const chosen = [];
  const kinds = new Map();
  while (chosen.length < most && rest.length > 0) {
    const [one] = rest.splice(Math.floor(next() * rest.length), 1);
    const same = kinds.get(one.kind) ?? 0;
    if (same > most / 6) continue;
    kinds.set(one.kind, same + 1);
    chosen.push(one);
  }
  return chosen;
}
