import { expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { packetStories, playPackets } from "./packet_lab.ts";

const story = (id: string) => playPackets(packetStories.find((s) => s.id === id)!.steps);

test("a clone shares the head until pskb_expand_head gives it its own; nothing is broken on the way", () => {
  const played = story("clone");
  const after = (i: number) => played[i]!.slots.map((s) => s.picture.head);
  expect(new Set(after(3)).size).toBe(1);
  expect(new Set(after(4)).size).toBe(2);
  expect(played.map((p) => p.fault)).toEqual(played.map(() => undefined));
  expect(played.at(-1)?.slots).toEqual([]);
});

test("skb_put on a packet with a clone is caught at that step, and not before", () => {
  expect(story("write-in-clone").map((p) => p.fault?.kind)).toEqual([
    undefined,
    undefined,
    undefined,
    "write to shared data",
  ]);
});

test("the second kfree_skb is a double free, with the first one in its history", () => {
  const last = story("double-free").at(-1)!;
  expect(last.fault?.kind).toBe("double free");
  expect(last.fault?.history.filter((h) => h.includes("kfreeSkb")).length).toBe(2);
});

test("coalescing steals a page-backed head as a fragment, and everything is given back in the end", () => {
  const played = story("coalesce");
  expect(played[4]?.outcome).toContain("fragment");
  expect(played[4]?.slots[0]?.picture.frags.length).toBe(1);
  expect(played.map((p) => p.fault).filter((f) => f !== undefined)).toEqual([]);
  expect(played.at(-1)?.slots).toEqual([]);
});

test("a step that cannot be played says which and why", () => {
  expect(() => playPackets([{ op: "put", slot: 3, n: 1 }])).toThrow(BadInput);
  expect(() => playPackets([{ op: "alloc", slot: 9, n: 1 }])).toThrow(/Step 1/);
});
