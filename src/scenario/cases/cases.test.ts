import { describe, expect, test } from "vitest";
import { cases } from "./index.ts";

const run = (id: string): Record<string, string> => {
  const found = cases.find((c) => c.id === id);
  const result = found?.answer(() => undefined);
  expect(result?.id).toBe(id);
  expect(result?.claims.every((c) => Object.keys(c.measured).length > 0)).toBe(true);
  return Object.fromEntries(result?.claims.map((c) => [c.id, c.answer]) ?? []);
};

describe("cases answer what reading the source gives", () => {
  test("ids and claims are distinct", () => {
    expect(new Set(cases.map((c) => c.id)).size).toBe(cases.length);
  });

  test("002: a pointer a fragment takes the shared info from 344 to 488 bytes and leaves no room for headers", () => {
    expect(run("frag-destructors")).toEqual({
      "shared-info-grows": "yes",
      "room-left": "no",
      "some-design-is-free": "yes",
    });
  });

  test("004: coalescing must know of pools; releasing, frag_list, refusing and mainline's rule are safe", () => {
    expect(run("page-pool-tcp")).toMatchObject({
      "unaware-safe": "no",
      "release-safe": "yes",
      "frag-list-safe": "yes",
      "refuse-safe": "yes",
      "mainline-safe": "yes",
    });
    expect(run("page-pool-multicast")).toMatchObject({ "mainline-safe": "yes" });
  });

  test("000: MTU 4000 does not fit a page on the EMAC, and is still better than 9000", () => {
    expect(run("emac-jumbo")).toMatchObject({
      "4000-one-page": "no",
      "4000-better-than-9000": "yes",
      "1500-safe": "yes",
    });
  });

  test("001: TSO is not the cause; min_free_kbytes is what helps", () => {
    expect(run("tg3-order1")).toEqual({
      "tso-cause": "no",
      "receive-order-1": "yes",
      "min-free": "yes",
      "jumbo-worse": "yes",
    });
  });
});
