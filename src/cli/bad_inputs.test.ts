// What cannot be used ends in one sentence on standard error, nothing on standard output, and exit code 2: whatever the command.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { ifLong } from "../base/size.testkit.ts";
import { type MainRan, runMain } from "./main.testkit.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "skblab-bad-"));
const dump = join(root, "fixtures/page_owner/6.1-before-load.txt.gz");
const scenario = (name: string): string => join(root, "scenarios", name);

const rng = prng(7);
const noise = Uint8Array.from({ length: 300 }, () => rng.below(256));
writeFileSync(join(dir, "empty"), "");
writeFileSync(join(dir, "words.txt"), "hello world\n");
writeFileSync(join(dir, "random.bin"), noise);
writeFileSync(join(dir, "short.elf"), Uint8Array.of(0x7f, 0x45, 0x4c, 0x46));
writeFileSync(join(dir, "cut.gz"), gzipSync("hello world\n").subarray(0, 10));
writeFileSync(join(dir, "picture.png"), "\x89PNG\r\n\x1a\n0000", "latin1");
writeFileSync(join(dir, "unknown.ndjson"), '{"format":"ora_buddy/9"}\n');
writeFileSync(join(dir, "bad.yaml"), "a: [\n");
writeFileSync(join(dir, "list.yaml"), "[]");
writeFileSync(join(dir, "nokind.yaml"), "memoryMb: 5\n");
writeFileSync(join(dir, "unit.yaml"), "kind: machine\nmemoryMb: -5\n");
writeFileSync(join(dir, "release.yaml"), "kind: machine\nrelease: 9.99-x86_64\n");
writeFileSync(join(dir, "forbidden.txt"), "dmesg: read kernel buffer failed: Operation not permitted\n");
mkdirSync(join(dir, "dir"));
symlinkSync("loop", join(dir, "loop"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const run = (args: readonly string[]): Promise<MainRan> =>
  runMain(args.map((a) => (a.startsWith("@") ? join(dir, a.slice(1)) : a)));

// @name is a file of `dir`; a line is split at blanks, quotes keep them.
const lines = `
nope
diagnos x
--nope
diagnose
diagnose @nofile
diagnose @random.bin
diagnose @cut.gz
diagnose @dir
diagnose @loop
diagnose @picture.png
diagnose @forbidden.txt
diagnose @words.txt/x
diagnose - -
diagnose /dev/kmsg
diagnose /proc/kmsg
diagnose /dev/zero
diagnose @words.txt --format xml
diagnose @words.txt --fail-on bad
diagnose @words.txt --nope
diagnose --prove
decode
decode gfp
decode gfp 0x20 0x30 0x40
decode foo 0x1
decode gfp zz
decode gfp ''
decode gfp -1
decode gfp 0xfffffffffffffffffff
decode gfp GFP_NOTHING
decode gfp 0x20 --kernel foo
decode gfp 0x20 --kernel ''
decode gfp 0x20 --kernel 9.99
decode gfp 0x20 --kernel 2.5.1
decode gfp 0x20 --kernel 5.20
decode gfp 0x20 --kernel 1.0
decode gfp 0x20 --pfn 0x10
decode page-flags zz
decode page-flags -1
decode page-flags 0x1 --pfn -3
decode page-flags 0x1 --pfn zz
decode page-flags 0x1 --kernel 99
page-owner
page-owner @empty
page-owner @words.txt
page-owner @random.bin
page-owner @nofile
page-owner @dir
page-owner --by foo @words.txt
page-owner --by @words.txt
page-owner --diff @words.txt
page-owner --diff @nofile @words.txt
page-owner --pins -1 DUMP
page-owner --pins 99 DUMP
page-owner --pins x DUMP
page-owner --map
page-owner --map @nodir/map.png DUMP
page-owner --export foo @words.txt
page-owner --export csv --out @nodir/x DUMP
page-owner --page-size 3000 DUMP
page-owner --page-size -4096 DUMP
page-owner --page-size 0 DUMP
page-owner --page-size x DUMP
page-owner --compat --foo @words.txt
page-owner --compat @nofile
pools
pools @empty
pools @words.txt
pools @random.bin
pools @nofile
pools @dir
pools @cut.gz
pools @loop
diagnose @words.txt @nofile
fleet @words.txt --export
verify @loop
collect --seconds -1
collect --seconds x
collect --out @nodir/x.tar --seconds 0
collect --out @dir --seconds 0
watch --interval 0
watch --interval -5
watch --interval abc
watch --metrics foo
watch --metrics 0.0.0.0:9000
watch --metrics 127.0.0.1:99999
metrics --once --textfile @nodir
image
image @nofile
image @empty
image @words.txt
image @random.bin
image @short.elf
image @dir
image @picture.png
image @cut.gz
image --nope
fleet
fleet @nofile
fleet @words.txt --host-from (
fleet @words.txt --shard 5/4
fleet @words.txt --shard 0/4
fleet @words.txt --shard -1/4
fleet @words.txt --shard x
fleet @words.txt --shard 1/4
fleet @words.txt --export foo.xyz
run
run @nofile
run @dir
run @empty
run @words.txt
run @random.bin
run @bad.yaml
run @list.yaml
run @nokind.yaml
run @unit.yaml
run @release.yaml
run SCENARIO/mtu-sweep.yaml
page-owner --page-size 2048 DUMP
experiment
experiment @nofile
experiment @bad.yaml
experiment @list.yaml
experiment @nokind.yaml
experiment SCENARIO/jumbo-under-pressure.yaml
experiment SCENARIO/mtu-sweep.yaml --seeds 0
experiment SCENARIO/mtu-sweep.yaml --seeds 1
experiment SCENARIO/mtu-sweep.yaml --seeds -1
experiment SCENARIO/mtu-sweep.yaml --seeds 10000
experiment SCENARIO/mtu-sweep.yaml --seeds x
experiment SCENARIO/mtu-sweep.yaml --shard 3/2
experiment SCENARIO/mtu-sweep.yaml --shard 0/2
merge
merge @nodir
merge @empty
merge @dir
cases nope
cases emac-jumbo --set
cases emac-jumbo --set foo=1
cases emac-jumbo --set mtu=abc
cases emac-jumbo --set mtu=-1
cases emac-jumbo --set mtu=1599
cases emac-jumbo --set mtu=99999999
cases emac-jumbo --set mtu
cases emac-jumbo --set =5
verify
verify @nofile
verify @empty
verify @words.txt
verify @unknown.ndjson
verify @random.bin
verify @dir
verify @cut.gz
driver
driver nope
driver @nofile.mjs
driver tg3 --mtu abc
driver tg3 --mtu -5
driver tg3 --mtu 67
driver tg3 --mtu 65522
driver tg3 --mtu 1500,
driver tg3 --kernel foo
driver tg3 --kernel 9.99
layout nope --kernel 6.1
layout sk_buff --kernel 1.1
layout sk_buff --kernel foo
layout sk_buff --kernel 6.20
layout --btf @nofile sk_buff
layout --btf @words.txt sk_buff
layout --btf @random.bin sk_buff
layout --btf @empty sk_buff
layout --btf @short.elf sk_buff
layout sk_buff.nope --kernel 6.1
layout --kernel 6.1 --what-if foo
layout --kernel 6.1 --what-if 'sk_buff:+zzz q'
layout --kernel 6.1 --what-if 'nope:+u32 q'
layout --kernel 6.1 --what-if 'sk_buff:-nope'
layout sk_buff --kernel 6.1 --config FOO=n
layout sk_buff --kernel 6.1 --config NETWORK_SECMARK=maybe
explore nope
explore @nofile.ts
explore lltx --scheme foo
explore lltx --cpus 99
explore lltx --cpus 1
explore lltx --cpus 5
explore lltx --cpus -1
explore lltx --cpus x
explore lltx --ring 0
explore lltx --ring 5
explore lltx --replay 999
explore lltx --scheme original --replay 999
explore lltx --scheme original --replay x
explore lltx --without foo
explore lltx --scheme original --replay 0000111001 --svg @nodir/x.svg
explore --seed 3
explore lltx --scheme original --replay 0000111001 --random 5
explore lltx --scheme original --seed 3
explore lltx --scheme original --random 5 --states 9
layout sk_buff --kernel 6.1 --cpus -1
layout sk_buff --kernel 6.1 --allocator slab
layout sk_buff --kernel 6.1 --all
layout sk_buff --kernel 6.1 --btf-base @words.txt
layout --kernel 6.1 --member len --against 6.12
layout --kernel 6.1 --pahole
layout sk_buff.len --kernel 6.1 --pahole
layout --kernel 6.1 --what-if 'sk_buff:+u32 x' --pahole
layout --kernel 6.1 --what-if 'sk_buff:+u32 x' --cpus -1
page-owner --out @x DUMP
page-owner --diff --series DUMP DUMP
page-owner --diff --pins 9 DUMP DUMP
page-owner --export folded --sort pages DUMP
page-owner --export csv --format json DUMP
page-owner --depth 3 DUMP
diagnose @words.txt --explain-reading --brief
diagnose @words.txt --prove --brief
diagnose @words.txt --assume memoryMb=64
diagnose --follow @words.txt --junit @x.xml
image @words.txt --order 3
run SCENARIO/mtu-sweep.yaml --schema --log @x
experiment SCENARIO/mtu-sweep.yaml --metrics
experiment --metrics --seeds 3
cases emac-jumbo --knobs --set mtu=3000
watch --for 0 --page-owner @words.txt
watch --format json
serve --port 99999
serve --port 65536
serve --port -1
serve --port abc
serve --port 80.5
complete
complete foo
`
  .trim()
  .split("\n");

const words = (line: string): string[] =>
  (line.match(/'[^']*'|\S+/g) ?? []).map((word) =>
    word.replaceAll("'", "").replace("SCENARIO", scenario("")).replace("DUMP", dump),
  );

test("there are two hundred of them", () => expect(new Set(lines).size).toBeGreaterThanOrEqual(200));

describe("one sentence, exit code 2", () => {
  test.for(lines.map((line) => [line] as const))("%s", async ([line]) => {
    const { out, err, exit } = await run(words(line));
    expect(exit).toBe(2);
    expect(out).toBe("");
    expect(
      err
        .trim()
        .split("\n")
        .filter((l) => !l.startsWith("Collecting:")),
    ).toHaveLength(1);
    expect(err).toMatch(
      /(?:^|\n)skblab: \S.*[.)]\n$|Use: |Write |Try: |Run: |Set |Did you mean|Ask |Give |sudo |Its members are /,
    );
    expect(err).not.toMatch(/undefined|NaN|\[object|\n {4}at /);
  });
});

test("what says nothing about a kernel is told so, and what may be empty is no error", async () => {
  expect(await run(["diagnose", "@words.txt"])).toMatchObject({ exit: 0, err: "" });
  expect((await run(["diagnose", "@words.txt"])).out).toMatch(/nothing\s+was\s+read\s+from\s+it/);
  expect((await run(["diagnose", "@empty"])).out).toMatch(/is empty/);
  expect((await run(["diagnose", "@forbidden.txt"])).err).toMatch(/Run it as root/);
});

describe("what never ends or never begins", () => {
  const node = (...args: string[]) =>
    spawnSync(process.execPath, [join(root, "dist/cli/main.js"), ...args], { encoding: "utf8", timeout: 240_000 });

  test.each(["run", "experiment", "layout --btf", "image", "page-owner", "verify", "pools"])(
    "%s /dev/zero",
    (command) => {
      const { status, stderr } = node(...command.split(" "), "/dev/zero");
      expect(status).toBe(2);
      expect(stderr).toMatch(/^skblab: \/dev\/zero\S* \S/);
    },
  );

  test("a FIFO without a writer is waited for, and no longer than ten seconds; one with a writer is read", () => {
    const fifo = join(dir, "fifo");
    execFileSync("mkfifo", [fifo]);
    for (const command of ["image", "verify"])
      expect(node(command, fifo).stderr).toMatch(
        /It is a FIFO, and .* is read more than once\. Save it to a file first\./,
      );
    for (const command of ["diagnose", ...ifLong(["run"])])
      expect(node(command, fifo).stderr).toMatch(/It is a FIFO, and for 10 s nobody wrote to it\./);
    const script = `cat '${dump}' > '${fifo}' & '${process.execPath}' dist/cli/main.js page-owner --format json '${fifo}'`;
    const { status, stdout } = spawnSync("sh", ["-c", script], { cwd: root, encoding: "utf8", timeout: 240_000 });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toHaveProperty("schema");
  });

  test("a fleet of which nothing could be read is told with its reasons, and is no success", async () => {
    const { out, exit } = await run(["fleet", "@random.bin"]);
    expect(out).toMatch(/1 host, 0 with trouble, 1 not read/);
    expect(out).toMatch(/No host could be read and judged/);
    expect(exit).toBe(2);
  });
});
