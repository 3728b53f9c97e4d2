// Debian's kernel packages: which, from where, fetched and unpacked into a directory without touching the system's own package lists.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The kernels of the index. `files`: packages that hold image and modules; the newest build on the mirror is taken. */
export const kernels = [
  { name: "5.10", arch: "amd64", files: [/^linux-image-5\.10\.0-\d+-amd64$/], source: "linux-source-5.10" },
  { name: "6.1", arch: "amd64", files: [/^linux-image-6\.1\.0-\d+-amd64$/], source: "linux-source-6.1" },
  { name: "6.12", arch: "amd64", files: [/^linux-image-6\.12\.\d+\+deb13-amd64$/], source: "linux-source-6.12" },
  { name: "6.12-arm64", arch: "arm64", files: [/^linux-image-6\.12\.\d+\+deb13-arm64$/] },
  {
    name: "7.2",
    arch: "amd64",
    files: [/^linux-modules-7\.2\.\d+\+deb14-amd64$/, /^linux-binary-7\.2\.\d+\+deb14-amd64$/],
    source: "linux-source-7.2",
  },
  {
    name: "7.2-arm64",
    arch: "arm64",
    files: [/^linux-modules-7\.2\.\d+\+deb14-arm64$/, /^linux-binary-7\.2\.\d+\+deb14-arm64$/],
  },
];

const suites = [
  "http://deb.debian.org/debian bullseye main",
  "http://deb.debian.org/debian-security bullseye-security main",
  "http://deb.debian.org/debian bookworm main",
  "http://deb.debian.org/debian trixie main",
  "http://deb.debian.org/debian sid main",
];

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** A package list of its own below `root`. */
export function aptRoot(root) {
  for (const d of ["etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "debs"])
    mkdirSync(join(root, d), { recursive: true });
  writeFileSync(join(root, "status"), "");
  writeFileSync(
    join(root, "etc/apt/sources.list"),
    suites.map((s) => `deb [arch=amd64,arm64 signed-by=${keyring}] ${s}\n`).join(""),
  );
  const conf = join(root, "apt.conf");
  writeFileSync(
    conf,
    `Dir "${root}/";\nDir::State::status "${root}/status";\nAPT::Architecture "amd64";\nAPT::Architectures {"amd64";"arm64";};\nAcquire::Check-Valid-Until "false";\nAPT::Sandbox::User "root";\n`,
  );
  const apt = (command, ...args) =>
    execFileSync(command, args, {
      cwd: join(root, "debs"),
      env: { ...process.env, APT_CONFIG: conf },
      encoding: "utf8",
      maxBuffer: 1 << 28,
    });
  apt("apt-get", "update");
  return apt;
}

/** Fetches the newest package that fits, unless one that fits is there. Gives the file. */
function fetched(root, apt, form, arch) {
  const here = () => {
    const names = readdirSync(join(root, "debs")).filter(
      (f) => form.test(f.split("_")[0]) && /_(all|\w+64)\.deb$/.test(f),
    );
    const name = names.filter((f) => f.endsWith(`_${arch}.deb`) || f.endsWith("_all.deb")).at(-1);
    return name === undefined ? undefined : join(root, "debs", name);
  };
  const there = here();
  if (there !== undefined) return there;
  const names = apt("apt-cache", "pkgnames", "linux-")
    .split("\n")
    .filter((n) => form.test(n));
  const newest = names.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).reverse();
  for (const name of newest) {
    const run = spawnSync("apt-get", ["download", `${name}:${arch}`], {
      cwd: join(root, "debs"),
      env: { ...process.env, APT_CONFIG: join(root, "apt.conf") },
      encoding: "utf8",
    });
    const file = here();
    if (run.status === 0 && file !== undefined) return file;
  }
  throw new Error(`No package ${form} for ${arch} could be fetched.`);
}

/** The directory that holds the files of a kernel, unpacked. */
export function unpacked(root, apt, kernel) {
  const at = join(root, "kernels", kernel.name);
  if (!existsSync(at)) {
    mkdirSync(at, { recursive: true });
    for (const form of kernel.files) execFileSync("dpkg-deb", ["-x", fetched(root, apt, form, kernel.arch), at]);
  }
  return at;
}

const wanted = ["net", "drivers/net", "drivers/usb/gadget", "drivers/vhost", "drivers/infiniband/ulp", "drivers/scsi"];

/** The network's part of a kernel's source, or undefined where none is named. */
export function source(root, apt, kernel) {
  if (kernel.source === undefined) return undefined;
  const at = join(root, "sources", kernel.name);
  if (!existsSync(at)) {
    mkdirSync(at, { recursive: true });
    const file = fetched(root, apt, new RegExp(`^${kernel.source.replaceAll(".", "\\.")}$`), "amd64");
    const patterns = wanted.map((d) => `'linux-source-*/${d}/*'`).join(" ");
    execFileSync("sh", [
      "-c",
      `dpkg-deb --fsys-tarfile '${file}' | tar -xO --wildcards './usr/src/linux-source-*.tar.xz' | tar -xJ -C '${at}' --strip-components=1 --wildcards ${patterns}`,
    ]);
  }
  return at;
}

/** Every file below a directory. */
export const filesBelow = (directory) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath ?? e.path, e.name));

/** A module's bytes, unpacked. */
export function moduleBytes(file) {
  if (!file.endsWith(".xz")) return new Uint8Array(readFileSync(file));
  const run = spawnSync("xz", ["-dc", file], { maxBuffer: 1 << 28 });
  return new Uint8Array(run.stdout);
}

const tools = {
  xz: ["xz", "-dc", "--single-stream"],
  zstd: ["zstd", "-dc"],
  gzip: ["gzip", "-dc"],
  lz4: ["lz4", "-dc"],
  lzma: ["xz", "-dc", "--format=lzma"],
};

/** Unpacks what a boot image holds; what follows the stream is none of its business. */
export async function unpackWithTools(packing, packed) {
  const [tool, ...args] = tools[packing] ?? [];
  if (tool === undefined) throw new Error(`No tool for ${packing}.`);
  const run = spawnSync(tool, args, { input: packed, maxBuffer: 1 << 29 });
  return new Uint8Array(run.stdout);
}
