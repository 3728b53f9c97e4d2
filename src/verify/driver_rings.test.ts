import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { isLong, oneIn } from "../base/size.testkit.ts";
import { driverRingsReplayer } from "./driver_rings.ts";
import type { TranscriptInput } from "./replayer.ts";

const root = join(import.meta.dirname, "../..");
const fixtures = join(root, "fixtures/driver_rings");
const shared = join(root, "../shared/captures");
/** The clone's traces, and the captures beside it that the clone does not have. */
const tracesOf = (own: string, captures: string): string[] => {
  const packed = (folder: string): string[] => readdirSync(folder).filter((n) => n.endsWith(".txt.gz"));
  const here = packed(own);
  const others = existsSync(captures) ? packed(captures).filter((n) => !here.includes(n)) : [];
  return [...here.map((n) => join(own, n)), ...oneIn(4, others).map((n) => join(captures, n))];
};
const kernels = [
  ["6.1.192", tracesOf(fixtures, join(shared, "driver-rings"))],
  // The largest trace once; in the long run of both kernels.
  [
    "6.12.117",
    tracesOf(join(fixtures, "6.12"), join(shared, "6.12/driver-rings")).filter((n) => isLong || !n.includes("200KB")),
  ],
] as const;
const open = (path: string, kernel = "6.1.192"): TranscriptInput => ({
  path,
  lines: gunzipSync(readFileSync(path)).toString().split("\n"),
  kernel,
});

describe.each(kernels)(
  "%s: what a real driver asked the allocators for, the model asks for, in the same order",
  (kernel, traces) => {
    test.each(traces)("%s", (path) => {
      const { operations, exact, firstDifference, compared } = driverRingsReplayer.replay(open(path, kernel));
      expect(firstDifference).toBeUndefined();
      expect(operations).toBeGreaterThan(0);
      expect(exact).toBe(operations);
      expect(compared).toMatch(/passed over/);
    });
  },
);

describe("canaries: a record that is not the model's kernel is found out", () => {
  const { path, lines } = open(join(fixtures, "4_e1000_mtu9000.txt.gz"));
  const page = lines.findIndex((l) => l.includes("order=0 migratetype=0 gfp_flags=GFP_ATOMIC"));
  const changed = (edit: (all: string[]) => void) => {
    const copy = [...lines];
    edit(copy);
    return driverRingsReplayer.replay({ path, lines: copy, kernel: "6.1.192" });
  };

  test("another gfp mask, at its line", () => {
    const found = changed((all) => {
      all[page] = (all[page] as string).replace("GFP_ATOMIC", "GFP_KERNEL");
    });
    expect(found.firstDifference?.line).toBe(page + 1);
    expect(found.operations - found.exact).toBe(1);
  });

  test("a page of another order", () => {
    expect(
      changed((all) => {
        all[page] = (all[page] as string).replace("order=0", "order=1");
      }).firstDifference?.kernel,
    ).toMatch(/order=1/);
  });

  test("one buffer less than the ring has", () => {
    expect(() => changed((all) => void all.splice(page, 1))).toThrow(BadInput);
    // The head of the trace counts its entries: one less is told by the replay.
    const found = changed((all) => {
      all.splice(page, 1);
      const head = all.findIndex((l) => l.includes("entries-in-buffer"));
      all[head] = (all[head] as string).replace(/\d+\/\d+/, (both) => {
        const n = Number(both.split("/")[0]) - 1;
        return `${n}/${n}`;
      });
    });
    expect(found.firstDifference?.kernel).toBe("nothing more");
  });

  test("another function of the driver", () => {
    const found = changed((all) => {
      const at = all.findIndex((l, i) => i > page && l.includes("e1000_alloc_jumbo_rx_buffers"));
      all[at] = " => e1000_alloc_rx_buffers";
    });
    expect(found.firstDifference?.kernel).toMatch(/from e1000_alloc_rx_buffers </);
  });
});

test("a trace without drivers has nothing to compare", () => {
  const lines = [
    "# tracer: nop",
    "#",
    "   sh-38   [000] .....  2.2: kmalloc: call_site=x ptr=0 bytes_req=64 bytes_alloc=64 gfp_flags=GFP_KERNEL",
  ];
  expect(driverRingsReplayer.replay({ path: "t", lines })).toMatchObject({ operations: 0, exact: 0 });
});
