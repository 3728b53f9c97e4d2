import { expect, test } from "vitest";
import type { SkbPicture } from "../kernel/skb_picture.ts";
import { drawSkbAscii, drawSkbSvg } from "./skb_drawing.ts";

const linear: SkbPicture = {
  skb: 96,
  head: 32,
  headAddress: 0,
  data: 64,
  tail: 114,
  end: 192,
  len: 1844,
  dataLen: 1794,
  truesize: 4864,
  users: 1,
  cloned: true,
  nohdr: false,
  hdrLen: 0,
  fclone: 1,
  headFrag: false,
  ppRecycle: false,
  pfmemalloc: false,
  dataref: 2,
  flags: 0,
  mac: 65535,
  net: 0,
  trans: 65535,
  ipSummed: 0,
  gsoSize: 0,
  gsoSegs: 0,
  gsoType: 0,
  frags: [{ pfn: 18485, offset: 1920, size: 1794, count: 2, destructor: 3 }],
  fragList: [],
};

test("the text shows the head to scale, who shares it, and each fragment's page", () => {
  expect(drawSkbAscii(linear).split("\n")).toEqual([
    "skb 96 (users 1, fclone orig) len 1844 = 50 linear + 1794 paged, truesize 4864",
    "  head 32, kmalloc, dataref 2: shared",
    "  0                  64            114                    192",
    "  |------------------|#############|......................|info|",
    "  [0] pfn 18485 +1920, 1794 bytes, count 2, destructor 3",
  ]);
});

test("an empty skb and one with a frag_list are drawn too, members below their parent", () => {
  const empty = { ...linear, data: 0, tail: 0, len: 0, dataLen: 0, dataref: 1, fclone: 0, frags: [] };
  const text = drawSkbAscii({ ...empty, fragList: [linear] });
  expect(text).toContain("dataref 1\n");
  expect(text).toMatch(/\n {2}-> skb 96 .*\n {7}head 32/);
});

test("the SVG is one element, well formed, with a box for each part and fragment", () => {
  const svg = drawSkbSvg({ ...linear, fragList: [linear] });
  expect(svg.match(/<rect /g)).toHaveLength(2 * 5);
  expect(svg.match(/<text /g)?.length).toBe(svg.match(/<\/text>/g)?.length);
  expect(svg).toMatch(/^<svg [^>]*viewBox="0 0 640 \d+"/);
  expect(svg).not.toContain("NaN");
});
