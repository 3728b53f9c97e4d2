// The small stories that come with skblab, besides lltx. Adding one is one line here.
import type { Story } from "../story.ts";
import { napiStory, refillStory } from "./napi.ts";
import { pagePoolStory, skbCloneStory, skbRefsStory } from "./refs.ts";

export interface StoryEntry {
  readonly id: string;
  readonly title: string;
  make(): Story;
}

export const stories: readonly StoryEntry[] = [
  {
    id: "page_pool",
    title: "page_pool_destroy() against recycling from two other CPUs (6.16)",
    make: () => pagePoolStory(true),
  },
  {
    id: "page_pool-before-6.16",
    title: "the same without the producer lock in destroy",
    make: () => pagePoolStory(false),
  },
  { id: "skb_refs", title: "one skb freed from three CPUs: skb_unref()", make: () => skbRefsStory(true) },
  { id: "skb_refs-plain", title: "the same with a plain decrement", make: () => skbRefsStory(false) },
  { id: "skb_clone", title: "clones freed on two CPUs, a third writes to the header", make: () => skbCloneStory(true) },
  { id: "skb_clone-plain", title: "the same with a plain dataref", make: () => skbCloneStory(false) },
  {
    id: "napi",
    title: "a queue polled by NAPI: can a packet stay in its ring forever?",
    make: () => napiStory("napi"),
  },
  {
    id: "napi-no-look",
    title: "the same without looking into the ring again after the interrupt is on",
    make: () => napiStory("napi-no-look", { looksAgain: false }),
  },
  {
    id: "napi-level",
    title: "without looking again, but with an interrupt that stays raised while packets wait",
    make: () => napiStory("napi-level", { looksAgain: false, interrupts: "level" }),
  },
  {
    id: "napi-missed",
    title: "the interrupt on before the poll is done: NAPI_STATE_MISSED remembers who asked (4.11)",
    make: () => napiStory("napi-missed", { interrupts: "level", interruptFirst: true, looksAgain: false }),
  },
  {
    id: "napi-before-4.11",
    title: "the same without it",
    make: () =>
      napiStory("napi-before-4.11", {
        interrupts: "level",
        interruptFirst: true,
        looksAgain: false,
        remembersMissed: false,
      }),
  },
  {
    id: "napi-two-queues",
    title: "two queues on two CPUs behind one interrupt",
    make: () => napiStory("napi-two-queues", { queues: 2, frames: 1 }),
  },
  {
    id: "napi-two-queues-forgotten",
    title: "the same with a handler that forgets the second queue",
    make: () => napiStory("napi-two-queues-forgotten", { queues: 2, frames: 1, forgetsSecond: true }),
  },
  {
    id: "refill",
    title: "a ring that found no memory, and a timer that looks at it",
    make: () => refillStory("refill", true),
  },
  {
    id: "refill-no-timer",
    title: "the same where only a frame's poll refills",
    make: () => refillStory("refill-no-timer", false),
  },
];
