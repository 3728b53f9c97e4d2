// Every driver's own words for a buffer that it did not get (facts/drivers/refill_messages.ts) are found in a log, behind a device's name.
import { describe, expect, test } from "vitest";
import { exampleOf, refillMessages } from "../../../kernel/facts/drivers/refill_messages.ts";
import { afterRefusal } from "../../../kernel/facts/messages.ts";
import { headlineKind } from "./headline.ts";

describe("a driver's own complaint about a buffer is found", () => {
  test.each(refillMessages.map((m) => [`${m.driver}: ${m.text}`, m] as const))("%s", (_, m) => {
    expect(headlineKind(`${m.driver} 0000:02:00.0 eth0: ${exampleOf(m)}`)).toBe("driver_line");
  });

  test("what becomes of the ring is said of the driver whose source was read, not of another with the same words", () => {
    expect(afterRefusal("macb e000b000.ethernet eth0: Unable to allocate sk_buff")).toBe("tried again");
    expect(afterRefusal("ocelot-switch soc eth0: Unable to allocate sk_buff")).toBeUndefined();
    expect(afterRefusal("jme 0000:02:00.5 eth0: Allocating resources for RX error, Device STOPPED!")).toBe(
      "receiving stops",
    );
    expect(afterRefusal("pcnet32: eth0 netdev_alloc_skb failed")).toBeUndefined();
    expect(afterRefusal("eth0: Out of memory")).toBeUndefined();
  });

  test("at least forty drivers are in the table", () => {
    expect(new Set(refillMessages.map((m) => m.driver)).size).toBeGreaterThanOrEqual(40);
  });
});
