// Compiles the SIMD text scanner (src/artifact/page_owner/kernel.c) and embeds it in kernel_wasm.ts.
// Needed only after a change to the C file; wants clang with the wasm32 target and wasm-ld (Debian: clang lld).
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = new URL("../src/artifact/page_owner/", import.meta.url).pathname;

/** The bytes that clang makes of kernel.c. */
export function compile() {
  const temp = mkdtempSync(join(tmpdir(), "skblab-wasm-"));
  try {
    const out = join(temp, "kernel.wasm");
    const flags =
      "--target=wasm32 -O3 -msimd128 -mbulk-memory -nostdlib -ffreestanding -Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=16384";
    execFileSync("clang", [...flags.split(" "), "-o", out, join(folder, "kernel.c")]);
    return readFileSync(out);
  } finally {
    rmSync(temp, { recursive: true });
  }
}

/** The TypeScript file that carries them. */
export function embed(wasm) {
  const lines = wasm.toString("base64").match(/.{1,110}/g) ?? [];
  return `// Made by scripts/build-wasm.mjs from kernel.c; do not edit.\nexport const kernelWasm: string = [\n${lines.map((l) => `  "${l}",`).join("\n")}\n].join("");\n`;
}

if (process.argv[1] === new URL(import.meta.url).pathname)
  writeFileSync(join(folder, "kernel_wasm.ts"), embed(compile()));
