// Frames of a cable as pcap-ng (draft-ietf-opsawg-pcapng): an interface for each card, a packet for each frame with its headers only, and a
// comment on those that did not arrive. Frames of the model carry no bytes: addresses follow from the flow, checksums are right for a payload of
// zeros, and the captured length ends with the headers.

import type { WireFrame } from "../../scenario/wire_tap.ts";

const sectionHeader = 0x0a0d0d0a;
const interfaceDescription = 1;
const enhancedPacket = 6;
const byteOrderMagic = 0x1a2b3c4d;
const linkEthernet = 1;
const option = { end: 0, comment: 1, userApplication: 4, name: 2, timeResolution: 9, flags: 2 } as const;
/** Ethernet, IPv4, and UDP or TCP with a timestamp option; what the model's headerBytes say. */
const ethernet = 14;
const ipv4 = 20;
const udp = 8;
const tcp = 32;
/** No type of the model's raw frames is anybody's: local experimental (IEEE 802). */
const experimental = 0x88b5;
/** Scale of TCP's window, as if the handshake had agreed on it. */
const windowShift = 7;

const encoder = new TextEncoder();

interface Writer {
  u8(value: number): void;
  u16(value: number): void;
  u32(value: number): void;
  bytes(value: Uint8Array): void;
  done(): Uint8Array;
}

/** Little-endian, as the section says; `big` for network headers. */
function writer(big: boolean): Writer {
  const out: number[] = [];
  const put = (value: number, count: number): void => {
    for (let i = 0; i < count; i++) out.push(Math.floor(value / 256 ** (big ? count - 1 - i : i)) & 255);
  };
  return {
    u8: (value) => put(value, 1),
    u16: (value) => put(value, 2),
    u32: (value) => put(value, 4),
    bytes: (value) => void out.push(...value),
    done: () => Uint8Array.from(out),
  };
}

const padded = (bytes: Uint8Array): Uint8Array => {
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  return whole;
};

function options(w: Writer, list: readonly (readonly [code: number, value: Uint8Array])[]): void {
  for (const [code, value] of list) {
    w.u16(code);
    w.u16(value.length);
    w.bytes(padded(value));
  }
  if (list.length > 0) w.u32(option.end);
}

function block(type: number, body: Uint8Array): Uint8Array {
  const w = writer(false);
  w.u32(type);
  w.u32(body.length + 12);
  w.bytes(body);
  w.u32(body.length + 12);
  return w.done();
}

/** The section and its interfaces: comes first in the file. */
export function pcapHead(devices: readonly string[]): Uint8Array {
  const section = writer(false);
  section.u32(byteOrderMagic);
  section.u16(1);
  section.u16(0);
  section.u32(0xffffffff);
  section.u32(0xffffffff);
  options(section, [
    [
      option.comment,
      encoder.encode("Headers of the model's frames: payloads are not there, TCP windows are shifted by 7."),
    ],
    [option.userApplication, encoder.encode("skblab")],
  ]);
  const all = writer(false);
  all.bytes(block(sectionHeader, section.done()));
  for (const name of devices) {
    const w = writer(false);
    w.u16(linkEthernet);
    w.u16(0);
    w.u32(0);
    options(w, [
      [option.name, encoder.encode(name)],
      [option.timeResolution, Uint8Array.of(9)],
    ]);
    all.bytes(block(interfaceDescription, w.done()));
  }
  return all.done();
}

/** The ones' complement sum of 16-bit words, folded. */
function checksum(...parts: readonly Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function setChecksum(header: Uint8Array, at: number, sum: number): Uint8Array {
  header[at] = sum >> 8;
  header[at + 1] = sum & 255;
  return header;
}

function transport(f: WireFrame, length: number): Uint8Array {
  const w = writer(true);
  w.bytes(f.tuple.subarray(8));
  if (f.kind === 1) {
    w.u16(length);
    w.u16(0);
    // IPv4 takes a UDP datagram without a checksum.
    return w.done();
  }
  w.u32(f.seq >>> 0);
  w.u32(f.ack >>> 0);
  w.u8((tcp / 4) << 4);
  w.u8(0x10);
  w.u16(Math.min(0xffff, f.window >> windowShift));
  w.u32(0);
  // NOP, NOP, timestamps: milliseconds of the sender.
  w.bytes(Uint8Array.of(1, 1, 8, 10));
  w.u32(Math.floor(f.nanos / 1e6));
  w.u32(0);
  const header = w.done();
  const pseudo = writer(true);
  pseudo.bytes(f.tuple.subarray(0, 8));
  pseudo.u16(6);
  pseudo.u16(length);
  return setChecksum(header, 16, checksum(pseudo.done(), header));
}

/** A frame's headers, and its whole length. */
function headersOf(f: WireFrame, identification: number): readonly [headers: Uint8Array, length: number] {
  const w = writer(true);
  // Locally administered: 1 the machine, 2 whoever is at the cable.
  w.bytes(Uint8Array.of(2, 0, 0, 0, f.device, f.inward ? 1 : 2, 2, 0, 0, 0, f.device, f.inward ? 2 : 1));
  w.u16(f.kind === 0 ? experimental : 0x0800);
  if (f.kind === 0) return [w.done(), ethernet + f.payloadBytes];
  const upper = (f.kind === 1 ? udp : tcp) + f.payloadBytes;
  const ip = writer(true);
  ip.u16(0x4500);
  ip.u16(ipv4 + upper);
  ip.u16(identification & 0xffff);
  ip.u16(0x4000);
  ip.u8(64);
  ip.u8(f.kind === 1 ? 17 : 6);
  ip.u16(0);
  ip.bytes(f.tuple.subarray(0, 8));
  const header = ip.done();
  w.bytes(setChecksum(header, 10, checksum(header)));
  w.bytes(transport(f, upper));
  return [w.done(), ethernet + ipv4 + upper];
}

/** One frame; `number` counts those of the file. */
export function pcapPacket(f: WireFrame, number: number): Uint8Array {
  const [headers, length] = headersOf(f, number);
  const w = writer(false);
  w.u32(f.device);
  w.u32(Math.floor(f.nanos / 2 ** 32));
  w.u32(f.nanos % 2 ** 32);
  w.u32(headers.length);
  w.u32(length);
  w.bytes(padded(headers));
  const flags = writer(false);
  flags.u32(f.inward ? 1 : 2);
  options(w, [
    ...(f.said === "" ? [] : [[option.comment, encoder.encode(f.said)] as const]),
    [option.flags, flags.done()],
  ]);
  return block(enhancedPacket, w.done());
}
