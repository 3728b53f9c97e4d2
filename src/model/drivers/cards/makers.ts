// The cards that are put together from parts (card.ts), each as its release has it: a row says which parts and with which numbers. Read in the
// trees that kernels/card_trees.ts names; for another release a card goes by the dates of changes, and the journal says so (not_modelled).

import { BadInput } from "../../../base/bad_input.ts";
import type { RxMachine } from "../../../kernel/facts/drivers/driver.ts";
import { formatRelease } from "../../../kernel/release.ts";
import type { CardRules } from "../../kernels/card_rules.ts";
import { cameWith, cardRulesOf } from "../../kernels/card_rules.ts";
import { unreadRelease } from "../../kernels/card_trees.ts";
import { feature } from "../../net/path/netdevice.ts";
import type { Skbs } from "../../net/skb/skbs.ts";
import type { DriverMaker, DriverSettings, SettingSpec } from "../driver.ts";
import { ringSetting, wordSetting } from "../driver.ts";
import { type CardPlan, createCard } from "./card.ts";
import { dqoSlots } from "./dqo.ts";
import type { FlippedSpec } from "./flipped.ts";
import { flippedSlots } from "./flipped.ts";
import { libethSlots } from "./libeth.ts";
import { pieceSlots } from "./pieces.ts";
import { r8152 } from "./r8152.ts";
import { remainderSlots } from "./remainder.ts";
import { strideSlots, stridesMost } from "./strides.ts";
import { dqoTxPieces, intelTxPieces } from "./tx_pieces.ts";
import { wholeSkbSlots } from "./whole_skbs.ts";
import { xdpHeadroom, xdpWords } from "./xdp.ts";

/** dev_alloc_pages(), include/linux/skbuff.h; page_pool_dev_alloc_pages(); a plain alloc_page(). */
const devAllocPages = "GFP_ATOMIC | __GFP_COMP | __GFP_NOWARN | __GFP_MEMALLOC";
const pagePool = "GFP_ATOMIC | __GFP_NOWARN";
const plain = "GFP_ATOMIC";

interface CardRow {
  readonly name: string;
  /** The first release with the driver. */
  readonly since: readonly number[];
  readonly features?: number;
  readonly queuesMost: number;
  readonly rx: SettingSpec;
  readonly tx: number;
  readonly copybreak: number;
  readonly mask: string;
  readonly xdp?: true;
  readonly settings?: Readonly<Record<string, SettingSpec>>;
  readonly plan: (rules: CardRules, settings: DriverSettings) => Omit<CardPlan, "name">;
  readonly steersNot?: (rules: CardRules) => string | undefined;
  /** As DriverMaker has it. */
  readonly defaults?: (rules: CardRules) => DriverSettings;
  /** Why these settings cannot be on a release, in words. */
  readonly refuses?: (rules: CardRules, settings: DriverSettings) => string | undefined;
}

const offloads = feature.sg | feature.csum | feature.tso | feature.gso | feature.gro;

function cardMaker(row: CardRow): DriverMaker {
  const { name, mask } = row;
  return {
    name,
    since: row.since,
    unread: (release) => unreadRelease(name, release),
    features: row.features ?? offloads | feature.highdma,
    queuesMost: row.queuesMost,
    ...(row.steersNot === undefined ? {} : { steersNot: (release) => row.steersNot?.(cardRulesOf(release)) }),
    ...(row.defaults === undefined ? {} : { defaults: (release) => row.defaults?.(cardRulesOf(release)) ?? {} }),
    settings: {
      rx_ring: row.rx,
      tx_ring: ringSetting("transmit ring", row.tx, 32),
      copybreak: {
        does: "packets up to this many bytes are copied, and their buffer stays",
        otherwise: row.copybreak,
        least: 0,
        most: 4096,
      },
      gfp_open: { does: "mask of the memory that open() takes", mask },
      gfp_refill: { does: "mask of memory that is taken in a poll", mask },
      gfp_copy: { does: "mask of a packet that is copied", mask: plain },
      ...(row.xdp === true ? { xdp: { does: "what an XDP program answers to every frame", words: xdpWords } } : {}),
      ...row.settings,
    },
    make(parts, host, settings) {
      const rules = cardRulesOf(parts.release);
      const said = row.refuses?.(rules, settings);
      if (said !== undefined) throw new BadInput(`${name} of ${formatRelease(parts.release)} ${said}.`);
      return createCard(parts, host, settings, { name, ...row.plan(rules, settings) });
    },
  };
}

// --- Intel -------------------------------------------------------------------------------------------------------------------

/** What half a page has before a buffer of 1536 bytes (ice_skb_pad(), i40e_skb_pad()), where that fits; else what is left beside 3 KiB. */
const intelPad = (at: RxMachine): number => {
  if (at.pageSize >= 8192) return at.netSkbPad + at.netIpAlign;
  const small = 2048 - at.sharedInfo - 1536;
  return small >= at.netSkbPad ? small : 4096 - at.sharedInfo - 3072;
};
const halfIsTooSmall = (at: RxMachine): boolean => at.netSkbPad + 1536 > 2048 - at.sharedInfo;
const intelLarge = (at: RxMachine): number => (at.pageSize < 8192 ? 3072 : 2048);
const intelCounters: FlippedSpec["counters"] = {
  reused: "rx_cache_reuse",
  busy: "rx_cache_busy",
  waived: "rx_cache_waive",
  copied: "rx_copied",
};
const bySize = (mtu: number, at: RxMachine): number =>
  at.pageSize < 8192 && !halfIsTooSmall(at) && mtu <= 1500 ? 1536 - at.netIpAlign : intelLarge(at);

/** ice and i40e: alike but for the functions' names, the ring and who uses 3 KiB when. */
function intelPlan(
  driver: "ice" | "i40e",
  bytes: FlippedSpec["bytes"],
  { intelSeveralBuffers }: CardRules,
): Omit<CardPlan, "name"> {
  const refill = driver === "ice" ? "ice_alloc_rx_bufs" : "i40e_alloc_rx_buffers";
  const [poll, setup] =
    driver === "ice" ? ["ice_napi_poll", "ice_vsi_cfg_rxqs"] : ["i40e_napi_poll", "i40e_vsi_configure"];
  return {
    mtu: { least: 68, most: 9702 },
    slots: (rx) => rx,
    reserve: 1,
    buffers: (of) =>
      flippedSlots(of, {
        bytes,
        headroom: intelPad,
        packet: "build_skb",
        looksAgain: false,
        counters: intelCounters,
      }),
    // Each poll ends with a refill of what is empty; i40e of 6.1 has one after every 32 slots as well, which asks for the same.
    refillAt: () => 1,
    again: "polls on",
    noSkb: intelSeveralBuffers ? "dropped, poll ends" : "left",
    txPieces: intelTxPieces,
    // ICE_XDP_MAX_MTU and its like: one buffer until programs could take several (6.3 and 6.4, from history).
    xdpMtu: (at) => (intelSeveralBuffers ? 9702 : intelLarge(at) - 26),
    sites: {
      open: `${refill} < ${setup}`,
      refill: `${refill} < ${driver}_clean_rx_irq < ${poll}`,
      receive: `${driver}_clean_rx_irq < ${poll}`,
      send: driver === "ice" ? "ice_xmit_frame_ring < ice_start_xmit" : "i40e_xmit_frame_ring < i40e_lan_xmit_frame",
    },
    counters: { refillFailed: "rx_pg_alloc_fail", skbFailed: "rx_alloc_fail", linearized: "tx_linearize" },
  };
}

const ice = cardMaker({
  name: "ice",
  since: [4, 17],
  queuesMost: 64,
  rx: ringSetting("receive ring", 2048, 16),
  tx: 256,
  copybreak: 0,
  mask: devAllocPages,
  xdp: true,
  defaults: ({ iceLibeth }): DriverSettings => (iceLibeth ? { gfp_open: pagePool, gfp_refill: pagePool } : {}),
  settings: {
    header_split: { does: "headers into buffers of their own (`ethtool -G tcp-data-split`)", otherwise: false },
  },
  refuses({ iceLibeth }, { header_split, xdp }) {
    if (header_split !== true) return undefined;
    if (!iceLibeth) return `does not split headers from payload (${cameWith("iceLibeth")} does)`;
    return xdp === "off" ? undefined : "hands a program one buffer a frame here, so header_split goes without xdp";
  },
  plan: (rules, settings) => {
    const halves = intelPlan("ice", bySize, rules);
    if (!rules.iceLibeth) return halves;
    const split = settings["header_split"] === true;
    return {
      ...halves,
      buffers: (of, rx) => libethSlots(of, rx, split),
      // A frame that gets no sk_buff is dropped, and the poll goes on.
      noSkb: "dropped",
      sites: {
        ...halves.sites,
        open: "ice_alloc_rx_bufs < ice_vsi_cfg_rxq",
      },
    };
  },
});

const i40e = cardMaker({
  name: "i40e",
  since: [3, 12],
  queuesMost: 64,
  rx: ringSetting("receive ring", 512, 16),
  tx: 512,
  copybreak: 0,
  mask: devAllocPages,
  xdp: true,
  // i40e_calculate_vsi_rx_buf_len().
  plan: (rules) => intelPlan("i40e", rules.i40eAlwaysLarge ? (_mtu, at) => intelLarge(at) : bySize, rules),
});

// --- clouds ------------------------------------------------------------------------------------------------------------------

const ena = cardMaker({
  name: "ena",
  since: [4, 9],
  features: feature.sg | feature.csum | feature.gso | feature.gro | feature.highdma,
  queuesMost: 32,
  rx: ringSetting("receive ring", 1024, 16),
  tx: 1024,
  copybreak: 256,
  mask: devAllocPages,
  // ena_set_rxnfc(): -EOPNOTSUPP.
  steersNot: () => "takes no rules (`ethtool -N`)",
  defaults: ({ enaReusesPages }): DriverSettings =>
    enaReusesPages ? {} : { gfp_open: "GFP_ATOMIC | __GFP_COMP", gfp_refill: "GFP_ATOMIC | __GFP_COMP" },
  xdp: true,
  plan: ({ enaReusesPages }) => ({
    mtu: { least: 128, most: 9216 },
    slots: (rx) => rx,
    reserve: 1,
    buffers: (of) => remainderSlots(of, enaReusesPages),
    ...(enaReusesPages ? {} : { copiesFull: true, xdpNever: "redirect" }),
    // ENA_RX_REFILL_THRESH_DIVIDER and _PACKET: more than this many empty.
    refillAt: (slots) => Math.min(Math.floor(slots / 8), 256) + 1,
    again: "waits",
    // check_for_empty_rx_ring(): a timer of a second finds the ring empty twice.
    looks: { afterNanos: 2e9, below: 1 },
    noSkb: "dropped, poll ends",
    xdpMtu: (at) => Math.min(at.pageSize, 16_384) - xdpHeadroom - at.sharedInfo - 14 - 4 - 4,
    sites: {
      open: `${enaReusesPages ? "ena_alloc_map_page" : "ena_alloc_rx_page"} < ena_refill_rx_bufs < ena_refill_all_rx_bufs < ena_up < ena_open`,
      refill: `${enaReusesPages ? "ena_alloc_map_page" : "ena_alloc_rx_page"} < ena_refill_rx_bufs < ena_clean_rx_irq < ena_io_poll`,
      receive: "ena_alloc_skb < ena_rx_skb < ena_clean_rx_irq < ena_io_poll",
    },
    counters: { refillFailed: "rx_refil_partial", skbFailed: "rx_skb_alloc_fail" },
  }),
});

const addressing = ["raw", "queue page list"] as const;
const formats = ["GQI", "DQO"] as const;
/** 20 ms: GVE_RX_NAPI_RESCHED_MS; GVE_RX_BUF_THRESH_DQO. */
const gveLooks = { afterNanos: 20e6, below: 32 };

/** Until 6.1 a frame that finds no free half is copied whole, then buffer by buffer; in 5.10 a frame takes one buffer. */
function gvePlan(rules: CardRules, settings: DriverSettings): Omit<CardPlan, "name"> {
  const registered = wordSetting(settings, "addressing", addressing) === "queue page list";
  const dqo = wordSetting(settings, "format", formats) === "DQO";
  const both = {
    mtu: { least: 68, most: rules.gveRaw ? 9216 : 2048 - 14 - 2 },
    slots: (rx: number) => rx,
    counters: { refillFailed: "rx_buf_alloc_fail", skbFailed: "rx_skb_alloc_fail" },
    noSkb: "dropped",
  } as const;
  if (dqo)
    return {
      ...both,
      // The mask of the queue: one slot stays empty.
      reserve: 1,
      buffers: (of) => dqoSlots(of, { pooled: rules.gvePool, split: settings["header_split"] === true, registered }),
      refillAt: () => 1,
      again: "waits",
      looks: gveLooks,
      coalesces: ({ lro }) => lro === true,
      // Of a page list's buffers, each as long as it says, none is one too many.
      ...(registered ? {} : { txPieces: (skbs: Skbs) => dqoTxPieces(skbs, rules.gveCutsBefore) }),
      sites: {
        open: "gve_rx_post_buffers_dqo < gve_rx_start_ring_dqo < gve_open",
        refill: "gve_rx_post_buffers_dqo < gve_rx_poll_dqo < gve_napi_poll_dqo",
        receive: "gve_rx_dqo < gve_rx_poll_dqo < gve_napi_poll_dqo",
        send: "gve_try_tx_skb < gve_tx_dqo < gve_start_xmit",
      },
    };
  return {
    ...both,
    reserve: 0,
    buffers: (of) =>
      flippedSlots(of, {
        // Half a page behind GVE_RX_PAD.
        bytes: (_mtu, at) => at.pageSize / 2 - 2,
        headroom: () => 2,
        packet: "fragments",
        looksAgain: true,
        ...(registered ? { registered: rules.gveCopyPool ? "copies buffers" : "copies frames" } : {}),
        counters: {
          reused: "rx_frag_flip_cnt",
          busy: "rx_page_busy",
          waived: "rx_page_waive",
          copied: "rx_frag_copy_cnt",
        },
      }),
    // db_threshold: when half of the ring is empty.
    refillAt: (slots) => Math.ceil(slots / 2),
    again: "polls on",
    sites: {
      open: "gve_alloc_page < gve_rx_alloc_buffer < gve_rx_alloc_ring < gve_open",
      refill: "gve_alloc_page < gve_rx_alloc_buffer < gve_rx_refill_buffers < gve_rx_poll < gve_napi_poll",
      receive: "gve_rx_add_frags < gve_rx < gve_rx_poll < gve_napi_poll",
    },
  };
}

const gve = cardMaker({
  name: "gve",
  since: [5, 3],
  features: feature.sg | feature.csum | feature.tso | feature.gso | feature.gro | feature.highdma,
  queuesMost: 16,
  rx: ringSetting("receive ring", 1024, 16),
  tx: 1024,
  copybreak: 256,
  mask: plain,
  settings: {
    format: { does: "queue format, which the device says", words: formats },
    addressing: { does: "pages of the driver's choice, or a list that the device was given once", words: addressing },
    header_split: { does: "DQO: headers into buffers of their own (`ethtool -G tcp-data-split`)", otherwise: false },
    lro: { does: "DQO: the card makes one frame of a flow's segments (`ethtool -K lro on`)", otherwise: false },
  },
  steersNot: ({ gveSteers }) =>
    gveSteers ? undefined : `takes no rules (\`ethtool -N\`; ${cameWith("gveSteers")} does)`,
  defaults: ({ gveRaw }): DriverSettings => (gveRaw ? {} : { addressing: "queue page list" }),
  refuses(rules, { format, addressing: pages, header_split, lro }) {
    if (!rules.gveRaw && format === "DQO") return `has no DQO format (${cameWith("gveRaw")} has)`;
    if (!rules.gveRaw && pages === "raw") return 'has queue page lists only: set addressing to "queue page list"';
    if (format === "DQO" && pages !== "raw" && !rules.gveListedDqo)
      return `has no page lists in the DQO format (${cameWith("gveListedDqo")} has)`;
    if (header_split === true && (format !== "DQO" || pages !== "raw"))
      return "splits headers in the DQO format with raw addressing only";
    if (header_split === true && !rules.gveHeaderSplit)
      return `does not split headers from payload (${cameWith("gveHeaderSplit")} does)`;
    return lro === true && format !== "DQO" ? "coalesces segments in the DQO format only" : undefined;
  },
  plan: gvePlan,
});

// --- Mellanox, MediaTek --------------------------------------------------------------------------------------------------------

const mlx5 = cardMaker({
  name: "mlx5_core",
  since: [4, 18],
  queuesMost: 64,
  rx: {
    does: "frames of the MTU that find room in the striding queue, rounded to whole WQEs",
    otherwise: 1024,
    least: 16,
    most: 1024,
  },
  tx: 1024,
  copybreak: 0,
  mask: pagePool,
  xdp: true,
  plan: ({ mlx5CutsPages, mlx5Reclaims }) => ({
    mtu: { least: 68, most: 9978 },
    slots: (rx) => stridesMost(rx),
    reserve: 0,
    buffers: (of, rx) => strideSlots(of, rx, mlx5CutsPages, mlx5Reclaims),
    // UMR_WQE_BULK: two WQEs, or one of a queue of four.
    refillAt: (slots, together) => Math.min(2, slots / together / 2 - 1) * together,
    again: "waits",
    noSkb: "dropped",
    xdpMtu: (at) => at.pageSize - xdpHeadroom - at.sharedInfo - 22 - at.cacheLine,
    sites: {
      open: "mlx5e_page_alloc < mlx5e_post_rx_mpwqes < mlx5e_napi_poll",
      refill: "mlx5e_page_alloc < mlx5e_post_rx_mpwqes < mlx5e_napi_poll",
      receive: "mlx5e_handle_rx_cqe_mpwrq < mlx5e_poll_rx_cq < mlx5e_napi_poll",
    },
    counters: { refillFailed: "rx_buff_alloc_err", skbFailed: "rx_skb_alloc_err" },
  }),
});

const mt76 = cardMaker({
  name: "mt76",
  since: [4, 16],
  features: feature.sg | feature.gro,
  queuesMost: 1,
  rx: ringSetting("receive ring", 1536, 16),
  tx: 2048,
  copybreak: 0,
  mask: plain,
  plan: ({ mt76Pool }) => ({
    mtu: { least: 256, most: 2304 },
    slots: (rx) => rx,
    reserve: 1,
    buffers: (of) => pieceSlots(of, mt76Pool),
    refillAt: () => 1,
    again: "waits",
    noSkb: "dropped",
    sites: {
      open: "mt76_dma_rx_fill < mt76_dma_rx_reset < mt76_dma_init",
      refill: "mt76_dma_rx_fill < mt76_dma_rx_process < mt76_dma_rx_poll",
      receive: "mt76_dma_rx_process < mt76_dma_rx_poll",
    },
    counters: { refillFailed: "rx_fill_short", skbFailed: "rx_skb_failed" },
  }),
});

// --- USB ---------------------------------------------------------------------------------------------------------------------

const usbnet = cardMaker({
  name: "usbnet",
  since: [2, 6, 12],
  features: feature.sg | feature.gso,
  queuesMost: 1,
  // MAX_QUEUE_MEMORY by a standard frame on USB 2; five times as many on USB 3.
  rx: ringSetting("transfers posted (60 on USB 2, 300 on USB 3)", 60, 4),
  tx: 60,
  copybreak: 0,
  mask: plain,
  plan: () => ({
    mtu: { least: 68, most: 16_384 },
    slots: (rx) => rx,
    reserve: 0,
    buffers: (of) => wholeSkbSlots(of),
    refillAt: () => 1,
    refillMost: 10,
    // usbnet_bh() asks its tasklet again as long as transfers are missing; beside it the worker tries with a mask that may sleep.
    again: "polls on",
    worker: { mask: "GFP_KERNEL", site: "rx_submit < usbnet_deferred_kevent" },
    noSkb: "dropped",
    sites: {
      open: "rx_submit < rx_alloc_submit < usbnet_bh",
      refill: "rx_submit < rx_alloc_submit < usbnet_bh",
      receive: "rx_process < usbnet_bh",
    },
    counters: { refillFailed: "rx_submit_failed", skbFailed: "rx_skb_failed" },
  }),
});

export const cards: readonly DriverMaker[] = [ice, i40e, ena, gve, mlx5, mt76, usbnet, r8152];
