// Replays recorded GSO segmentation (segment.ndjson): a packet is built, cut by __skb_gso_segment(), and every field of the packet
// before and after and of each segment is compared, bytes included.
// The recorder's packet: both MAC addresses 22:22:22:22:22:22, IPv4 10.0.0.1 to 10.0.0.2 with id 100 and ttl 64, TCP from port 0 to 0,
// seq 1000, ACK and PSH, window 1000, the pseudo header's sum in the check field; payload from a counter that goes up by 7 a byte,
// runs through the whole file and starts at 0.
import { BadInput } from "../base/bad_input.ts";
import type { Gso } from "../model/net/path/gso.ts";
import { createGso } from "../model/net/path/gso.ts";
import { gsoType, headField, skbBit, skbField } from "../model/net/skb/skb_columns.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";
import type { Comparer, FieldDifference, Row } from "./skb_compare.ts";
import { createComparer } from "./skb_compare.ts";
import type { SkbMachine } from "./skb_machine.ts";
import { cpusOf, createSkbMachine, pageSize } from "./skb_machine.ts";
import { kernelOfTranscript } from "./transcript_kernel.ts";

export const skbSegmentReplayer: Replayer = {
  kind: "skb segments",
  formats: ["ora_skb/0", "ora_skb/1", "ora_skb/2"],
  sniff: (line) => line.startsWith('{"t":"seg",') && line.includes('"gso_size"'),
  replay,
};

const headerBytes = 14 + 20 + 20;
const headroom = 64;
const kernelGfp = 0xcc0;

interface Run {
  readonly machine: SkbMachine;
  fill: number;
}

function replay(input: TranscriptInput): Replayed {
  const kernel = kernelOfTranscript(input, objectAt(input, 0));
  const run: Run = { machine: createSkbMachine({ kernel, cpus: cpusOf(kernel, input.lines) }), fill: 0 };
  const comparer = createComparer(run.machine);
  const gso = createGso(run.machine.skbs);
  let operations = 0;
  let exact = 0;
  let first: Difference | undefined;
  for (let i = 0; i < input.lines.length; i++) {
    const row = objectAt(input, i);
    if (row["t"] !== "seg") continue;
    operations++;
    const found = segmentOne(run, gso, comparer, row, { file: input.path, line: i + 1 });
    if (found === undefined) exact++;
    else
      first ??= {
        line: i + 1,
        operation: `__skb_gso_segment case ${row["case"]} features ${row["features"]}`,
        kernel: `${found.field} = ${String(found.kernel)}`,
        model: `${found.field} = ${String(found.model)}`,
        reasons: [],
      };
  }
  return { operations, exact, firstDifference: first };
}

function segmentOne(
  run: Run,
  gso: Gso,
  comparer: Comparer,
  row: Row,
  place: { readonly file: string; readonly line: number },
): FieldDifference | undefined {
  const { skbs } = run.machine;
  const { S } = skbs.columns;
  const before = row["before"];
  const segs = row["segs"];
  if (typeof before !== "object" || before === null || !Array.isArray(segs))
    throw new BadInput("A segmentation without `before` or `segs`.", place);
  const slots = [before as Row, row["after"] as Row, ...(segs as readonly Row[])].map((r) => r["slot"]);
  const wanted = [0, 0, ...segs.map((_, i) => i)];
  if (String(slots) !== String(wanted)) return { field: "slots", kernel: String(slots), model: String(wanted) };
  if (row["nsegs"] !== segs.length) return { field: "nsegs", kernel: row["nsegs"], model: segs.length };
  const packet = build(run, row);
  const features = String(row["features"]).split("|");
  const dump = (at: string, record: Row, skb: number): FieldDifference | undefined => comparer.compare(at, record, skb);
  comparer.begin();
  const wrong = dump("before", before as Row, packet);
  comparer.end();
  if (wrong !== undefined) return wrong;
  const first = gso.skbGsoSegment(packet, { sg: features.includes("SG"), csum: features.includes("HW_CSUM") });
  comparer.begin();
  let found = dump("after", row["after"] as Row, packet);
  let count = 0;
  for (let s = first; s !== 0 && found === undefined; s = S[s + skbField.NEXT]!)
    if (count < segs.length) found = dump(`segs[${count}]`, segs[count++] as Row, s);
    else count++;
  comparer.end();
  if (found === undefined && count !== segs.length) found = { field: "segments", kernel: segs.length, model: count };
  skbs.kfreeSkbList(first, 2);
  skbs.kfreeSkb(packet);
  return found;
}

/** The recorder's packet. */
function build(run: Run, row: Row): number {
  const { machine } = run;
  const { skbs, pages } = machine;
  const { S, H } = skbs.columns;
  const number = (key: string): number => Number(row[key]);
  const linear = number("linear_payload");
  const packet =
    number("head_frag") === 1
      ? fromFragment(run, row, linear)
      : skbs.allocSkb(headroom + headerBytes + linear, kernelGfp);
  skbs.skbReserve(packet, headroom);
  skbs.skbPut(packet, headerBytes);
  write(run, packet, skbs.skbPut(packet, linear), linear);
  for (let i = 0; i < number("nr_frags"); i++) {
    const size = number("frag_size");
    const order = Math.max(0, Math.ceil(Math.log2(size / pageSize)));
    const page = pages.allocPages(kernelGfp, order);
    machine.memory.write(page * pageSize, counting(run, size));
    skbs.skbAddRxFrag(packet, i, page, 0, size, pageSize << order);
  }
  for (let i = 0; i < number("list"); i++) {
    const size = number("list_size");
    const member = skbs.allocSkb(headroom + size, kernelGfp);
    skbs.skbReserve(member, headroom);
    write(run, member, skbs.skbPut(member, size), size);
    skbs.fragListAppend(packet, member);
  }
  S[packet + skbField.MAC] = headroom;
  S[packet + skbField.NET] = headroom + 14;
  S[packet + skbField.TRANS] = headroom + 34;
  S[packet + skbField.BITS]! |= skbBit.summedMask;
  const head = S[packet + skbField.HEAD]!;
  H[head + headField.GSO_SIZE] = number("gso_size");
  H[head + headField.GSO_SEGS] = Math.ceil((S[packet + skbField.LEN]! - headerBytes) / number("gso_size"));
  H[head + headField.GSO_TYPE] = gsoType.tcpv4;
  writeHeaders(run, packet);
  return packet;
}

function fromFragment(run: Run, row: Row, linear: number): number {
  const page = (row["before"] as Row)["head_page"] as Row;
  const { skbs, frags } = run.machine;
  const bytes = Math.ceil((headroom + headerBytes + linear) / 64) * 64 + skbs.infoRoom;
  const number = (key: string): number => Number(page[key]);
  frags.show({ pfn: number("pfn"), offset: number("off"), count: number("count"), order: number("order") });
  return skbs.buildSkb(frags.alloc(bytes, kernelGfp, ~0), bytes);
}

function counting(run: Run, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) out[i] = run.fill + 7 * (i + 1);
  run.fill = (run.fill + 7 * bytes) & 255;
  return out;
}

function write(run: Run, skb: number, offset: number, bytes: number): void {
  const { skbs, memory } = run.machine;
  memory.write(skbs.columns.headAddress[skbs.columns.S[skb]! >> 4]! + offset, counting(run, bytes));
}

function writeHeaders(run: Run, skb: number): void {
  const { skbs, memory } = run.machine;
  const length = skbs.columns.S[skb + skbField.LEN]! - 14;
  const addresses = [10, 0, 0, 1, 10, 0, 0, 2];
  const ip = [0x45, 0, length >> 8, length & 255, 0, 100, 0, 0, 64, 6, 0, 0, ...addresses];
  const check = ~sum(ip) & 0xffff;
  ip[10] = check >> 8;
  ip[11] = check & 255;
  const tcpLength = length - 20;
  const pseudo = sum([...addresses, 0, 6, tcpLength >> 8, tcpLength & 255]);
  const tcp = [0, 0, 0, 0, 0, 0, 1000 >> 8, 1000 & 255, 0, 0, 0, 0, 0x50, 0x18, 1000 >> 8, 1000 & 255];
  tcp.push(pseudo >> 8, pseudo & 255, 0, 0);
  const ethernet = [...new Array<number>(12).fill(0x22), 8, 0];
  memory.write(skbs.dataAddress(skb), Uint8Array.from([...ethernet, ...ip, ...tcp]));
}

/** Ones' complement sum of big-endian words. */
function sum(bytes: readonly number[]): number {
  let s = 0;
  for (let i = 0; i < bytes.length; i += 2) s += bytes[i]! * 256 + bytes[i + 1]!;
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return s;
}
