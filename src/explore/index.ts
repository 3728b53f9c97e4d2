// What the faces and story authors use of this room.

export type { Context } from "../model/sync/context.ts";
export * from "../model/sync/effect.ts";
export { compile } from "./compile.ts";
export type { Finding } from "./finding.ts";
export type { Program } from "./program.ts";
export { type RandomResult, randomRuns } from "./random.ts";
export { type PlayedStep, type Replay, readSchedule, replay, scheduleText } from "./replay.ts";
export { type SearchOptions, type SearchResult, search } from "./search.ts";
export { type NapiOptions, napiStory, refillStory } from "./stories/napi.ts";
export { defineStory, type EndRule, type Section, type Story, type StoryBuilder, type TaskSpec } from "./story.ts";
