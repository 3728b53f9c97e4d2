// The program: finds the command, loads only that one, turns what went wrong into an exit code.
// 0 done · 1 done and something differs or is broken · 2 bad usage or unreadable input · 70 our own fault
import { Command, CommanderError, Option } from "commander";
import { BadInput } from "../base/bad_input.ts";
import { inertLine } from "../report/escape.ts";
import { indented, toAscii } from "../report/text.ts";
import { isSystemError, systemReason } from "./input/cannot_read.ts";
import type { Format } from "./io.ts";
import { createIo, isUtf8, widthOf } from "./io.ts";
import { commands } from "./registry.ts";
import { packageVersion } from "./version.ts";

/** `skblab …`; the program with the one command that `argv` asks for configured in full. */
export async function buildProgram(argv: readonly string[]): Promise<Command> {
  const program = new Command("skblab");
  const formatOption = (): Option =>
    new Option("--format <kind>", "how to print the answer").choices(["text", "json", "markdown"]).default("text");
  program.description(
    "A laboratory for Linux packet memory: reads what the kernel wrote, says what happened, proves what would change it.",
  );
  const width = widthOf(process.stdout.columns, process.env.COLUMNS);
  program.configureHelp({ minWidthToWrap: 12 });
  program.configureOutput({
    outputError: (text, write) => write(usageSentence(text)),
    getOutHelpWidth: () => width,
    writeOut: (text) => void process.stdout.write(isUtf8(process.env) ? text : toAscii(text)),
  });
  program.version(packageVersion()).exitOverride().showSuggestionAfterError().enablePositionalOptions();
  program.addHelpText(
    "after",
    `\nStart here:\n${[
      ["skblab diagnose LOG", "explains the memory failures in a kernel log (- is standard input)"],
      ["skblab COMMAND --help", "options, and examples that run"],
    ]
      .map(([line = "", does = ""]) => `  ${line}\n${indented(does, width, "      ")}`)
      .join("\n")}`,
  );
  const first = argv.find((a) => !a.startsWith("-"));
  const completing = first === "complete";
  // What is completed behind a command needs that one's options: `complete -- diagnose --fo`.
  const asked = completing && argv.includes("--") ? argv[argv.indexOf("--") + 1] : first;
  for (const entry of commands) {
    const sub = program.command(entry.name).summary(entry.summary).description(entry.summary).exitOverride();
    if (entry.name !== asked && !(first === "help" && argv.includes(entry.name))) continue;
    const spec = await entry.load();
    if (spec.raw !== true) sub.addOption(formatOption());
    spec.configure(
      sub,
      createIo(() => sub.opts<{ format?: Format }>().format ?? "text"),
    );
    const lines = spec.examples.map((e) => `  ${e.line}\n${indented(e.does, width, "      ")}`).join("\n");
    sub.addHelpText("after", `\nExamples:\n${lines}`);
  }
  if (completing || (first === "help" && argv.includes("complete")))
    await (await import("./completion.ts")).addCompletion(program, argv);
  else
    program
      .command("complete")
      .argument("<shell>", "bash, zsh, fish or powershell")
      .summary("print a shell completion script: source <(skblab complete bash)");
  return program;
}

/** Does what the command line asks for and sets the exit code; never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    // The reader of the pipe went away (`| head`): stop quietly. A full disk behind it is the user's to know.
    if (error.code !== "EPIPE") process.stderr.write(`skblab: standard output: ${systemSentence(error)}\n`);
    process.exit(error.code === "EPIPE" ? 0 : isSystemError(error) ? 2 : 70);
  });
  try {
    const program = await buildProgram(argv);
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: "user" });
  } catch (error) {
    process.exitCode = explain(error);
  }
}

/** commander's complaint as one of ours: one sentence on one line, the guess behind it. */
function usageSentence(text: string): string {
  const words = text
    .trim()
    .replace(/^error: /, "")
    .replaceAll("\n", " ");
  const sentence = `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
  return `skblab: ${inertLine(/[.?)]$/.test(sentence) ? sentence : `${sentence}.`)}\n`;
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof BadInput) {
    process.stderr.write(`skblab: ${inertLine(error.sentence())}\n`);
    return 2;
  }
  if (isSystemError(error)) {
    if (error.code === "EPIPE") return 0;
    process.stderr.write(`skblab: ${inertLine(systemSentence(error))}\n`);
    return 2;
  }
  const story = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(
    `skblab: this is our own fault, not your input's. Please report it with the lines below, the command, and the input if you may share it.\n` +
      `node ${process.version} ${process.platform} ${process.arch}; arguments: ${JSON.stringify(process.argv.slice(2))}\n${story}\n`,
  );
  return 70;
}

/** What the system refused, with the file where the system names it. */
function systemSentence(error: NodeJS.ErrnoException): string {
  return `${error.path === undefined ? "" : `${error.path}: `}${systemReason(error)}`;
}
