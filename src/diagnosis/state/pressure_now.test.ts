// Pressure of memory: told where the file's name says that it is memory's, on both sides of the threshold, and of no other resource.
import { expect, test } from "vitest";
import { explain } from "../explain.ts";

const text = (avg60: string, total = 5_000_000): string =>
  `some avg10=1.00 avg60=${avg60} avg300=3.00 total=${total}\nfull avg10=0.00 avg60=0.50 avg300=0.20 total=${Math.floor(total / 2)}\n`;
const finding = async (name: string, of: string) =>
  (await explain({ [name]: of })).states?.[0]?.findings.find((f) => f.id.startsWith("state.pressure"));

test.each([
  ["9.99", "harmless"],
  ["10.00", "watch"],
])("%s %% of a minute is %s", async (avg60, severity) => {
  const f = await finding("proc/pressure/memory", text(avg60));
  expect(f).toMatchObject({ id: "state.pressure", severity });
  expect(f?.claim).toContain(`In ${avg60} % of the last minute`);
  expect(f?.evidence.map((q) => q.line)).toEqual([1, 2]);
});

test("a total of 0 says that nothing ever waited", async () => {
  expect((await finding("memory.pressure", text("0.00", 0)))?.claim).toContain(
    "No task that it counts has had to wait for memory",
  );
});

test("another resource's file, or one without a name, is not told as memory's", async () => {
  for (const name of ["proc/pressure/cpu", "proc/pressure/io", "-", "mymemory"]) {
    const f = await finding(name, text("90.00"));
    expect(f).toMatchObject({ id: "state.pressure.unnamed", severity: "harmless" });
    expect(f?.claim).not.toContain("waited for memory");
  }
});
