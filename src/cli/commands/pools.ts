// skblab pools: what counters, netlink answers, traces and warnings of a real machine say about its page pools.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { isEmptyReading, readPools } from "../../artifact/page_pool/read.ts";
import { BadInput } from "../../base/bad_input.ts";
import { judgePools } from "../../diagnosis/pools.ts";
import { poolsDocument, poolsJson } from "../../report/pools.ts";
import type { CommandSpec, Io } from "../command.ts";

const alarming = new Set(["leak", "kernel bug", "bad parameters"]);

export const command: CommandSpec = {
  name: "pools",
  examples: [
    { line: "skblab pools fixtures/page_pool/stall_dmesg.log", does: "explain a stalled pool from a kernel log" },
    {
      line: "skblab pools fixtures/page_pool/ethtool_small_ring.txt",
      does: "hit rates and pattern from `ethtool -S`; several snapshots may be in one file or in several, in order of time",
    },
    {
      line: "skblab pools --format json fixtures/page_pool/netlink_stall.json",
      does: "pools of the netdev netlink family, as data",
    },
  ],
  configure(cmd, io) {
    cmd
      .argument(
        "<files...>",
        "`ethtool -S`, ynl page-pool-get or page-pool-stats-get, traces, kernel logs; - for standard input",
      )
      .action((files: string[]) => pools(files, io));
  },
};

async function pools(files: readonly string[], io: Io): Promise<void> {
  const readings = files.map((file) => readPools(file === "-" ? "stdin" : file, textOf(file)));
  if (readings.every(isEmptyReading))
    throw new BadInput(
      "There is nothing about page pools in it.",
      { file: readings[0]?.input ?? "stdin" },
      `${readings.flatMap((r) => r.notes)[0] ?? ""} Give \`ethtool -S DEV\`, ynl page-pool-get, a trace with page_pool events, or a kernel log.`.trim(),
    );
  const verdicts = judgePools(readings);
  await io.answer({
    document: poolsDocument(verdicts, readings),
    json: poolsJson(verdicts, readings),
    exit: verdicts.some((v) => alarming.has(v.pattern)) ? 1 : 0,
  });
}

function textOf(file: string): string {
  const bytes = readFileSync(file === "-" ? 0 : file);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes.toString("utf8");
  try {
    return gunzipSync(bytes).toString("utf8");
  } catch {
    throw new BadInput(
      "This file looks compressed with gzip but cannot be unpacked.",
      { file },
      "Copy it again, whole.",
    );
  }
}
