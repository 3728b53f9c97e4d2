import { expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { ownerPaths, packetStories, playPackets } from "./packet_lab.ts";

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
  expect(last.fault?.history.filter((h) => h.includes("kfree_skb")).length).toBe(2);
  expect(last.outcome).toBe("it was free already");
});

test("a fault names everybody who had the buffer, each with its own steps", () => {
  // Slot 0 and its clone in slot 1 have one head; the write in slot 1 is the fault.
  expect(ownerPaths(story("write-in-clone"), 3)).toEqual([
    { slot: 1, steps: [3, 4] },
    { slot: 0, steps: [1, 2, 3] },
  ]);
  // A packet that was freed is still one of them; one with a head of its own is not.
  expect(ownerPaths(story("double-free"), 3)).toEqual([{ slot: 0, steps: [1, 2, 3, 4] }]);
  const apart = playPackets([
    { op: "alloc", slot: 0, n: 100 },
    { op: "alloc", slot: 1, n: 100 },
    { op: "free", slot: 0, n: 0 },
    { op: "free", slot: 0, n: 0 },
  ]);
  expect(apart[3]?.fault?.kind).toBe("double free");
  expect(ownerPaths(apart, 3)).toEqual([{ slot: 0, steps: [1, 3, 4] }]);
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
