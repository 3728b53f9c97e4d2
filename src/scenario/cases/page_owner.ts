// The case of /proc/page_owner: a 256 MB box of 2005 with a leak in it, its dump as that kernel wrote it, and the census of two dumps.
import type { Census } from "../../analysis/page_owner/census.ts";
import { createCensus } from "../../analysis/page_owner/census.ts";
import { diffCensus, seriesOf } from "../../analysis/page_owner/compare.ts";
import { feed } from "../../artifact/page_owner/scan.ts";
import { prng } from "../../base/prng.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createBootedMemory } from "../../model/kernels/booted.ts";
import type { StackFrame } from "../../model/mm/page_owner.ts";
import { createPageOwner } from "../../model/mm/page_owner.ts";
import { judge, judgeIf, withKnobs } from "./case.ts";
import { numberKnob } from "./knobs.ts";

/** Call chains at addresses of an i386 kernel; sizes and offsets only tell frames apart. */
const chain = (at: number, ...symbols: readonly string[]): StackFrame[] =>
  symbols.map((symbol, i) => ({
    symbol,
    offset: 17 + i * 32,
    size: 512,
    address: 0xc0140000 + at * 0x1000 + i * 0x40,
  }));

const culprit = "snd_leaky_open";

const chains = {
  readahead: chain(
    1,
    "__do_page_cache_readahead",
    "max_sane_readahead",
    "filemap_nopage",
    "do_no_page",
    "handle_mm_fault",
  ),
  anonymous: chain(2, "do_anonymous_page", "do_no_page", "handle_mm_fault", "do_page_fault"),
  inodes: chain(3, "kmem_getpages", "cache_grow", "cache_alloc_refill", "kmem_cache_alloc", "ext3_alloc_inode"),
  leak: chain(4, "kmem_getpages", "cache_grow", "cache_alloc_refill", "__kmalloc", culprit),
};

function censusOf(dump: Iterable<string>): Census {
  const taker = createCensus();
  const encoder = new TextEncoder();
  for (const record of dump) feed(taker.scanner, encoder.encode(record));
  return taker.finish();
}

const pageOwnerKnobs = {
  memoryMb: numberKnob("memory", "MB", 256, 64, 1024),
  dumps: numberKnob("dumps to compare", "", 7, 2, 20),
  requestsBetween: numberKnob("page requests between two dumps", "", 40_000, 1000, 200_000),
  leakPerMillion: numberKnob("requests whose page the driver leaks", "per million", 1000, 0, 100_000),
};

export const pageOwner = withKnobs(pageOwnerKnobs, {
  id: "page-owner",
  seed: "003",
  story:
    "Memory leaks plague the prepatches of 2.6.11, and a patch makes the kernel record who allocated each page. A journalist's machine with 256 MB soon has more than 13,000 records, too many to read; a small program sorts them into groups and puts the largest first. With it, he expects, the source of a large leak is easy to find.",
  question: "Can the call chain of every page show a leak among thousands of records?",
  run: "A 256 MB machine of 2.6.11 with page_owner on: page cache, processes, inodes, and a driver that leaks one page in a thousand requests. Seven dumps in the format of 2005 are read and compared.",
  wouldChange:
    "A leak whose pages are allocated through a call chain that other code shares: then more of the chain has to be compared (--depth).",
  answer(progress, set) {
    const { dumps: dumpCount, leakPerMillion } = set;
    const random = prng(3);
    const memory = createBootedMemory({ release: parseRelease("2.6.11-i386"), memoryMb: set.memoryMb });
    const owner = createPageOwner(memory, [2, 6, 11]);
    const { gfp } = memory.rules;
    const kernel = gfp.directReclaim | gfp.io | gfp.fs;
    const user = kernel | gfp.highmem;
    const tasks: number[][] = [[], [], [], []];
    const inodes: number[] = [];
    let leaked = 0;
    const resident = new Set<number>();
    memory.lru.setOwner({ evict: (pfn) => resident.delete(pfn), migrate: () => false });
    const fault = (frames: readonly StackFrame[]): number => {
      const pfn = owner.within(frames, () => memory.allocUser(user));
      if (pfn >= 0) resident.add(pfn);
      return pfn;
    };
    const slab = (frames: readonly StackFrame[]): number =>
      owner.within(frames, () => memory.pages.allocPages(kernel, 0));
    const live = (steps: number): void => {
      for (let i = 0; i < steps; i++) {
        const dice = random.unit();
        const task = random.pick(tasks);
        if (dice < 0.45) fault(chains.readahead);
        else if (dice < 0.9) task.push(fault(chains.anonymous));
        else if (dice < 1 - leakPerMillion / 1e6) inodes.push(slab(chains.inodes));
        else if (slab(chains.leak) >= 0) leaked++;
        if (task.length > 2000) {
          for (const pfn of task) if (resident.delete(pfn)) memory.freeUser(pfn);
          task.length = 0;
        }
        if (inodes.length > 3000) {
          for (const pfn of inodes.splice(0, 1500)) if (pfn >= 0) memory.pages.freePages(pfn, 0);
        }
        if (i % 64 === 0) memory.reclaim.runKswapd();
      }
    };
    live(60_000);
    const leakedBefore = leaked;
    const dumps = Array.from({ length: dumpCount }, (_, i) => {
      progress(i / dumpCount, `dump ${i + 1} of ${dumpCount}`);
      live(set.requestsBetween);
      return censusOf(owner.dump("2005"));
    });
    const [before, after] = [dumps[0] as Census, dumps.at(-1) as Census];
    const grouping = { by: ["caller"], depth: 1 } as const;
    const changes = diffCensus(before, after, grouping);
    const suspect = changes[0];
    const found = suspect?.labels.join(" ") ?? "nothing";
    const leaking = seriesOf(dumps, grouping).filter((t) => t.verdict === "leak-like");
    const accused = leaking.map((t) => t.labels.join(" "));
    const only = accused.length === 1 && accused[0]?.includes(culprit) === true;
    return {
      id: "page-owner",
      answer:
        `${leaked === leakedBefore ? "Nothing leaks here" : only ? "Yes" : accused.some((a) => a.includes(culprit)) ? "Partly" : "No"}: of ${after.records.toLocaleString("en-US")} records in ${after.stacks.length} groups, ` +
        `${dumpCount} dumps point to ${accused.join(", ") || "nobody"}. Two dumps alone put ${found} first, which grew by ${suspect?.delta ?? 0} pages.`,
      claims: [
        {
          id: "finds-the-leak",
          claim: `The trend over ${dumpCount} dumps points to the leaking function and to no other.`,
          answer: judgeIf(leaked > leakedBefore, only),
          measured: { accused: accused.join(", ") || "nobody", leakedPages: leaked - leakedBefore },
        },
        {
          id: "two-dumps-find-it",
          claim: "Comparing two dumps puts the leaking function first.",
          answer: judgeIf(leaked > leakedBefore, found.includes(culprit)),
          measured: { first: found, grownPages: suspect?.delta ?? 0 },
        },
        {
          id: "thousands-of-records",
          claim: `A ${set.memoryMb} MB machine has more than 13,000 records, as the article's did.`,
          answer: judge(after.records > 13_000),
          measured: { records: after.records, groups: after.stacks.length },
        },
        {
          id: "one-dump-shows-it",
          claim: "In a single dump the leak is already the largest group.",
          answer: judge(
            [...after.rows].sort((a, b) => b.pages - a.pages)[0]?.stack ===
              after.stacks.findIndex((s) => s.frames.some((f) => f.symbol === culprit)),
          ),
          measured: {
            leakPages: after.rows
              .filter((r) => after.stacks[r.stack]?.frames.some((f) => f.symbol === culprit))
              .reduce((n, r) => n + r.pages, 0),
            largestPages: Math.max(...after.rows.map((r) => r.pages)),
          },
        },
      ],
      picture: {
        title: "what grew between the dumps",
        unit: "pages",
        bars: changes.filter((c) => c.delta > 0).map((c) => ({ label: c.labels.join(" "), value: c.delta })),
      },
    };
  },
});
