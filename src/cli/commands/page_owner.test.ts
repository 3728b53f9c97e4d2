// skblab page-owner as a user meets it: packed, piped, live and broken dumps, every way to group, sort, compare and export.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parquetReadObjects } from "hyparquet";
import { afterAll, describe, expect, test } from "vitest";
import type { BadInput } from "../../base/bad_input.ts";
import type { Ran } from "./command.testkit.ts";
import { refusal, runCommand } from "./command.testkit.ts";
import { command } from "./page_owner.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const loaded = join(root, "fixtures", "page_owner", "6.1-loaded.txt.gz");
const before = join(root, "fixtures", "page_owner", "6.1-before-load.txt.gz");
const dir = mkdtempSync(join(tmpdir(), "skblab-owner-"));
afterAll(() => rmSync(dir, { recursive: true }));
const plain = join(dir, "loaded.txt");
writeFileSync(plain, gunzipSync(readFileSync(loaded)));

interface Groups {
  readonly schema: string;
  readonly records: number;
  readonly pages: number;
  readonly bytes: number;
  readonly stacks: number;
  readonly groups: readonly {
    readonly labels: Record<string, string>;
    readonly pages: number;
    readonly records: number;
  }[];
}

const run = (...args: string[]): Promise<Ran> => runCommand(command, args);
const groups = async (...args: string[]): Promise<Groups> => (await run(...args)).json as Groups;

const refused = (...args: string[]): Promise<BadInput> => refusal(run(...args));

const put = (name: string, text: string | Uint8Array): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

describe("one dump", () => {
  test("plain, .gz, .xz and .zst give the same census", async () => {
    const whole = await groups(plain, "--by", "stack");
    expect([whole.records, whole.pages, whole.bytes]).toEqual([9732, 11256, 11256 * 4096]);
    const same = async (path: string): Promise<void> => {
      const packed = await groups(path, "--by", "stack");
      expect({ ...packed, input: "" }).toEqual({ ...whole, input: "" });
    };
    await same(loaded);
    for (const [tool, suffix] of [
      ["xz", "xz"],
      ["zstd", "zst"],
    ] as const) {
      if (!["/usr/bin", "/bin"].some((d) => existsSync(join(d, tool)))) continue;
      execFileSync(tool, ["-q", "-k", plain]);
      await same(`${plain}.${suffix}`);
    }
  });

  test("a pipe whose size is not known is read to its end, with a rate on the progress line", async () => {
    const fifo = join(dir, "fifo");
    execFileSync("mkfifo", [fifo]);
    execFileSync("sh", ["-c", `cat "${plain}" > "${fifo}" &`], { stdio: "ignore" });
    const ran = await run(fifo);
    expect((ran.json as Groups).pages).toBe(11256);
    expect(ran.bars.some(([done, note]) => done === undefined && /MiB\/s/.test(note ?? ""))).toBe(true);
  });

  test("a file of known size shows how far it is, at what rate", async () => {
    const { bars } = await run(plain);
    expect(bars.some(([done, note]) => (done ?? 0) > 0 && /\d+ MiB, \d+ MiB\/s/.test(note ?? ""))).toBe(true);
    expect(bars.at(-1)?.[0]).toBe(1);
  });

  test("every --by key keeps every page; --top hides rows, not pages", async () => {
    const keys = "symbol,module,subsystem,caller,stack,order,type,block-type,gfp,allocator,name,pid,tgid".split(",");
    for (const key of keys) {
      const g = await groups(plain, "--by", key);
      expect([key, g.groups.reduce((n, x) => n + x.pages, 0)]).toEqual([key, 11256]);
    }
  });

  test("--allocator and --by allocator agree with page_owner_sort's own count", async () => {
    const all = await groups(plain, "--by", "allocator");
    for (const { labels, pages, records } of all.groups) {
      if (labels.allocator?.includes(",") === true) continue;
      const own = await groups(plain, "--allocator", labels.allocator as string);
      const also = all.groups.filter((g) => g.labels.allocator?.split(", ").includes(labels.allocator as string));
      expect(own.pages).toBe(also.reduce((n, g) => n + g.pages, 0));
      const sorted = (await run("--compat", "--cull=allocator", plain)).written.toString("latin1");
      expect(sorted).toContain(
        `${records} times, ${pages} pages, allocated by ${(labels.allocator as string).toUpperCase()} \n`,
      );
    }
    expect(all.groups.map((g) => g.labels.allocator).sort()).toContain("slab");
  });

  test("--pid and --name take the records that page_owner_sort takes", async () => {
    for (const [ours, theirs] of [
      [["--pid", "1"], ["--pid=1"]],
      [["--name", "swapper/0"], ["--name=swapper/0"]],
      [["--tgid", "1"], ["--tgid=1"]],
    ] as const) {
      const text = (await run("--compat", ...theirs, plain)).written.toString("latin1");
      const times = [...text.matchAll(/^(\d+) times, (\d+) pages/gm)];
      const g = await groups(plain, ...ours);
      expect([ours, g.records]).toEqual([ours, times.reduce((n, m) => n + Number(m[1]), 0)]);
      expect(g.pages).toBe(times.reduce((n, m) => n + Number(m[2]), 0));
      expect(g.records).toBeGreaterThan(0);
    }
  });

  test("--sort: by a column or by a key, numbers as numbers, either way", async () => {
    const pids = (await groups(plain, "--by", "pid", "--sort", "pid")).groups.map((g) => Number(g.labels.pid));
    expect(pids).toEqual([...pids].sort((a, b) => a - b));
    const blocks = (await groups(plain, "--sort", "-blocks")).groups.map((g) => g.records);
    expect(blocks).toEqual([...blocks].sort((a, b) => b - a));
    const rising = (await groups(plain, "--sort", "+pages")).groups.map((g) => g.pages);
    expect(rising).toEqual([...rising].sort((a, b) => a - b));
    expect((await refused(plain, "--sort", "txt")).message).toContain('nothing called "txt"');
  });
});

describe("two and more dumps", () => {
  test("--diff of the captured states names what the load created", async () => {
    const { text, json } = await run("--diff", before, loaded);
    const { changes } = json as { readonly changes: readonly { readonly labels: string[]; readonly delta: number }[] };
    expect(changes[0]?.labels).toEqual(["shmem_alloc_folio"]);
    // Counted another way: records whose stack names the function.
    const records = (path: string): number =>
      gunzipSync(readFileSync(path))
        .toString("latin1")
        .split("\n\n")
        .filter((b) => b.includes("shmem_alloc_folio")).length;
    expect(changes[0]?.delta).toBe(records(loaded) - records(before));
    expect(text).toContain("Grew");
    expect((await refused("--diff", before)).message).toContain("two dumps");
  });
  test("--series of four rising dumps calls the riser leak-like", async () => {
    const files = [1, 2, 3, 4, 5].map((n) =>
      put(`s${n}.txt`, "Page allocated via order 0, mask 0x1\n leak+0x1/0x2\n\n".repeat(n * 10)),
    );
    expect((await run("--series", ...files)).text).toContain("leak-like");
  });
});

describe("exports", () => {
  test("every kind is written, and the tables carry every page", async () => {
    const written = async (kind: string): Promise<Buffer> => {
      const out = join(dir, `export.${kind}`);
      await run(plain, "--export", kind, "--out", out);
      return readFileSync(out);
    };
    const folded = (await written("folded")).toString();
    expect(folded.split("\n").reduce((n, l) => n + Number(l.slice(l.lastIndexOf(" ")) || 0), 0)).toBe(11256);
    const speedscope = JSON.parse((await written("speedscope")).toString()) as {
      readonly profiles: readonly { readonly endValue: number }[];
    };
    expect(speedscope.profiles[0]?.endValue).toBe(11256 * 4096);
    expect((await written("csv")).toString().split("\r\n")[0]).toBe("symbol,pages,bytes,blocks");
    const rows = await parquetReadObjects({ file: new Uint8Array(await written("parquet")).buffer });
    expect(rows.reduce((n, r) => n + Number(r.pages), 0)).toBe(11256);
    expect((JSON.parse((await written("json")).toString()) as Groups).pages).toBe(11256);
    expect((await written("flamegraph")).toString()).toContain("shmem_alloc_folio");
    expect((await written("pprof")).includes("shmem_alloc_folio")).toBe(true);
  });
  test("--map draws .png and .svg, and no other kind", async () => {
    const png = join(dir, "map.png");
    const svg = join(dir, "map.svg");
    await run(plain, "--map", png);
    expect(readFileSync(png).subarray(1, 4).toString()).toBe("PNG");
    await run(plain, "--map", svg);
    expect(readFileSync(svg, "utf8")).toContain("<svg");
    expect((await refused(plain, "--map", join(dir, "map.bmp"))).message).toContain(".png or .svg");
  });
});

describe("bad input", () => {
  test("what a file looks like instead is said", async () => {
    const buddy = put(
      "buddyinfo",
      "Node 0, zone      DMA      3      5      1      0      2      1      1      0      1      1      3\n",
    );
    expect((await refused(buddy)).message).toContain("It looks like: buddyinfo.");
    const log = put("dmesg", "[    1.000000] Linux version 6.1\n[    2.000000] eth0: link up\n");
    const { message, advice } = await refused(log);
    expect(message).toContain("kernel log");
    expect(advice).toContain("skblab diagnose");
    expect((await refused(put("x.png", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2])))).message).toContain(
      "a PNG image",
    );
    expect((await refused(put("empty", ""))).message).toContain("empty");
    expect((await refused(join(dir, "absent"))).message).toContain("no such file");
    expect((await refused(dir)).message).toContain("a directory");
  });

  test.skipIf(existsSync("/sys/kernel/debug/page_owner"))(
    "page_owner that is not enabled, or forbidden: the boot option or the command that works",
    async () => {
      const { advice } = await refused("/sys/kernel/debug/page_owner");
      expect(advice).toMatch(/page_owner=on|sudo/);
    },
  );

  test("a file that shrinks while it is read is refused: a census of its rest would look whole", async () => {
    const big = put("big.txt", readFileSync(plain));
    for (const args of [[big], ["--compat", big]]) {
      writeFileSync(big, Buffer.concat(Array.from({ length: 8 }, () => readFileSync(plain))));
      const size = readFileSync(big).length;
      let cut = false;
      const shrink = (): void => {
        if (!cut) truncateSync(big, size >> 1);
        cut = true;
      };
      await expect(runCommand(command, args, shrink)).rejects.toThrow(/shrank while it was read: it had \d+ bytes/);
      expect(cut).toBe(true);
    }
  });
});
