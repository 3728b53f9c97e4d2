// What the tables of this room answer, kept in fixtures/answers/: what each mask and each word of flags says in every era, whose a frame is and what
// it does, the functions on the stack of a release. A table or a rule that is put right shows there what it changes.
//   ANSWERS=write npx vitest run src/kernel/facts/answers.test.ts    writes them anew
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { type Architecture, parseRelease } from "../release.ts";
import { passed } from "./call_chains/allocators.ts";
import { idleTask, openingTask, stackNames, workerTask } from "./call_chains/index.ts";
import { drivers } from "./drivers/all.ts";
import type { StackName } from "./drivers/index.ts";
import {
  driverOfStack,
  foreignModule,
  isFunctionOf,
  modulesOf,
  networkFrame,
  refillAsksFor,
  transmits,
} from "./drivers/index.ts";
import { functionIndex } from "./functions/index.ts";
import { walkedIndex } from "./functions/index_walk.testkit.ts";
import { functionsThat, has, knownFunctions, type Row, rowsOf } from "./functions/known.ts";
import * as pageLives from "./functions/page_lives.ts";
import { memoryKinds } from "./functions/roles.ts";
import { decodeGfp, gfpCombination, gfpMask, gfpReadings, mayBeMask } from "./gfp.ts";
import { gfpCombinations, gfpEras } from "./gfp_eras.ts";
import { surveyOf } from "./kernel_names.testkit.ts";
import { decodePageFlags, pageFlagEras, pageFlagReadings } from "./page_flags.ts";

const room = join(import.meta.dirname, "../../../fixtures/answers");
function held(name: string, lines: readonly string[]): void {
  const path = join(room, `${name}.txt`);
  if (process.env.ANSWERS === "write") writeFileSync(path, `${lines.join("\n")}\n`);
  expect(lines).toEqual(readFileSync(path, "utf8").trimEnd().split("\n"));
}

test("what a mask says, release by release", () => {
  const combined = gfpCombinations.flatMap((c) => {
    const mask = gfpCombination(c.name, c.since) ?? 0;
    return [mask, mask | 0x200, mask | 0x4000, mask | 0x40000];
  });
  const pairs = gfpEras.flatMap((era) => {
    const bit = (name: string) => gfpMask(name, era) ?? 0;
    return [
      ["NOFAIL", "NORETRY"],
      ["NOFAIL", "RECLAIM"],
      ["REPEAT", "WAIT"],
      ["RETRY_MAYFAIL", "RECLAIM"],
      ["MOVABLE", "RECLAIMABLE"],
      ["DMA", "HIGHMEM"],
      ["ATOMIC", "KSWAPD_RECLAIM"],
      ["HIGH", "DIRECT_RECLAIM"],
      ["IO", "KSWAPD_RECLAIM"],
      ["FS", "WAIT"],
      ["MEMALLOC", "RECLAIM"],
      ...["REPEAT", "RETRY_MAYFAIL", "NORETRY"].flatMap((flag) => [
        ["NOFAIL", flag, "RECLAIM"],
        ["NOFAIL", flag, "WAIT"],
      ]),
    ].map((names) => names.reduce((sum, name) => sum | bit(name), 0));
  });
  const low = Array.from({ length: 16 }, (_, zone) => [0x10 | zone, 0xd0 | zone, 0x20 | zone, zone]).flat();
  const masks = [...low, ...combined, ...pairs, ...Array.from({ length: 32 }, (_, i) => 2 ** i), 0];
  const lines = [...new Set(masks.map((m) => m >>> 0))]
    .sort((a, b) => a - b)
    .flatMap((mask) => [
      `0x${mask.toString(16)}${mayBeMask(mask) ? ", without names perhaps" : ""}`,
      ...gfpReadings(mask).map(
        (r) =>
          `  ${r.kernels}${r.era.sinceIsRead ? "" : " (from history)"} ${r.score} ${r.text}: ${r.because}${r.names.some((n) => n.when !== undefined) ? `, ${r.names.map((n) => n.when ?? "")}` : ""}${r.unknown.map((u) => (u.hint === undefined ? "" : ` (${u.hint})`)).join("")}`,
      ),
    ]);
  held("masks", lines);
});

test("what each flag of a page says, era by era", () => {
  const words = [
    ...Array.from({ length: 30 }, (_, bit) => 1n << BigInt(bit)),
    0n,
    0x44000n,
    0x4000000000010200n,
    0xfffffn,
    0x17ffffc0010200n,
  ];
  held("flags", [
    ...pageFlagEras.flatMap((era) =>
      [false, true].map(
        (compact) =>
          `${era.since.join(".")}${era.sinceIsRead ? "" : " from history"}${compact ? " compact" : ""}: ${words
            .map((w) => {
              const d = decodePageFlags(w, era.since, compact);
              const hints = d.unknown.map((u) => u.hint ?? "").join();
              return `${d.text}${d.place === 0n ? "" : ` +0x${d.place.toString(16)}`}${d.badAtFree.length === 0 ? "" : " bad"}${hints}`;
            })
            .join(", ")}`,
      ),
    ),
    ...words.flatMap((w) =>
      pageFlagReadings(w).map(
        (r) => `0x${w.toString(16)} ${r.kernels}: ${r.text} (until ${r.before?.join(".") ?? "today"})`,
      ),
    ),
  ]);
});

/** Every name of the index of functions, in its order. */
const namesOfIndex = (): readonly string[] => [
  ...walkedIndex(gunzipSync(readFileSync(new URL("./functions/network.idx.gz", import.meta.url)))).keys(),
];

/** What else stands on the stack: who asked, who called. */
const surroundings: readonly (readonly [before: readonly string[], behind: readonly string[]])[] = [
  [[], []],
  [["__netdev_alloc_skb"], ["net_rx_action"]],
  [["napi_alloc_skb"], ["usb_gadget_giveback_request"]],
  [["dev_alloc_skb"], []],
  [["alloc_skb"], ["usb_hcd_giveback_urb"]],
  [["__alloc_pages"], ["usb_gadget_giveback_request"]],
  [["__netdev_alloc_frag", "__netdev_alloc_skb"], []],
];

test("whose a frame is and what it does there", () => {
  const seed = 13;
  const random = prng(seed);
  const indexed = namesOfIndex();
  const some = Array.from({ length: 900 }, () => indexed[random.below(indexed.length)] as string);
  const telling = indexed.filter((n) => /(?:_rx_refill|alloc_rx|_start_xmit|_poll|_open|_clean_tx_irq)$/.test(n));
  const byHand = drivers.flatMap((d) => d.symbols.map((s) => (s.prefix === true ? `${s.name}here` : s.name)));
  const frame = (name: string, module?: string): StackName => ({
    function: name,
    reliable: true,
    ...(module === undefined ? {} : { module }),
  });
  const told = (frames: readonly StackName[], since: readonly number[]): string => {
    const seen = driverOfStack(frames, since);
    return seen === undefined ? "-" : `${seen.driver.name} ${seen.role ?? "?"} ${seen.frame}`;
  };
  const lines = [...new Set([...byHand, ...some, ...telling.filter((_, i) => i % 6 === 0)])].flatMap((name) => {
    const network = networkFrame(frame(name));
    const modules = modulesOf(frame(name)).filter((m) => m !== "");
    const stacks = surroundings.flatMap(([before, behind]) =>
      [
        [2, 6, 18],
        [6, 1],
      ].map((since) =>
        told(
          [...before, name, ...behind].map((n) => frame(n)),
          since,
        ),
      ),
    );
    const guess: StackName = { function: name, reliable: false };
    const guessed = `${told([guess, frame("net_rx_action")], [6, 1])} ${told([guess], [6, 1])} ${foreignModule([{ ...guess, module: "no_such" }, frame(name, modules[0])], 0)?.frame ?? "-"} ${foreignModule([{ ...guess, module: "no_such" }], 0)?.frame ?? "-"}`;
    const tagged = modules.slice(0, 2).map((m) => `${m}: ${told([frame(name, m)], [6, 1])}`);
    return [
      `${name}: ${[...new Set(stacks)].join(", ")}; ${guessed}; ${tagged.join(", ")}; ${network === undefined ? "-" : `${network.place.directory} ${network.role ?? "?"}`}${transmits(frame(name)) ? " transmits" : ""}`,
    ];
  });
  const modules = [
    ...new Set([...drivers.flatMap((d) => d.modules), "ath9k", "gve", "qede", "b44", "u_ether", "no_such"]),
  ];
  const asks = modules.map(
    (m) =>
      `${m} asks for: ${[
        [2, 6, 24],
        [4, 9],
        [6, 1],
      ]
        .map((since) => `${since.join(".")} ${memoryKinds.filter((k) => refillAsksFor(m, [k], since)).join(" ")}`)
        .join(
          "; ",
        )}; ${foreignModule([frame("some_function", m)], 0)?.name ?? "known"}; ${told([frame("some_function", m)], [6, 1])}`,
  );
  const owners = byHand.map((n) => `${n} is of ${drivers.filter((d) => isFunctionOf(d.name, n)).map((d) => d.name)}`);
  expect(functionIndex()).toBeDefined();
  held("frames", [`seed ${seed}`, ...lines, ...asks, ...owners]);
});

test("what is known of the functions that trees of the kernel define", () => {
  const lives = Object.entries(pageLives)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([what, rows]) => (Array.isArray(rows) ? [[what, rows as readonly Row<unknown>[]] as const] : []));
  const names = new Set([
    ...lives.flatMap(([, rows]) => rows.flatMap(([name]) => [name, `${name}.part.0`])),
    ...surveyOf("defined").keys,
    ...surveyOf("longer").keys.map((key) => key.split(" ")[1] as string),
    // The compiler appends to names.
    ...knownFunctions.map((row) => `${row.fn}.constprop.0`),
  ]);
  const told = (name: string): string => {
    const own = (["path", "side", "context", "object", "asks", "since"] as const).flatMap((member) => {
      const value = has(
        rowsOf((row) => row[member]),
        name,
      );
      return value === undefined ? [] : [`${member} ${Array.isArray(value) ? value.join(".") : value}`];
    });
    return [...own, ...everyMark.filter((mark) => has(functionsThat(mark), name) === true)].join(", ");
  };
  const everyMark = [...new Set(knownFunctions.flatMap((row) => row.is ?? []))].sort();
  held(
    "known",
    [...names].sort().flatMap((name) => {
      const known = told(name);
      const life = lives.filter(([, rows]) => has(rows, name) !== undefined).map(([what]) => what);
      return known === "" && life.length === 0
        ? []
        : [`${name}: ${[known, ...life].filter((x) => x !== "").join("; ")}`];
    }),
  );
});

test("the functions on the stack of a release", () => {
  const releases = [
    ...["2.6.10", "2.6.18", "2.6.24", "2.6.29", "2.6.32", "2.6.38", "3.0", "3.4", "3.6", "3.8", "3.10", "3.13", "3.16"],
    ...["3.19", "4.1", "4.4", "4.9", "4.12", "4.14", "4.17", "4.19", "5.4", "5.8", "5.10", "5.13", "5.15", "5.17"],
    ...["6.1", "6.4", "6.7", "6.9", "6.10", "6.12", "7.2"],
  ];
  const arches: readonly Architecture[] = ["x86_64", "i386", "ppc32", "arm", "arm64", "mips"];
  const framesOf = (text: string, asked: Partial<Parameters<typeof stackNames>[1]>) =>
    stackNames(parseRelease(text), {
      report: "failure",
      passed: [],
      caller: "",
      task: "sender",
      softirq: false,
      interrupt: false,
      ...asked,
    });
  /** Of a site what it puts between those that report and the task. */
  const said = (text: string, asked: Partial<Parameters<typeof stackNames>[1]>): string => {
    const { irq, task } = framesOf(text, asked);
    const all = `${irq.join(" < ")} | ${task.join(" < ")}`;
    if (asked.passed?.length !== 1) return all;
    const bare = framesOf(text, { passed: ["skb_clone"] }).task;
    const at = bare.indexOf("skb_clone");
    return task.slice(at, task.length - (bare.length - at - 1)).join(" < ");
  };
  const lines: string[] = [];
  for (const arch of arches) {
    const asked: Readonly<Record<string, Partial<Parameters<typeof stackNames>[1]>>> = {
      "nothing between": {},
      ...Object.fromEntries(Object.keys(passed).map((site) => [site, { passed: [site] }])),
      "a packet's data": { passed: ["kmalloc", "__alloc_skb"] },
      "a packet's head": { passed: ["kmem_cache_alloc", "pskb_expand_head"] },
      "in an interrupt": { softirq: true, interrupt: true, caller: "tg3_rx < tg3_poll", task: "" },
      "in a softirq of a task": { softirq: true, caller: "netif_receive_skb < tg3_poll" },
      "in ksoftirqd": { softirq: true, task: "ksoftirqd/0", caller: "tcp_write_timer" },
      "by a worker": { task: "kworker/0:1" },
      "by a worker of old": { task: "events/0" },
      "by a reader": { task: "reader", caller: "a workload < vfs_read" },
      opening: { task: openingTask },
      "a bad page": { report: "bad page", softirq: true, interrupt: true, task: "" },
      "a fault": { report: "fault", caller: "kfree_skb" },
    };
    for (const [what, one] of Object.entries(asked)) {
      let last = "";
      for (const release of releases) {
        const now = said(`${release}-${arch}`, one);
        if (now !== last) lines.push(`${arch}, ${what}, ${release}: ${now}`);
        last = now;
      }
    }
  }
  for (const release of ["2.6.35-i386", "2.6.36-i386", "3.2-arm", "3.3-arm"])
    lines.push(`${release}: ${idleTask(parseRelease(release), 1)} ${workerTask(parseRelease(release), 1)}`);
  held("stacks", lines);
});

test("a mask of 2.4 is read, one before is not", () => {
  expect(decodeGfp(0x20, [2, 4]).text).toBe("GFP_ATOMIC");
  expect(() => decodeGfp(0x20, [2, 2])).toThrow(/not known/);
});
