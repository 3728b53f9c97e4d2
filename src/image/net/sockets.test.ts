// IPv6 addresses of sockets, as people write them.
import { expect, test } from "vitest";
import { coloned } from "./sockets.ts";

test.each([
  [[0, 0, 0, 0, 0, 0, 0, 0], "::"],
  [[0, 0, 0, 0, 0, 0, 0, 1], "::1"],
  [[0xfe80, 0, 0, 0, 0x5054, 0xff, 0xfe12, 0x3456], "fe80::5054:ff:fe12:3456"],
  [[0x2001, 0xdb8, 0, 0, 1, 0, 0, 0], "2001:db8:0:0:1::"],
  [[0x2001, 0xdb8, 0, 1, 1, 1, 1, 1], "2001:db8:0:1:1:1:1:1"],
  [[0, 0, 0, 0, 0, 0xffff, 0x7f00, 1], "127.0.0.1"],
])("%j is %s", (groups, text) => {
  expect(coloned(groups)).toBe(text);
});
