// The command from its arguments to its answer: what it prints, and the sentence for each wrong input.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { renderMarkdown } from "../../report/markdown.ts";
import type { Ran } from "./command.testkit.ts";
import { refusal, runCommand } from "./command.testkit.ts";
import { command } from "./layout.ts";

const fixtures = join(import.meta.dirname, "../../../fixtures/btf");

const run = (...args: string[]): Promise<Ran> => runCommand(command, args);
const text = async (...args: string[]): Promise<string> => (await run(...args)).text;

describe("skblab layout", () => {
  test("a declared struct with its holes and cache lines", async () => {
    const printed = await text("skb_shared_info", "--kernel", "3.2-x86_64");
    expect(printed).toContain("344 bytes");
    expect(printed).toMatch(/ 13 +hole +3 bytes/);
    expect(printed).toMatch(/ 56 +288 {2}frags +skb_frag_t\[18\]/);
    expect(printed).toMatch(/---- cache lines 1 to 5 \(in the last member\)/);
  });

  test("two kernels: sizes of packet structs, or a struct's members; BTF beside a release", async () => {
    expect(await text("--kernel", "5.10", "--against", "6.12")).toMatch(/sk_buff +224 +232 +\+8/);
    expect(await text("sk_buff", "--kernel", "5.10", "--against", "6.12")).toMatch(/alloc_cpu +u16 +new/);
    expect(await text("sk_buff", "--kernel", "6.1", "--against", "6.1", "--all")).toMatch(/users +refcount_t/);
    const small = join(fixtures, "small.btf");
    expect(await text("outer", "--btf", small, "--against", small)).toContain("at the same places");
    expect((await refusal(run("outer", "--btf", small, "--against", "6.1"))).message).toContain("outer");
    expect((await refusal(run("sk_buff", "--kernel", "6.1", "--against", "6.99"))).message).toContain(
      "There is no Linux 6.99.",
    );
  });

  test("members by type or name in all structs; nothing found ends with 1", async () => {
    const small = join(fixtures, "small.btf");
    expect(await text("--btf", small, "--type", "struct outer *")).toMatch(/outer +next +8 +8 +struct outer \*/);
    const none = await run("--btf", small, "--member", "nobody");
    expect([none.exit, none.text]).toEqual([1, expect.stringContaining("0 in ")]);
    expect((await refusal(run("outer", "--btf", small, "--member", "x"))).message).toContain("look into all structs");
  });

  test("as pahole prints it", async () => {
    expect(await text("inner", "--btf", join(fixtures, "small.btf"), "--pahole")).toContain(
      "/* XXX 3 bytes hole, try to pack */",
    );
  });

  test("seed 002's table", async () => {
    const wide = await text("--kernel", "3.2-x86_64", "--what-if", "skb_frag_struct:+void *destructor");
    for (const line of [
      /skb_frag_struct +16 +16 → 24/,
      /skb_shared_info +344 +344 → 488/,
      /sk_buff +240 +240/,
      /left for linear data +168 +168 → 24/,
    ])
      expect(wide).toMatch(line);
    const narrow = await text("--kernel", "3.2-i386", "--what-if", "skb_frag_struct:+void *destructor");
    for (const line of [
      /skb_frag_struct +8 +8 → 12/,
      /skb_shared_info +188 +188 → 260/,
      /sk_buff +192 +192/,
      /left for linear data +68 +68 → 252/,
    ])
      expect(narrow).toMatch(line);
  });

  test("BTF, a member of it, a list, and both other formats", async () => {
    const file = join(fixtures, "small-big-endian.btf");
    expect(await text("outer", "--btf", file)).toMatch(/ 0:3 +5b {2}second/);
    expect((await run("outer.offset", "--btf", file)).json).toMatchObject({
      offsetBits: 208,
      type: "short unsigned int",
    });
    expect(await text("--btf", file)).toContain("structs and typedefs in all  6");
    const answer = await run("outer", "--btf", join(fixtures, "small.o"));
    expect(answer.json).toMatchObject({ schema: "skblab.layout/1", sizeBytes: 128 });
    expect(renderMarkdown(answer.document)).toContain("destructor");
  });

  test("options of the kernel change what is declared", async () => {
    expect((await run("sk_buff", "--kernel", "6.1")).json).toMatchObject({ sizeBytes: 232 });
    expect((await run("sk_buff", "--kernel", "6.1", "--config", "CONFIG_NETWORK_SECMARK=n")).json).toMatchObject({
      sizeBytes: 224,
    });
    expect(await text("sk_buff", "--kernel", "6.12")).toContain("may differ");
  });

  test.each([
    [["sk_bufff", "--kernel", "6.1"], /There is no struct sk_bufff .* Did you mean sk_buff\?/],
    [["sk_buff.trusize", "--kernel", "6.1"], /no member trusize.* Did you mean truesize\?/],
    [["inner", "--btf", join(fixtures, "small.c")], /neither BTF/],
    [["innner", "--btf", join(fixtures, "small.btf")], /Did you mean inner/],
    [["inner", "--btf", join(fixtures, "small.btf"), "--kernel", "6.1"], /Give one of them/],
    [["sk_buff", "--kernel", "2.4.18"], /No structs of 2\.4\.18/],
    [["sk_buff", "--kernel", "6.1", "--config", "X"], /is not an option/],
    [["--what-if", "sk_buff:+int a", "--frames", "64,x"], /not a number for --frames/],
    [["--what-if", "sk_buff:+int a", "--allocator", "slob"], /not an allocator/],
  ])("%j is one sentence and exit 2", async (args, sentence) => {
    expect((await refusal(run(...args))).sentence()).toMatch(sentence);
  });

  test("every example runs", async () => {
    for (const { line } of command.examples) {
      const args = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((m) => m[1] ?? m[2] ?? "").slice(2);
      const file = args[args.indexOf("--btf") + 1] as string;
      if (args.includes("--btf") && !existsSync(file)) continue;
      expect((await run(...args)).exit).toBe(0);
    }
  });
});
