// Weighted stacks for the tools that draw them: folded lines (flamegraph.pl and others), speedscope's JSON, pprof's protobuf.
import { BinaryWriter } from "@bufbuild/protobuf/wire";

/** A stack with the pages and records that it holds; frames from the allocation outwards (callee first). */
export interface WeightedStack {
  readonly frames: readonly string[];
  readonly pages: number;
  readonly records: number;
}

/** `outermost;…;innermost pages`, one line a stack. Semicolons and newlines inside names become underscores: the format has no escape. */
export function toFolded(stacks: readonly WeightedStack[]): string {
  const clean = (name: string): string => name.replace(/[;\n\r]/g, "_");
  return stacks.map((s) => `${[...s.frames].reverse().map(clean).join(";")} ${s.pages}\n`).join("");
}

/** https://www.speedscope.app/file-format-schema.json, a sampled profile weighted in bytes. */
export function toSpeedscope(stacks: readonly WeightedStack[], name: string, pageSize: number): string {
  const ids = new Map<string, number>();
  const frames: { name: string }[] = [];
  const idOf = (frame: string): number => {
    let id = ids.get(frame);
    if (id === undefined) {
      id = frames.push({ name: frame }) - 1;
      ids.set(frame, id);
    }
    return id;
  };
  const samples = stacks.map((s) => [...s.frames].reverse().map(idOf));
  const weights = stacks.map((s) => s.pages * pageSize);
  return JSON.stringify({
    $schema: "https://www.speedscope.app/file-format-schema.json",
    name,
    exporter: "skblab",
    activeProfileIndex: 0,
    shared: { frames },
    profiles: [
      {
        type: "sampled",
        name,
        unit: "bytes",
        startValue: 0,
        endValue: weights.reduce((a, b) => a + b, 0),
        samples,
        weights,
      },
    ],
  });
}

/** pprof's profile.proto (perftools.profiles.Profile), uncompressed; sample types: pages/count and space/bytes. */
export function toPprof(stacks: readonly WeightedStack[], pageSize: number): Uint8Array {
  const strings = [""];
  const stringIds = new Map<string, number>([["", 0]]);
  const str = (text: string): number => {
    let id = stringIds.get(text);
    if (id === undefined) {
      id = strings.push(text) - 1;
      stringIds.set(text, id);
    }
    return id;
  };
  const functions = new Map<string, number>();
  const idOf = (frame: string): number => {
    let id = functions.get(frame);
    if (id === undefined) {
      id = functions.size + 1;
      functions.set(frame, id);
    }
    return id;
  };
  const w = new BinaryWriter();
  for (const [type, unit] of [
    ["pages", "count"],
    ["space", "bytes"],
  ] as const) {
    w.tag(1, 2).fork().tag(1, 0).int64(str(type)).tag(2, 0).int64(str(unit)).join();
  }
  for (const s of stacks) {
    w.tag(2, 2).fork();
    w.tag(1, 2).fork();
    for (const frame of s.frames) w.uint64(idOf(frame));
    w.join();
    w.tag(2, 2)
      .fork()
      .int64(s.pages)
      .int64(s.pages * pageSize)
      .join();
    w.join();
  }
  // One location and one function a name; their ids are the same.
  for (const [, id] of functions)
    w.tag(4, 2).fork().tag(1, 0).uint64(id).tag(4, 2).fork().tag(1, 0).uint64(id).join().join();
  for (const [frame, id] of functions) {
    w.tag(5, 2).fork().tag(1, 0).uint64(id).tag(2, 0).int64(str(frame)).tag(3, 0).int64(str(frame)).join();
  }
  for (const text of strings) w.tag(6, 2).string(text);
  return w.finish();
}
