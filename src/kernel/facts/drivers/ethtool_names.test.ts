import { expect, test } from "vitest";
import { factAt } from "../../release.ts";
import { mvneta } from "./embedded.ts";
import { ethtoolNames } from "./ethtool_names.ts";

const printed = (driver: string, version: readonly number[]): string[] =>
  (factAt(ethtoolNames[driver] ?? [], version)?.value ?? []).map(([name]) => name);

// drivers/net/ethernet/marvell/mvneta.c mvneta_statistics: 4.14 has only the MAC's registers, 4.19 counts in software as well.
test("mvneta prints frames as its MAC counts them, and refills that failed since 4.19", () => {
  expect(printed("mvneta", [4, 14])).toEqual([
    "good_octets_received",
    "good_frames_received",
    "rx_discard",
    "good_octets_sent",
    "good_frames_sent",
  ]);
  expect(printed("mvneta", [4, 19]).slice(-2)).toEqual(["skb_alloc_errors", "refill_errors"]);
});

test("the counter that a diagnosis says to watch is one that ethtool prints", () => {
  expect(printed("mvneta", [6, 1])).toContain(factAt(mvneta.failure, [6, 1])?.value.counter);
});
