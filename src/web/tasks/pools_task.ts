// `skblab pools` and `skblab decode` in the worker: the same readings, the same Documents and JSON.

import { isEmptyReading, readPools } from "../../artifact/page_pool/read.ts";
import type { PoolReading } from "../../artifact/page_pool/shape.ts";
import { BadInput } from "../../base/bad_input.ts";
import { judgePools } from "../../diagnosis/pools.ts";
import { parseRelease } from "../../kernel/release.ts";
import { answerGfp, answerPageFlags, parseFlagsWord, parseGfp, parsePfn } from "../../report/decode.ts";
import { poolsDocument, poolsJson } from "../../report/pools.ts";
import type { GivenFile } from "./files.ts";
import { expanded, headOf, plainText } from "./files.ts";
import type { Shown } from "./protocol.ts";

/** Bytes of one input at most: the whole text is looked at, for the lines around a warning. */
const mostBytes = 256 << 20;

export async function poolsTask({ files }: { readonly files: readonly GivenFile[] }): Promise<Shown> {
  const readings: PoolReading[] = [];
  for await (const file of expanded(files, () => undefined)) {
    const bytes = await headOf(file, Math.min(mostBytes, Math.max(1 << 22, file.blob.size * 40)));
    const text = plainText(bytes);
    if (text === undefined) continue;
    const reading = readPools(file.name, text);
    if (file.named || !isEmptyReading(reading)) readings.push(reading);
  }
  if (readings.every(isEmptyReading))
    throw new BadInput(
      "There is nothing about page pools in it.",
      undefined,
      `${readings.flatMap((r) => r.notes)[0] ?? ""} Give ethtool -S DEV, ynl page-pool-get, a trace with page_pool events, or a kernel log.`.trim(),
    );
  const verdicts = judgePools(readings);
  return { document: poolsDocument(verdicts, readings), json: poolsJson(verdicts, readings) };
}

export interface DecodeInput {
  readonly what: "gfp" | "page-flags";
  readonly value: string;
  /** "" for every era. */
  readonly kernel: string;
  /** A page frame number in hex; "" for none. */
  readonly pfn: string;
}

export async function decodeTask({ what, value, kernel, pfn }: DecodeInput): Promise<Shown> {
  const release = kernel.trim() === "" ? undefined : parseRelease(kernel.trim());
  if (what === "gfp") return answerGfp(parseGfp(value, release?.version), release);
  return answerPageFlags(parseFlagsWord(value), release, pfn.trim() === "" ? undefined : parsePfn(pfn));
}
