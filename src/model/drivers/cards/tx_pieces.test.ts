// A packet in more pieces than a card takes: copied into one head, dropped without memory, or cut by the stack before. Sources stand in tx_pieces.ts.
import { describe, expect, test } from "vitest";
import { prng } from "../../../base/prng.ts";
import { parseRelease } from "../../../kernel/release.ts";
import { failing } from "../../failing.ts";
import type { Machine } from "../../machine.ts";
import { createMachine } from "../../machine.ts";
import { netdevTx } from "../../net/path/netdevice.ts";
import { packetField } from "../../net/path/receive.ts";
import { frameKind } from "../../net/path/wire.ts";
import { headField, skbField } from "../../net/skb/skb_columns.ts";
import { viewSkb } from "../../net/skb/skb_view.ts";
import type { DriverSettings } from "../driver.ts";
import { intelTxPieces } from "./tx_pieces.ts";

interface Card {
  readonly machine: Machine;
  readonly refusing: ReturnType<typeof failing>;
}

function card(driver: string, release: string, settings: DriverSettings = {}): Card {
  const refusing = failing({ nth: 0 });
  const machine = createMachine({
    release: parseRelease(release),
    memoryMb: 128,
    nics: [{ driver, settings }],
    failing: refusing,
  });
  expect(machine.up(machine.devices[0]!)).toBe(true);
  machine.clock.run(machine.clock.now() + 1e6, 1e5);
  return { machine, refusing };
}

/** A TCP packet with headers in its head and these fragments, each at a place of its own in a block of 64 KiB. */
function packet({ skbs, pages }: Machine, sizes: readonly number[], mss = 0, offset = 0): number {
  const { S, H } = skbs.columns;
  const skb = skbs.allocSkb(256, skbs.config.gfp.kernel);
  skbs.skbReserve(skb, 64);
  skbs.skbPut(skb, 54);
  for (const [i, size] of sizes.entries()) {
    const pfn = pages.allocPages(skbs.config.gfp.kernel | skbs.config.gfp.comp, 4);
    skbs.skbAddRxFrag(skb, i, pfn, offset, size, size);
  }
  S[skb + packetField.KIND] = frameKind.tcp;
  H[S[skb + skbField.HEAD]! + headField.GSO_SIZE] = mss;
  return skb;
}
const each = (n: number, bytes: number): number[] => new Array<number>(n).fill(bytes);
const send = ({ machine }: Card, skb: number): Readonly<Record<string, number>> => {
  const device = machine.devices[0]!;
  expect(device.driver.startXmit(skb)).toBe(netdevTx.ok);
  return device.driver.counters;
};

describe.each(["ice", "i40e"])("%s takes eight buffers a frame", (driver) => {
  test.each(["5.10.223-x86_64", "6.1.192-x86_64", "6.12.117-x86_64", "7.2.12-x86_64", "7.3.4-x86_64"])(
    "%s",
    (release) => {
      const whole = card(driver, release);
      const eight = packet(whole.machine, each(7, 500));
      expect(send(whole, eight)).toMatchObject({ tx_linearize: 0 });
      const nine = packet(whole.machine, each(8, 500));
      expect(send(whole, nine)).toMatchObject({ tx_linearize: 1 });
      const { S, H } = whole.machine.skbs.columns;
      expect([
        S[nine + skbField.LEN],
        S[nine + skbField.DATA_LEN],
        H[S[nine + skbField.HEAD]! + headField.NR_FRAGS],
      ]).toEqual([4054, 0, 0]);
    },
  );

  test("a fragment above 16 KiB - 1 needs two: four of them and a head are nine", () => {
    const it = card(driver, "6.1.192-x86_64");
    expect(send(it, packet(it.machine, each(3, 20_000)))).toMatchObject({ tx_linearize: 0 });
    expect(send(it, packet(it.machine, each(4, 20_000)))).toMatchObject({ tx_linearize: 1 });
  });

  test("of a TSO packet what counts are six fragments in a row: less than a segment, and it is copied", () => {
    const it = card(driver, "6.1.192-x86_64");
    expect(send(it, packet(it.machine, each(17, 300), 1448))).toMatchObject({ tx_linearize: 0 });
    expect(send(it, packet(it.machine, each(17, 200), 1448))).toMatchObject({ tx_linearize: 1 });
  });

  test("without memory for the copy it is dropped, and nothing stays behind", () => {
    const it = card(driver, "6.1.192-x86_64");
    const { machine, refusing } = it;
    const live = machine.skbs.columns.skbsLive();
    const skb = packet(machine, each(9, 4000));
    const held = viewSkb(machine.skbs, skb).frags.map(({ pfn }) => pfn);
    refusing.arm(1);
    expect(send(it, skb)).toMatchObject({ tx_linearize: 0, tx_packets: 0 });
    expect([refusing.refused(), machine.devices[0]!.stats.txDropped]).toEqual([1, 1]);
    expect(machine.skbs.columns.skbsLive()).toBe(live);
    expect(held.map((pfn) => machine.pages.pageCount(pfn))).toEqual(each(9, 0));
  });
});

test("no segment that the card is let have lies in more than eight buffers (ice, i40e): drawn packets, counted byte by byte", () => {
  const { machine } = card("ice", "6.1.192-x86_64");
  const { tooMany } = intelTxPieces(machine.skbs);
  const random = prng(21);
  let passed = 0;
  let copied = 0;
  for (let n = 0; n < 3000; n++) {
    const offset = random.below(4096);
    const sizes = Array.from({ length: 1 + random.below(17) }, () =>
      random.pick([1 + random.below(60), 1 + random.below(1500), 1 + random.below(4096), 1 + random.below(30_000)]),
    );
    const mss = random.pick([536, 1448, 8948]);
    const skb = packet(machine, sizes, mss, offset);
    const refused = tooMany(skb);
    machine.skbs.kfreeSkb(skb);
    if (refused) copied++;
    else {
      passed++;
      expect([sizes, mss, offset, mostBuffers(sizes, mss, offset) <= 8]).toEqual([sizes, mss, offset, true]);
    }
  }
  expect(Math.min(passed, copied)).toBeGreaterThan(100);
});

/** Buffers of the segment that has the most: its headers, and every descriptor in which it has a byte. */
function mostBuffers(sizes: readonly number[], mss: number, offset: number): number {
  /** Where a descriptor ends, counted in bytes of payload. */
  const ends: number[] = [];
  let at = 0;
  for (const size of sizes) {
    let left = size;
    let chunk = 12_288 + (-offset & 4095);
    for (; left > 16_383; left -= chunk, chunk = 12_288) {
      at += chunk;
      ends.push(at);
    }
    at += left;
    ends.push(at);
  }
  let most = 0;
  for (let from = 0; from < at; from += mss) {
    const to = Math.min(from + mss, at);
    const touched = ends.filter((end, i) => end > from && (ends[i - 1] ?? 0) < to).length;
    most = Math.max(most, 1 + touched);
  }
  return most;
}

describe("gve in the DQO format takes ten", () => {
  const dqo = { format: "DQO" };
  test.each(["6.1.192-x86_64", "6.12.117-x86_64", "7.2.12-x86_64"])("a plain packet: %s", (release) => {
    const it = card("gve", release, dqo);
    const ten = packet(it.machine, each(9, 500));
    const eleven = packet(it.machine, each(10, 500));
    send(it, ten);
    send(it, eleven);
    const { S } = it.machine.skbs.columns;
    expect([S[ten + skbField.DATA_LEN], S[eleven + skbField.DATA_LEN]]).toEqual([4500, 0]);
  });

  test("a TSO packet with a segment in ten fragments: 6.1 copies all of it into one head, later the stack cuts it", () => {
    const small = each(17, 1400).map((size, i) => (i < 13 ? 100 : size));
    const old = card("gve", "6.1.192-x86_64", dqo);
    const copied = packet(old.machine, small, 1448);
    old.machine.xmit.queue(old.machine.devices[0]!, copied);
    expect(old.machine.xmit.helped).toMatchObject({ segmented: 0 });
    expect(old.machine.skbs.columns.S[copied + skbField.DATA_LEN]).toBe(0);
    const later = card("gve", "6.12.117-x86_64", dqo);
    later.machine.xmit.queue(later.machine.devices[0]!, packet(later.machine, small, 1448));
    expect(later.machine.xmit.helped).toMatchObject({ segmented: 1, segments: 5 });
  });

  test("page lists take any", () => {
    const it = card("gve", "6.12.117-x86_64", { ...dqo, addressing: "queue page list" });
    const skb = packet(it.machine, each(17, 500));
    send(it, skb);
    expect(it.machine.skbs.columns.S[skb + skbField.DATA_LEN]).toBe(17 * 500);
  });
});
