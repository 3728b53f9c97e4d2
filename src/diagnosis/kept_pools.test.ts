// What is said of page pools by their warnings, by page-pool-get and by both beside each other, in small worlds from a seed; and how much room zones have.
// Kept in fixtures/answers/pools.txt.
//   ANSWERS=write npx vitest run src/diagnosis/kept_pools.test.ts    writes it anew
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readPools } from "../artifact/page_pool/read.ts";
import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";
import { parseRelease } from "../kernel/release.ts";
import { said as toldBy } from "./answers.testkit.ts";
import type { PoolVerdict } from "./pools.ts";
import { judgePools } from "./pools.ts";
import { replayStall } from "./pools_rebuild.ts";
import type { LiveZone } from "./room.ts";
import { roomOf } from "./room.ts";

const kept: string[] = [];
const lineOf = (v: PoolVerdict): string =>
  `${v.subject}: ${v.pattern}/${v.certainty} ${v.inFlight ?? "-"} # ${toldBy(v.summary)} # ${v.reasons.map((r) => `${toldBy(r.text)} @${r.evidence.map((e) => e.line).join(",")}`).join("; ")} # ${v.mayHold.length} ${v.next.length}`;
const judge = (what: string, ...texts: readonly string[]): void => {
  const verdicts = judgePools(texts.map((text, i) => readPools(`in${i}`, text)));
  kept.push(`== ${what}`, ...verdicts.map(lineOf));
};

/** Pools that die at some moment, each with fewer pages or as many at every warning, late by a little, some without a name or a stamp. */
function warnings(random: Prng): string {
  const stamp = (at: number, text: string): readonly [number, string] => [
    at,
    random.chance(0.04) ? text : `[${at.toFixed(6)}] ${text}`,
  ];
  const lines: (readonly [number, string])[] = [];
  const named = random.chance(0.5);
  for (let pool = 0; pool < 1 + random.below(3); pool++) {
    const dies = 100 + random.pick([0, 0, 0.4, 3, 90]);
    let pages = random.pick([1, 2, 7, 7, 64, 512]);
    lines.push(
      stamp(
        dies - random.pick([0.2, 1.5, 3]),
        random.pick(["eth0: link down", "mlx5_core: closing the channels", "page_pool_destroy() with 7 pages"]),
      ),
    );
    for (let k = 1; k <= 1 + random.below(4); k++) {
      const seconds = k * 60 + random.below(2);
      const at = dies + seconds * random.pick([1, 1.01, 1.019, 1.05]);
      lines.push(
        stamp(
          at,
          `page_pool_release_retry() stalled pool shutdown${named ? `: id ${pool + 3}, ` : " "}${pages} inflight ${seconds} sec`,
        ),
      );
      pages = Math.max(0, pages - random.pick([0, 0, 1, 3, -1]));
    }
    if (random.chance(0.4))
      lines.push(
        stamp(
          dies + random.pick([70, 150, 290]),
          random.pick(["released the last page", "something else", "pool is gone"]),
        ),
      );
  }
  if (random.chance(0.5))
    lines.push(stamp(random.pick([150, 180, 225, 400, 900]), "systemd[1]: Started Session 2 of user root."));
  if (random.chance(0.2)) lines.push(stamp(500, `page_pool_create() gave up with errno ${random.pick([-22, -12])}`));
  if (random.chance(0.2)) lines.push(stamp(501, "Negative(-3) inflight packet-pages"));
  if (random.chance(0.2)) lines.push(stamp(502, "page_pool_empty_ring() page_pool refcnt 2 violation"));
  return `${lines
    .sort(([a], [b]) => a - b)
    .map(([, text]) => text)
    .join("\n")}\n`;
}

/** What page-pool-get prints of one pool at several moments, and page-pool-stats-get beside it. */
function states(random: Prng): readonly string[] {
  let inflight = random.pick([0, 7, 64, 1000]);
  const step = random.pick([0, 0, 1, 31, 32, 64, -1, -100]);
  const detached = random.chance(0.4);
  const texts: string[] = [];
  for (let k = 0; k < 1 + random.below(4); k++) {
    const lacks = random.chance(0.15);
    texts.push(
      `[{"id": 5, "ifindex": 2, "napi-id": 8193${lacks ? "" : `, "inflight": ${inflight}, "inflight-mem": ${inflight * 4096}`}${detached ? ', "detach-time": 100' : ""}}]\n`,
    );
    if (random.chance(0.3))
      texts.push(
        `[{"info": {"id": 5}, "alloc-fast": ${1000 + inflight}, "alloc-slow": 20, "alloc-slow-high-order": 0, "alloc-empty": 20, "alloc-refill": 10, "alloc-waive": 0, "recycle-cached": 600, "recycle-cache-full": 0, "recycle-ring": ${400 - random.below(30)}, "recycle-ring-full": 0, "recycle-released-refcnt": 0}]\n`,
      );
    inflight = Math.max(0, inflight + step + (random.chance(0.2) ? 5 : 0));
  }
  return texts;
}

/** Zones as /proc shows them: blocks by order, their lists, marks and what is kept for others. */
function zones(random: Prng): readonly LiveZone[] {
  return ["DMA32", "Normal", "Movable"].slice(0, 1 + random.below(3)).map((name): LiveZone => {
    const blocks = Array.from({ length: 11 }, () => random.pick([0, 0, 1, 3, 20]));
    const letters = blocks.map((b) => (b === 0 ? "" : random.pick(["U", "M", "UM", "H", "C", "UMC"])));
    const free = blocks.reduce((n, b, order) => n + b * 2 ** order, 0) + random.below(20);
    const min = Math.floor(free * random.pick([0, 0.3, 0.9, 1, 1.5]));
    return {
      node: 0,
      name,
      managed: random.chance(0.1) ? 0 : 100_000,
      state: {
        free,
        min,
        low: Math.floor(min * 1.25),
        high: Math.floor(min * 1.5),
        boost: random.pick([0, 0, 16]),
        lowmemReserve: [0, 0, random.pick([0, 40, 100_000]), random.pick([0, 100]), 0],
        orders: random.chance(0.1) ? undefined : blocks.map((b, o) => ({ blocks: b, letters: letters[o] })),
        freeCma: random.pick([0, 0, Math.floor(free / 3)]),
        reservedHighatomic: random.pick([0, 0, 10]),
      },
      lists: random.chance(0.5)
        ? undefined
        : ["U", "M", "H", "C", "I"].map((letter) => ({
            letter,
            blocks: blocks.map((b) => Math.floor(b / (letter === "U" ? 1 : 3))),
          })),
    };
  });
}

const seed = 2026;
test(`warnings, states and rooms (seed ${seed})`, () => {
  for (let i = 0; i < 70; i++) judge(`warnings ${i}`, warnings(prng(seed + i)));
  for (let i = 0; i < 60; i++) judge(`states ${i}`, ...states(prng(seed * 7 + i)));
  const releases = ["2.6.18", "2.6.32", "3.10", "4.4", "4.19", "5.10", "6.1", "6.12"];
  for (let i = 0; i < 48; i++) {
    const rooms = roomOf(parseRelease(`${releases[i % 8]}-x86_64`), zones(prng(seed * 9 + i)), 5);
    for (const zone of new Set(rooms.map((r) => r.zone)))
      kept.push(
        `room ${i} ${zone}: ${rooms
          .filter((r) => r.zone === zone)
          .map(
            (r) =>
              `${r.context[0]}${r.order} ${r.requests ?? r.missing ?? "?"}${r.short === true ? "s" : ""}${r.kept === true ? "k" : ""}`,
          )
          .join(" ")}`,
      );
  }
  const path = join(import.meta.dirname, "../../fixtures/answers/pools.txt");
  if (process.env.ANSWERS === "write") writeFileSync(path, `${kept.join("\n")}\n`);
  expect(kept).toEqual(readFileSync(path, "utf8").trimEnd().split("\n"));
});

test("only numbers that a pool can have are replayed", () => {
  const ends = (inflight: number, seconds: number): number | undefined =>
    replayStall([{ inflight, seconds }])?.endsAfter;
  expect([ends(0, 60), ends(65_537, 60), ends(1, 59), ends(1, 1_000_001), replayStall([])]).toEqual(
    Array.from({ length: 5 }, () => undefined),
  );
  expect([ends(1, 60), ends(65_536, 60)]).toEqual([1, 1]);
});
