// The ways in: the tarball installs without a network and runs, the single executable runs, an old Node gets one sentence.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isLong, oneIn } from "../base/size.testkit.ts";

const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "skblab-packaging-"));
const at = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const env = {
  ...process.env,
  XDG_CACHE_HOME: at("cache"),
  npm_config_cache: at("npm-cache"),
  npm_config_offline: "true",
};
const log = "fixtures/logs/ppc405ex_emac_2009.txt";
/** What one way in says of the README's log; every way must say the same. */
const answerOf = (program: string, words: readonly string[], cwd: string): string =>
  execFileSync(program, [...words, "diagnose", log], { cwd, env, encoding: "utf8" });
const wanted = answerOf(process.execPath, [join(root, "dist/cli/main.js")], root);

const two = `kind: experiment
seeds: 2
metrics: [failureShare]
base:
  kind: machine
  release: 2.6.24-x86_64
  memoryMb: 64
  nics: [{ driver: ringnic }]
  traffic: [{ framesPerSecond: 1000 }]
  millis: 2
ablate:
  - { name: a small ring, set: { nics.0.settings.rx_ring: 64 } }
`;

/** Root with a mount namespace of its own; elsewhere the container is not imitated. */
const mayUnshare =
  process.getuid?.() === 0 &&
  spawnSync("unshare", ["-m", "sh", "-c", "mount --make-rprivate / && mount -t tmpfs t /mnt && command -v setpriv"])
    .status === 0;

describe("npm pack", () => {
  let installed = "";
  let said = "";
  beforeAll(() => {
    const before = readFileSync(join(root, "package.json"), "utf8");
    execFileSync("npm", ["pack", "--pack-destination", folder], {
      cwd: root,
      env: { ...env, npm_config_ignore_scripts: "true" },
      stdio: "ignore",
    });
    expect(readFileSync(join(root, "package.json"), "utf8")).toBe(before);
    const tarball = at(`skblab-${(JSON.parse(before) as { version: string }).version}.tgz`);
    const done = spawnSync("npm", ["install", "-g", "--ignore-scripts", "--prefix", at("prefix"), tarball], {
      env,
      encoding: "utf8",
    });
    said = done.stdout + done.stderr;
    installed = at("prefix/lib/node_modules/skblab");
  });

  test("installs without a network: its dependencies are in it", () => {
    expect(said).toMatch(/added 1 package/);
  });
  test("answers as the checkout does, and has the files that the help of its commands names", () => {
    const tool = at("prefix/bin/skblab");
    expect(answerOf(tool, [], installed)).toBe(wanted);
    const help = oneIn(6, commandsOf(tool)).map((c) => execFileSync(tool, [c, "--help"], { encoding: "utf8" }));
    const named = help.flatMap((h) => [...h.matchAll(/\b(?:fixtures|scenarios|examples)\/[\w./-]+/g)].map((m) => m[0]));
    expect(named.length).toBeGreaterThan(isLong ? 10 : 1);
    expect(named.filter((f) => !existsSync(join(installed, f)))).toEqual([]);
  });
  test("has diagnose as one file, and shares with other commands the errors that the door recognizes", () => {
    const text = readFileSync(join(installed, "dist/cli/commands/diagnose.js"), "utf8");
    const opened = [...text.matchAll(/^import .* from "(\.[^"]+)";$/gm)].map(([, path]) => path);
    expect(opened).toContain("../../base/bad_input.js");
    expect(opened.filter((path) => /\/(?:artifact|diagnosis|prove|report)\//.test(`${path}`))).toEqual([]);
  });
  // As packaging/Containerfile runs it: the package alone under a root that nobody can write, an empty environment, a tmpfs.
  test.skipIf(!mayUnshare || !isLong)(
    "answers in the container's file system, as nobody, with nothing to write to but /tmp",
    () => {
      writeFileSync(
        at("container.sh"),
        `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
mkdir /mnt/app
cp -a "$1/." /mnt/app
mount -o remount,ro /mnt
mount --bind / /
mount -o remount,bind,ro /
mount -t tmpfs -o mode=1777 tmpfs /tmp
cd /
! touch /writable /mnt/app/writable 2>/dev/null
exec setpriv --reuid=65534 --regid=65534 --clear-groups env -i XDG_CACHE_HOME=/tmp "$2" /mnt/app/dist/cli/main.js diagnose -
`,
      );
      const input = readFileSync(join(root, log));
      const said = execFileSync("unshare", ["-m", "sh", at("container.sh"), installed, process.execPath], {
        input,
        encoding: "utf8",
      });
      expect(said).toBe(
        execFileSync(process.execPath, [join(root, "dist/cli/main.js"), "diagnose", "-"], {
          input,
          env,
          encoding: "utf8",
        }),
      );
    },
  );
  test("brings a manual page that names every command", () => {
    // Where man(1) looks: npm puts it there for a list of pages only.
    const page = readFileSync(at("prefix/share/man/man1/skblab.1"), "utf8");
    for (const name of commandsOf(at("prefix/bin/skblab")))
      expect(page).toContain(`skblab ${name.replace(/-/g, "\\-")}`);
  });
});

/** The commands that `--help` lists, but for those of every program. */
function commandsOf(tool: string): string[] {
  const listed = execFileSync(tool, ["--help"], { encoding: "utf8" }).split("\nCommands:\n")[1] ?? "";
  const names = [...listed.matchAll(/^ {2}([a-z][a-z-]*) /gm)].map((m) => m[1]!);
  return names.filter((n) => !["complete", "help", "skblab"].includes(n));
}

test("the packed package.json carries no scripts, and packing puts the checkout's own back", () => {
  mkdirSync(at("copy/node_modules"), { recursive: true });
  const manifest = at("copy/package.json");
  const before = readFileSync(join(root, "package.json"), "utf8");
  writeFileSync(manifest, before);
  const manifestScript = (what: string): unknown =>
    execFileSync(process.execPath, [join(root, "scripts/pack-manifest.mjs"), what, at("copy")]);
  manifestScript("strip");
  const stripped = JSON.parse(readFileSync(manifest, "utf8")) as Record<string, unknown>;
  expect([stripped["scripts"], stripped["devDependencies"], stripped["name"]]).toEqual([
    undefined,
    undefined,
    "skblab",
  ]);
  manifestScript("restore");
  expect(readFileSync(manifest, "utf8")).toBe(before);
});

// Node itself is copied and written into: half a minute, in the long run only.
test.runIf(isLong)(
  "the single executable answers as the checkout does, from the first start and from the second, workers included",
  () => {
    execFileSync(process.execPath, [join(root, "scripts/build-single.mjs"), at("single")], {
      cwd: root,
      stdio: "ignore",
    });
    for (let start = 0; start < 2; start++) expect(answerOf(at("single"), [], root)).toBe(wanted);
    writeFileSync(at("two.yaml"), two);
    const experiment = ["experiment", at("two.yaml"), "--jobs", "2", "--format", "json"];
    const json = execFileSync(at("single"), experiment, { cwd: root, env, encoding: "utf8" });
    expect((JSON.parse(json) as { schema: string }).schema).toBe("skblab.experiment/1");
  },
);

test("an old Node gets one sentence and exit code 2", () => {
  const old = "Object.defineProperty(process.versions, 'node', { value: '18.20.4' })";
  const done = spawnSync(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(old)}`, join(root, "dist/cli/main.js"), "diagnose", log],
    { encoding: "utf8" },
  );
  expect([done.status, done.stdout]).toEqual([2, ""]);
  expect(done.stderr).toMatch(/^skblab: this is Node 18\.20\.4; skblab needs 20\.19 or newer\. [^\n]*\n$/);
});
