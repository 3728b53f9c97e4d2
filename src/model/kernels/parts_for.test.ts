// Which kernel the model stands for: exact where it was recorded, said in words everywhere else.
import { describe, expect, test } from "vitest";
import type { Fact, Release } from "../../kernel/release.ts";
import { factAt, formatRelease, parseRelease } from "../../kernel/release.ts";
import type { MmRules } from "../mm/rules.ts";
import { poolParts61 } from "../net/pool/page_pool.ts";
import { skbConfigOf } from "../net/skb/skb_config.ts";
import { skbConfig61, skbSizes61 } from "../net/skb/skb_config61.ts";
import { linux_6_1 } from "./linux_6_1.ts";
import { mmPartsOf } from "./mm_rules.ts";
import { byFacts } from "./older.ts";
import { exactKernels, partsFor } from "./parts_for.ts";

describe("a release that was recorded", () => {
  test.each(exactKernels)("$name is itself", (kernel) => {
    const choice = partsFor(kernel.release);
    expect(choice.exact).toBe(kernel);
    expect(choice.nearest).toBe(kernel);
    expect(choice.parts).toBe(kernel.parts);
  });
});

describe("the list of an exact kernel", () => {
  const named = (release: Release): Readonly<Record<string, string>> => {
    const { account, pcp, fallback, highatomic } = partsFor(release).parts.mm;
    return { account: account.name, pcp: pcp.name, fallback: fallback.name, highatomic: highatomic.name };
  };

  test("names the parts that were read in its source", () => {
    expect(Object.fromEntries(exactKernels.map((k) => [k.name, named(k.release)]))).toEqual({
      "Linux 5.10.223": {
        account: "by batch",
        pcp: "order 0 only",
        fallback: "steal",
        highatomic: "a hundredth and one block",
      },
      "Linux 6.1.192": {
        account: "by batch",
        pcp: "orders with free factor",
        fallback: "steal",
        highatomic: "a hundredth and one block",
      },
      "Linux 6.12.117": {
        account: "by block",
        pcp: "tuned high",
        fallback: "claim then steal",
        highatomic: "a hundredth",
      },
      "Linux 7.2.12": {
        account: "by block",
        pcp: "tuned high, drained in portions",
        fallback: "claim then steal",
        highatomic: "a hundredth, from the free lists",
      },
      "Linux 7.3.4": {
        account: "by block",
        pcp: "tuned high, drained in portions",
        fallback: "claim then steal",
        highatomic: "a hundredth, from the free lists",
      },
    });
  });

  test.each(exactKernels)(
    "$name: the dated facts pick the same parts and rules, so that its neighbours run like it",
    (kernel) => {
      const facts = mmPartsOf(kernel.release);
      const { mm } = kernel.parts;
      for (const slot of ["account", "pcp", "fallback", "highatomic"] as const) expect(facts[slot]).toBe(mm[slot]);
      const plain = (rules: MmRules): unknown => ({
        ...rules,
        boot: { ...rules.boot, minFreeKb: rules.boot.minFreeKb(1e6) },
      });
      expect(plain(facts.rules())).toEqual(plain(mm.rules()));
    },
  );
});

describe("packets of a recorded release", () => {
  test.each(exactKernels)("$name: the dated facts pick the same parts and numbers", (kernel) => {
    expect(byFacts(kernel.release).net).toEqual(kernel.parts.net);
  });

  test("what tests and studies take that name no release is 6.1.192", () => {
    const { skb, pool } = linux_6_1.parts.net;
    expect(skbConfigOf(skb, skbSizes61)).toEqual(skbConfig61);
    expect(poolParts61).toEqual(pool);
  });

  test("the table of parts by kernel", () => {
    const rows = exactKernels.map(({ name, parts: { net } }) =>
      [name, net.skb.heads.name, net.skb.spares.name, net.pool?.users.name, net.pool?.direct.name].join(" | "),
    );
    expect(rows).toMatchInlineSnapshot(`
      [
        "Linux 5.10.223 | heads fill their object | sk_buffs given back in bulk | users of fragment pools' pages | direct puts while a softirq runs",
        "Linux 6.1.192 | heads fill their object | spare sk_buffs for polls | users of fragment pools' pages | direct puts in softirq",
        "Linux 6.12.117 | small heads from a cache of their own, others fill their object | spare sk_buffs for polls | users of every page | direct puts where the consumer runs",
        "Linux 7.2.12 | small heads from a cache of their own, others fill their object | spare sk_buffs for all | users of every page | direct puts where the consumer runs",
        "Linux 7.3.4 | small heads from a cache of their own, others fill their object | spare sk_buffs for all | users of every page | direct puts where the consumer runs",
      ]
    `);
  });
});

describe("a release that was not", () => {
  test.each([
    ["6.1-x86_64", "Linux 6.1.192"],
    ["6.12.3-x86_64", "Linux 6.12.117"],
    ["5.15-x86_64", "Linux 5.10.223"],
    ["6.6.45-x86_64", "Linux 6.1.192"],
    ["2.6.24-x86_64", "Linux 5.10.223"],
    ["8.0-x86_64", "Linux 7.3.4"],
  ])("%s says that it is not, and that %s is nearest", (text, nearest) => {
    const choice = partsFor(parseRelease(text));
    expect(choice.exact).toBeUndefined();
    expect(choice.nearest.name).toBe(nearest);
    expect(choice.holes[0]).toContain(text);
    expect(choice.holes[0]).toContain(nearest);
  });

  test("another architecture of a recorded release is not exact", () => {
    const choice = partsFor(parseRelease("6.1.192-arm64"));
    expect(choice.exact).toBeUndefined();
    expect(choice.holes[0]).toContain("6.1.192-arm64");
  });

  test("every branch of an exact kernel runs as that kernel, on its architecture", () => {
    for (const kernel of exactKernels) {
      const branch = formatRelease({ ...kernel.release, version: kernel.release.version.slice(0, 2) });
      expect(partsFor(parseRelease(branch)).parts).toBe(kernel.parts);
    }
  });
});

describe("facts with stable branches", () => {
  const facts: readonly Fact<string>[] = [
    { since: [4, 4], value: "old", source: "test" },
    { since: [6, 3], stable: { "6.1": 25, "5.15": 100 }, value: "new", source: "test" },
    { since: [6, 13], stable: { "6.12": 2 }, value: "newest", source: "test" },
  ];
  test.each([
    ["6.1.24", "old"],
    ["6.1.25", "new"],
    ["6.1", "old"],
    ["6.2.90", "old"],
    ["5.15.99", "old"],
    ["5.15.100", "new"],
    ["6.3", "new"],
    ["6.12.1", "new"],
    ["6.12.2", "newest"],
    ["6.11.80", "new"],
    ["6.13", "newest"],
  ])("%s: %s", (release, value) => {
    expect(factAt(facts, parseRelease(release).version)?.value).toBe(value);
  });
});
