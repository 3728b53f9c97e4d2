// Rules of flow steering (`ethtool -N`): which queue a flow comes to by its addresses and ports, whatever its hash, or that it comes to none.
//
//   flow-type udp4  src-ip 198.18.0.0/24  dst-port 5002   action 2        all that a rule names must fit; the first rule that fits decides
//
// struct ethtool_rx_flow_spec, include/uapi/linux/ethtool.h: RX_CLS_FLOW_DISC for an action of -1. How many rules and which masks a card takes is
// not looked at.
import { BadInput, wholeGiven } from "../../../base/bad_input.ts";
import { frameKind } from "./wire.ts";

export interface SteeringRule {
  readonly flowType: "udp4" | "tcp4";
  /** Addresses as `198.18.0.1`, or with a length as `198.18.0.0/24`. */
  readonly srcIp?: string | undefined;
  readonly dstIp?: string | undefined;
  readonly srcPort?: number | undefined;
  readonly dstPort?: number | undefined;
  /** A queue, or -1: dropped. */
  readonly action: number;
}

/** What a frame that a rule drops comes to. */
export const dropped = -1;

const address = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?:\/(\d{1,2}))?$/;

/** Whether a text is an IPv4 address, with a length or without. */
export function isAddress(text: string): boolean {
  const found = address.exec(text);
  if (found === null) return false;
  return found.slice(1, 5).every((n) => Number(n) < 256) && Number(found[5] ?? 32) <= 32;
}

/** BadInput for a rule that no card of so many queues can have; `where` begins the sentence. */
export function checkRule(where: string, rule: SteeringRule, queues: number): void {
  const { flowType, srcIp, dstIp, srcPort, dstPort, action } = rule;
  if (flowType !== "udp4" && flowType !== "tcp4")
    throw new BadInput(`${where}.flowType is ${JSON.stringify(flowType)}; it must be udp4 or tcp4.`);
  for (const ip of [srcIp, dstIp])
    if (ip !== undefined && !isAddress(ip))
      throw new BadInput(`${where} names ${JSON.stringify(ip)}, which is not an IPv4 address such as 198.18.0.0/24.`);
  for (const port of [srcPort, dstPort]) if (port !== undefined) wholeGiven(`${where}: a port`, port, 1, 65_535);
  wholeGiven(`${where}.action`, action, dropped, queues - 1);
}

type Fits = (tuple: Uint8Array) => boolean;

function addressFits(text: string, at: number): Fits {
  const found = address.exec(text);
  const bits = Number(found?.[5] ?? 32);
  const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0;
  const value = (bytes: ArrayLike<number>, from: number): number =>
    (((bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!) & mask) >>> 0;
  const wanted = value((found?.slice(1, 5) ?? []).map(Number), 0);
  return (tuple) => value(tuple, at) === wanted;
}

const portFits =
  (port: number, at: number): Fits =>
  (tuple) =>
    tuple[at] === port >> 8 && tuple[at + 1] === (port & 255);

/** A rule as a question to a tuple of twelve bytes (rss.ts) and a frame's kind. */
function fitsOf(rule: SteeringRule): (tuple: Uint8Array, kind: number) => boolean {
  const { flowType, srcIp, dstIp, srcPort, dstPort } = rule;
  const kindOf = flowType === "udp4" ? frameKind.udp : frameKind.tcp;
  const all: readonly Fits[] = [
    ...(srcIp === undefined ? [] : [addressFits(srcIp, 0)]),
    ...(dstIp === undefined ? [] : [addressFits(dstIp, 4)]),
    ...(srcPort === undefined ? [] : [portFits(srcPort, 8)]),
    ...(dstPort === undefined ? [] : [portFits(dstPort, 10)]),
  ];
  return (tuple, kind) => kind === kindOf && all.every((fits) => fits(tuple));
}

/** The action of the first rule that fits; undefined when none does. */
export function steeringOf(rules: readonly SteeringRule[]): (tuple: Uint8Array, kind: number) => number | undefined {
  const asked = rules.map((rule) => ({ fits: fitsOf(rule), action: rule.action }));
  return (tuple, kind) => asked.find(({ fits }) => fits(tuple, kind))?.action;
}
