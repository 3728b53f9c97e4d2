// What an XDP program's verdict means for a card's buffers. No program runs here: a setting says what it would answer to every frame.
//   pass       the packet is made as without a program, out of buffers that leave XDP_PACKET_HEADROOM before it
//   drop       the memory stays where it is and is posted again
//   tx         the memory goes with the frame into a queue of the card's own and comes back from its poll when the frame is sent
//   redirect   it goes to another device or CPU, and comes back from there: into the ring of a page_pool, not into its cache
import type { DriverHost } from "../../net/path/netdevice.ts";
import type { DriverParts } from "../driver.ts";
import type { SlotBuffers } from "./slots.ts";

export const xdpWords = ["off", "pass", "drop", "tx", "redirect"] as const;
export type XdpWord = (typeof xdpWords)[number];

/** What cards call a frame that a program took: these come up nowhere. */
export const takenCounters = { drop: "rx_xdp_drop", tx: "rx_xdp_tx", redirect: "rx_xdp_redirect" } as const;

/** XDP_PACKET_HEADROOM, include/uapi/linux/bpf.h, bytes. */
export const xdpHeadroom = 256;

/** How long a frame's memory is away: a round figure for a queue of a card, longer for one of somebody else. */
const awayNanos = { tx: 20_000, redirect: 50_000 } as const;

export interface Xdp {
  /** True when the program took the frame: it and its memory are dealt with. */
  takes(first: number, count: number, frame: number): boolean;
  readonly counters: Record<string, number>;
}

export function createXdp(
  parts: DriverParts,
  host: DriverHost,
  buffers: Pick<SlotBuffers, "unused" | "lend" | "takeBack">,
  word: XdpWord,
): Xdp {
  const { cpus, frames } = parts;
  const counters: Record<string, number> = word === "off" || word === "pass" ? {} : { [takenCounters[word]]: 0 };
  /** Memory that is away, oldest first. */
  const away: (readonly number[])[] = [];
  const back = cpus.register(() => {
    const pages = away.shift();
    if (pages !== undefined) buffers.takeBack?.(pages, word === "tx");
  });
  return {
    counters,
    takes(first, count, frame) {
      if (word === "off" || word === "pass") return false;
      const name = takenCounters[word];
      counters[name] = counters[name]! + 1;
      if (word === "drop") {
        buffers.unused(first, count);
        frames.give(frame);
        return true;
      }
      away.push(buffers.lend?.(first, count) ?? []);
      cpus.work(cpus.current(), awayNanos[word], back);
      const { link } = host.device();
      if (word === "tx" && link !== undefined) link.send(frame);
      else frames.give(frame);
      return true;
    },
  };
}
