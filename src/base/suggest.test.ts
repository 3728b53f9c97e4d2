import { expect, test } from "vitest";
import { suggest } from "./suggest.ts";

test("a slip gets the nearest word, anything else the whole list", () => {
  expect(suggest("mtuu", ["mtu", "driver"])).toBe('Did you mean "mtu"?');
  expect(suggest("rx_rings", ["tx_ring", "rx_ring"])).toBe('Did you mean "rx_ring"?');
  expect(suggest("colour", ["mtu", "driver"])).toBe("Write one of mtu, driver.");
});
