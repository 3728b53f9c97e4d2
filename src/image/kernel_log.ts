// The kernel's log in the image: the lockless ring of printk (kernel/printk/printk_ringbuffer.c, 5.10 on), read by VMCOREINFO and BTF.
// Records that are being written, or whose text is overwritten, are left out and counted.
import { Absent, ifThere } from "./address_space.ts";
import type { Kernel } from "./kernel.ts";
import { LayoutUnknown } from "./types.ts";
import { StructView } from "./view.ts";

export interface LogRecord {
  readonly seq: number;
  readonly facility: number;
  readonly level: number;
  readonly nanos: bigint;
  /** May hold line breaks. */
  readonly text: string;
  /** Process or CPU (bit 31) that wrote it. */
  readonly caller: number;
}

export interface KernelLog {
  readonly records: readonly LogRecord[];
  /** Records whose descriptor or text is not whole or not in the image. */
  readonly lost: number;
  /** Why there is no log at all. */
  readonly problem: string | undefined;
}

const mostBits = 22;
const idMask = (1n << 62n) - 1n;
/** enum desc_state: committed 1, finalized 2; 3 may be reused and is no record. */
const isReadable = (state: bigint): boolean => state === 1n || state === 2n;

/** Reads all records, oldest first. Never throws for what an image may lack. */
export function readKernelLog(kernel: Kernel): KernelLog {
  try {
    return readRing(kernel);
  } catch (error) {
    if (error instanceof Absent) return { records: [], lost: 0, problem: "the log's ring is not in the image" };
    if (error instanceof LayoutUnknown) return { records: [], lost: 0, problem: error.message };
    throw error;
  }
}

interface Ring {
  readonly kernel: Kernel;
  readonly descriptors: bigint;
  readonly infos: bigint;
  readonly countMask: bigint;
  readonly data: bigint;
  readonly size: bigint;
}

function readRing(kernel: Kernel): KernelLog {
  const { space, types } = kernel;
  const variable = kernel.info.symbol("prb") ?? kernel.symbols.address("prb");
  if (variable === undefined)
    return { records: [], lost: 0, problem: "this kernel has no printk ring that is known (before 5.10)" };
  const ringStruct = types.struct("printk_ringbuffer");
  const v = new StructView(space, ringStruct, space.u64(variable));
  const countBits = v.number("desc_ring.count_bits");
  const sizeBits = v.number("text_data_ring.size_bits");
  if (countBits > mostBits || sizeBits > 32) return { records: [], lost: 0, problem: "the log's ring is damaged" };
  const ring: Ring = {
    kernel,
    descriptors: v.word("desc_ring.descs"),
    infos: v.word("desc_ring.infos"),
    countMask: (1n << BigInt(countBits)) - 1n,
    data: v.word("text_data_ring.data"),
    size: 1n << BigInt(sizeBits),
  };
  const head = v.word("desc_ring.head_id") & idMask;
  const tail = v.word("desc_ring.tail_id") & idMask;
  const records: LogRecord[] = [];
  let lost = 0;
  const count = Number(((head - tail) & idMask) + 1n);
  for (let i = 0; i < Math.min(count, 2 ** countBits); i++) {
    const record = readRecord(ring, (tail + BigInt(i)) & idMask);
    if (record === "not whole") lost++;
    else if (record !== "none") records.push(record);
  }
  return { records, lost, problem: undefined };
}

function readRecord(ring: Ring, id: bigint): LogRecord | "none" | "not whole" {
  const { kernel } = ring;
  const { space, types } = kernel;
  const slot = id & ring.countMask;
  const desc = types.struct("prb_desc");
  const info = types.struct("printk_info");
  const read = ifThere((): LogRecord | "none" => {
    const d = new StructView(space, desc, ring.descriptors + slot * BigInt(desc.sizeBytes));
    const state = d.word("state_var");
    if ((state & idMask) !== id || !isReadable(state >> 62n)) return "none";
    const i = new StructView(space, info, ring.infos + slot * BigInt(info.sizeBytes));
    const text = textOf(ring, id, d.word("text_blk_lpos.begin"), d.word("text_blk_lpos.next"), i.number("text_len"));
    if (text === undefined) throw new Absent(0n, true);
    return {
      seq: Number(i.word("seq")),
      facility: i.number("facility"),
      level: i.number("level"),
      nanos: i.word("ts_nsec"),
      text,
      caller: i.number("caller_id"),
    };
  });
  return read ?? "not whole";
}

const decoder = new TextDecoder();

/** The text of a block: an id of 8 bytes, then the text; a block that would cross the end of the ring begins it. */
function textOf(ring: Ring, id: bigint, begin: bigint, next: bigint, length: number): string | undefined {
  // Odd positions say that there is no text: empty (3), or lost (1).
  if ((begin & 1n) === 1n) return begin === 3n && length === 0 ? "" : undefined;
  const mask = ring.size - 1n;
  const wraps = begin / ring.size !== (next - 1n) / ring.size;
  const at = wraps ? 0n : begin & mask;
  const end = wraps ? next & mask : at + (next - begin);
  const room = Number(end - at) - 8;
  if (room < 0 || room > Number(ring.size)) return undefined;
  const { space } = ring.kernel;
  if ((space.u64(ring.data + at) & idMask) !== (id & idMask)) return undefined;
  return decoder.decode(space.bytes(ring.data + at + 8n, Math.min(length, room)));
}

/** A record as `dmesg -r` prints it: `<prio>[seconds] text`, the prefix before every line. */
export function syslogLines(record: LogRecord): string {
  const micros = record.nanos / 1000n;
  const seconds = String(micros / 1_000_000n).padStart(5);
  const prefix = `<${record.facility * 8 + record.level}>[${seconds}.${String(micros % 1_000_000n).padStart(6, "0")}] `;
  return record.text
    .split("\n")
    .map((line) => prefix + line)
    .join("\n");
}
