// Finds any of a fixed list of byte patterns in a stream while counting its newlines, at a good part of memory bandwidth.
// Each pattern is represented by its rarest four bytes (its fingerprint); a filter finds fingerprints, then the pattern is compared.
// The filter is a WebAssembly SIMD kernel where there is one, else a loop over a table of bytes: the two answer alike.
import { assert } from "./assert.ts";
import { countByte, matchesAt, NEWLINE } from "./bytes.ts";
import { SIMD_DATA, simdScan } from "./bytes_simd.ts";

/** Pattern `pattern` (index in the list) begins at `at` in the memory, on the line with `newlines` newlines before it. */
export type OnHit = (pattern: number, at: number, newlines: number) => void;

/** A search with its own working memory: fill the memory, then scan it piece by piece. */
export interface ByteSearch {
  /** The caller's bytes; indexes below `base` are not his. */
  readonly memory: Uint8Array;
  readonly base: number;
  /** Bytes that fit from `base` on. */
  readonly capacity: number;
  /** Length of the longest pattern, bytes. A hit may begin this many bytes before the scanned piece. */
  readonly longest: number;
  /** Newlines in everything scanned so far. */
  readonly newlines: () => number;
  /** Starts another stream: newline count 0. */
  reset(): void;
  /** Scans whole blocks of 32 bytes of memory[from, to) and returns where it stopped (more than to-32). Bytes up to `longest`
   *  before `from` and after the last block must be valid. Every pattern whose fingerprint ends inside a scanned block is reported once. */
  scan(from: number, to: number, onHit: OnHit): number;
}

interface Fingerprint {
  readonly pattern: number;
  /** Index of the fingerprint's last byte in the pattern. */
  readonly end: number;
  readonly bytes: Uint8Array;
}

/** Which filter to use; `auto` takes SIMD where it exists. */
export type Filter = "auto" | "simd" | "table";

/**
 * Patterns must have 4 to 64 bytes and no newline. Room for `capacity` bytes. `places`: what {@link placesOf} says of the patterns, which takes
 * some 40 ms for a hundred of them. Throws ModelBug where `simd` is demanded and missing.
 */
export function byteSearch(
  patterns: readonly Uint8Array[],
  capacity: number,
  filter: Filter = "auto",
  places: readonly Place[] = placesOf(patterns),
): ByteSearch {
  for (const p of patterns) {
    assert(p.length >= 4 && p.length <= 64 && !p.includes(NEWLINE), () => `unusable pattern of ${p.length} bytes`);
  }
  const { prints, tables } = printsAt(patterns, places);
  const simd = filter === "table" ? undefined : simdScan(tables, prints, capacity);
  assert(filter !== "simd" || simd !== undefined, "this engine has no WebAssembly SIMD");
  const memory = simd?.memory ?? new Uint8Array(SIMD_DATA + capacity + 64);
  const byKey = new Map<number, Fingerprint[]>();
  for (const f of prints) {
    const key = keyAt(f.bytes, f.end);
    byKey.set(key, [...(byKey.get(key) ?? []), f]);
  }
  let newlines = 0;
  /** Verifies the candidate whose last fingerprint byte is at `at`; `counted` newlines stand before `end`. */
  const verify = (at: number, end: number, counted: number, onHit: OnHit): void => {
    const found = byKey.get(keyAt(memory, at));
    if (found === undefined) return;
    for (const f of found) {
      const start = at - f.end;
      if (start >= SIMD_DATA && matchesAt(memory, start, f.bytes)) {
        onHit(f.pattern, start, counted - countByte(memory, NEWLINE, start, end));
      }
    }
  };
  const verifyMask = (mask: number, base: number, end: number, onHit: OnHit): void => {
    for (let m = mask; m !== 0; m &= m - 1) verify(base + 31 - Math.clz32(m & -m), end, newlines, onHit);
  };
  const scanSimd = (from: number, to: number, onHit: OnHit): number => {
    let p = from;
    while (p + 32 <= to) {
      const at = simd!.scan(p, to);
      newlines += simd!.words[0]!;
      if ((at - p) % 32 === 1) return at - 1;
      const [m0, m1] = [simd!.words[1]!, simd!.words[2]!];
      p = at + 32;
      verifyMask(m0, at, p, onHit);
      verifyMask(m1, at + 16, p, onHit);
    }
    return p;
  };
  const kinds = byteKinds(prints);
  const scanTable = (from: number, to: number, onHit: OnHit): number => {
    const end = from + Math.floor((to - from) / 32) * 32;
    for (let i = from; i < end; i++) {
      const kind = kinds[memory[i]!]!;
      if (kind === 0) continue;
      if (kind === IS_NEWLINE) newlines++;
      else if (kinds[256 + memory[i - 1]!]! !== 0) verify(i, i, newlines, onHit);
    }
    return end;
  };
  return {
    memory,
    base: SIMD_DATA,
    capacity,
    longest: Math.max(...patterns.map((p) => p.length)),
    newlines: () => newlines,
    reset() {
      newlines = 0;
      memory.fill(0, SIMD_DATA - 32, SIMD_DATA);
    },
    scan: (from, to, onHit) => (to - from < 32 ? from : (simd === undefined ? scanTable : scanSimd)(from, to, onHit)),
  };
}

const keyAt = (bytes: Uint8Array, end: number): number =>
  (bytes[end - 3]! << 24) | (bytes[end - 2]! << 16) | (bytes[end - 1]! << 8) | bytes[end]!;

/** How common the bytes 32..126 are in kernel logs: a digit d stands for a share of about 2^(1.5 d - 17). Counted over console logs
 *  and mails about them; it only ranks fingerprints. */
const shares = "91430004554556758776677676634653256555443535454553555424436626070877787677477777747786666642120";

function commonness(byte: number): number {
  return 2 ** (1.5 * Number(shares[byte - 32] ?? "2") - 17);
}

/** The cheapest places for a pattern's fingerprint, rarest first. */
function cheapest(bytes: Uint8Array): Fingerprint["end"][] {
  const cost = (e: number): number => [0, 1, 2, 3].reduce((product, k) => product * commonness(bytes[e - k]!), 1);
  return Array.from({ length: bytes.length - 3 }, (_, i) => i + 3)
    .sort((a, b) => cost(a) - cost(b))
    .slice(0, 6);
}

/** A bucket: the nibbles that it lets through at each of the four places (low, high, low, high, ...), and how often it will. */
interface Bucket {
  readonly sets: Uint16Array;
  /** Share of bytes that each of the four places lets through, by the letters' shares. */
  readonly sums: Float64Array;
  /** Their product, and the share of {@link ordinary} that passes. */
  readonly byLetters: number;
  readonly byWords: number;
}

const weights = Float64Array.from({ length: 256 }, (_, b) => commonness(b));

/** Words that ordinary logs repeat on every other line: a bucket that lets them through costs more than its letters' shares say. */
const ordinary =
  "Nov 20 10:31:42 host kernel: [ 1234.567890] eth0: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: RX/TX\n" +
  "Jun  5 03:14:07 server systemd[1]: Started Session 42 of user root. Starting Stopped target Reached service mounted\n" +
  "2026-11-20T20:35:16.123456+00:00 node1 kernel: usb 1-1: new high-speed USB device number 5 using xhci_hcd product\n" +
  'audit: type=1400 audit(1700000000.123:45): apparmor="ALLOWED" operation="open" profile= name= pid=123 comm="ntpd"\n' +
  "[UFW BLOCK] IN=eth0 OUT= MAC=00:1e:67:aa:bb:cc SRC=10.0.0.1 DST=10.0.0.2 LEN=60 TTL=64 ID=1234 DF PROTO=TCP SPT=443\n" +
  "EXT4-fs (sda1): mounted filesystem with ordered data mode. Opts: (null) quota mode: none. XFS (dm-0): Ending clean mount\n" +
  "sshd[1234]: Accepted publickey for root from 10.0.0.1 port 50022 ssh2: session opened connection closed disconnected\n" +
  "docker0: port 1(veth1234567) entered blocking state, entered forwarding state, device left promiscuous mode dropping\n" +
  "ACPI: PCI Interrupt Link enabled, memory range reserved, allocated resource region, registered driver version loaded\n" +
  "pci 0000:00:1c.0: AER: Corrected error received, bridge window, supports, interrupt lowering rate, failed, timeout\n" +
  "perf: interrupt took too long (2503 > 2500), lowering kernel.perf_event_max_sample_rate to 79750. hrtimer: interrupt took\n" +
  "nf_conntrack: default automatic helper assignment has been turned off for security reasons, CT-based firewall rule not found\n" +
  "TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.  Check SNMP counters. Dropping request\n" +
  "device veth1234567 left promiscuous mode, br-1234567890ab: port 2(veth89abcde) entered disabled state, learning state\n" +
  "systemd-journald[412]: Received client request to flush runtime journal. File /var/log/journal/system.journal corrupted or\n" +
  "nfs: server 10.0.0.2 not responding, timed out, still trying; OK. CIFS: VFS: Send error in read = -11. scsi 0:0:0:0: Direct-Access\n" +
  "ata1: SATA link up 6.0 Gbps (SStatus 133 SControl 300) ata1.00: configured for UDMA/133 sd 0:0:0:0: [sda] Attached SCSI disk\n" +
  "input: Power Button as /devices/LNXSYSTM:00/device:00/PNP0C0C:00/input/input0 thermal thermal_zone0: critical temperature\n" +
  "e820: [mem 0x0000000000000000-0x000000000009fbff] usable, reserved; Calibrating delay loop, Memory: 8052000K/8388088K available\n" +
  "  do_syscall_64+0x5b/0x90 entry_SYSCALL_64_after_hwframe+0x6e/0xd8 R13: 0000000000000000 RIP: 0033:0x7f ret_from_fork\n";

/** Its distinct four-byte strings: the bytes one behind another, and how often each stands in it, in parts of its length. */
const grams = (() => {
  const counts = new Map<string, number>();
  for (let i = 3; i < ordinary.length; i++) {
    const gram = ordinary.slice(i - 3, i + 1);
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  const bytes = Uint8Array.from([...counts.keys()].join(""), (c) => c.charCodeAt(0));
  return { bytes, shares: Float64Array.from(counts.values(), (n) => n / ordinary.length) };
})();

function ordinaryShare(sets: Uint16Array): number {
  const { bytes, shares } = grams;
  let sum = 0;
  for (let i = 0, at = 0; i < shares.length; i++, at += 4) {
    let lets = 1;
    for (let t = 0; t < 4 && lets !== 0; t++) {
      const byte = bytes[at + t]!;
      lets = (sets[2 * t]! >> (byte & 15)) & (sets[2 * t + 1]! >> (byte >> 4)) & 1;
    }
    if (lets !== 0) sum += shares[i]!;
  }
  return sum;
}

/** The bucket with one more fingerprint, and what that costs; undefined when it costs `limit` or more. */
function grow(
  bucket: Bucket,
  bytes: Uint8Array,
  end: number,
  limit: number,
): { bucket: Bucket; cost: number } | undefined {
  const sets = bucket.sets.slice();
  const sums = bucket.sums.slice();
  for (let t = 0; t < 4; t++) {
    const byte = bytes[end - 3 + t]!;
    const low = sets[2 * t]! | (1 << (byte & 15));
    const high = sets[2 * t + 1]! | (1 << (byte >> 4));
    if (low === sets[2 * t] && high === sets[2 * t + 1]) continue;
    sets[2 * t] = low;
    sets[2 * t + 1] = high;
    let sum = 0;
    for (let b = 0; b < 256; b++) if ((low >> (b & 15)) & (high >> (b >> 4)) & 1) sum += weights[b]!;
    sums[t] = sum;
  }
  const byLetters = sums.reduce((product, sum) => product * sum, 1);
  if (byLetters - bucket.byLetters >= limit) return undefined;
  const byWords = ordinaryShare(sets);
  const cost = byLetters - bucket.byLetters + byWords - bucket.byWords;
  return cost < limit ? { bucket: { sets, sums, byLetters, byWords }, cost } : undefined;
}

/** Where a pattern's fingerprint ends in it, and which of the eight buckets it is in. */
export type Place = readonly [end: number, bucket: number];

/** Puts each pattern, by one of its rarest places, into the bucket where it raises the expected number of false candidates least. */
export function placesOf(patterns: readonly Uint8Array[]): Place[] {
  const buckets = Array.from(
    { length: 8 },
    (): Bucket => ({ sets: new Uint16Array(8), sums: new Float64Array(4), byLetters: 0, byWords: 0 }),
  );
  return patterns.map((bytes): Place => {
    let best = { cost: Number.POSITIVE_INFINITY, end: 3, k: 0, bucket: buckets[0]! };
    for (const end of cheapest(bytes)) {
      for (let k = 0; k < 8 && best.cost > 0; k++) {
        const grown = grow(buckets[k]!, bytes, end, best.cost);
        if (grown !== undefined) best = { ...grown, end, k };
      }
    }
    buckets[best.k] = best.bucket;
    return [best.end, best.k];
  });
}

/** Tables: eight of 16 bytes; bit k of an entry: bucket k lets that nibble through there. */
function printsAt(
  patterns: readonly Uint8Array[],
  places: readonly Place[],
): { prints: Fingerprint[]; tables: Uint8Array } {
  assert(places.length === patterns.length, () => `${places.length} places for ${patterns.length} patterns`);
  const tables = new Uint8Array(128);
  const prints = patterns.map((bytes, pattern): Fingerprint => {
    const [end, bucket] = places[pattern]!;
    assert(end >= 3 && end < bytes.length, () => `place ${end} in a pattern of ${bytes.length} bytes`);
    for (let t = 0; t < 4; t++) {
      const byte = bytes[end - 3 + t]!;
      tables[32 * t + (byte & 15)]! |= 1 << bucket;
      tables[32 * t + 16 + (byte >> 4)]! |= 1 << bucket;
    }
    return { pattern, end, bytes };
  });
  return { prints, tables };
}

const IS_NEWLINE = 1;

/** [0, 256): 1 a newline, 2 the last byte of a fingerprint; [256, 512): 2 the byte before it. */
function byteKinds(prints: readonly Fingerprint[]): Uint8Array {
  const kinds = new Uint8Array(512);
  kinds[NEWLINE] = IS_NEWLINE;
  for (const f of prints) {
    kinds[f.bytes[f.end]!] = 2;
    kinds[256 + f.bytes[f.end - 1]!] = 2;
  }
  return kinds;
}
