// Mellanox/NVIDIA ConnectX-4 and later (mlx5_core, Ethernet half "mlx5e").
import {
  alignUp,
  block,
  type DriverFacts,
  ethChecksum,
  ethHeader,
  orderOfBytes,
  type RxMachine,
  type RxRule,
  vlanTag,
} from "./driver.ts";

const hardMtu = (mtu: number): number => mtu + ethHeader + vlanTag + ethChecksum;
/** One linear fragment with headroom and shared_info around it. */
const linearBytes = (mtu: number, at: RxMachine): number =>
  alignUp(at.netSkbPad + at.netIpAlign + hardMtu(mtu), at.cacheLine) + at.sharedInfo;

const striding =
  "the striding receive queue (default on most cards: ethtool --show-priv-flags, rx_striding_rq) takes single pages at every MTU";

export const mlx5: DriverFacts = {
  name: "mlx5",
  modules: ["mlx5_core"],
  what: "NVIDIA/Mellanox ConnectX-4 and later",
  symbols: [
    { name: "mlx5e_alloc_rx", prefix: true, role: "rx refill" },
    { name: "mlx5e_post_rx", prefix: true, role: "rx refill" },
    { name: "mlx5e_page_alloc", prefix: true, role: "rx refill" },
    { name: "mlx5e_handle_rx_cqe", prefix: true, role: "rx poll" },
    { name: "mlx5e_skb_from_cqe", prefix: true, role: "rx poll" },
    { name: "mlx5e_poll_rx_cq", role: "rx poll" },
    { name: "mlx5e_napi_poll", role: "rx poll" },
    { name: "mlx5e_poll_tx_cq", role: "tx completion" },
    { name: "mlx5e_xmit", role: "tx" },
    { name: "mlx5e_sq_xmit", prefix: true, role: "tx" },
    { name: "mlx5e_open", prefix: true, role: "setup" },
    { name: "mlx5e_", prefix: true },
    { name: "mlx5_", prefix: true },
  ],
  rx: [
    {
      since: [4, 0],
      value: {
        buffers: (mtu) => [{ call: "netdev_alloc_skb", bytes: hardMtu(mtu), holds: "linear buffer" }],
        unless: striding,
      },
      source: "drivers/net/ethernet/mellanox/mlx5/core, before the legacy queue took pages (not read at a tag)",
    },
    {
      since: [4, 10],
      value: {
        buffers: (mtu, at) => [
          block("alloc_pages", orderOfBytes(linearBytes(mtu, at), at.pageSize), at, "linear fragment"),
        ],
        unless: striding,
      },
      source: "drivers/net/ethernet/mellanox/mlx5/core/en_main.c rq->buff.page_order, 4.14",
    },
    {
      since: [4, 18],
      value: { buffers: (_mtu, at) => [block("page_pool", 0, at, "fragment page")] } satisfies RxRule,
      source: "drivers/net/ethernet/mellanox/mlx5/core/en_main.c pp_params.order, 4.19 and 6.1",
    },
  ],
  failure: [
    {
      since: [4, 0],
      value: {
        packet: "kept",
        slot: "stays empty and is retried",
        sentence:
          "mlx5 leaves the receive queue short and asks again at the next poll; packets are lost (rx_out_of_buffer) only when the queue runs empty.",
        counter: "rx_buff_alloc_err, rx_out_of_buffer",
      },
      source: "mlx5e_post_rx_wqes, 4.19 and 6.1",
    },
  ],
  refillGfp: "GFP_ATOMIC | __GFP_NOWARN",
  mtuMax: 9978,
};
