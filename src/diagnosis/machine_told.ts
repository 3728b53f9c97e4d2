// What --prove works on: an incident as a diagnosis tells it, with what the inputs say of the machine and with advice that a machine can be
// changed by. A diagnosed incident has this shape; nothing here knows who made it.

import type { OwnedPages } from "../kernel/readings/owned_pages.ts";

/** A line of an input that says something. `line` counts from 1. */
export interface SaidLine {
  readonly input: string;
  readonly line: number;
  readonly text: string;
}

/** A value with the reason for it: lines, or a sentence where it was computed from them. */
export interface Told<T> {
  readonly value: T;
  readonly because: string;
  readonly evidence: readonly SaidLine[];
}

/** A zone as Mem-Info prints it, in kB; null where it does not say. */
export interface ZoneSaid {
  readonly node: number;
  readonly zone: string;
  readonly presentKb: number | null;
  readonly managedKb: number | null;
  readonly freeKb: number | null;
  /** The marks as printed, the boost in them. */
  readonly minKb: number | null;
  readonly lowKb: number | null;
  readonly highKb: number | null;
  readonly boostKb: number | null;
  readonly highatomicKb: number | null;
  readonly fileKb: number | null;
  readonly anonKb: number | null;
  /** On CPUs' own lists: of all CPUs, and of the one that was refused. */
  readonly pcpKb: number | null;
  readonly localPcpKb: number | null;
  /** lowmem_reserve[], pages. */
  readonly lowmemReserve: readonly number[] | null;
  /** Free blocks by order from 0, with the letters of the lists that hold them; null where the line is missing or cut. */
  readonly blocks: readonly { readonly count: number; readonly types: string }[] | null;
  /** The same with each list's blocks apart, where they were printed so (/proc/pagetypeinfo). */
  readonly lists?: readonly (readonly { readonly count: number; readonly types: string }[])[] | null;
}

/** Pageblocks of a zone by the letter of their type. */
export interface PageblocksSaid {
  readonly node: number;
  readonly zone: string;
  readonly blocks: readonly { readonly types: string; readonly count: number }[];
}

/** What page_owner lists, with the page frames that zones begin at where /proc/zoneinfo says so. */
export interface OwnedSaid extends OwnedPages {
  readonly starts: readonly { readonly node: number; readonly zone: string; readonly startPfn: number }[];
}

/** What the inputs say of the machine that a report comes from; null: they do not say. */
export interface MachineSaid {
  /** What to compute with: version numbers and architecture. */
  readonly release: Told<string>;
  readonly pageKb: number;
  /** All memory, in kB. */
  readonly memoryKb: Told<number> | null;
  /** Zones of Mem-Info in kB; null where a release does not print the amount. */
  readonly zones: readonly ZoneSaid[];
  /** Zones as files of /proc print them, at another moment than the report; null where they do not, or not all. */
  readonly zonesOfFiles: Told<readonly ZoneSaid[]> | null;
  readonly pageblocks: Told<readonly PageblocksSaid[]> | null;
  /** Where memory in use lies, page for page. */
  readonly ownedPages: Told<OwnedSaid> | null;
  /** Who held memory, kB, over all zones: what the totals and the nodes' lines say; null where they do not. */
  readonly held: {
    readonly fileKb: number | null;
    readonly anonKb: number | null;
    readonly slabReclaimableKb: number | null;
    readonly slabUnreclaimableKb: number | null;
    readonly freeSwapKb: number | null;
    /** Of the programs' pages, those in transparent huge pages. */
    readonly anonHugeKb: number | null;
  };
  /** The function on the stack that filled receive buffers of a kind of their own: `e1000_alloc_jumbo_rx_buffers`. */
  readonly buffers: Told<string> | null;
  readonly cpus: Told<number> | null;
  /** vm.min_free_kbytes. */
  readonly minFreeKb: Told<number> | null;
  /** vm.watermark_scale_factor. */
  readonly scaleFactor: Told<number> | null;
  /** Of the interface, where there is only one it can be. */
  readonly mtu: Told<number> | null;
  /** Receive and transmit ring, entries. */
  readonly rings: Told<{
    readonly rx: number | null;
    readonly rxJumbo: number | null;
    readonly tx: number | null;
  }> | null;
  /** Queues that receive. */
  readonly queues: Told<number> | null;
  /** TCP segmentation offload. */
  readonly tso: Told<boolean> | null;
  /** Generic receive offload. */
  readonly gro: Told<boolean> | null;
  /** Pages that a destroyed page_pool waits for. */
  readonly poolPages: Told<number> | null;
}

/** What an advice does to a machine, for a program. */
export type Change =
  | { readonly kind: "min_free_kbytes"; readonly kb: number }
  /** The reserve becomes so many times what it is: the report does not say what it is. */
  | { readonly kind: "min_free_times"; readonly times: number }
  | { readonly kind: "watermark_scale_factor"; readonly value: number }
  | { readonly kind: "watermark_boost_factor"; readonly value: number }
  | { readonly kind: "compaction_proactiveness"; readonly value: number }
  | { readonly kind: "lowmem_reserve_ratio"; readonly values: readonly number[] }
  | { readonly kind: "defrag_mode" }
  | { readonly kind: "extfrag_threshold"; readonly value: number }
  | { readonly kind: "percpu_pagelist_high_fraction"; readonly value: number }
  /** A sysctl or a boot parameter that the model does not have. */
  | { readonly kind: "setting"; readonly name: string; readonly value: string }
  | { readonly kind: "compact_memory" }
  /** Caches are dropped, then memory is compacted. */
  | { readonly kind: "drop_caches" }
  | { readonly kind: "mtu"; readonly mtu: number }
  | { readonly kind: "offload"; readonly name: string }
  | { readonly kind: "rx_ring"; readonly entries: number }
  /** Queue pairs of the card. */
  | { readonly kind: "queues"; readonly count: number }
  /** Received packets are gathered so long before an interrupt. */
  | { readonly kind: "coalescing"; readonly micros: number }
  /** Packets up to this many bytes are copied, and their buffer stays in the ring. */
  | { readonly kind: "copybreak"; readonly bytes: number }
  /** Headers get buffers of their own (ethtool -G tcp-data-split). */
  | { readonly kind: "header_split" }
  /** A card whose driver makes its buffers in another way: of single pages, or a new one before a packet goes up. */
  | { readonly kind: "driver_policy"; readonly buffers: "single pages" | "taken first" }
  | { readonly kind: "slub_max_order"; readonly order: number }
  /** Another kernel: its version. */
  | { readonly kind: "release"; readonly version: string }
  /** A driver no longer puts buffers into its ring that it has handed up. */
  | { readonly kind: "fresh_buffers" }
  /** Unread sockets are read or closed. */
  | { readonly kind: "drain_sockets" }
  | { readonly kind: "cma" }
  /** More memory, or less use of it. */
  | { readonly kind: "memory" }
  /** The factor for the machine's memory; the added part is used as the rest is. */
  | { readonly kind: "more_memory"; readonly times: number }
  /** A container's limit. */
  | { readonly kind: "limit" }
  /** A setting of the driver's own: a module parameter, a private flag. */
  | { readonly kind: "driver_setting" }
  /** Such a setting of which it is known what a receive buffer then asks for: its order, and how many of them carry what one did. */
  | { readonly kind: "smaller_buffers"; readonly order: number; readonly each: number }
  /** Somebody changes source code. */
  | { readonly kind: "code" }
  | { readonly kind: "reboot" }
  /** Nothing on the machine changes: it is looked at. */
  | { readonly kind: "evidence" };

/** One thing that was advised. */
export interface Advised {
  readonly action: string;
  readonly command?: string;
  readonly change: Change;
}

export interface ProveInput {
  /** Reports of this cause, those included that the rate limit only counted; and when those that were printed came. */
  readonly count?: number;
  readonly occurrences?: readonly {
    readonly seconds?: number | undefined;
    /** As the log writes it: `Jun 17 04:00:01`. */
    readonly wallClock?: string | undefined;
    readonly host?: string | undefined;
    /** Which boot of its machine, from 1. */
    readonly boot?: number | undefined;
  }[];
  readonly kind: string;
  readonly title: string;
  readonly driver: string | null;
  readonly direction: string | null;
  readonly order: number | null;
  readonly gfp: { readonly mask: string; readonly names: readonly string[] } | null;
  readonly cause: string;
  readonly machine: MachineSaid;
  readonly findings: readonly {
    readonly id: string;
    readonly answer: "yes" | "no" | "unknown";
    readonly claim: string;
    readonly evidence: readonly SaidLine[];
    readonly advice: readonly Advised[];
  }[];
  readonly mtuTable: {
    /** The largest MTU whose receive buffers are single pages. */
    readonly orderZeroUpTo?: number | null;
    /** Where its buffers come from: kmalloc, page_frag, pages, page_pool. */
    readonly allocators?: readonly string[];
    readonly rows: readonly { readonly from: number; readonly to: number; readonly order: number }[];
  } | null;
  readonly memory: {
    readonly order: number;
    readonly zones: readonly {
      readonly zone: string;
      readonly eligible: boolean;
      /** Pages. */
      readonly free: number;
      readonly high: number;
      readonly orders: readonly { readonly blocks: number }[];
    }[];
  } | null;
}
