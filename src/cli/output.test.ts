// What becomes of files that skblab writes when a disk is full, a link stands in the way, or the run is given up.
import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { cacheDirectory, openOutput, refuseForeignLink, writeOutput, writeOutputs } from "./output.ts";
import { createAppender } from "./watch/append.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-output-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

describe("a regular file", () => {
  test("appears whole: until it is committed the old one stands, and nothing else is left", () => {
    writeFileSync(at("a"), "old");
    const output = openOutput(at("a"));
    output.write("new");
    expect(readFileSync(at("a"), "utf8")).toBe("old");
    output.commit();
    expect(readFileSync(at("a"), "utf8")).toBe("new");
    expect(readdirSync(folder)).toEqual(["a"]);
  });
  test("that is given up leaves the old one and no temporary file", () => {
    const output = openOutput(at("a"));
    output.write("never");
    output.discard();
    output.discard();
    expect([readFileSync(at("a"), "utf8"), readdirSync(folder)]).toEqual(["new", ["a"]]);
  });
  test("does not follow a link: the link is replaced, what it led to is untouched", () => {
    writeFileSync(at("theirs"), "theirs");
    symlinkSync(at("theirs"), at("link"));
    writeOutput(at("link"), "mine");
    expect([lstatSync(at("link")).isSymbolicLink(), readFileSync(at("link"), "utf8")]).toEqual([false, "mine"]);
    expect(readFileSync(at("theirs"), "utf8")).toBe("theirs");
  });
  test("gets its directories where that is wanted, and one sentence with the file where it cannot be", () => {
    writeOutputs([[at("x/y/z"), "deep"]], { parents: true });
    expect(readFileSync(at("x/y/z"), "utf8")).toBe("deep");
    expect(() => writeOutput(at("none/z"), "")).toThrow("It cannot be written: there is no such directory.");
    expect(() => writeOutput(at("x"), "")).toThrow("It cannot be written: it is a directory.");
    expect(() => writeOutputs([[at("a/z"), ""]], { parents: true })).toThrow(/a part of the path is not a directory/);
  });
});

test.skipIf(!existsSync("/dev/full"))("of several files all appear or none", () => {
  const here = readdirSync(folder).length;
  expect(() =>
    writeOutputs([
      [at("first"), "1"],
      [at("second"), "2"],
      ["/dev/full", "3"],
    ]),
  ).toThrow(/the disk is full/);
  expect(() =>
    writeOutputs([
      [at("first"), "1"],
      [at("no/where"), "2"],
    ]),
  ).toThrow(/no such directory/);
  expect(readdirSync(folder)).toHaveLength(here);
  writeOutputs([
    [at("first"), "1"],
    [at("second"), "2"],
  ]);
  expect([readFileSync(at("first"), "utf8"), readFileSync(at("second"), "utf8")]).toEqual(["1", "2"]);
});

test.skipIf(!existsSync("/dev/full"))("a full disk is said with the name of the file", () => {
  expect(() => writeOutput("/dev/full", "x")).toThrow(
    expect.objectContaining({ message: "It cannot be written: the disk is full.", place: { file: "/dev/full" } }),
  );
});

describe.skipIf(process.platform === "win32")("a FIFO", () => {
  test("without a reader is waited for and then refused; lines for one are kept", () => {
    execFileSync("mkfifo", [at("fifo")]);
    expect(() => openOutput(at("fifo"), 200)).toThrow("It cannot be written: nobody reads from this FIFO.");
    const appender = createAppender(at("fifo"));
    expect(appender.add("line")).toMatch(/nobody reads from this FIFO\. Its lines are kept/);
    expect(appender.waiting).toBe(1);
  });
  test("gets more than its pipe holds, whole", async () => {
    const reader = spawn("sh", ["-c", `cat '${at("fifo")}' | wc -c`]);
    let said = "";
    reader.stdout.on("data", (text) => {
      said += text;
    });
    writeOutput(at("fifo"), "x".repeat(300_000));
    await new Promise((done) => reader.on("close", done));
    expect(Number(said)).toBe(300_000);
  });
});

test.skipIf(process.getuid?.() !== 0)("a file that grows is not written through another user's link", () => {
  writeFileSync(at("target"), "theirs\n");
  symlinkSync(at("target"), at("planted"));
  expect(() => refuseForeignLink(at("planted"))).not.toThrow();
  lchownSync(at("planted"), 65534, 65534);
  expect(() => refuseForeignLink(at("planted"))).toThrow("It is a link that belongs to somebody else.");
  expect(createAppender(at("planted")).add("mine")).toMatch(/planted: It is a link that belongs to somebody else\./);
  expect(readFileSync(at("target"), "utf8")).toBe("theirs\n");
});

describe("the cache directory", () => {
  const before = process.env.XDG_CACHE_HOME;
  afterEach(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = before;
  });
  test("is the user's own, and nobody else may look in", () => {
    process.env.XDG_CACHE_HOME = at("cache");
    const path = cacheDirectory("run");
    expect(path).toBe(at("cache/skblab/run"));
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });
  test("is refused when a link stands in its place", () => {
    process.env.XDG_CACHE_HOME = at("cache2");
    mkdirSync(at("cache2/skblab"), { recursive: true });
    symlinkSync(folder, at("cache2/skblab/run"));
    expect(() => cacheDirectory("run")).toThrow(/belongs to somebody else or is a link/);
  });
});
