// What a fleet's paths come to: one job a host (or a file whose lines name their hosts), in an order that does not depend on the machine.
import { readdirSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { BadInput } from "../../base/bad_input.ts";

/** Files that are read together: nothing of one job is used for another. */
export interface Job {
  /** The host where neither a line nor a path inside an archive names one. */
  readonly host: string;
  readonly files: readonly string[];
  readonly bytes: number;
}

const packed = /\.(gz|xz|zst|bz2|tgz|tar|log|txt|json|zip)$/i;
/** `web1.log.gz` → web1; `sosreport-web1-2026-01-02-abcdefg.tar.xz` → web1. */
export function hostOfName(name: string): string {
  const sos =
    /^(?:sosreport|sos|scc|nts)[-_]([A-Za-z0-9.]{1,100}(?:-[A-Za-z0-9.]{1,100}){0,20}?)(?:[-_]\d.{0,250})?$/.exec(name);
  let bare = sos?.[1] ?? name;
  while (packed.test(bare)) bare = bare.replace(packed, "");
  return bare === "" ? name : bare;
}

/** The host of an input by its name: what `--host-from` finds in it, the top folder inside an archive, else the job's. */
export function hostOfInput(input: string, job: string, from: RegExp | undefined): string {
  const found = from?.exec(input);
  if (found !== null && found !== undefined) return found[1] ?? found[0];
  const inside = /\.(?:tar(?:\.\w+)?|tgz):(?:\.\/)?([^/:]+)\//.exec(input)?.[1];
  return inside === undefined ? job : hostOfName(inside);
}

export function jobsOf(paths: readonly string[]): Job[] {
  return paths.flatMap((path) => {
    if (path === "-") return [{ host: "standard input", files: [path], bytes: 0 }];
    const stats = statOf(path);
    if (stats === undefined) throw new BadInput("There is no such file or directory.", { file: path });
    if (!stats.isDirectory()) return [{ host: hostOfName(basename(path)), files: [path], bytes: stats.size }];
    return readdirSync(path)
      .sort()
      .map((entry) => {
        const inner = join(path, entry);
        const s = statOf(inner);
        return { host: hostOfName(entry), files: [inner], bytes: s?.isFile() === true ? s.size : 0 };
      });
  });
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
