import { crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import { expect, test } from "vitest";
import { zipOf } from "./zip.testkit.ts";
import { isZip, type ZipRead, zipMembers } from "./zip.ts";

const reader =
  (all: Uint8Array): ZipRead =>
  async (from, to) =>
    all.subarray(from, to);

test("a zip archive's files are found by its directory, stored and deflated, behind a comment", async () => {
  const log = Buffer.from("[1.0] swapper: page allocation failure. order:1, mode:0x20\n".repeat(50));
  const all = zipOf([
    ["var/log/", Buffer.alloc(0), 0],
    ["var/log/messages", log, 8],
    ["buddyinfo", Buffer.from("Node 0, zone Normal 1 2 3\n"), 0],
  ]);
  expect(isZip(all)).toBe(true);
  const said: string[] = [];
  const members = await zipMembers(all.length, reader(all), (s) => said.push(s));
  expect(members.map((m) => m.name)).toEqual(["var/log/messages", "buddyinfo"]);
  const texts = members.map((m) => {
    const packed = all.subarray(m.dataAt, m.dataAt + m.packedBytes);
    return (m.method === 8 ? inflateRawSync(packed) : Buffer.from(packed)).toString();
  });
  expect(texts).toEqual([log.toString(), "Node 0, zone Normal 1 2 3\n"]);
  expect(said).toEqual([]);
  expect(crc32(log)).toBeGreaterThan(0);
  expect(deflateRawSync(log).length).toBe(members[0]?.packedBytes);
});

test("cut anywhere, an archive gives a sentence or fewer files, never an exception of another kind", async () => {
  const all = zipOf([
    ["a", Buffer.from("text a"), 8],
    ["b", Buffer.from("text b"), 0],
  ]);
  // What is cut of the comment alone is no loss.
  for (let n = 0; n < all.length - "made by a test".length; n++) {
    const cut = all.subarray(0, n);
    await expect(zipMembers(cut.length, reader(cut), () => undefined)).rejects.toThrow(/directory at its end/);
  }
  const damaged = Buffer.from(all);
  damaged.fill(7, damaged.indexOf("text b") - 31, damaged.indexOf("text b"));
  const said: string[] = [];
  const members = await zipMembers(damaged.length, reader(damaged), (s) => said.push(s));
  expect(members.map((m) => m.name)).toEqual(["a"]);
  expect(said[0]).toContain("b was not read");
});
