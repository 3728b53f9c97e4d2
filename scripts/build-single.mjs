// Builds skblab as one executable file with Node's own single-executable support: what `npm pack` would ship and the production dependencies
// are packed into a copy of the Node binary. Usage: node scripts/build-single.mjs [OUT] [--node BINARY-OF-ANOTHER-ARCHITECTURE]
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { inject } from "postject";

const words = process.argv.slice(2);
const nodeAt = words.indexOf("--node");
const node = nodeAt < 0 ? process.execPath : resolve(words.splice(nodeAt, 2)[1]);
const out = resolve(words[0] ?? "dist/skblab");
const root = resolve(import.meta.dirname, "..");

const listed = JSON.parse(
  execFileSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }),
);
const files = listed[0].files.map((f) => f.path);
const dependencies = execFileSync("npm", ["ls", "--omit=dev", "--all", "--parseable"], { cwd: root, encoding: "utf8" })
  .trim()
  .split("\n")
  .filter((path) => path !== root);
for (const folder of dependencies)
  for (const name of readdirSync(folder, { recursive: true })) {
    const path = join(folder, name);
    if (/\.(js|mjs|cjs|json|wasm)$|LICENSE/i.test(name) && lstatSync(path).isFile()) files.push(relative(root, path));
  }

const unique = [...new Set(files)];
const contents = unique.map((f) => readFileSync(join(root, f)));
const index = Buffer.from(JSON.stringify(unique.map((f, i) => [f, contents[i].length])));
const head = Buffer.alloc(4);
head.writeUInt32LE(index.length);

const work = mkdtempSync(join(tmpdir(), "skblab-single-"));
try {
  const asset = join(work, "package.gz");
  writeFileSync(asset, gzipSync(Buffer.concat([head, index, ...contents])));
  const config = join(work, "config.json");
  const blob = join(work, "blob");
  writeFileSync(
    config,
    JSON.stringify({
      main: join(root, "packaging/single_main.cjs"),
      output: blob,
      disableExperimentalSEAWarning: true,
      assets: { package: asset },
    }),
  );
  execFileSync(process.execPath, ["--experimental-sea-config", config], { stdio: "ignore" });
  const made = join(work, "skblab");
  copyFileSync(node, made);
  chmodSync(made, 0o755);
  await inject(made, "NODE_SEA_BLOB", readFileSync(blob), {
    sentinelFuse: "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2",
  });
  mkdirSync(dirname(out), { recursive: true });
  copyFileSync(made, out);
  chmodSync(out, 0o755);
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`${out}: ${unique.length} files, ${Math.round(lstatSync(out).size / 1e6)} MB`);
