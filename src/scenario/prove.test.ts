import { expect, test } from "vitest";
import { prove } from "./prove.ts";

const quiet = (): void => undefined;
const input = { title: "", arch: "x86_64", gfpNames: [] };

test("seed 001: raising min_free_kbytes stops the failures on such a machine, TSO does not matter", () => {
  const proof = prove(
    { ...input, kind: "alloc_failure", release: "2.6.24-gentoo-r8_64", driver: "tg3", order: 1 },
    quiet,
  );
  const row = (text: string) => proof.rows.find((r) => r.change.includes(text));
  expect(row("min_free")?.before).toBeGreaterThan(0);
  expect(row("min_free")?.after).toBe(0);
  expect(row("TSO")?.after).toBeGreaterThan((row("TSO")?.before ?? 0) / 2);
});

test("what cannot be built is refused with a reason", () => {
  expect(prove({ ...input, kind: "alloc_failure", release: "2.6.24", driver: null, order: 1 }, quiet).refused).toMatch(
    /names no driver/,
  );
  expect(prove({ ...input, kind: "oom", release: "6.1", driver: null, order: 0 }, quiet).refused).toMatch(
    /no experiment/,
  );
});
