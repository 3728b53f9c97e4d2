// What two cases answer, claim by claim: cases.test.ts holds that the cases do, with one seed, and prove/agreement.test.ts that proofs of the reports
// they stand for say the same. For tests only; not in the package.
import type { KnobValues } from "./knobs.ts";

interface Answered {
  readonly knobs: KnobValues;
  readonly answers: Readonly<Record<string, string>>;
}

export const emacWritev: Answered = {
  knobs: { seeds: 1, millis: 200 },
  answers: {
    healthy: "yes",
    fragmentation: "no",
    "packet-freed-twice": "no",
    "no-lock": "no",
    "receive-buffers-reused": "no",
    "buffer-freed-twice": "no",
    "overlapping-free": "yes",
    "stray-word-page": "no",
    "stray-bit-page": "yes",
    "stray-word-ring": "yes",
    "stray-bit-ring": "yes",
    overrun: "no",
    "last-of-four": "yes",
    "goes-on": "yes",
    "one-cause": "yes",
    "mtu-1500-avoids-failures": "yes",
    "mtu-1500-avoids-trace": "yes",
    "mtu-1500-avoids-damage": "no",
    "pointer-needs-split-frames": "yes",
  },
};

export const tg3Order1: Answered = {
  knobs: { seeds: 1 },
  answers: {
    "tso-cause": "no",
    "receive-order-1": "yes",
    "min-free": "yes",
    theory: "no",
    "slab-order": "yes",
    "jumbo-worse": "yes",
  },
};
