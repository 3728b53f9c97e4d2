// `skblab page-owner`: who holds this machine's memory. `--compat` is the kernel's own page_owner_sort, same options, same bytes.
import { closeSync, openSync, readSync } from "node:fs";
import { parseSortToolOptions } from "../../analysis/page_owner/sort_options.ts";
import { createSortTool } from "../../analysis/page_owner/sort_tool.ts";
import type { PageOwnerScanner } from "../../artifact/page_owner/scan.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { CommandSpec, Io } from "../command.ts";

export const command: CommandSpec = {
  name: "page-owner",
  examples: [
    {
      line: "skblab page-owner --compat --cull=stacktrace -m page_owner.txt",
      does: "what page_owner_sort would write into its output file, on standard output",
    },
  ],
  configure(cmd, io) {
    cmd.option("--compat", "behave as the kernel's page_owner_sort: its options, its output");
    cmd.argument("<dump...>", "page_owner dumps; - for standard input");
    if (process.argv.includes("--compat")) {
      cmd.allowUnknownOption().helpOption(false);
      const own = process.argv.slice(process.argv.indexOf("page-owner") + 1).filter((a) => a !== "--compat");
      cmd.action(() => compat(own, io));
    }
  },
};

async function compat(args: readonly string[], io: Io): Promise<void> {
  const { options, inputs } = parseSortToolOptions(args);
  const [input, ...more] = inputs;
  if (input === undefined || more.length > 0) {
    throw new BadInput(
      `--compat reads one dump; ${inputs.length} were named.`,
      undefined,
      "The answer goes to standard output.",
    );
  }
  const tool = createSortTool(options);
  fill(tool.scanner, input);
  for (const piece of tool.finish()) await io.write(piece);
}

function fill(scanner: PageOwnerScanner, path: string): void {
  const fd = path === "-" ? 0 : openSync(path, "r");
  try {
    for (;;) {
      const n = readSync(fd, scanner.room());
      if (n === 0) return;
      scanner.push(n);
    }
  } finally {
    if (fd !== 0) closeSync(fd);
  }
}
