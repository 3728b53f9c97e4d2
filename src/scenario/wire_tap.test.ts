// The cable of a run as pcap-ng: read back by the draft's own rules, frame by frame as the run counted them. tcpdump 4.99.3 read such a file of
// tcp-both-ways.yaml: 7,324 packets, no checksum wrong.
import { expect, test } from "vitest";
import { pcapHead, pcapPacket } from "../report/exports/pcapng.ts";
import { machineKind } from "./machine_kind.ts";
import { runMachine } from "./machine_run.ts";
import type { MachineSettings } from "./machine_settings.ts";
import type { WireFrame } from "./wire_tap.ts";

interface Packet {
  readonly device: number;
  readonly nanos: number;
  readonly captured: Uint8Array;
  readonly length: number;
  readonly comment: string;
  readonly direction: number;
}

/** Blocks of a little-endian section. */
function read(file: Uint8Array): { readonly names: readonly string[]; readonly packets: readonly Packet[] } {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const names: string[] = [];
  const packets: Packet[] = [];
  const optionsOf = (from: number, to: number): Map<number, Uint8Array> => {
    const found = new Map<number, Uint8Array>();
    for (let at = from; at < to; ) {
      const [code, length] = [view.getUint16(at, true), view.getUint16(at + 2, true)];
      if (code === 0) break;
      found.set(code, file.subarray(at + 4, at + 4 + length));
      at += 4 + Math.ceil(length / 4) * 4;
    }
    return found;
  };
  const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes ?? new Uint8Array());
  for (let at = 0; at < file.length; ) {
    const [type, length] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    expect(length % 4).toBe(0);
    expect(view.getUint32(at + length - 4, true)).toBe(length);
    const end = at + length - 4;
    if (type === 0x0a0d0d0a) expect(view.getUint32(at + 8, true)).toBe(0x1a2b3c4d);
    else if (type === 1) {
      const options = optionsOf(at + 16, end);
      expect(options.get(9)).toEqual(Uint8Array.of(9));
      names.push(text(options.get(2)));
    } else {
      expect(type).toBe(6);
      const captured = view.getUint32(at + 20, true);
      const options = optionsOf(at + 28 + Math.ceil(captured / 4) * 4, end);
      packets.push({
        device: view.getUint32(at + 8, true),
        nanos: view.getUint32(at + 12, true) * 2 ** 32 + view.getUint32(at + 16, true),
        captured: file.subarray(at + 28, at + 28 + captured),
        length: view.getUint32(at + 24, true),
        comment: text(options.get(1)),
        direction: (options.get(2) ?? [0])[0] as number,
      });
    }
    at += length;
  }
  return { names, packets };
}

const settings = (more: object): MachineSettings =>
  machineKind.schema.parse({ release: "6.1-x86_64", memoryMb: 64, millis: 20, ...more }) as MachineSettings;

function tapped(more: object) {
  const seen: WireFrame[] = [];
  const result = runMachine(settings(more), { wire: (frame) => seen.push(frame) });
  const parts = [pcapHead(result.devices.map((d) => d.name)), ...seen.map((f, i) => pcapPacket(f, i))];
  return { seen, result, ...read(Uint8Array.from(parts.flatMap((p) => [...p]))) };
}

const sum16 = (bytes: Uint8Array): number => {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
};

test("datagrams: as many arrive or are missed as the card counted, and each lost one has its comment", () => {
  const { packets, result, names, seen } = tapped({
    nics: [{ driver: "ringnic", loss: 0.1, mbitPerSecond: 10_000, settings: { rx_ring: 4 } }],
    traffic: [{ framesPerSecond: 20_000, burst: 40 }],
  });
  expect(names).toEqual(["eth0"]);
  const stats = result.devices[0]?.stats;
  const [lost, missed, arrived] = ["lost", "missed", ""].map(
    (word) => packets.filter((p) => (word === "" ? p.comment === "" : p.comment.startsWith(word))).length,
  );
  expect(lost).toBeGreaterThan(10);
  expect(missed).toBe(stats?.rxMissed);
  expect(missed).toBeGreaterThan(10);
  expect(arrived).toBeGreaterThanOrEqual(stats?.rxPackets ?? Number.NaN);
  expect(packets).toHaveLength(seen.length);
  for (const { captured, length, direction } of packets) {
    expect([captured.length, length, direction]).toEqual([42, 1514, 1]);
    expect(sum16(captured.subarray(14, 34))).toBe(0xffff);
  }
});

test("TCP both ways: directions, positions that follow each other, checksums that are right for a payload of zeros", () => {
  const { packets, result } = tapped({
    nics: [{ driver: "e1000e" }],
    tcp: [{ direction: "in" }, { direction: "out" }],
  });
  expect(new Set(packets.map((p) => p.direction))).toEqual(new Set([1, 2]));
  expect(result.devices[0]?.stats.txPackets).toBeGreaterThan(0);
  const next = new Map<string, number>();
  for (const { captured, length } of packets) {
    const upper = captured.subarray(34);
    const pseudo = Uint8Array.of(...captured.subarray(26, 34), 0, 6, (length - 34) >> 8, (length - 34) & 255);
    expect(sum16(Uint8Array.of(...pseudo, ...upper))).toBe(0xffff);
    const flow = [...captured.subarray(26, 38)].join(".");
    const view = new DataView(upper.buffer, upper.byteOffset);
    const [seq, payload] = [view.getUint32(4), length - 66];
    if (payload === 0) continue;
    // Nothing is lost here: each segment begins where the one before it ended.
    expect(seq).toBe(next.get(flow) ?? seq);
    next.set(flow, (seq + payload) >>> 0);
  }
  expect(next.size).toBeGreaterThan(1);
});

test("who listens changes nothing", () => {
  const given = { nics: [{ driver: "ringnic", loss: 0.05 }], traffic: [{ framesPerSecond: 20_000 }] };
  expect(JSON.stringify(runMachine(settings(given), { wire: () => undefined }))).toBe(
    JSON.stringify(runMachine(settings(given))),
  );
});
