// Which offload can be on the path that asked: by the side of the network, and by what ethtool -k says (rules/offloads.ts).
import { describe, expect, test } from "vitest";
import { allocFailure, answerIn, copiedBy, refilling, sending } from "./report.testkit.ts";

const features = (lines: Readonly<Record<string, string>>) => ({
  k: `Features for eth0:\n${Object.entries(lines)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join("")}`,
});
const comp = "0x40a20(GFP_ATOMIC|__GFP_COMP)";
/** pskb_expand_head() copies a packet that is sent. */
const copied = (order: number): string =>
  allocFailure({ order, mask: comp, frames: copiedBy("pskb_expand_head", "skb_checksum_help") });
const sent = allocFailure({ frames: sending });
const refill = allocFailure({ frames: refilling });

describe("where a packet is copied to be sent", () => {
  test("TSO may be what makes it large; whether it is on decides", async () => {
    expect(await answerIn(copied(3), "offload.tso")).toMatchObject({
      answer: "unknown",
      claim: expect.stringContaining("pskb_expand_head copies a whole packet into one block"),
      advice: [{ change: { kind: "offload", name: "tso" }, command: "ethtool -K IFACE tso off" }],
    });
    expect(await answerIn(copied(3), "offload.tso", features({ "tcp-segmentation-offload": "on" }))).toMatchObject({
      answer: "yes",
      claim: expect.stringContaining("(here: on)"),
    });
    expect(await answerIn(copied(3), "offload.tso", features({ "tcp-segmentation-offload": "off" }))).toMatchObject({
      answer: "no",
      claim: "TCP segmentation offload (TSO) is off, so it cannot have made this request larger.",
    });
  });

  test("a single page is not made large by it", async () => {
    const found = await answerIn(copied(0), "offload.gso");
    expect(found).toMatchObject({ answer: "unknown", advice: [] });
    expect(found?.claim).toContain("can be on this path");
  });
});

test("where a packet is built, it can be on the path and is blamed for nothing", async () => {
  expect(await answerIn(sent, "offload.tso")).toMatchObject({
    answer: "unknown",
    claim: expect.stringContaining("can be on this path"),
  });
  expect(await answerIn(sent, "offload.sg")).toMatchObject({ answer: "unknown" });
  expect(await answerIn(sent, "offload.sg", features({ "scatter-gather": "off" }))).toMatchObject({ answer: "no" });
});

describe("where a ring is filled", () => {
  test("what changes sent packets is not the cause, with the setting where it is told", async () => {
    expect(await answerIn(refill, "offload.tso")).toMatchObject({ answer: "no", clears: "TSO" });
    expect((await answerIn(refill, "offload.tso", features({ "tcp-segmentation-offload": "on" })))?.claim).toContain(
      "(here: on)",
    );
  });

  test("GRO and LRO are asked for only where their setting is told", async () => {
    expect(await answerIn(refill, "offload.gro")).toBeUndefined();
    expect(await answerIn(refill, "offload.lro")).toBeUndefined();
    expect(await answerIn(refill, "offload.gro", features({ "generic-receive-offload": "on" }))).toMatchObject({
      answer: "no",
    });
    expect(await answerIn(refill, "offload.lro", features({ "large-receive-offload": "off" }))).toMatchObject({
      answer: "no",
    });
    expect(await answerIn(refill, "offload.lro", features({ "large-receive-offload": "on" }))).toMatchObject({
      answer: "unknown",
    });
  });
});
