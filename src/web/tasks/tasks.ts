// Every task the worker can do, by name; each loads what it needs when it is first asked.
import type { Task } from "./protocol.ts";

/** A literal table, so that a task's input and output types are known where it is called. */
export const tasks = {
  census: async (input, progress) => (await import("./census_task.ts")).censusTask(input, progress),
  block: async (input) => (await import("./census_task.ts")).blockTask(input),
  caseStories: async (input) => (await import("./cases_task.ts")).caseStoriesTask(input),
  case: async (input, progress) => (await import("./cases_task.ts")).caseTask(input, progress),
  prove: async (input, progress, page) => (await import("./cases_task.ts")).proveTask(input, progress, page),
  scenario: async (input, progress, page) => (await import("./cases_task.ts")).scenarioTask(input, progress, page),
  part: async (input) => (await import("./cases_task.ts")).partTask(input),
  diagnose: async (input, progress) => (await import("./diagnose_task.ts")).diagnoseTask(input, progress),
  identify: async (input) => (await import("./identify_task.ts")).identifyTask(input),
  logLines: async (input, progress) => (await import("./log_task.ts")).logLinesTask(input, progress),
  logSearch: async (input, progress) => (await import("./log_task.ts")).logSearchTask(input, progress),
  pools: async (input) => (await import("./pools_task.ts")).poolsTask(input),
  decode: async (input) => (await import("./pools_task.ts")).decodeTask(input),
  lltx: async (input, progress) => (await import("./explore_task.ts")).lltxTask(input, progress),
  schedule: async (input) => (await import("./explore_task.ts")).scheduleTask(input),
  packet: async (input) => (await import("./packet_task.ts")).packetTask(input),
  layout: async (input) => (await import("./packet_task.ts")).layoutTask(input),
  film: async (input, progress) => (await import("./memory_task.ts")).filmTask(input, progress),
  filmMaps: async (input) => (await import("./memory_task.ts")).filmMapsTask(input),
  filmPage: async (input) => (await import("./memory_task.ts")).filmPageTask(input),
  filmChoice: async (input) => (await import("./memory_task.ts")).filmChoiceTask(input),
  mapFile: async (input) => (await import("./memory_task.ts")).mapFileTask(input),
  ownerPage: async (input) => (await import("./census_task.ts")).ownerPageTask(input),
  realMemory: async (input, progress) => (await import("./real_memory_task.ts")).realMemoryTask(input, progress),
  image: async (input, progress) => (await import("./image_task.ts")).imageTask(input, progress),
  imageSearch: async (input, progress) => (await import("./image_task.ts")).imageSearchTask(input, progress),
  imagePlan: async (input) => (await import("./image_task.ts")).imagePlanTask(input),
  imageFound: async (input) => (await import("./image_task.ts")).imageFoundTask(input),
  imagePage: async (input) => (await import("./image_task.ts")).imagePageTask(input),
} satisfies Record<string, Task<never, unknown>> as {
  readonly census: typeof import("./census_task.ts").censusTask;
  readonly block: typeof import("./census_task.ts").blockTask;
  readonly caseStories: typeof import("./cases_task.ts").caseStoriesTask;
  readonly case: typeof import("./cases_task.ts").caseTask;
  readonly prove: typeof import("./cases_task.ts").proveTask;
  readonly scenario: typeof import("./cases_task.ts").scenarioTask;
  readonly part: typeof import("./cases_task.ts").partTask;
  readonly identify: typeof import("./identify_task.ts").identifyTask;
  readonly logLines: typeof import("./log_task.ts").logLinesTask;
  readonly logSearch: typeof import("./log_task.ts").logSearchTask;
  readonly pools: typeof import("./pools_task.ts").poolsTask;
  readonly decode: typeof import("./pools_task.ts").decodeTask;
  readonly lltx: typeof import("./explore_task.ts").lltxTask;
  readonly schedule: typeof import("./explore_task.ts").scheduleTask;
  readonly packet: typeof import("./packet_task.ts").packetTask;
  readonly layout: typeof import("./packet_task.ts").layoutTask;
  readonly film: typeof import("./memory_task.ts").filmTask;
  readonly filmMaps: typeof import("./memory_task.ts").filmMapsTask;
  readonly filmPage: typeof import("./memory_task.ts").filmPageTask;
  readonly filmChoice: typeof import("./memory_task.ts").filmChoiceTask;
  readonly mapFile: typeof import("./memory_task.ts").mapFileTask;
  readonly ownerPage: typeof import("./census_task.ts").ownerPageTask;
  readonly realMemory: typeof import("./real_memory_task.ts").realMemoryTask;
  readonly image: typeof import("./image_task.ts").imageTask;
  readonly imageSearch: typeof import("./image_task.ts").imageSearchTask;
  readonly imagePlan: typeof import("./image_task.ts").imagePlanTask;
  readonly imageFound: typeof import("./image_task.ts").imageFoundTask;
  readonly imagePage: typeof import("./image_task.ts").imagePageTask;
  readonly diagnose: typeof import("./diagnose_task.ts").diagnoseTask;
};

export type TaskName = keyof typeof tasks;
export type InputOf<N extends TaskName> = Parameters<(typeof tasks)[N]>[0];
export type OutputOf<N extends TaskName> = Awaited<ReturnType<(typeof tasks)[N]>>;
