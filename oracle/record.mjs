// Records a kernel for `skblab verify`: builds the recorders against its headers, boots it in qemu (no KVM), takes what they wrote, and compares.
//
//   npm run record -- --kernel 6.12-debian [--out DIR] [--only NAME,...] [--timeout SECONDS]
//   npm run record -- --vmlinuz FILE --headers DIR [--out DIR]
//
// Needs qemu-system-x86_64 and cpio. With --kernel also apt, mmdebstrap and root: the image and a root directory with the headers, their compiler and
// a busybox come from Debian's archive (--cache keeps them). With --vmlinuz: make, a compiler that the headers accept, and a static busybox.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { fromDebian } from "./debian.mjs";
import { guests } from "./guests.mjs";
import { layoutOf } from "./layout.mjs";

const here = import.meta.dirname;
const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 2 ** 28, ...options });
const fail = (message, advice) => {
  process.stderr.write(`${message}\n${advice}\n`);
  process.exit(2);
};

const usage = `Write it like: npm run record -- --kernel 6.12-debian [--out DIR] [--only NAME,...]
or like: npm run record -- --vmlinuz FILE --headers DIR [--out DIR]; docs/your-kernel.md says what each needs.`;
const asked = {
  options: {
    kernel: { type: "string" },
    vmlinuz: { type: "string" },
    headers: { type: "string" },
    out: { type: "string" },
    only: { type: "string" },
    busybox: { type: "string" },
    cache: { type: "string", default: join(homedir(), ".cache/skblab/record") },
    timeout: { type: "string", default: "1800" },
    "no-verify": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
};
const { values } = (() => {
  try {
    return parseArgs(asked);
  } catch (error) {
    return fail(error.message.split(". ")[0], usage);
  }
})();
if (values.help) {
  process.stdout.write(`${usage}\n`);
  process.exit(0);
}

/** The recorders, built out of the way of the sources; in the kernel's own root where there is one. */
async function buildRecorders({ vmlinuz, headers, root }, folder) {
  const inside = "/tmp/skblab-recorders";
  const modules = root === undefined ? join(folder, "modules") : join(root, inside);
  rmSync(modules, { recursive: true, force: true });
  mkdirSync(modules, { recursive: true });
  for (const name of readdirSync(join(here, "modules"))) copyFileSync(join(here, "modules", name), join(modules, name));
  writeFileSync(join(modules, "layout.h"), await layoutOf(vmlinuz));
  // objtool asks /proc for the limit of its stack. The mount is gone with the command.
  try {
    if (root === undefined) run("make", ["-s", "-k", "-C", headers, `M=${modules}`, "modules"]);
    else
      run("unshare", [
        "--mount", "sh", "-c", 'mount -t proc proc "$1/proc" && chroot "$1" make -s -k -C "$2" "M=$3" modules', "sh", root, headers, inside,
      ]);
  } catch {
    // A kernel without page_pool, say: what can be recorded is, and the rest is named at the end.
    process.stderr.write("Not every recorder could be built for this kernel; see the compiler's messages above.\n");
  }
  const built = readdirSync(modules)
    .filter((name) => name.endsWith(".ko"))
    .map((name) => join(modules, name));
  if (built.length === 0) fail("No recorder could be built.", "The compiler's messages are above.");
  return built;
}

/** A program that needs no libraries: the guest has none. An ELF file that asks for a loader names it. */
const standsAlone = (path) => existsSync(path) && !readFileSync(path).includes("/ld-linux");

/**
 * Kernel modules with those they depend on, each behind what it needs: [name, bytes]. What the kernel has built in is passed over; undefined
 * where one is in neither place.
 */
function modulesOf(names, folder) {
  const every = existsSync(folder) ? readdirSync(folder, { recursive: true }) : [];
  const bare = (path) => path.split("/").at(-1).replace(/\.ko(\.\w+)?$/, "").replaceAll("-", "_");
  const paths = new Map(every.filter((path) => /\.ko(\.\w+)?$/.test(path)).map((path) => [bare(path), join(folder, path)]));
  const builtIn = every.find((path) => path.endsWith("modules.builtin"));
  const inside = new Set(builtIn === undefined ? [] : readFileSync(join(folder, builtIn), "utf8").split("\n").map(bare));
  const unpack = { xz: ["xz", "-dc"], zst: ["zstd", "-dcq"], gz: ["gzip", "-dc"] };
  const found = new Map();
  const add = (name) => {
    if (found.has(name) || inside.has(name)) return true;
    const path = paths.get(name);
    if (path === undefined) return false;
    const packer = unpack[path.split(".").at(-1)];
    const bytes = packer === undefined ? readFileSync(path) : run(packer[0], [...packer.slice(1), path]);
    const needs = /\0depends=([\w,-]*)\0/.exec(bytes.toString("latin1"))?.[1] ?? "";
    const whole = needs.split(",").filter(Boolean).every((need) => add(need.replaceAll("-", "_")));
    found.set(name, bytes);
    return whole;
  };
  return names.every((name) => add(name)) ? [...found] : undefined;
}

function packGuest(recorders, modules, plan, folder, busybox) {
  const root = join(folder, "guest");
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "bin"), { recursive: true });
  mkdirSync(join(root, "recorders"));
  copyFileSync(busybox, join(root, "bin/busybox"));
  copyFileSync(join(here, "guest/init"), join(root, "init"));
  run("chmod", ["755", join(root, "init"), join(root, "bin/busybox")]);
  writeFileSync(join(root, "plan"), `${plan.join("\n")}\n`);
  const used = recorders.filter((path) => plan.some((line) => line.split(" ")[2] === path.split("/").at(-1).replace(".ko", "")));
  for (const path of used) {
    const to = join(root, "recorders", path.split("/").at(-1));
    copyFileSync(path, to);
    run("strip", ["--strip-debug", to]);
  }
  mkdirSync(join(root, "modules"));
  modules.forEach(([name, bytes], i) => writeFileSync(join(root, "modules", `${String(i).padStart(2, "0")}_${name}.ko`), bytes));
  const initrd = join(folder, "initrd.gz");
  writeFileSync(initrd, run("sh", ["-c", "find . | cpio -o -H newc 2>/dev/null | gzip -9"], { cwd: root }));
  return initrd;
}

/** Each card in a network of its own; at .100 there the host sends 200 KB to who connects to port 7. */
const cardsOf = ({ cards = [] }) =>
  cards.length === 0
    ? ["-nic", "none"]
    : cards.flatMap((card, i) => [
        "-netdev", `user,id=n${i},net=10.0.${i + 2}.0/24,guestfwd=tcp:10.0.${i + 2}.100:7-cmd:head -c 204800 /dev/zero`,
        "-device", `${card},netdev=n${i},romfile=`,
      ]);

/** Boots and waits until the guest has switched itself off; its second serial port, as text. */
function boot(vmlinuz, initrd, guest, folder, out, threads) {
  const answer = join(folder, "answer");
  rmSync(answer, { force: true });
  const args = ["-accel", `tcg,thread=${threads}`, "-cpu", guest.cpu ?? "qemu64", "-m", `${guest.memory}`, "-smp", `${guest.cpus}`];
  args.push("-machine", guest.below4g === undefined ? "pc" : `pc,max-ram-below-4g=${guest.below4g}M`);
  args.push("-display", "none", "-no-reboot", ...cardsOf(guest), "-kernel", vmlinuz, "-initrd", initrd);
  args.push("-append", "console=ttyS0 panic=-1 nokaslr tsc=reliable rdinit=/init");
  args.push("-serial", `file:${join(out, "console.log")}`, "-serial", `file:${answer}`, "-monitor", "none");
  writeFileSync(join(out, "cmdline.txt"), `qemu-system-x86_64 ${args.join(" ")}\n`);
  let problem;
  try {
    run("qemu-system-x86_64", args, { timeout: Number(values.timeout) * 1000 });
  } catch (error) {
    problem = error.code === "ETIMEDOUT" ? `did not finish in ${values.timeout} seconds` : error.message;
  }
  return { answer: existsSync(answer) ? readFileSync(answer, "latin1") : "", problem };
}

/** The files of an answer; a transcript stays packed. Names that the guest could not record, and whether it came to its end. */
function unpackAnswer(answer, out) {
  const failed = [];
  let files = 0;
  let whole = false;
  let name;
  let base64 = [];
  for (const line of answer.split("\n")) {
    if (line.startsWith("=file ")) {
      name = line.slice(6).replaceAll(/[^\w.-]/g, "_");
      base64 = [];
    } else if (line.startsWith("=done") && name !== undefined) {
      const packed = Buffer.from(base64.join(""), "base64");
      const to = join(out, name.endsWith(".ndjson") ? `${name}.gz` : name);
      try {
        const text = gunzipSync(packed);
        writeFileSync(to, name.endsWith(".ndjson") ? packed : text);
        files++;
      } catch {
        // The console was torn, or the guest could not pack it.
        failed.push(name);
      }
      name = undefined;
    } else if (line.startsWith("=failed ")) failed.push(line.slice(8));
    else if (line.startsWith("=end")) whole = true;
    else base64.push(line);
  }
  return { files, failed, whole };
}

/** The release of a kernel with these headers, and where its modules are installed. */
function installed(headers) {
  const note = join(headers, "include/config/kernel.release");
  const release = existsSync(note) ? readFileSync(note, "utf8").trim() : "";
  return { release, modules: join("/lib/modules", release) };
}

/** Whether a release (uname -r) is not older than [major, minor]; one that is not known counts as new. */
function reaches(release, [major, minor]) {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return a === undefined || Number(a) > major || (Number(a) === major && Number(b) >= minor);
}

const wanted = /^(\d+\.\d+(?:\.\d+)?)-debian$/.exec(values.kernel ?? "")?.[1];
if (wanted === undefined && (values.vmlinuz === undefined || values.headers === undefined))
  fail("Which kernel?", "Give --kernel 6.12-debian (or a point release, 6.12.107-debian), or --vmlinuz FILE and --headers DIR.");
const unknown = (values.only ?? "").split(",").filter((name) => name !== "" && !Object.keys(guests).some((g) => g.startsWith(name)));
if (unknown.length > 0) fail(`There is no guest ${unknown.join(", ")}.`, `Known: ${Object.keys(guests).join(", ")}.`);
for (const tool of ["qemu-system-x86_64", "cpio", ...(wanted === undefined ? ["make"] : ["mmdebstrap", "dpkg-deb", "unshare"])])
  if (spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0)
    fail(`${tool} is not installed.`, "On Debian: apt-get install qemu-system-x86 cpio mmdebstrap, or with --vmlinuz: make gcc busybox-static");

const out = resolve(values.out ?? `recorded/${values.kernel ?? "kernel"}`);
const folder = mkdtempSync(join(tmpdir(), "skblab-record-"));
let broken = 0;
try {
  const kernel =
    wanted === undefined
      ? { vmlinuz: resolve(values.vmlinuz), headers: resolve(values.headers), ...installed(resolve(values.headers)) }
      : fromDebian(run, fail, wanted, resolve(values.cache));
  const busybox = values.busybox ?? kernel.busybox ?? "/bin/busybox";
  if (!standsAlone(busybox))
    fail(`${busybox} is no static busybox.`, "On Debian: apt-get install busybox-static; or --busybox FILE.");
  const recorders = await buildRecorders(kernel, folder);
  const only = (values.only ?? "").split(",");
  for (const [name, guest] of Object.entries(guests).filter(([g]) => only.some((o) => g.startsWith(o)))) {
    const to = join(out, name);
    mkdirSync(to, { recursive: true });
    const began = Date.now();
    if (guest.since !== undefined && !reaches(kernel.release, guest.since)) {
      process.stdout.write(`${name}: recorded from Linux ${guest.since.join(".")} on only\n`);
      continue;
    }
    const modules = modulesOf(guest.modules ?? [], kernel.modules);
    if (modules === undefined) {
      process.stdout.write(`${name}: not recorded, ${kernel.modules} lacks one of ${guest.modules.join(", ")}\n`);
      broken++;
      continue;
    }
    const initrd = packGuest(recorders, modules, guest.plan, folder, busybox);
    let answer;
    let problem;
    let unpacked = { files: 0, failed: [], whole: false };
    // Emulated CPUs that run at once may see code that the kernel is just changing, and die of it; by turns they do not.
    for (const threads of ["multi", "multi", "single"]) {
      ({ answer, problem } = boot(kernel.vmlinuz, initrd, guest, folder, to, threads));
      unpacked = unpackAnswer(answer, to);
      if (unpacked.whole) break;
    }
    const { files, failed, whole } = unpacked;
    const seconds = Math.round((Date.now() - began) / 1000);
    process.stdout.write(`${name}: ${files} files in ${seconds} s${failed.length > 0 ? `; not recorded: ${failed.join(", ")}` : ""}\n`);
    if (!whole) process.stdout.write(`${name}: the guest stopped early${problem === undefined ? "" : ` (${problem})`}; see ${join(to, "console.log")}\n`);
    if (!whole || failed.length > 0) broken++;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`Recorded into ${out}.\n`);
if (!values["no-verify"]) {
  const { status } = spawnSync(process.execPath, [join(dirname(here), "dist/cli/main.js"), "verify", out], { stdio: "inherit" });
  process.exitCode = status ?? 1;
}
if (broken > 0) process.exitCode = 1;
