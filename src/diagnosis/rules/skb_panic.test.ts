// The line of skb_panic(): which of its numbers are real, who wrote before the check, and where the length came from.
import { describe, expect, test } from "vitest";
import { explain } from "../explain.ts";
import type { DiagnosedIncident, Finding } from "../finding.ts";

const one = async (text: string): Promise<DiagnosedIncident> => {
  const d = await explain({ log: text });
  expect(d.incidents).toHaveLength(1);
  return d.incidents[0] as DiagnosedIncident;
};
const answer = (i: DiagnosedIncident, id: string): Finding["answer"] | undefined =>
  i.findings.find((f) => f.id === id)?.answer;
const claim = (i: DiagnosedIncident, id: string): string => i.findings.find((f) => f.id === id)?.claim ?? "";
const actions = (i: DiagnosedIncident): string =>
  i.findings
    .flatMap((f) => f.advice)
    .map((a) => `${a.action} ${a.costs} ${a.command ?? ""}`)
    .join("\n");

const panic = (line: string, release: string, frames = ""): string =>
  `skbuff: ${line}\n------------[ cut here ]------------\nkernel BUG at net/core/skbuff.c:112!\nCPU: 1 PID: 0 Comm: swapper/1 Not tainted ${release} #1\n${frames === "" ? "" : `Call Trace:\n${frames}`}`;

const rx = " skb_put+0x60/0x64\n ath_rx_tasklet+0x5b0/0xb3c [ath9k]\n tasklet_action+0x1/0x2\n";

test("one byte was put, several were", async () => {
  const said = async (put: number) =>
    claim(
      await one(
        panic(
          `skb_over_panic: text:ffffffffc0b1a2f3 len:${1727 + put} put:${put} head:ffff9a5b44c3e800 data:ffff9a5b44c3e800 tail:0x${(1727 + put).toString(16)} end:0x6c0 dev:eth0`,
          "6.1.0-18-amd64",
          rx,
        ),
      ),
      "skb_panic.bounds",
    );
  expect(await said(2)).toMatch(/^2 bytes were /);
  expect(await said(1)).not.toMatch(/bytes? were/);
});

describe("which numbers are real", () => {
  test("58 of 5.8: pointers; 6 bytes before the buffer, 8 of headroom", async () => {
    const i = await one(
      panic(
        "skb_under_panic: text:ffffffffc0b1a2f3 len:110 put:14 head:ffff9a5b44c3e800 data:ffff9a5b44c3e7fa tail:0x68 end:0x6c0 dev:wg0",
        "5.10.0-8-amd64",
      ),
    );
    expect(claim(i, "skb_panic.bounds")).toMatch(/8 bytes of headroom.*6 bytes before/);
    expect(answer(i, "skb_panic.hashed")).toBeUndefined();
    expect(claim(i, "skb_panic.dev")).toBe("The packet belonged to wg0.");
  });
  test.each([
    ["5.7.19", "yes"],
    ["4.15.0", "yes"],
    ["5.8.0", undefined],
    ["4.14.100", undefined],
  ])("%s prints hashes: %s", async (release, hashed) => {
    const i = await one(
      panic(
        "skb_over_panic: text:7e3f10a2 len:1832 put:1832 head:872e5800 data:872e5820 tail:0x872e5f48 end:0x872e5f40 dev:<NULL>",
        release,
        rx,
      ),
    );
    expect(answer(i, "skb_panic.hashed")).toBe(hashed);
    // tail and end are real in every release.
    expect(claim(i, "skb_panic.bounds")).toMatch(/8 bytes behind/);
    expect(/buffer has/.test(claim(i, "skb_panic.bounds"))).toBe(hashed === undefined);
  });
  test("a number that is not in the line is not in the answer", async () => {
    const i = await one(
      panic(
        "skb_under_panic: text:ffffffffc0b1a2f3 len:105 put:13 head:ffff98d66e767580 data:ffff98d66e76e57b ?ail:0x?40 end:0x140 dev:eth0",
        "6.1.0",
      ),
    );
    expect(claim(i, "skb_panic.bounds")).toMatch(/\(data ffff98d66e76e57b, head ffff98d66e767580\)/);
  });
  test.each([
    // head + 0x42 is where tail 0x7e and len 60 put the data; the other lines differ from it by a step within the buffer, and by two bits.
    ["fffffec07f348c02", "yes"],
    ["ffffffc07f348b42", undefined],
    ["fffffac07f348c02", undefined],
  ])("data %s: a flipped bit: %s", async (data, flipped) => {
    const i = await one(
      panic(
        `skb_under_panic: text:ffffff8008aec380 len:60 put:14 head:ffffffc07f348bc0 data:${data} tail:0x7e end:0x680 dev:eth0`,
        "4.4.132-1075-rockchip",
      ),
    );
    expect(answer(i, "skb_panic.flipped")).toBe(flipped);
    expect(i.severity === "corruption").toBe(flipped === "yes");
    if (flipped === "yes")
      expect(claim(i, "skb_panic.flipped")).toMatch(/put it at ffffffc07f348c02: bit 40 is flipped/);
  });
  test("a hash on 64 bits is told by its eight zeros: the start follows from tail and length", async () => {
    const i = await one(
      panic(
        "skb_under_panic: text:00000000d3c5e7a1 len:170 put:14 head:0000000049e6a8c2 data:00000000b7e9d013 tail:0xa4 end:0xc0 dev:br0",
        "4.19.0-6-amd64",
      ),
    );
    expect(claim(i, "skb_panic.bounds")).toMatch(/6 bytes before the buffer/);
  });
  test("numbers that stay inside are damaged", async () => {
    expect(
      answer(
        await one(
          panic(
            "skb_over_panic: text:c02483f0 len:60 put:60 head:c2a18000 data:c2a18020 tail:0xc2a1805c end:0xc2a18620 dev:eth0",
            "3.10.32",
          ),
        ),
        "skb_panic.bounds",
      ),
    ).toBe("unknown");
  });
  test.each(["skb_under_panic", "skb_over_panic"])(
    "a cut %s keeps its name, and what stands behind the cut is unknown",
    async (name) => {
      const i = await one(`skbuff: ${name}: text:ffffffff8d44769e len:693 put:20 head:ffff88813d7a8000 \n`);
      expect(i.title).toMatch(name);
      expect(claim(i, "skb_panic.bounds")).toMatch(/^20 bytes/);
      expect(answer(i, "skb_panic.bounds")).toBe("unknown");
      expect(answer(i, "skb_panic.dev")).toBe("unknown");
    },
  );
  test.each(["(efault)", "(null)", "<NULL>"])("%s is no device", async (dev) => {
    expect(
      answer(
        await one(
          panic(
            `skb_under_panic: text:ffffffffc0c68060 len:405 put:13 head:ffff98d66e76e580 data:ffff98d66e76e57b tail:0x140 end:0x140 dev:${dev}`,
            "5.10.0",
          ),
        ),
        "skb_panic.dev",
      ),
    ).toBe("unknown");
  });
});

describe("who wrote before the check, and which advice fits", () => {
  test("on receive the bytes may lie there already; no MTU is advised for what an adapter packs", async () => {
    const i = await one(
      panic(
        "skb_over_panic: text:872d0998 len:1536 put:1536 head:872e5800 data:872e5842 tail:0x872e5e42 end:0x872e5e40 dev:eth1",
        "3.18.17",
        rx,
      ),
    );
    expect(claim(i, "skb_panic.bounds")).toMatch(/may hold those bytes already/);
    expect(claim(i, "skb_panic.who")).toMatch(/^ath_rx_tasklet changed the packet, a function of the module ath9k/);
    expect(actions(i)).not.toMatch(/MTU/);
    expect(claim(i, "judgement.harmless")).toMatch(/does not say/);
  });
  test("on the way out the check comes first", async () => {
    const i = await one(
      panic(
        "skb_over_panic: text:ffffffffa0411c2d len:1610 put:110 head:ffff88003a210000 data:ffff88003a210040 tail:0x68a end:0x680 dev:<NULL>",
        "4.4.0",
        " skb_put+0x45/0x50\n foo_build_frame+0xbd/0x140 [foo]\n foo_sendmsg+0x80/0x1c0 [foo]\n sock_sendmsg+0x3e/0x50\n",
      ),
    );
    expect(claim(i, "skb_panic.bounds")).toMatch(/10 bytes.*the check came first/);
  });
  test("a sender whose call to what pushed is missing may have been sent back by the loopback: who wrote is not said", async () => {
    const i = await one(
      panic(
        "skb_over_panic: text:ffffffffa04d3a1b len:1510 put:10 head:ffff880036a4d000 data:ffff880036a4d042 tail:0x628 end:0x61e dev:eth0",
        "4.4.0",
        " skb_put+0x45/0x50\n foo_build_frame+0xbd/0x140 [foo]\n foo_loop_ba\n foo_sendmsg+0x80/0x1c0 [foo]\n sock_sendmsg+0x3e/0x50\n",
      ),
    );
    expect(claim(i, "skb_panic.bounds")).toMatch(/may hold those bytes already/);
  });
  test.each([
    [
      "a length read as all ones",
      "len:65535 put:65535 head:c2a18000 data:c2a18020 tail:0xc2a2801f end:0xc2a18620 dev:eth0",
      "3.10.32",
      rx,
      /all ones/,
      /MTU|ethtool/,
    ],
    [
      "a guest's length",
      "len:25109 put:25109 head:ffff88802b5ac000 data:ffff88802b5ac02c tail:0x6241 end:0xc0 dev:<NULL>",
      "6.2.0-rc1",
      " skb_put.cold+0x24/0x24\n vhost_vsock_handle_tx_kick+0xad1/0xd00\n vhost_worker+0x1/0x2\n",
      /checks the length that the other side gives/,
      /MTU|ethtool|ip link/,
    ],
    [
      "a jumbo frame",
      "len:9018 put:9018 head:ffff880233a4c000 data:ffff880233a4c040 tail:0x237a end:0x6c0 dev:eth2",
      "3.10.0-327.el7.x86_64",
      "",
      /MTU on both sides/,
      /all ones/,
    ],
  ])("%s", async (_, fields, release, frames, wanted, unwanted) => {
    const i = await one(panic(`skb_over_panic: text:c02483f0 ${fields}`, release, frames));
    expect(actions(i)).toMatch(wanted);
    expect(actions(i)).not.toMatch(unwanted);
    expect(answer(i, "fragmentation")).toBe("no");
    expect(i.severity).toBe("act");
  });
});

test("a length of all ones is told by the number that is it, where the other one is not in the text", async () => {
  const line = "skb_over_panic: text:ffffffffc0b1a2f3 len:65535 put";
  expect(actions(await one(panic(line, "5.10.0-8-amd64", rx)))).toMatch(/65535 is a length that was read as all ones/);
});
