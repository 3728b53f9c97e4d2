#!/usr/bin/env node
// The command line's door. What it needs of Node is asked before anything is loaded that an older one could not even read.
const needed = [20, 19] as const;
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  process.stderr.write(
    `skblab: this is Node ${process.versions.node}; skblab needs ${needed.join(".")} or newer. Install a newer one (https://nodejs.org), or use the single executable.\n`,
  );
  process.exitCode = 2;
} else await (await import("./program.ts")).main(process.argv.slice(2));
