// Records a kernel for `skblab verify`: builds the recorders against its headers, boots it in qemu (no KVM) and takes what they wrote.
//
//   npm run record -- --kernel 6.12-debian [--out DIR] [--memory MB] [--cpus N]
//   npm run record -- --vmlinuz FILE --headers DIR [--out DIR]
//
// Needs qemu-system-x86_64, cpio, make, a compiler that the headers accept, and a static busybox. With --kernel the packages come through apt
// (the headers are installed, which wants root; the image is only unpacked).
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const here = import.meta.dirname;
const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 2 ** 28, ...options });
const fail = (message, advice) => {
  process.stderr.write(`${message}\n${advice}\n`);
  process.exit(2);
};

const { values } = parseArgs({
  options: {
    kernel: { type: "string" },
    vmlinuz: { type: "string" },
    headers: { type: "string" },
    out: { type: "string" },
    memory: { type: "string", default: "256" },
    cpus: { type: "string", default: "2" },
    timeout: { type: "string", default: "600" },
  },
});

/** The newest kernel of a branch that apt knows: { vmlinuz, headers }. */
function fromDebian(branch, folder) {
  const pattern = `^linux-headers-${branch.replaceAll(".", "\\.")}[.0-9]*[^ ]*-amd64$`;
  const names = run("apt-cache", ["search", "--names-only", pattern])
    .toString()
    .split("\n")
    .map((line) => line.split(" ")[0])
    // Not the meta-packages (6.12-amd64), which name no release, and not the variants.
    .filter((name) => /^linux-headers-\d+\.\d+\.\d+/.test(name) && !/-(rt|cloud)-/.test(name))
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const headers = names.at(-1);
  if (headers === undefined)
    fail(`apt knows no headers of a kernel ${branch}.`, "Add the suite that has it to apt's sources, or give --vmlinuz and --headers.");
  const release = headers.replace("linux-headers-", "");
  run("apt-get", ["install", "-y", "--no-install-recommends", headers]);
  run("apt-get", ["download", `linux-image-${release}-unsigned`], { cwd: folder });
  const deb = readdirSync(folder).find((name) => name.startsWith("linux-image-"));
  run("dpkg-deb", ["-x", join(folder, deb), join(folder, "image")]);
  return { vmlinuz: join(folder, `image/boot/vmlinuz-${release}`), headers: `/usr/src/${headers}` };
}

/** The recorders, built out of the way of the sources. */
function buildRecorders(headers, folder) {
  const modules = join(folder, "modules");
  mkdirSync(modules);
  for (const name of readdirSync(join(here, "modules"))) copyFileSync(join(here, "modules", name), join(modules, name));
  run("make", ["-s", "-C", headers, `M=${modules}`, "modules"]);
  return readdirSync(modules)
    .filter((name) => name.endsWith(".ko"))
    .map((name) => join(modules, name));
}

function packGuest(recorders, folder) {
  const root = join(folder, "root");
  mkdirSync(join(root, "bin"), { recursive: true });
  mkdirSync(join(root, "recorders"));
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  copyFileSync(join(here, "guest/init"), join(root, "init"));
  for (const path of recorders) {
    const to = join(root, "recorders", path.split("/").at(-1));
    copyFileSync(path, to);
    run("strip", ["--strip-debug", to]);
  }
  const initrd = join(folder, "initrd.gz");
  writeFileSync(initrd, run("sh", ["-c", "find . | cpio -o -H newc | gzip -9"], { cwd: root }));
  return initrd;
}

/** Boots and waits until the guest has switched itself off; its second serial port, as text. */
function boot(vmlinuz, initrd, folder, out) {
  const answer = join(folder, "answer");
  const args = ["-accel", "tcg", "-cpu", "qemu64", "-m", values.memory, "-smp", values.cpus, "-display", "none", "-no-reboot"];
  args.push("-nic", "none", "-kernel", vmlinuz, "-initrd", initrd);
  args.push("-append", "console=ttyS0 panic=-1 nokaslr tsc=reliable rdinit=/init");
  args.push("-serial", `file:${join(out, "console.log")}`, "-serial", `file:${answer}`, "-monitor", "none");
  writeFileSync(join(out, "cmdline.txt"), `qemu-system-x86_64 ${args.join(" ")}\n`);
  try {
    run("qemu-system-x86_64", args, { timeout: Number(values.timeout) * 1000 });
  } catch (error) {
    fail(`The guest did not finish: ${error.message}`, `Its console is in ${join(out, "console.log")}.`);
  }
  return existsSync(answer) ? readFileSync(answer, "latin1") : "";
}

const out = resolve(values.out ?? `recorded/${values.kernel ?? "kernel"}`);
mkdirSync(out, { recursive: true });
const folder = mkdtempSync(join(tmpdir(), "skblab-record-"));
try {
  const debian = /^(\d+\.\d+)-debian$/.exec(values.kernel ?? "")?.[1];
  if (debian === undefined && (values.vmlinuz === undefined || values.headers === undefined))
    fail("Which kernel?", "Give --kernel 6.12-debian, or --vmlinuz FILE and --headers DIR.");
  const { vmlinuz, headers } = debian === undefined ? values : fromDebian(debian, folder);
  const initrd = packGuest(buildRecorders(resolve(headers), folder), folder);
  const answer = boot(resolve(vmlinuz), initrd, folder, out);
  const end = answer.indexOf("end-of-recording");
  if (end < 0) fail("The guest stopped before its recording was whole.", `Its console is in ${join(out, "console.log")}.`);
  const archive = join(folder, "answer.tar.gz");
  writeFileSync(archive, Buffer.from(answer.slice(0, end), "base64"));
  run("tar", ["-xzf", archive, "-C", out]);
  process.stdout.write(`Recorded into ${out}. Now: skblab verify ${out}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
