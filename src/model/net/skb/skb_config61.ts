// The sk_buffs of 6.1.192 on x86_64: what tests, studies and benches take that say nothing else. model/kernels has every release; a test there
// holds the two together.
import { headsWholeObject } from "./heads/whole_object.ts";
import type { SkbConfig, SkbMachineSizes } from "./skb_config.ts";
import { skbConfigOf } from "./skb_config.ts";
import { sparesInPolls } from "./spares/in_polls.ts";

/** include/linux/skbuff.h and gfp_types.h of 6.1; sizes from the recorded kernel's own constants. */
export const skbSizes61: SkbMachineSizes = {
  pageSize: 4096,
  cacheLineBytes: 64,
  skBuffBytes: 224,
  fclonesBytes: 456,
  sharedInfoBytes: 320,
  fragsMax: 17,
  netSkbPad: 64,
  netIpAlign: 0,
  gfp: {
    atomic: 0xa20,
    kernel: 0xcc0,
    dma: 0x01,
    directReclaim: 0x400,
    nowarn: 0x2000,
    nomemalloc: 0x80000,
    memalloc: 0x20000,
    comp: 0x40000,
  },
};

export const skbConfig61: SkbConfig = skbConfigOf(
  {
    heads: headsWholeObject,
    spares: sparesInPolls,
    receiveHeads: { kmallocUpTo: 1024, napiSlicesUpTo: 1024 },
    smallHeadRoom: 0,
    spareSkbs: { most: 64, taken: 16, givenBack: 32 },
    recycleMarks: true,
    clonedPoolFragments: "refused",
    segmentClones: "any device",
    quietReceive: false,
    reserveRefused: true,
  },
  skbSizes61,
);
