// The index of network functions: what it says of drivers whose sources were read, and that a look-up finds what stands in the file.
import { readFileSync, statSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BadInput } from "../../../base/bad_input.ts";
import { prng } from "../../../base/prng.ts";
import { functionIndex } from "./index.ts";
import { walkedIndex } from "./index_walk.testkit.ts";
import { readFunctionIndex } from "./packed.ts";

const file = new URL("./network.idx.gz", import.meta.url);
const index = functionIndex();
if (index === undefined) throw new Error("No index was given.");
const only = (name: string, module: string) => {
  const found = index.find(name).filter((f) => f.place.name === module);
  expect(found, `${name} of ${module}`).toHaveLength(1);
  return found[0]!;
};

describe("the index of network functions", () => {
  test("names of which no driver was typed have roles: ice's poll, its transmit, its refill", () => {
    expect(only("ice_napi_poll", "ice").role).toBe("poll");
    expect(only("ice_start_xmit", "ice").role).toBe("transmit");
    expect(only("ice_open", "ice").role).toBe("open");
    // drivers/net/ethernet/intel/ice/ice_txrx.c, 6.1: pages for the ring, from the poll and from ice_vsi_cfg_rxq.
    const refill = only("ice_alloc_rx_bufs", "ice");
    expect(refill.does.has("refills")).toBe(true);
    expect([...refill.from]).toEqual(expect.arrayContaining(["poll", "setup"]));
    expect(refill.from.has("transmit")).toBe(false);
    expect(refill.memory.has("pages")).toBe(true);
    // It builds packets from what has arrived, and fills nothing.
    expect(only("ice_clean_rx_irq", "ice").does.has("refills")).toBe(false);
    expect(only("ice_clean_rx_irq", "ice").does.has("delivers")).toBe(true);
  });

  test("a module has its path and its option, of whatever subsystem it is", () => {
    expect(index.module("ice")).toEqual({ name: "ice", directory: "drivers/net/ethernet/intel/ice", option: "ICE" });
    expect(index.module("virtio-net")?.directory).toBe("drivers/net");
    expect(index.module("xfs")?.directory).toBe("fs/xfs");
    expect(index.module("of-no-kernel")).toBeUndefined();
  });

  test("what fills a ring of e1000 asks for fragments and pages, never for a packet buffer as e1000e's does", () => {
    expect([...(index.refillMemory("e1000") ?? [])]).toContain("frag");
    expect([...(index.refillMemory("e1000") ?? [])]).not.toContain("rxSkb");
    expect([...(index.refillMemory("e1000e") ?? [])]).toContain("rxSkb");
    expect(index.refillMemory("loop")).toBeUndefined();
  });

  test("functions of the kernel's own text have their file", () => {
    expect(index.find("tcp_v4_rcv").map((f) => f.place.directory)).toEqual(["net/ipv4/tcp_ipv4.c"]);
    expect(index.find("no_such_function_anywhere")).toEqual([]);
    expect(index.find("")).toEqual([]);
  });

  test("a look-up finds every name that a walk through the file finds, with as many places", () => {
    const bytes = gunzipSync(readFileSync(file));
    const walked = walkedIndex(bytes);
    expect(walked.size).toBeGreaterThan(60_000);
    const fresh = readFunctionIndex(bytes);
    const seed = 20261129;
    const random = prng(seed);
    const names = [...walked.keys()];
    for (let i = 0; i < 3000; i++) {
      const some = names[random.below(names.length)]!;
      expect(fresh.find(some).length, `seed ${seed}: ${some}`).toBe(walked.get(some));
      expect(fresh.find(`${some}~`), `seed ${seed}: ${some}~`).toEqual([]);
    }
  });

  test("bytes of another form, or more or fewer than it says, are no index", () => {
    const bytes = gunzipSync(readFileSync(file));
    const line = bytes.indexOf(10);
    const head = bytes.subarray(0, line).toString();
    const with_ = (text: string): Uint8Array => Buffer.concat([Buffer.from(text), bytes.subarray(line)]);
    expect(() => readFunctionIndex(with_(head.replace('"form":1', '"form":2')))).toThrow(BadInput);
    expect(() => readFunctionIndex(bytes.subarray(0, -1))).toThrow(BadInput);
    expect(() => readFunctionIndex(Buffer.concat([bytes, Buffer.from([0])]))).toThrow(BadInput);
    expect(() => readFunctionIndex(with_("no json"))).toThrow(BadInput);
    expect(readFunctionIndex(with_(head)).kernels).toEqual(index.kernels);
  });

  test("it stays small enough to travel with the page: under 1 MB", () => {
    expect(statSync(file).size).toBeLessThan(1_000_000);
  });
});
