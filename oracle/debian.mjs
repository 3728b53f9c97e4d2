// A kernel out of Debian's archive: its image, and a root directory with its headers and the compiler they were made for.
// Every suite is searched, in a list of apt's own that is kept apart from the machine's. Wants apt, mmdebstrap and root.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const mirror = "http://deb.debian.org/debian";
const key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
const line = (suite, at = mirror) => `deb ${key} ${at} ${suite} main`;
const security = (suite) => line(`${suite}-security`, `${mirror}-security`);

/** Suites with what each stands on, oldest first. A suite that the mirror has no more is passed over. */
const suites = {
  bullseye: [line("bullseye"), security("bullseye")],
  bookworm: [line("bookworm"), security("bookworm")],
  "bookworm-backports": [line("bookworm"), security("bookworm"), line("bookworm-backports")],
  trixie: [line("trixie"), security("trixie")],
  "trixie-backports": [line("trixie"), security("trixie"), line("trixie-backports")],
  forky: [line("forky")],
  sid: [line("sid")],
  experimental: [line("sid"), line("experimental")],
};

/** apt with lists of its own below `folder`. */
function ownApt(run, folder) {
  for (const part of ["lists/partial", "cache/archives/partial", "parts"]) mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, "sources.list"), [...new Set(Object.values(suites).flat())].join("\n"));
  writeFileSync(
    join(folder, "apt.conf"),
    [
      `Dir::Etc::SourceList "${folder}/sources.list";`,
      `Dir::Etc::SourceParts "${folder}/parts";`,
      `Dir::State::Lists "${folder}/lists";`,
      `Dir::Cache "${folder}/cache";`,
      'APT::Sandbox::User "root";',
      "",
    ].join("\n"),
  );
  const env = { ...process.env, APT_CONFIG: join(folder, "apt.conf") };
  return (command, args, cwd) => run(command, args, { env, ...(cwd === undefined ? {} : { cwd }) }).toString();
}

/** Newest first: `7.3.4-1~bpo13+1` before `7.2.12-1`. */
const byVersion = (a, b) => b.version.localeCompare(a.version, "en", { numeric: true });

/** { package, release (uname -r), version, suite } of the newest kernel of a branch ("6.12") or of exactly that point release ("6.12.107"). */
function findKernel(apt, wanted) {
  const names = apt("apt-cache", ["search", "--names-only", "^linux-headers-[0-9].*-amd64$"])
    .split("\n")
    .map((l) => l.split(" ")[0])
    // Not the meta-packages (6.12-amd64), which name no release, and not the variants.
    .filter((name) => /^linux-headers-\d+\.\d+[.~]/.test(name) && !/-(rt|cloud)-/.test(name));
  const found = apt("apt-cache", ["madison", ...names])
    .split("\n")
    .map((l) => l.split("|").map((cell) => cell.trim()))
    .filter((cells) => cells.length === 3)
    .map(([name, version, where]) => {
      const suite = / (\S+)\/main /.exec(where)?.[1] ?? "";
      return { package: name, release: name.replace("linux-headers-", ""), version, suite: suite.replace(/-security$/, "") };
    })
    .filter(({ version, suite }) => suite in suites && new RegExp(`^${wanted.replaceAll(".", "\\.")}[.~-]`).test(version))
    .sort(byVersion);
  return found[0];
}

/** What the archive has, or what it had when this was asked before. */
function lookUp(apt, wanted, cache) {
  const note = join(cache, `${wanted}.json`);
  if (existsSync(note)) return JSON.parse(readFileSync(note, "utf8"));
  try {
    apt("apt-get", ["-q", "update"]);
  } catch {
    // One suite that is gone fails the whole command; what it could read is there.
  }
  const kernel = findKernel(apt, wanted);
  if (kernel !== undefined) writeFileSync(note, JSON.stringify(kernel));
  return kernel;
}

/** { release, vmlinuz, headers, modules (below which they lie), root, busybox } of a Debian kernel. What was looked up and fetched before is used again; remove it from `cache` to ask anew. */
export function fromDebian(run, fail, wanted, cache) {
  const apt = ownApt(run, join(cache, "apt"));
  const kernel = lookUp(apt, wanted, cache);
  if (kernel === undefined)
    fail(`Debian's archive has no kernel ${wanted}.`, `Look with: APT_CONFIG=${cache}/apt/apt.conf apt-cache search linux-headers`);
  const folder = join(cache, kernel.release);
  const image = join(folder, "image");
  const root = join(folder, "root");
  mkdirSync(folder, { recursive: true });
  if (!existsSync(root)) {
    rmSync(`${root}.part`, { recursive: true, force: true });
    const base = kernel.suite.replace(/-backports$/, "").replace("experimental", "sid");
    run("mmdebstrap", [
      "--quiet", "--mode=root", "--variant=apt", "--aptopt=Apt::Install-Recommends false", "--skip=cleanup/apt/lists",
      `--include=make,binutils,busybox-static,${kernel.package}`,
      ...(kernel.suite === base ? [] : [`--aptopt=APT::Default-Release "${kernel.suite}"`]),
      base, `${root}.part`, ...suites[kernel.suite],
    ]);
    renameSync(`${root}.part`, root);
  }
  if (!existsSync(image)) {
    // With the root's own apt, which knows this suite only.
    copyFileSync("/etc/resolv.conf", join(root, "etc/resolv.conf"));
    const inside = (command, ...args) => run("chroot", [root, "sh", "-c", 'cd /tmp && exec "$@"', "sh", command, ...args]).toString();
    const known = inside("apt-cache", "pkgnames").split("\n");
    const name = ["linux-image", "linux-binary"]
      .flatMap((kind) => [`${kind}-${kernel.release}-unsigned`, `${kind}-unsigned-${kernel.release}`])
      .find((candidate) => known.includes(candidate));
    if (name === undefined) fail(`Debian has headers of ${kernel.release}, but no image.`, "Give --vmlinuz and --headers.");
    inside("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", name);
    const deb = join(root, "tmp", readdirSync(join(root, "tmp")).find((file) => file.startsWith(`${name}_`)));
    run("dpkg-deb", ["-x", deb, `${image}.part`]);
    rmSync(deb);
    renameSync(`${image}.part`, image);
  }
  const vmlinuz = readdirSync(image, { recursive: true }).find((file) => /(^|\/)vmlinuz/.test(file));
  return { release: kernel.release, vmlinuz: join(image, vmlinuz), headers: `/usr/src/${kernel.package}`, modules: image, root, busybox: ["usr/bin", "bin"].map((d) => join(root, d, "busybox")).find(existsSync) };
}
