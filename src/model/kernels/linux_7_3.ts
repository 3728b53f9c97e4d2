// Linux 7.3.4, x86_64: 7.2.12 but for what was read as changed in its source; held by recordings that this project's own recorders made.
import type { ExactKernel } from "./kernel.ts";
import { linux_7_2 } from "./linux_7_2.ts";
import { mmRulesOf } from "./mm_rules.ts";
import { byFacts } from "./older.ts";

const release = { version: [7, 3, 4], arch: "x86_64" } as const;
const { mm, net } = linux_7_2.parts;

export const linux_7_3: ExactKernel = {
  release,
  name: "Linux 7.3.4",
  parts: {
    ...byFacts(release),
    mm: { ...mm, rules: (choices) => mmRulesOf(release, choices) },
    net: { ...net, pool: net.pool && { ...net.pool, fragAlign: 8 } },
  },
  holes: [
    ...linux_7_2.holes,
    "GRO refuses to put a packet with a large linear part on a frag_list (skb_gro_receive(), net/core/gro.c): the model merges it as 7.2 does.",
  ],
};
