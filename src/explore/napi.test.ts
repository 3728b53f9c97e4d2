// Receive paths that can forget a packet, and those that cannot: each option of the template decides it.
import { expect, test } from "vitest";
import { compile, replay, search } from "./index.ts";
import { stories } from "./stories/index.ts";
import { type NapiOptions, napiStory } from "./stories/napi.ts";

test("the shortest schedule, played, ends with the packet in the ring", () => {
  const story = stories.find((s) => s.id === "napi-no-look")?.make();
  if (story === undefined) throw new Error("no story");
  const program = compile(story);
  const [first] = search(program).findings;
  const played = replay(program, first?.path ?? []);
  expect(played.steps.map((s) => s.at)).toContain("device: descriptor written");
  expect(played.steps).toHaveLength(first?.path.length ?? -1);
  expect(JSON.stringify(played)).toContain("packetWaits");
});

test("every combination: a packet waits where and only where nothing of what would find it is there", () => {
  const both = [false, true] as const;
  for (const interrupts of ["edge", "level"] as const)
    for (const looksAgain of both)
      for (const interruptFirst of both)
        for (const remembersMissed of both) {
          const options: NapiOptions = { interrupts, looksAgain, interruptFirst, remembersMissed };
          const { findings } = search(compile(napiStory("x", options)));
          // Looking again is enough. Without it a masked interrupt must come later, and whoever asked during a poll must be remembered.
          const fine = looksAgain || (interrupts === "level" && (!interruptFirst || remembersMissed));
          expect([options, findings.length === 0]).toEqual([options, fine]);
        }
});
