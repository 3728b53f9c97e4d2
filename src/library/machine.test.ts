// Every function of a machine, with whatever a program may give it: a result, or one sentence (BadInput). Never an error of the language, never a
// bug of the model's own, here or at a later place, and not after a long time.

import { describe, expect, test } from "vitest";
import { prng as seeded } from "../base/prng.ts";
import { sized } from "../base/size.testkit.ts";
import * as skblab from "../library.ts";
import { headField, skbField } from "../model/net/skb/skb_columns.ts";

type Call = (...all: readonly unknown[]) => unknown;
interface Door {
  readonly path: string;
  readonly call: Call;
}

/** All functions that can be reached from a value, by path; parts that the kernel's own types are (typed arrays, maps) are not gone into. */
function doorsOf(value: unknown, path: string, seen = new Set<unknown>()): Door[] {
  if (value === null || (typeof value !== "object" && typeof value !== "function") || seen.has(value)) return [];
  seen.add(value);
  if (typeof value === "function") return [{ path, call: value as Call }];
  if (ArrayBuffer.isView(value) || value instanceof Map) return [];
  return Object.keys(value).flatMap((key) =>
    doorsOf((value as Record<string, unknown>)[key], path === "" ? key : `${path}.${key}`, seen),
  );
}

const machineOf = (kernel: string, driver: string, queues = 1) => {
  const machine = skblab.createMachine({
    release: skblab.parseRelease(kernel),
    memoryMb: 64,
    cpus: 2,
    skbsMax: 4096,
    nics: [{ driver, ...(queues > 1 ? { queues } : {}) }],
  });
  return machine;
};

const absurd: readonly unknown[] = [
  undefined,
  null,
  -1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  2 ** 53,
  1e99,
  "",
  "5",
  "mm_page_alloc",
  {},
  [],
  [5],
  true,
  false,
  5n,
  Symbol.iterator,
  () => 0,
  () => undefined,
  new Int32Array(4),
  new Float64Array(4),
  { evict: () => false, migrate: () => false },
  { sg: true, csum: true },
];

/** What comes of a call that is not as it should be. */
function wrongWith(path: string, call: () => unknown, budgetMillis = 2000): string | undefined {
  const began = process.cpuUsage();
  let said: string | undefined;
  try {
    call();
  } catch (error) {
    if (!(error instanceof skblab.BadInput))
      said =
        error instanceof Error ? (error.stack ?? error.message).split("\n").slice(0, 4).join(" | ") : String(error);
    else if (!/^\S.*[.)]$/.test(error.message)) said = `not a sentence: ${error.message}`;
  }
  const { user, system } = process.cpuUsage(began);
  const millis = (user + system) / 1000;
  if (said === undefined && millis > budgetMillis) said = `took ${Math.round(millis)} ms`;
  return said === undefined ? undefined : `${path}: ${said}`;
}

/** Things that a program holds, or held: packets, pages, objects, frames, sockets, by what gave them. */
function thingsOf(machine: skblab.Machine): unknown[] {
  const { skbs, pages, heap, frames, cpus, clock, napi, gro, caches } = machine as skblab.Machine & {
    readonly caches: readonly { readonly frags: { alloc(bytes: number, gfp: number, mask: number): number } }[];
  };
  const gfp = skbs.config.gfp.atomic;
  const skb = (n: number): number[] =>
    Array.from({ length: n }, () => {
      const one = skbs.allocSkb(1000, gfp);
      skbs.skbReserve(one, 64);
      skbs.skbPut(one, 500);
      return one;
    });
  const gone = skbs.allocSkb(100, gfp);
  skbs.kfreeSkb(gone);
  const page = (order: number): number => pages.allocPages(gfp, order);
  const gonePage = page(0);
  pages.putPage(gonePage);
  const object = heap.kmalloc(700, gfp);
  const goneObject = heap.kmalloc(700, gfp);
  heap.kfree(goneObject);
  const named = heap.cacheCreate("mine", 200, 0);
  const frame = frames.take();
  const goneFrame = frames.take();
  frames.give(goneFrame);
  const { pools } = machine.pools();
  const pool = pools.create({
    flags: 0,
    order: 0,
    poolSize: 64,
    nid: -1,
    dmaDir: "from_device",
    maxLen: 0,
    offset: 0,
  });
  const { S, H } = skbs.columns;
  const large = skb(4);
  for (const one of large) {
    S[one + skbField.MAC] = S[one + skbField.DATA] as number;
    H[(S[one + skbField.HEAD] as number) + headField.GSO_SIZE] = 100;
  }
  const paged = Array.from({ length: 4 }, () => {
    const one = skbs.allocSkb(200, gfp);
    skbs.skbAddRxFrag(one, 0, page(0), 0, 1000, 4096);
    return one;
  });
  return [
    ...skb(3),
    ...large,
    ...paged,
    skbs.allocSkb(0, gfp),
    skbs.allocSkb(2000, gfp),
    Float64Array.of(heap.cacheAlloc(named, gfp)),
    gone,
    page(0),
    page(0),
    page(3),
    gonePage,
    object,
    goneObject,
    named,
    heap.cacheAlloc(named, gfp),
    frame,
    frames.take(),
    goneFrame,
    skbs.socks.create(65_536, 65_536),
    skbs.ubufs.create(() => undefined),
    skbs.fragDestructors.create(() => undefined),
    cpus.register(() => undefined),
    clock.handler(() => undefined),
    clock.after(
      10,
      clock.handler(() => undefined),
    ),
    napi.add(
      () => 0,
      () => undefined,
    ),
    gro.add(),
    caches[0]?.frags.alloc(2048, gfp, -1),
    pool,
    pools.allocPages(pool, gfp),
    gfp,
    ...machine.devices,
    { flags: 0, order: 0, poolSize: 64, nid: 0, dmaDir: "from_device", maxLen: 0, offset: 0 },
    machine.memory.allocUser(gfp | machine.memory.rules.gfp.movable),
    "GFP_ATOMIC",
  ];
}

const kernels = [
  ["2.6.24-i386", "tg3", 1],
  ["5.10.223-x86_64", "e1000e", 1],
  ["6.1.192-x86_64", "ringnic", 2],
  ["6.12.117-x86_64", "virtio_net", 1],
  ["7.2.13-x86_64", "mvneta", 1],
] as const;

/** Doors that a call went through, by path; over all kernels. */
const went = new Set<string>();
const closed = new Set<string>();

describe.each(kernels)("a machine of %s with %s", (kernel, driver, queues) => {
  test("has doors for all that can be called, and none of them is the model's own function", () => {
    const machine = machineOf(kernel, driver, queues);
    const doors = doorsOf(machine, "");
    expect(doors.length).toBeGreaterThan(180);
    // A function of the model names its parameters; a door takes what comes.
    expect(doors.filter(({ call }) => call.length > 0).map((d) => d.path)).toEqual([]);
  });

  test("answers what cannot be with a result or one sentence, and goes on working", () => {
    const wrong: string[] = [];
    const machine = machineOf(kernel, driver, queues);
    const random = seeded(2021);
    let things = thingsOf(machine);
    const [device] = machine.devices as [skblab.Machine["devices"][number]];
    machine.up(device);
    const doors = [
      ...doorsOf(machine, ""),
      ...doorsOf(machine.pools(), "pools()"),
      ...doorsOf(machine.pageFrag(), "pageFrag()"),
    ];
    /** The argument that was refused, "" where it was all of them; undefined when the call was made. */
    const tries = (path: string, call: Call, all: readonly unknown[]): string | undefined => {
      let refused: string | undefined = "";
      const said = wrongWith(path, () => {
        let given: unknown;
        try {
          given = call(...all);
        } catch (error) {
          refused = /\(\): (\w+)(?:\.\w+)? is [^;]*; it must be/.exec((error as Error).message)?.[1] ?? "";
          throw error;
        }
        refused = undefined;
        went.add(path);
        if (typeof given === "number" && given > 0 && things.length < 400) things.push(given);
      });
      if (said !== undefined) wrong.push(`${said} <- ${all.map(String).join(", ")}`);
      return refused;
    };
    const someArgument = (): unknown => {
      const n = random.below(10);
      if (n < 5) return random.pick(things);
      return n < 7 ? random.below(8) : n < 8 ? random.below(3000) : random.pick(absurd);
    };
    /** By function and argument: what was not refused. */
    const fitting = new Map<string, unknown[]>();
    /** A call whose arguments are found one after the other, by what the sentences say is wrong with the last. */
    const sensibly = (path: string, call: Call): void => {
      const all: unknown[] = [];
      let last: string | undefined;
      for (let n = 0; n < 200; n++) {
        const before = wrong.length;
        const named = tries(path, call, [...all]);
        const at = all.length - 1;
        if (at >= 0 && named !== last)
          fitting.set(`${path} ${last}`, [...(fitting.get(`${path} ${last}`) ?? []).slice(-7), all[at]]);
        if (named === undefined || wrong.length > before) return;
        // A sentence about all of them together: others may do.
        if (named === "") {
          all.length = 0;
          last = undefined;
          continue;
        }
        const known = fitting.get(`${path} ${named}`) ?? [];
        all[named === last ? at : all.length] =
          known.length > 0 && random.below(4) > 0 ? random.pick(known) : someArgument();
        last = named;
      }
    };
    for (const { path, call } of doors)
      for (const value of absurd) tries(path, call, [value, value, value, value, value, value]);
    for (let round = 0; round < sized(2, 5) && wrong.length < 20; round++) {
      for (const { path, call } of doors)
        for (let n = 0; n < 5; n++) {
          tries(path, call, Array.from({ length: 6 }, someArgument));
          sensibly(path, call);
        }
      tries("clock.run", machine.clock.run as Call, [machine.clock.now() + 1e7, 1000]);
      things = [...thingsOf(machine), ...things.slice(-20)];
      fitting.clear();
    }
    expect(wrong.slice(0, 12)).toEqual([]);
    for (const { path } of doors) closed.add(path);
  });
});

test("each of them was gone through on some machine: what is refused always is no door", () => {
  expect([...closed].filter((path) => !went.has(path))).toEqual([]);
});
