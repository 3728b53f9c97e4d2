// Names of the tables against trees of the kernel's source (scripts/name-survey.mjs): a function that no tree defines stands on no stack, a counter that
// no file of the driver names is printed by none.
import { describe, expect, test } from "vitest";
import { compareVersions, factAt } from "../release.ts";
import * as allocators from "./call_chains/allocators.ts";
import * as contexts from "./call_chains/contexts.ts";
import { drivers } from "./drivers/all.ts";
import { ethtoolNames, tcpExtNames } from "./drivers/ethtool_names.ts";
import { knownFunctions } from "./functions/known.ts";
import { surveyOf, type Tree } from "./kernel_names.testkit.ts";
import { ownCaches } from "./own_caches.ts";

const defined = surveyOf("defined");
const longer = surveyOf("longer");
const counters = surveyOf("counters");
const isDefined = (name: string): boolean => defined.treesOf(name).length > 0;
/** By beginning, longer names that trees define. */
const behind = new Map<string, readonly string[]>();
for (const key of longer.keys) {
  const [beginning = "", name = ""] = key.split(" ");
  behind.set(beginning, [...(behind.get(beginning) ?? []), name]);
}

/** Labels and names that assembler or a macro makes of others, and that no line defines under their own name. */
const madeByMacros = [
  ...["kernel_thread_exit", ".start_here_common", "stub_clone", "__ret_from_syscall", "pgm_exit"],
  ...["original_kernel_thread", "__pfx_"],
];

describe("functions", () => {
  test("a whole name is one that a tree defines", () => {
    const names = [
      ...knownFunctions.filter((r) => r.prefix !== true).map((r) => r.fn),
      ...drivers.flatMap((d) => d.symbols.filter((s) => s.prefix !== true).map((s) => s.name)),
      ...ownCaches.flatMap((c) => c.frames).filter((f) => !f.endsWith("*")),
    ];
    expect([...new Set(names)].filter((n) => !isDefined(n) && !madeByMacros.includes(n))).toEqual([]);
  });
  test("a beginning has longer names behind it, or is a name that the compiler appends to", () => {
    const names = [
      ...knownFunctions.filter((r) => r.prefix === true).map((r) => r.fn),
      ...drivers.flatMap((d) => d.symbols.filter((s) => s.prefix === true).map((s) => s.name)),
      ...ownCaches
        .flatMap((c) => c.frames)
        .filter((f) => f.endsWith("*"))
        .map((f) => f.slice(0, -1)),
    ];
    expect([...new Set(names)].filter((n) => !behind.has(n) && !isDefined(n) && !madeByMacros.includes(n))).toEqual([]);
  });
  /**
   * In 3.19 already, and in the 3.10 of el7, where what it stands behind asks as in 5.10: it is taken for a sign of the index's releases, whose
   * functions are known by what they ask for.
   */
  const asInTheIndex = ["__napi_alloc_skb", "napi_alloc_skb"];
  test("a row that tells how old a kernel is at least names nothing that an older tree defines", () => {
    const early = knownFunctions.flatMap(({ fn, since, prefix }) => {
      if (since === undefined || asInTheIndex.includes(fn)) return [];
      const [first] = [
        ...defined.treesOf(fn),
        ...(prefix === true ? (behind.get(fn) ?? []).flatMap((n) => longer.treesOf(`${fn} ${n}`)) : []),
      ].sort((a, b) => compareVersions(a.version, b.version));
      return first !== undefined && compareVersions(first.version, since) < 0 ? [`${fn}: ${first.release}`] : [];
    });
    expect(early).toEqual([]);
  });
});

/** "a < b" of a module, however deep, as at a release. */
function* chainsAt(value: unknown, version: readonly number[]): Generator<string> {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    const fact = factAt(value as Parameters<typeof factAt>[0], version)?.value;
    if (typeof fact === "string") yield fact;
    else for (const inner of Object.values(fact ?? {})) yield inner as string;
  } else for (const inner of Object.values(value)) yield* chainsAt(inner, version);
}

/** What a tree lacks of its release: files of other architectures, the file of a function; what fell away and is asked for nowhere any more. */
const elsewhere: Readonly<Record<string, (tree: Tree) => boolean>> = {
  // fs/ioctl.c calls it so since 2.6.24; before, sys_ioctl() does the work.
  vfs_ioctl: (t) => compareVersions(t.version, [2, 6, 24]) < 0,
  dma_generic_alloc_coherent: (t) => ["3.0.39", "3.10"].includes(t.release),
  ret_from_fork: (t) => t.release === "4.19",
  // SLAB ended with 6.7; the model has it for older kernels only.
  kmem_getpages: (t) => compareVersions(t.version, [6, 8]) >= 0,
  cache_grow_begin: (t) => compareVersions(t.version, [6, 8]) >= 0,
  cache_alloc_refill: (t) => compareVersions(t.version, [6, 8]) >= 0,
};

test("of the functions on the stacks of a release those of its tree are defined there", () => {
  const absent = defined.trees.flatMap((tree) => {
    const { x86Reporters, pageAllocator, policy, passed } = allocators;
    const { upTheStack, poll, timers, softirqs, ksoftirqd, bottomHalvesOn, worker, systemCall } = contexts;
    const chains = { ...passed, x86Reporters, pageAllocator, policy, upTheStack, poll, timers, softirqs, ksoftirqd };
    const names = [...chainsAt({ ...chains, bottomHalvesOn, worker, ...systemCall }, tree.version)]
      .flatMap((chain) => chain.split(" < "))
      .map((name) => name.replace(/\.(?:constprop|part|isra)\.\d+$/, ""))
      .filter((name) => name !== "");
    return [...new Set(names)]
      .filter((n) => !defined.has(n, tree) && elsewhere[n]?.(tree) !== true)
      .map((n) => `${tree.release} ${n}`);
  });
  expect(absent).toEqual([]);
});

/** What of a printed name may stand in the source: the whole, or the piece that the driver puts a queue in front of. */
const pieces = (printed: string): readonly string[] => [
  printed,
  printed.replace(/\[\d\]$/, ""),
  printed.replace(/^(?:rx|tx)(?:_queue_)?0_/, ""),
  printed.replace(/^queue_0_(?:rx|tx)_/, ""),
];
/** What the driver's format has in front of the queue's number. */
const format = (printed: string): string => /^\D+(?=\d_)/.exec(printed)?.[0] ?? "";

describe("counters", () => {
  const moduleOf = (driver: string): string =>
    drivers.find((d) => d.name === driver || d.modules.includes(driver))?.name ?? driver;
  const printed = Object.entries(ethtoolNames).filter(([driver]) => driver !== "ringnic");
  const stands = (driver: string, name: string, tree: Tree): boolean =>
    pieces(name).some(
      (piece) => counters.has(`${moduleOf(driver)} ${piece}`, tree) || counters.has(`page_pool ${piece}`, tree),
    ) &&
    (format(name) === "" || counters.has(`${moduleOf(driver)} ${format(name)}`, tree));
  /** Some trees are not whole: one without the driver's files says nothing of it. */
  const treesWith = (driver: string): readonly Tree[] =>
    counters.trees.filter((tree) => counters.keys.some((k) => k.startsWith(`${driver} `) && counters.has(k, tree)));
  test("what ethtool prints at a release stands in the driver's files of that release", () => {
    const absent = printed.flatMap(([driver, facts]) =>
      treesWith(moduleOf(driver)).flatMap((tree) =>
        (factAt(facts, tree.version)?.value ?? [])
          .filter(([name]) => !stands(driver, name, tree))
          .map(([name]) => `${driver} ${tree.release}: ${name}`),
      ),
    );
    expect(absent).toEqual([]);
  });
  /** Words of the files before they were printed: members that count. */
  const otherWords = ["rx_hdr_split"];
  test("a name that comes with a release stands in no tree before it", () => {
    const early = printed.flatMap(([driver, facts]) =>
      facts.slice(1).flatMap(({ since, value }, i) => {
        const before = new Set(facts[i]?.value.map(([name]) => name));
        return value
          .filter(([name]) => !before.has(name) && !/^[rt]x$/.test(format(name)) && !otherWords.includes(name))
          .flatMap(([name]) =>
            counters.trees
              .filter((t) => compareVersions(t.version, since) < 0 && stands(driver, name, t))
              .map((t) => `${driver} ${t.release}: ${name}`),
          );
      }),
    );
    expect(early).toEqual([]);
  });
  test("TcpExt's names stand in net/ipv4/proc.c since their release", () => {
    for (const [name, , since] of tcpExtNames)
      for (const tree of treesWith("TcpExt"))
        expect(counters.has(`TcpExt ${name}`, tree), `${name} in ${tree.release}`).toBe(
          compareVersions(tree.version, since) >= 0,
        );
  });
  /** Counters of every interface, which `ip -s link` shows (net/core/dev.c). */
  const ofInterfaces = ["rx_errors", "rx_dropped"];
  test("the counter that a diagnosis says to watch is a word of the driver's files", () => {
    const absent = drivers.flatMap((d) =>
      d.failure.flatMap(({ value }) =>
        (value.counter?.match(/\w+/g) ?? [])
          .filter((word) => /_|^FL/.test(word) && !ofInterfaces.includes(word))
          .map((word) => word.replace(/^(?:(?:rx_)?queue_N|rxN)_(?:rx_)?/, ""))
          .filter((word) => counters.treesOf(`${d.name} ${word}`).length === 0)
          .map((word) => `${d.name} ${word}`),
      ),
    );
    expect(absent).toEqual([]);
  });
});
