// A page that the log complains about, and what it is in the image.
import { describe, expect, test } from "vitest";
import { oracleImage, whyNoOracle } from "./image.testkit.ts";
import { type Image, readImage } from "./image.ts";
import { joinLog } from "./joined.ts";
import { tinyKernel, tinyMemory } from "./tiny.testkit.ts";

/** The image with these lines as its log. */
const saying = (image: Image, lines: readonly string[]): Image => ({
  ...image,
  log: {
    lost: 0,
    problem: undefined,
    records: lines.map((text) => ({ seq: 1, facility: 0, level: 3, nanos: 0n, text, caller: 0 })),
  },
});

describe("pages that the log names", () => {
  test("are told with their owner of now; other lines and wild frames are not taken for pages", () => {
    const tiny = tinyKernel(2);
    const read = readImage(tinyMemory(tiny));
    const free = [...tiny.truth.lists.values()][0]?.[0] as number;
    const image = saying(read, [
      `BUG: Bad page state in process swapper  pfn:${free.toString(16)}`,
      "page:ffffea0000000000 refcount:-1 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0xc8",
      "page: refcount:0 mapcount:0 mapping:0 index:0x0 pfn:0xfffffff",
      "nothing about pfn:c8 here",
    ]);
    expect(joinLog(image).map((j) => [j.pfn, j.now])).toEqual([
      [free, "now free"],
      [200, "now slab: slab cache tiny"],
      [0xfffffff, "a frame without a struct page"],
    ]);
  });

  test("a line of 100,000 characters takes no time", () => {
    const read = readImage(tinyMemory(tinyKernel(2)));
    const text = `BUG: Bad page state in process ${"pfn: ".repeat(20_000)}`;
    expect(joinLog(saying(read, [text]))).toEqual([]);
  });
});

describe.skipIf(whyNoOracle() !== undefined)("packets that the log names", () => {
  test("the registers of an oops and the pointers of skb_panic lead to the sk_buff and its queue", () => {
    const read = oracleImage("6.12-elf");
    const queued = read.net.holders.live.find((s) => read.net.holders.placesOf(s.address)[0]?.queue === "rx");
    const lost = read.net.holders.live.find((s) => read.net.holders.placesOf(s.address).length === 0);
    if (queued === undefined || lost === undefined) throw new Error("the image has no such packets");
    const hex = (a: bigint): string => a.toString(16).padStart(16, "0");
    const image = saying(read, [
      `RAX: 0000000000000000 RBX: ${hex(lost.address)} RCX: ${hex(read.kernel.pageOffset)}`,
      `RDX: 0000000000000001 RSI: 000000000000003a RDI: ${hex(queued.address)}`,
      `skbuff: skb_over_panic: text:0 len:9 put:9 head:${hex(queued.head)} data:${hex(queued.data)} dev:lo`,
    ]);
    const joined = joinLog(image);
    expect(joined[0]).toMatchObject({ subject: `RBX ${hex(lost.address)}` });
    expect(joined[0]?.now).toMatch(/^a live sk_buff of \d+ bytes, which is on no known queue/);
    expect(joined[1]?.now).toMatch(/^a live sk_buff of \d+ bytes, which is in .* socket [0-9a-f]+, rx$/);
    expect(joined[2]?.now).toContain(`in the data of sk_buff ${queued.address.toString(16)}, which is in`);
    expect(joined.map((j) => j.subject).join()).not.toMatch(/RAX|RCX|RSI/);
  });
});
