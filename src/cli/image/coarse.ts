// The running machine without /proc/kcore (CONFIG_PROC_KCORE is off, lockdown, a container): what /proc/kpageflags, kpagecount and kpagecgroup
// say, read as `skblab watch --map` reads them.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import { coarseDocument, notInCoarseMap } from "../../report/image.ts";
import type { Io } from "../command.ts";
import { readLiveMap, usualBlockOrder } from "../watch/live_map.ts";

/** Throws BadInput where kpageflags may not be read. */
export async function answerCoarse(io: Io, proc: string): Promise<void> {
  io.progress("reading", undefined, "page flags");
  const { map, cost } = await readLiveMap(proc, blockOrderOf(proc));
  const groups = pagesByGroup(join(proc, "kpagecgroup"));
  io.progress("reading", 1);
  await io.answer({
    document: coarseDocument(map, cost, groups),
    json: {
      schema: "skblab.image-kpage/2",
      pages: map.pages,
      blocks: map.blocks,
      cgroups: groups ?? null,
      missing: notInCoarseMap,
    },
    exit: 0,
  });
}

function blockOrderOf(proc: string): number {
  try {
    const said = /^Page block order: (\d{1,2})$/m.exec(readFileSync(join(proc, "pagetypeinfo"), "utf8"))?.[1];
    return said === undefined ? usualBlockOrder : Number(said);
  } catch {
    return usualBlockOrder;
  }
}

const framesAtOnce = 1 << 17;

/** Pages charged to control groups, by the inode of the group's directory, most first; undefined where the kernel has no such file. */
function pagesByGroup(path: string): readonly { readonly inode: number; readonly pages: number }[] | undefined {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch {
    return undefined;
  }
  try {
    const sums = new Map<number, number>();
    const words = new BigUint64Array(framesAtOnce);
    for (let frame = 0; ; ) {
      const n = Math.floor(readSync(fd, words, 0, words.byteLength, frame * 8) / 8);
      for (let i = 0; i < n; i++) {
        const inode = Number(words[i]);
        if (inode !== 0) sums.set(inode, (sums.get(inode) ?? 0) + 1);
      }
      if (n === 0) break;
      frame += n;
    }
    return [...sums].map(([inode, pages]) => ({ inode, pages })).sort((a, b) => b.pages - a.pages);
  } finally {
    closeSync(fd);
  }
}
