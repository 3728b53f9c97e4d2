// node scripts/watch-vm/run.mjs KERNEL OUT: boots a Debian kernel (/boot/vmlinuz-… or one out of a linux-image package) under qemu without KVM, in a
// machine of 96 MB that has busybox only, lets programs take all of its memory, and fetches what the collect script and the samples say of it:
// OUT/host.tar and OUT/samples.tar.gz. Needs qemu-system-x86_64, busybox (static) and cpio; takes a minute or two.
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const [kernel, out] = process.argv.slice(2);
if (kernel === undefined || out === undefined) {
  console.error("usage: node scripts/watch-vm/run.mjs KERNEL OUT");
  process.exit(2);
}
const here = import.meta.dirname;
const work = mkdtempSync(join(tmpdir(), "skblab-vm-"));
const root = join(work, "root");
for (const d of ["bin", "proc", "sys", "dev", "tmp", "etc", "root"]) mkdirSync(join(root, d), { recursive: true });
copyFileSync("/bin/busybox", join(root, "bin/busybox"));
copyFileSync(join(here, "init.sh"), join(root, "init"));
spawnSync("chmod", ["755", join(root, "init")]);
symlinkSync("busybox", join(root, "bin/sh"));
writeFileSync(
  join(root, "collect.sh"),
  readFileSync(join(here, "../../src/cli/collect/collect.sh"), "utf8").replace("@ANONYMOUS@", "0"),
);
// A module to plug an interface with, where the kernel came out of its package (boot/ beside lib/modules/).
const release = basename(kernel).replace(/^vmlinuz-/, "");
const modules = `lib/modules/${release}`;
const dummy = join(kernel, "../..", modules, "kernel/drivers/net/dummy.ko");
if (existsSync(dummy)) {
  mkdirSync(join(root, modules, "kernel/drivers/net"), { recursive: true });
  copyFileSync(dummy, join(root, modules, "kernel/drivers/net/dummy.ko"));
  writeFileSync(join(root, modules, "modules.dep"), "kernel/drivers/net/dummy.ko:\n");
}
const packed = spawnSync("sh", ["-c", "find . | cpio -o -H newc 2>/dev/null | gzip -1"], {
  cwd: root,
  maxBuffer: 1 << 26,
});
if (packed.status !== 0) throw new Error("the initial ram disk could not be packed: is cpio installed?");
const initrd = join(work, "initrd");
writeFileSync(initrd, packed.stdout);
mkdirSync(out, { recursive: true });
const [tar, samples] = [join(out, "host.tar"), join(out, "samples.tar.gz")];
const words =
  `-accel tcg -m 96 -smp 1 -nodefaults -no-user-config -display none -no-reboot -kernel ${kernel} -initrd ${initrd} ` +
  `-serial stdio -serial file:${tar} -serial file:${samples}`;
// Without no_timer_check a busy host makes the kernel believe that its timer does not work.
const append = "console=ttyS0 quiet panic=5 no_timer_check";
const started = Date.now();
const vm = spawn("qemu-system-x86_64", [...words.split(" "), "-append", append], {
  stdio: ["ignore", "pipe", "inherit"],
});
let said = "";
vm.stdout.on("data", (d) => {
  said = (said + d).slice(-100_000);
});
const limit = setTimeout(() => vm.kill("SIGKILL"), 600_000);
await new Promise((resolve) => vm.once("exit", resolve));
clearTimeout(limit);
rmSync(work, { recursive: true });
if (!said.includes("skblab: the machine is done")) {
  console.error(said.slice(-3000));
  console.error("the machine did not come to its end");
  process.exit(1);
}
console.log(
  `${Math.round((Date.now() - started) / 1000)} s; ${statSync(tar).size} bytes collected, ${statSync(samples).size} bytes of samples`,
);
