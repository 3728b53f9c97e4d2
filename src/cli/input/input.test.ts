// Opening anything: what can go wrong with an input becomes a sentence or a correct empty answer, never a hang or a full memory.
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Gathered } from "../../artifact/gather.ts";
import { gather } from "../../artifact/gather.ts";
import { zipOf } from "../../artifact/zip.testkit.ts";
import { renderMarkdown } from "../../report/markdown.ts";
import { renderText } from "../../report/text.ts";
import type { OpenOptions } from "./open.ts";
import { openInputs } from "./open.ts";

const report = "[    1.000000] swapper: page allocation failure. order:1, mode:0x4020\n[    1.000001] Call Trace:\n";
const buddy = "Node 0, zone      DMA      3      5 \n";
let dir = "";
const at = (name: string): string => join(dir, name);
const put = (name: string, content: string | Uint8Array): string => {
  writeFileSync(at(name), content);
  return at(name);
};
const read = (paths: readonly string[], options: OpenOptions = {}): Promise<Gathered> =>
  gather(openInputs(paths, options));
const sentences = (g: Gathered): string[] => g.notes.map((n) => n.sentence);
const orders = (g: Gathered): number =>
  g.windows.flatMap((w) => w.window.anchors).filter((a) => a.name === "page allocation failure").length;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "skblab-input-"));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** One ustar member. */
function member(name: string, content: string | Uint8Array, type = "0", size?: number): Uint8Array {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const block = new Uint8Array(512 + Math.ceil(bytes.length / 512) * 512);
  const text = (t: string, offset: number): void => block.set(new TextEncoder().encode(t), offset);
  text(name.slice(0, 100), 0);
  text("0000644\0", 100);
  text(`${(size ?? bytes.length).toString(8).padStart(11, "0")}\0`, 124);
  text("        ", 148);
  text(type, 156);
  text("ustar\x0000", 257);
  text(
    `${block
      .subarray(0, 512)
      .reduce((a, b) => a + b, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  block.set(bytes, 512);
  return block;
}
const tar = (...members: Uint8Array[]): Uint8Array => Buffer.concat([...members, new Uint8Array(1024)]);

describe("single inputs", () => {
  test("an empty file is named as empty", async () => {
    expect(sentences(await read([put("empty", "")]))).toEqual(["It is empty."]);
  });
  test("a binary file is named as binary, and nothing is searched in it", async () => {
    const elf = new Uint8Array(100_000);
    elf.set([0x7f, 0x45, 0x4c, 0x46]);
    const g = await read([put("vmlinux", elf)]);
    expect(sentences(g)).toEqual(["It is not text: It begins like an ELF file."]);
    expect(g.windows).toEqual([]);
  });
  test("a log without incidents gives nothing and says nothing", async () => {
    const g = await read([put("quiet", "[    1.000000] eth0: link up\n".repeat(200_000))]);
    expect(g).toMatchObject({ windows: [], readings: [], notes: [], inputs: [{ kind: "kernel log", lines: 200_000 }] });
  });
  test("a missing file is bad input with its name", async () => {
    await expect(read([at("nowhere")])).rejects.toMatchObject({
      name: "BadInput",
      message: "There is no such file or directory.",
      place: { file: at("nowhere") },
    });
  });
  test("a path through a file is bad input", async () => {
    await expect(read([join(put("plain", "x"), "y")])).rejects.toMatchObject({ name: "BadInput" });
  });
  test.skipIf(process.getuid?.() === 0)("a file without permission is bad input", async () => {
    chmodSync(put("secret", "x"), 0);
    await expect(read([at("secret")])).rejects.toMatchObject({ message: "It cannot be opened: permission denied." });
  });
  test("several inputs keep their order and their names", async () => {
    const g = await read([put("a.log", report), put("b", buddy), put("c.log", report)]);
    expect(g.inputs.map((i) => [i.name, i.kind])).toEqual([
      [at("a.log"), "kernel log"],
      [at("b"), "buddyinfo"],
      [at("c.log"), "kernel log"],
    ]);
    expect(g.windows.map((w) => w.input)).toEqual([at("a.log"), at("c.log")]);
  });
  test("standard input is -, once", async () => {
    const stdin = (async function* () {
      yield new TextEncoder().encode(report);
    })();
    expect(orders(await read(["-"], { stdin }))).toBe(1);
    await expect(read(["-", "-"])).rejects.toThrow(/only once/);
  });
  test.skipIf(!existsSync("/proc/meminfo"))("/proc files, whose size is 0, are read to their end", async () => {
    const g = await read(["/proc/meminfo"]);
    expect(g.inputs[0]).toMatchObject({ kind: "meminfo", certainty: "certain" });
    expect(g.readings).toHaveLength(1);
  });
  test.skipIf(!existsSync("/dev/kmsg"))("a file that never ends is refused with what to do instead", async () => {
    await expect(read(["/dev/kmsg"])).rejects.toMatchObject({
      name: "BadInput",
      advice: expect.stringMatching(/dmesg/),
    });
  });
  test.skipIf(process.platform === "win32")("a FIFO that nobody writes to is refused, not waited for", async () => {
    execFileSync("mkfifo", [at("lonely")]);
    await expect(read([at("lonely")], { writerWait: 50 })).rejects.toMatchObject({
      name: "BadInput",
      message: "It is a FIFO, and for 0.05 s nobody wrote to it.",
    });
  });
  test.skipIf(process.platform === "win32")("a FIFO is read until its writer closes it", async () => {
    execFileSync("mkfifo", [at("fifo")]);
    const answer = read([at("fifo")]);
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        appendFileSync(at("fifo"), report);
        resolve();
      });
    });
    expect(orders(await answer)).toBe(1);
  });
});

describe("packed inputs", () => {
  test("gzip by its first bytes, whatever its name, also several members in a row", async () => {
    expect(orders(await read([put("messages.1", Buffer.concat([gzipSync(report), gzipSync(report)]))]))).toBe(2);
  });
  test.each(["xz", "zst"])(".%s, by the tool of the machine and by the library", async (suffix) => {
    const path = join(import.meta.dirname, "../../../fixtures/input", `report.log.${suffix}`);
    for (const nativeTools of [true, false]) expect(orders(await read([path], { nativeTools }))).toBe(1);
  });
  test("gzip that is cut off gives what it has, and a note", async () => {
    const lines = Array.from(
      { length: 5000 },
      (_, i) => `[    1.${String(i).padStart(6, "0")}] x${(i * 7919) % 997}\n`,
    ).join("");
    const g = await read([put("cut.gz", gzipSync(report + lines).subarray(0, 9000))]);
    expect(orders(g)).toBe(1);
    expect(sentences(g)).toEqual([expect.stringMatching(/gzip data is damaged or cut off .* could be unpacked/)]);
  });
  test("a bomb is stopped by its ratio, early, with a sentence", async () => {
    const bomb = gzipSync(`${"Oops\n".repeat(10)}${"x".repeat(8 << 20)}`);
    const g = await read([put("bomb.gz", bomb)], { limits: { ratioAfterBytes: 1 << 20 } });
    expect(sentences(g)).toContainEqual(
      expect.stringMatching(/unpacks to more than 250 times its size, like an archive bomb/),
    );
    expect(g.inputs[0]?.bytes).toBeLessThan(3 << 20);
  });
  test("a bomb inside a bomb is stopped too: layers count together", async () => {
    const inner = gzipSync(tar(member("a", "y".repeat(1 << 20)), member("b", gzipSync("z".repeat(4 << 20)))));
    const g = await read([put("nested.gz", gzipSync(inner))], { limits: { unpackedBytes: 2 << 20 } });
    expect(sentences(g)).toContainEqual(expect.stringMatching(/unpacks to more than 2097152 bytes/));
  });
  test("layers beyond the limit stay packed, with a sentence", async () => {
    let packed: Uint8Array = new TextEncoder().encode(report);
    for (let i = 0; i < 8; i++) packed = gzipSync(packed);
    expect(sentences(await read([put("onion", packed)]))).toEqual([
      "It is packed more than 6 layers deep: this layer was left packed.",
    ]);
  });
});

describe("archives", () => {
  test("a bundle: members in order, packed members unpacked, long names kept", async () => {
    const long = `${"d/".repeat(70)}messages`;
    const record = ` path=${long}\n`;
    const pax = `${record.length + 3}${record}`;
    const bundle = tar(
      member("proc/buddyinfo", buddy),
      member("././@LongLink", `${long}.gnu\0`, "L"),
      member("short", report),
      member("PaxHeader", pax, "x"),
      member("short", gzipSync(report)),
      member("dir/", "", "5"),
      member("link", "", "2"),
    );
    const g = await read([put("bundle.tar.gz", gzipSync(bundle))]);
    const name = (inner: string): string => `${at("bundle.tar.gz")}:${inner}`;
    expect(g.inputs.map((i) => i.name)).toEqual([name("proc/buddyinfo"), name(`${long}.gnu`), name(long)]);
    expect([orders(g), g.readings.length]).toEqual([2, 1]);
  });
  test("of a cut file every byte is read that can be unpacked, whoever packed it: the last report of the part is there", async () => {
    const log = readFileSync(new URL("../../../fixtures/logs/failures_6.1.txt", import.meta.url));
    const part = gzipSync(log).subarray(0, 3000);
    const there = gunzipSync(part, { finishFlush: constants.Z_SYNC_FLUSH });
    expect(there.length).toBeGreaterThan(10_000);
    const whole = await read([put("part.txt", there)]);
    const cut = await read([put("part.gz", part)]);
    expect(orders(cut)).toBe(orders(whole));
    expect(orders(cut)).toBeGreaterThan(1);
    expect(sentences(cut)).toContainEqual(expect.stringContaining(`${there.length} bytes could be unpacked`));
  });

  test("a pack of which nothing could be unpacked is damaged, not empty", async () => {
    const nothing = await read([put("stump.gz", gzipSync("x\n".repeat(100)).subarray(0, 12))]);
    expect(sentences(nothing)).toEqual([expect.stringMatching(/gzip data is damaged or cut off/)]);
  });

  test("an archive that is cut off says where, and keeps what came before", async () => {
    const whole = tar(member("one", report), member("two", report.repeat(100)));
    const g = await read([put("cut.tar", whole.subarray(0, 3000))]);
    expect(orders(g)).toBeGreaterThan(1);
    expect(sentences(g)).toEqual(["The archive ends inside two."]);
  });
  test("a header with a size beyond reason, or a broken checksum, ends it with a sentence", async () => {
    const liar = member("liar", report, "0", 8 ** 11 - 1);
    expect(sentences(await read([put("liar.tar", liar)]))).toEqual(["The archive ends inside liar."]);
    const broken = tar(member("good", report), member("bad", report));
    broken[1024 + 5]! ^= 1;
    expect(sentences(await read([put("broken.tar", broken)]))).toEqual([expect.stringMatching(/checksum is wrong/)]);
  });
  test("too many members are left out, with a sentence", async () => {
    const many = tar(...Array.from({ length: 20 }, (_, i) => member(`m${i}`, buddy)));
    const g = await read([put("many.tar", many)], { limits: { files: 5 } });
    expect(g.inputs).toHaveLength(5);
    expect(sentences(g)).toEqual(["There are more than 5 files in it: the rest was left out."]);
  });
  test("an archive without files says so", async () => {
    expect(sentences(await read([put("none.tar", tar(member("dir/", "", "5")))]))).toEqual([
      "It is an archive without a file in it.",
    ]);
  });
});

describe("directories", () => {
  test("are walked in order; a loop of links ends; pipes are left out with a note", async () => {
    mkdirSync(at("host/proc"), { recursive: true });
    put("host/z.log", report);
    put("host/proc/buddyinfo", buddy);
    put("host/empty", "");
    symlinkSync("..", at("host/proc/up"));
    symlinkSync("gone", at("host/broken"));
    execFileSync("mkfifo", [at("host/pipe")]);
    const g = await read([at("host")]);
    expect(g.inputs.map((i) => i.name)).toEqual([at("host/empty"), at("host/proc/buddyinfo"), at("host/z.log")]);
    expect(g.notes).toEqual([
      { input: at("host/broken"), sentence: "There is no such file or directory.", unread: true },
      { input: at("host/pipe"), sentence: expect.stringMatching(/left out: name it/), unread: true },
    ]);
  });
  test("an empty one says so", async () => {
    mkdirSync(at("void"));
    expect(sentences(await read([at("void")]))).toEqual(["There is no file in this directory."]);
  });
});

describe("a zip archive", () => {
  const files = [
    ["var/log/kern.log", Buffer.from(report), 8],
    ["proc/buddyinfo", Buffer.from(buddy), 0],
    ["old.log.gz", gzipSync(report.replaceAll("order:1", "order:3")), 8],
  ] as const;

  test("says what its files say, from disk, from a pipe and within another archive", async () => {
    const zip = zipOf(files);
    const path = put("bundle.zip", zip);
    const names = (above: string): string[] => files.map(([name]) => `${above}:${name}`);
    const fromDisk = await read([path]);
    const fromPipe = await gather(openInputs(["-"], { stdin: chunked(zip, 1000) }));
    const nested = await read([put("nested.zip", zipOf([["inner.zip", zip, 8]]))]);
    for (const [g, above] of [
      [fromDisk, path],
      [fromPipe, "-"],
      [nested, `${at("nested.zip")}:inner.zip`],
    ] as const) {
      expect(g.inputs.map((i) => i.name)).toEqual(names(above));
      expect(g.inputs.map((i) => i.kind)).toEqual(["kernel log", "buddyinfo", "kernel log"]);
      expect(orders(g)).toBe(2);
      expect(sentences(g)).toEqual([]);
    }
  });

  test("cut or damaged, it is told so, and what is whole is read", async () => {
    const zip = zipOf(files);
    expect(sentences(await read([put("cut.zip", zip.subarray(0, zip.length - 40))]))[0]).toMatch(/is cut/);
    const damaged = Buffer.from(zip);
    damaged.fill(255, 60, 80);
    const g = await read([put("damaged.zip", damaged)]);
    expect(sentences(g)[0]).toMatch(/deflate data is damaged|does not have the checksum/);
    expect(g.inputs.map((i) => i.kind).slice(1)).toEqual(["buddyinfo", "kernel log"]);
    const changed = zipOf([["buddyinfo", Buffer.from(buddy), 0]]);
    changed.write("9", changed.indexOf("3 "));
    expect(sentences(await read([put("changed.zip", changed)]))[0]).toMatch(/does not have the checksum/);
  });

  test("a bomb in it stops", async () => {
    const path = put("bomb.zip", zipOf([["zeros", Buffer.alloc(20 << 20), 8]]));
    const g = await read([path], { limits: { ratio: 10, ratioAfterBytes: 1 << 20 } });
    expect(sentences(g)[0]).toMatch(/archive bomb/);
  });
});

async function* chunked(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

test("what a hostile log says is drawn inert", async () => {
  const hostile = `[    1.000000] \u001b]0;owned\u0007\u001b[2Jx<script>alert(1)</script>\u202e: page allocation failure. order:1, mode:0x20\n`;
  const g = await read([put("hos\u001b[31mtile.log", hostile)]);
  const lines = g.windows.flatMap((w) => w.window.lines.map((l) => ({ input: w.input, line: l.line, text: l.raw })));
  const document = [
    { kind: "quote" as const, lines },
    { kind: "text" as const, text: g.windows[0]?.window.lines[0]?.text ?? "" },
  ];
  expect(lines).toHaveLength(1);
  const control = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/;
  expect(renderText(document, { colour: false, width: 100 })).not.toMatch(control);
  expect(renderMarkdown(document).replace(/^```[\s\S]*?^```/gm, "")).not.toMatch(/<script/);
  expect(renderMarkdown(document)).not.toMatch(control);
});
