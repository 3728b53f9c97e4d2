// Writes the manual page from the commands themselves: what `--help` says, in roff: dist/skblab.1.
import { writeFileSync } from "node:fs";
import { exitCodes } from "../dist/cli/exit_codes.js";
import { buildProgram } from "../dist/cli/program.js";
import { commands } from "../dist/cli/registry.js";

/** Text as roff takes it: no line may begin with a control character, a backslash and a hyphen stand for themselves. */
const roff = (text) =>
  text
    .replace(/\\/g, "\\e")
    .replace(/-/g, "\\-")
    .replace(/^([.'])/gm, "\\&$1");
const item = (term, text) => [".TP", `.B ${roff(term)}`, roff(text)];

const lines = [
  '.TH SKBLAB 1 "" "skblab" "User Commands"',
  ".SH NAME",
  "skblab \\- a laboratory for Linux packet memory",
  ".SH SYNOPSIS",
  ".B skblab",
  ".I COMMAND",
  "[options] [arguments]",
  ".SH DESCRIPTION",
  roff((await buildProgram([])).description()),
  ".SH COMMANDS",
];
for (const { name, load } of commands) {
  const program = await buildProgram([name]);
  const sub = program.commands.find((c) => c.name() === name);
  const words = sub.registeredArguments.map((a) =>
    a.required ? `<${a.name()}${a.variadic ? "..." : ""}>` : `[${a.name()}${a.variadic ? "..." : ""}]`,
  );
  lines.push(".SS", roff(`skblab ${[name, ...words].join(" ")}`), roff(sub.summary()));
  for (const option of sub.options.filter((o) => !o.hidden)) lines.push(...item(option.flags, option.description));
  for (const { line, does } of (await load()).examples)
    lines.push(".PP", roff(does), ".RS", ".nf", roff(line), ".fi", ".RE");
}
lines.push(
  ".SH EXIT STATUS",
  ...exitCodes.flatMap(([code, meaning]) => item(String(code), meaning)),
  ".SH FILES",
  ...item(
    "$XDG_CACHE_HOME/skblab, else ~/.cache/skblab",
    "what may be thrown away: results of an experiment without --out, the unpacked single executable",
  ),
);
writeFileSync(new URL("../dist/skblab.1", import.meta.url), `${lines.join("\n")}\n`);
