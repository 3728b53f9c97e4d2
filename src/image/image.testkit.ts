// The four images of ../shared/images with the truth of the same moment, unpacked into memory. For tests only; not in the package.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { openImage } from "./container/open.ts";
import type { PhysicalMemory } from "./container/physical.ts";
import { randomBytesOf } from "./container/random_bytes.ts";
import { type Image, readImage } from "./image.ts";
import { openKernel } from "./kernel.ts";

const folder = join(import.meta.dirname, "../../../shared/images");

export const oracleNames = ["6.1-kdump", "6.1-net", "6.12-elf", "7.2-elf"] as const;
export type OracleName = (typeof oracleNames)[number];

/** Why the images cannot be used here; undefined when they can. A test that skips says it. */
export function whyNoOracle(): string | undefined {
  if (!existsSync(folder)) return `${folder} is not there`;
  try {
    execFileSync("xz", ["--version"]);
    return undefined;
  } catch {
    return "the images are packed with xz, and there is no xz here";
  }
}

/** The unpacked container file. */
export function oracleBytes(name: OracleName): Uint8Array {
  const file = readdirSync(join(folder, name)).find((f) => f.endsWith(".xz")) as string;
  return execFileSync("xz", ["-dc", join(folder, name, file)], { maxBuffer: 2 ** 30 });
}

export const oracleMemory = (name: OracleName): PhysicalMemory =>
  openImage([randomBytesOf(`${name}.image`, oracleBytes(name))]);

export const oracleImage = (name: OracleName): Image => {
  const memory = oracleMemory(name);
  return readImage(memory, { kernel: openKernel(memory) });
};

/** One line of the truth. */
export interface TruthRecord {
  readonly t: string;
  readonly [key: string]: unknown;
}

const linesOf = (text: string): TruthRecord[] =>
  text
    .split("\n")
    .filter((l) => l !== "")
    .map((l) => JSON.parse(l) as TruthRecord);

export const oracleTruth = (name: OracleName): readonly TruthRecord[] =>
  linesOf(gunzipSync(readFileSync(join(folder, name, "truth.ndjson.gz"))).toString("utf8"));

/** Known damage, one record a change of bytes. */
export interface Damage {
  readonly what: string;
  readonly elf_offset: number;
  readonly old: string;
  readonly new: string;
  readonly expect: string;
  readonly pfn?: number;
  readonly zone?: string;
  readonly order?: number;
  readonly cache?: string;
  readonly sk?: string;
  readonly skb?: string;
  readonly pool?: string;
}

export function oracleDamage(name: OracleName): readonly Damage[] {
  const file = join(folder, name, "damage.ndjson");
  return existsSync(file) ? (linesOf(readFileSync(file, "utf8")) as unknown as Damage[]) : [];
}
