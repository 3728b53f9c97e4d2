// The single executable's first steps: unpacks the package that lies in it into the user's cache directory, once for each build, and goes on
// there as the installed package would. Node's own SEA support gives a CommonJS script and built-in modules only.
const { createHash } = require("node:crypto");
const { existsSync, lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } = require("node:fs");
const { homedir } = require("node:os");
const { dirname, isAbsolute, join } = require("node:path");
const { pathToFileURL } = require("node:url");
const { constants, Script } = require("node:vm");
const { getAsset } = require("node:sea");
const { gunzipSync } = require("node:zlib");

const packed = Buffer.from(getAsset("package"));
const hash = createHash("sha256").update(packed).digest("hex").slice(0, 16);
const xdg = process.env.XDG_CACHE_HOME ?? "";
const base = join(xdg !== "" && isAbsolute(xdg) ? xdg : join(homedir(), ".cache"), "skblab");
const home = join(base, `package-${hash}`);

function unpack() {
  mkdirSync(base, { recursive: true, mode: 0o700 });
  const mine = `${home}.${process.pid}`;
  const bytes = gunzipSync(packed);
  const indexBytes = bytes.readUInt32LE(0);
  let at = 4 + indexBytes;
  for (const [name, size] of JSON.parse(bytes.toString("utf8", 4, at))) {
    const path = join(mine, name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, bytes.subarray(at, at + size), { flag: "wx" });
    at += size;
  }
  try {
    renameSync(mine, home);
  } catch (error) {
    // Another start of the same build was faster.
    rmSync(mine, { recursive: true, force: true });
    if (!existsSync(home)) throw error;
  }
}

try {
  if (!existsSync(home)) unpack();
  const stats = lstatSync(home);
  if (!stats.isDirectory() || (process.getuid !== undefined && stats.uid !== process.getuid())) {
    process.stderr.write(`skblab: ${home} belongs to somebody else or is a link. Set XDG_CACHE_HOME to a directory of yours.\n`);
    process.exit(2);
  }
} catch (error) {
  process.stderr.write(`skblab: the program cannot be unpacked into ${base}: ${error.message}. Set XDG_CACHE_HOME to a directory that can be written.\n`);
  process.exit(2);
}
const main = pathToFileURL(join(home, "dist/cli/main.js")).href;
// The loader option is stable in later releases; Node 20 warns of it at every start.
const { emitWarning } = process;
process.emitWarning = () => {};
new Script(`import(${JSON.stringify(main)})`, { importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER }).runInThisContext();
process.emitWarning = emitWarning;
