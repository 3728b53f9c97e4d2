// The small stories that come with skblab, besides lltx. Adding one is one line here.
import type { Story } from "../story.ts";
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
];
