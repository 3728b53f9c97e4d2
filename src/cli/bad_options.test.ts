// Each option of each command with values that cannot be: taken from the table of commands, so that a new option is held without being listed.
// A new kind of value has to be added here, or the test says so.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Option } from "commander";
import { afterAll, describe, expect, test } from "vitest";
import { oneIn, sized } from "../base/size.testkit.ts";
import { runMain } from "./main.testkit.ts";
import { main, smallSweep } from "./process.testkit.ts";
import { buildProgram } from "./program.ts";
import { commands } from "./registry.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "skblab-options-"));
const at = (name: string): string => join(dir, name);
afterAll(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(at("words.txt"), "hello world\n");
mkdirSync(at("dir"));
symlinkSync("loop", at("loop"));
writeFileSync(at("sweep.yaml"), smallSweep);
writeFileSync(
  at("machine.yaml"),
  "kind: machine\nrelease: 6.1-x86_64\nmemoryMb: 64\nnics: [{ driver: ringnic }]\ntraffic: [{ framesPerSecond: 1000 }]\nmillis: 2\n",
);

const dump = join(root, "fixtures/page_owner/6.1-before-load.txt.gz");
/** A line of each command that answers at once, to which the options are added. */
const good: Readonly<Record<string, readonly string[]>> = {
  diagnose: [join(root, "fixtures/logs/failures_6.1.txt")],
  decode: ["page-flags", "0x44000"],
  "page-owner": [dump],
  pools: [join(root, "fixtures/page_pool/stall_dmesg.log")],
  collect: ["--script"],
  watch: ["--for", "0", "--kmsg", at("words.txt"), "--pools", "true"],
  metrics: ["--once"],
  image: [at("words.txt")],
  fleet: [join(root, "fixtures/logs/failures_6.1.txt")],
  run: [at("machine.yaml")],
  experiment: [at("sweep.yaml")],
  merge: [at("dir")],
  cases: ["emac-jumbo"],
  verify: [join(root, "fixtures/buddy")],
  driver: ["tg3"],
  layout: ["sk_buff", "--kernel", "6.1"],
  explore: ["lltx"],
  serve: ["--no-open"],
};

const numbers = ["-1", "1e99", "abc", "", "1.5.2", "99999999999999999999", "0x"];
const releases = ["foo", "9.99-x86_64", "", "6.1-alpha", "-1"];
const places = [at("dir"), at("words.txt/x"), at("loop/x"), "/dev/full"];
const absent = [at("none"), at("loop"), at("words.txt/x")];
/** What an option takes, by the word that its help has for it: values that cannot be. */
const byWord: Readonly<Record<string, readonly string[]>> = {
  n: numbers,
  seconds: numbers,
  order: numbers,
  runs: numbers,
  year: numbers,
  bytes: [...numbers, "3000", "0"],
  number: ["-1", "xyz", "", "f".repeat(30)],
  release: releases,
  kernel: releases,
  "i/n": ["x", "0/4", "5/4", "1/", "/", "-1/4", ""],
  regex: ["(", "[z-a]"],
  keys: ["nothing", "", ","],
  kind: ["nothing", ""],
  severity: ["bad", ""],
  time: ["soon", "", "25:99", "-1h", "2h2h"],
  "address:port": ["foo", "", "0.0.0.0:9000", "127.0.0.1:99999", "127.0.0.1", "localhost:-1"],
  schedule: ["x", "999", "0123456789".repeat(50)],
  id: ["nothing", ""],
  "from-to": ["x", "5", "9-1", "1-", "-1-5"],
  "key=value": ["foo=1", "mtu", "=5", ""],
  "name=value": ["foo=1", "mtu", "=5", ""],
  config: ["FOO=n", "NETWORK_SECMARK=maybe", "", "x"],
  option: ["FOO=n", "NETWORK_SECMARK=maybe", "", "x"],
  edit: ["foo", "sk_buff:+zzz q", "nope:+u32 q", "sk_buff:-nope", ""],
  sizes: ["", "0", "-1", "64,,", "x", "99999999999"],
};
/** Where the word says too little: the values of one option, and what else it needs. `[]` are words that anybody may choose. */
const byOption: Readonly<Record<string, { readonly bad: readonly string[]; readonly besides?: readonly string[] }>> = {
  "diagnose --assume": { bad: ["foo=1", "memoryMb", "memoryMb=-1", "memoryMb=1e99", ""], besides: ["--prove"] },
  "diagnose --follow": { bad: [...absent, at("dir")] },
  "diagnose --sarif": { bad: places },
  "diagnose --junit": { bad: places },
  "page-owner --depth": { bad: numbers, besides: ["--by", "caller"] },
  "page-owner --pid": { bad: [...numbers, "1,,2"] },
  "page-owner --tgid": { bad: [...numbers, "1,,2"] },
  "page-owner --name": { bad: [] },
  "page-owner --allocator": { bad: ["nothing", ""] },
  "page-owner --map": { bad: [at("map.bmp"), at("map"), at("dir"), at("words.txt/x.png")] },
  "page-owner --stacks": { bad: [...absent, at("dir")] },
  "page-owner --out": { bad: places, besides: ["--export", "csv"] },
  "collect --out": { bad: places },
  "watch --on-incident": { bad: [] },
  "watch --pools": { bad: [] },
  "watch --out": { bad: places.slice(0, 3) },
  "watch --state": { bad: places.slice(0, 3) },
  "watch --textfile": { bad: [at("none"), at("words.txt"), "/dev/full"] },
  "watch --map-out": { bad: [at("map.bmp"), at("dir"), at("words.txt/x.png"), at("none/x.svg")] },
  "watch --page-owner": { bad: [] }, // read where it is there
  "watch --proc": { bad: [at("none"), at("dir"), at("words.txt")] },
  "watch --kmsg": { bad: [...absent, at("dir")] },
  "metrics --textfile": { bad: [at("none"), at("words.txt"), "/dev/full"] },
  "metrics --proc": { bad: [at("none"), at("dir"), at("words.txt")] },
  "image --records": { bad: places },
  "image --proc": { bad: [at("words.txt"), "/dev/full"] },
  "image --order": { bad: numbers, besides: ["--prove"] },
  "fleet --out": { bad: [at("words.txt"), at("words.txt/x"), "/dev/full"] },
  "fleet --export": { bad: [at("x"), at("x.xyz"), at("none/x.csv"), at("words.txt/x.csv")] },
  "run --journal": { bad: places },
  "run --ftrace": { bad: places },
  "run --perfetto": { bad: places },
  "run --pcapng": { bad: places },
  "run --log": { bad: places.slice(0, 3) }, // a machine without trouble logs nothing, and nothing fits on a full disk
  "run --proc": { bad: [at("words.txt"), "/dev/full"] },
  "run --events": { bad: ["nothing", "", "skb:kfree_skb,"], besides: ["--journal", at("journal")] },
  "run --between": { bad: ["x", "5", "9-1", "1-", "-1-5", ""], besides: ["--journal", at("journal")] },
  "run --most-mb": { bad: numbers, besides: ["--journal", at("journal")] },
  "experiment --out": { bad: [at("words.txt"), at("words.txt/x"), "/dev/full"] },
  "driver --mtu": { bad: ["-5", "67", "65522", "1500,", "abc", ""] },
  "driver --kernel": { bad: releases },
  "layout --btf": { bad: [...absent, at("dir"), at("words.txt")] },
  "layout --btf-base": { bad: [...absent, at("dir"), at("words.txt")], besides: ["--btf", at("words.txt")] },
  "layout --kernel": { bad: releases },
  "layout --cpus": { bad: numbers, besides: ["--what-if", "sk_buff:+u32 x"] },
  "layout --allocator": { bad: ["slob", ""], besides: ["--what-if", "sk_buff:+u32 x"] },
  "layout --frames": { bad: byWord["sizes"]!, besides: ["--what-if", "sk_buff:+u32 x"] },
  "layout --member": { bad: [] },
  "layout --type": { bad: [] },
  "explore --without": { bad: ["nothing", ","] },
  "explore --replay": { bad: byWord["schedule"]!, besides: ["--scheme", "original"] },
  "explore --svg": { bad: places, besides: ["--scheme", "original", "--replay", "0000111001"] },
  "explore --promela": { bad: places, besides: ["--scheme", "original"] },
};

interface Case {
  readonly line: readonly string[];
  readonly name: string;
}

const unknownKinds: string[] = [];

async function casesOf(command: string): Promise<Case[]> {
  const base = good[command] ?? [];
  const program = await buildProgram([command]);
  const options = program.commands.find((c) => c.name() === command)?.options ?? [];
  const make = (words: readonly string[], tail: readonly string[]): Case => {
    // An option that the good line gives already is given once: anew. What stands for a struct's name leaves where an edit names its own.
    const kept = tail.includes("--what-if") ? ["--kernel", "6.1"] : base;
    const line = [command, ...withoutOption(kept, tail), ...words, ...tail];
    return { line, name: line.join(" ").replaceAll(dir, "@").replaceAll(root, "") };
  };
  return options.flatMap((option) => {
    const long = option.long ?? "";
    const key = `${command} ${long}`;
    const word = /[<[]([^>\]]+)[>\]]/.exec(option.flags)?.[1];
    if (word === undefined) return [make([], [`${long}=yes`])];
    const bad = badValues(option, key, word);
    if (bad === undefined) unknownKinds.push(`${key} <${word}>`);
    const { besides = [] } = byOption[key] ?? {};
    return [make([...besides], [long]), ...oneIn(2, bad ?? []).map((value) => make([...besides], [long, value]))];
  });
}

const badValues = (option: Option, key: string, word: string): readonly string[] | undefined =>
  byOption[key]?.bad ?? (option.argChoices !== undefined ? ["nothing", "", "-1"] : byWord[word]);

function withoutOption(words: readonly string[], tail: readonly string[]): string[] {
  const [long] = tail;
  const i = words.indexOf(long ?? "");
  return i < 0 ? [...words] : [...words.slice(0, i), ...words.slice(i + 2)];
}

const all = (await Promise.all(commands.map(({ name }) => casesOf(name)))).flat();

test("every option of every command is tried, whatever it takes", () => {
  expect(unknownKinds).toEqual([]);
  expect(Object.keys(good).sort()).toEqual(commands.map((c) => c.name).sort());
  expect(all.length).toBeGreaterThan(sized(250, 350));
});

describe("one sentence that names the option or what was given, exit code 2, nothing on standard output, no file left", () => {
  test.for(all)("$name", async ({ line }) => {
    const before = readdirSync(dir).length;
    const { out, err, exit } = await runMain(line);
    expect([exit, out]).toEqual([2, ""]);
    const said = err.split("\n").filter((l) => l.startsWith("skblab: "));
    expect(said, err).toHaveLength(1);
    expect(said[0]).toMatch(/[.)?]$|Write |Try: |Its members are /);
    expect(said[0]).not.toMatch(/undefined|NaN|\[object|own fault/);
    // "6.1-alpha" may be answered by its half.
    const given = line
      .slice(1)
      .flatMap((w) => (w === "" ? ['""'] : [w, ...w.split(/[-=:]/)]))
      .filter((w) => w !== "");
    expect(
      given.some((w) => said[0]!.includes(w)),
      said[0],
    ).toBe(true);
    expect(readdirSync(dir)).toHaveLength(before);
  });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `skblab WORDS…` as a process; `shell` is put behind it. */
const program = (words: readonly string[], shell = "", options: { uid?: number } = {}): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const script = `exec "$@" ${shell}`;
    const child = spawn("sh", ["-c", script, "sh", process.execPath, main, ...words], {
      cwd: dir,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, XDG_CACHE_HOME: at("cache") },
      ...options,
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (d) => {
      out += d;
    });
    child.stderr.on("data", (d) => {
      err += d;
    });
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, err }));
  });

/** Commands that read files, with what makes them read the last word. */
const readers: readonly (readonly string[])[] = [
  ["diagnose"],
  ["diagnose", "--explain-reading"],
  ["page-owner"],
  ["page-owner", "--compat"],
  ["pools"],
  ["image"],
  ["fleet"],
  ["run"],
  ["experiment"],
  ["verify"],
  ["layout", "sk_buff", "--btf"],
  ["merge"],
];

describe.skipIf(!existsSync("/dev/full"))("what the system refuses", () => {
  const quick = Object.entries(good).filter(
    ([name]) => !["image", "merge", "serve", "experiment", "watch"].includes(name),
  );
  test("a full disk behind standard output is told, by whichever command", async () => {
    for (const [name, words] of oneIn(6, quick)) {
      const few = name === "explore" ? ["lltx", "--scheme", "original", "--replay", "0000111001"] : words;
      const { code, err } = await program(
        [name, ...(name === "cases" ? ["emac-jumbo", "--knobs"] : few)],
        ">/dev/full",
      );
      expect([name, code, err.trim().split("\n").at(-1)]).toEqual([
        name,
        2,
        expect.stringMatching(/^skblab: .*[Tt]he disk is full\./),
      ]);
    }
  });

  test("a pipe whose reader goes away ends quietly", async () => {
    for (const [name, words] of quick.slice(0, sized(2, 4))) {
      const { err } = await program([name, ...words], "| true");
      expect([name, err]).toEqual([name, ""]);
    }
  });

  test("an empty standard input has a sentence of its own", async () => {
    for (const words of oneIn(6, readers)) {
      // The kernel's own tool writes nothing and is content, and so is --compat.
      if (["merge", "layout"].includes(words[0]!) || words.includes("--compat")) continue;
      const { code, out, err } = await program([...words, "-"], "</dev/null");
      const said = /is empty|not from standard input/.test(out + err);
      expect([words.join(" "), code === 2 || /is empty/.test(out), said]).toEqual([words.join(" "), true, true]);
    }
  });

  test.skipIf(
    process.getuid?.() !== 0 || spawnSync(process.execPath, [main, "--version"], { uid: 65534 }).status !== 0,
  )("a file that may not be read", async () => {
    writeFileSync(at("secret"), "x\n", { mode: 0o600 });
    spawnSync("chmod", ["755", dir]);
    for (const words of oneIn(
      6,
      readers.filter(([name]) => name !== "fleet"),
    )) {
      const { code, err } = await program([...words, at("secret")], "", { uid: 65534 });
      expect([words.join(" "), code, err]).toEqual([
        words.join(" "),
        2,
        expect.stringMatching(/^skblab: .*(?:[Pp]ermission|not allowed|may not|cannot be read|not a directory)/),
      ]);
    }
  });
});
