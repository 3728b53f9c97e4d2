// The internet protocols of one machine: TCP and UDP above netif_receive_skb() and dev_queue_xmit(), with their memory limits.
// A connection goes out by the device it was given; a datagram socket by the one that its flow is routed to. net/ipv4/af_inet.c, 6.1.
import type { PageAllocator } from "../../mm/pages.ts";
import type { Clock } from "../../sync/clock.ts";
import type { Cpus } from "../../sync/cpu.ts";
import { dropReason } from "../skb/drop_reason.ts";
import type { Skbs } from "../skb/skbs.ts";
import type { SockMem } from "../tcp/sock_mem.ts";
import { createSockMem, defaultLimits } from "../tcp/sock_mem.ts";
import type { ConnectionUser, ConnectOptions, Tcp, TcpOptions } from "../tcp/tcp.ts";
import { createTcp } from "../tcp/tcp.ts";
import type { NetDevice } from "./netdevice.ts";
import { feature } from "./netdevice.ts";
import type { Receive } from "./receive.ts";
import { packetField } from "./receive.ts";
import type { Udp } from "./udp.ts";
import { createUdp } from "./udp.ts";
import { frameKind } from "./wire.ts";
import type { Xmit } from "./xmit.ts";

/** The parts of a machine that protocols need; a Machine has them all. */
export interface InetParts {
  readonly skbs: Skbs;
  readonly clock: Clock;
  readonly cpus: Cpus;
  readonly pages: PageAllocator;
  readonly receive: Receive;
  readonly xmit: Xmit;
}

export interface InetOptions extends TcpOptions {
  /** Pages that were free at boot: tcp_mem and udp_mem follow from them (nr_free_buffer_pages()). */
  readonly freePages: number;
}

export interface Inet {
  readonly tcp: Tcp;
  readonly udp: Udp;
  readonly tcpMem: SockMem;
  readonly udpMem: SockMem;
  /** A connection by a device, with its MTU and features. */
  connect(
    device: NetDevice,
    options: Omit<ConnectOptions, "mtu" | "scatterGather" | "gso">,
    user?: ConnectionUser,
  ): number;
  /** Datagrams of a flow go out by this device. */
  route(flow: number, device: NetDevice): void;
}

/** Registers TCP and UDP with a machine. Call once. */
export function createInet(parts: InetParts, options: InetOptions): Inet {
  const { skbs, receive, xmit } = parts;
  const limitsPages = defaultLimits(options.freePages);
  const tcpMem = createSockMem(skbs, { limitsPages, stream: true });
  const udpMem = createSockMem(skbs, { limitsPages, stream: false });
  const routes = new Map<number, NetDevice>();
  const byConnection: (NetDevice | undefined)[] = [];
  const { S } = skbs.columns;

  const send = (device: NetDevice | undefined, skb: number): boolean => {
    if (device !== undefined) return xmit.queue(device, skb);
    skbs.kfreeSkb(skb, dropReason.notSpecified);
    return false;
  };
  const tcp = createTcp({ ...parts, mem: tcpMem, output: (c, skb) => send(byConnection[c], skb) }, options);
  const udp = createUdp(skbs, udpMem, (skb) => send(routes.get(S[skb + packetField.FLOW]!), skb));
  receive.protocol(frameKind.tcp, tcp.take);
  receive.protocol(frameKind.udp, udp.take);

  return {
    tcp,
    udp,
    tcpMem,
    udpMem,
    connect(device, o, user) {
      const scatterGather = (device.features & feature.sg) !== 0;
      const gso = (device.features & (feature.gso | feature.tso)) !== 0;
      const c = tcp.connect({ ...o, mtu: device.mtu, scatterGather, gso }, user);
      byConnection[c] = device;
      return c;
    },
    route: (flow, device) => void routes.set(flow, device),
  };
}
