// Shell completion: `skblab complete SHELL` prints the script, which asks `skblab complete -- WORDS` for what may stand next. Where that
// has no answer, a file may stand: every shell falls back to file names.
import type { Command } from "commander";

const shells = ["bash", "zsh", "fish", "powershell"] as const;

/** Ours, because it must work in a bash without the package bash-completion, as a fresh Debian has it. */
const bash = `# bash completion for skblab
_skblab() {
  local cur=\${COMP_WORDS[COMP_CWORD]} line value
  local -a words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  # --format=js comes as three words, because = breaks words.
  [[ $cur == = ]] && cur=
  COMPREPLY=()
  local -a asked=()
  for value in "\${words[@]}"; do
    [[ $value == = ]] || asked+=("$value")
  done
  [[ \${words[\${#words[@]}-1]-} == = ]] && asked+=("")
  while IFS= read -r line; do
    [[ $line == :* ]] && continue
    value=\${line%%$'\\t'*}
    [[ -n $value && $value == "$cur"* ]] && COMPREPLY+=("$value")
  done < <("\${COMP_WORDS[0]}" complete -- "\${asked[@]}" 2>/dev/null)
}
complete -o bashdefault -o default -F _skblab skblab
`;

/** Adds `complete` to the program. `argv` as the user typed it: what comes from a script has `--` behind `complete`. */
export async function addCompletion(program: Command, argv: readonly string[]): Promise<void> {
  if (argv[argv.indexOf("complete") + 1] === "--") {
    (await import("@bomb.sh/tab/commander")).default(program);
    return;
  }
  const complete = program
    .command("complete")
    .summary("print a shell completion script: source <(skblab complete bash)")
    .description("print a shell completion script")
    .exitOverride()
    .addHelpText(
      "after",
      `\nExamples:\n  source <(skblab complete bash)\n      in this bash, or in ~/.bashrc for all\n  skblab complete zsh > ~/.skblab.zsh; echo 'source ~/.skblab.zsh' >> ~/.zshrc\n      for zsh\n  skblab complete fish > ~/.config/fish/completions/skblab.fish\n      for fish`,
    );
  complete
    .addArgument(complete.createArgument("<shell>", "the shell it is for").choices([...shells]))
    .action(async (shell: string) => {
      process.stdout.write(shell === "bash" ? bash : await libraryScript(shell));
    });
}

/** The library's script, in which which the answers (all of them say 4: no file names) forbid nothing, as most words are files. */
async function libraryScript(shell: string): Promise<string> {
  const { script } = await import("@bomb.sh/tab");
  const lines: string[] = [];
  const { log } = console;
  console.log = (text: string) => void lines.push(text);
  try {
    script(shell, "skblab", "skblab");
  } finally {
    console.log = log;
  }
  return `${lines.join("\n").replace(/(ShellCompDirectiveNoFileComp {0,9}[= ] {0,9})4\b/i, (_, head: string) => `${head}64`)}\n`;
}
