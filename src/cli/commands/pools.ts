// skblab pools: what counters, netlink answers, traces and warnings of a real machine say about its page pools.
import { isEmptyReading, readPools } from "../../artifact/page_pool/read.ts";
import type { PoolReading } from "../../artifact/page_pool/shape.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { ByteSource } from "../../base/byte_source.ts";
import { judgePools } from "../../diagnosis/pools.ts";
import { poolsDocument, poolsJson } from "../../report/pools.ts";
import type { CommandSpec, Io } from "../command.ts";
import { openInputs } from "../input/open.ts";

/** Bytes of one input at most: the whole text is looked at, for the lines around a warning. */
const mostBytes = 256 * 1024 * 1024;

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
  const readings: PoolReading[] = [];
  const empty: string[] = [];
  const problems: { readonly file: string; readonly sentence: string }[] = [];
  for await (const item of openInputs(files)) {
    if (!("source" in item)) {
      problems.push({ file: item.name, sentence: item.sentence });
      continue;
    }
    const { text, problem } = await textOf(item.source);
    if (problem !== undefined) problems.push({ file: item.source.name, sentence: problem });
    const reading = readPools(item.source.name === "-" ? "stdin" : item.source.name, text);
    if (item.named || !isEmptyReading(reading)) readings.push(reading);
    if (item.named && text === "") empty.push(reading.input);
  }
  const [first] = problems;
  if (readings.every(isEmptyReading) && first !== undefined) throw new BadInput(first.sentence, { file: first.file });
  for (const { file, sentence } of problems) io.note(`${file}: ${sentence}`);
  if (empty.length === readings.length) throw new BadInput("It is empty.", { file: empty[0] ?? "stdin" });
  if (readings.every(isEmptyReading))
    throw new BadInput(
      "There is nothing about page pools in it.",
      { file: readings[0]?.input ?? files[0] ?? "stdin" },
      `${readings.flatMap((r) => r.notes)[0] ?? ""} Give \`ethtool -S DEV\`, ynl page-pool-get, a trace with page_pool events, or a kernel log.`.trim(),
    );
  const verdicts = judgePools(readings);
  await io.answer({
    document: poolsDocument(verdicts, readings),
    json: poolsJson(verdicts, readings),
    exit: verdicts.some((v) => alarming.has(v.pattern)) ? 1 : 0,
  });
}

async function textOf(source: ByteSource): Promise<{ readonly text: string; readonly problem: string | undefined }> {
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(1 << 20);
  let text = "";
  let bytes = 0;
  for (let n = await source.read(chunk); n > 0; n = await source.read(chunk)) {
    bytes += n;
    if (bytes > mostBytes)
      throw new BadInput("This input is larger than 256 MiB.", { file: source.name }, "Cut out the hours in question.");
    text += decoder.decode(chunk.subarray(0, n), { stream: true });
  }
  return { text: text + decoder.decode(), problem: source.problem?.() };
}
