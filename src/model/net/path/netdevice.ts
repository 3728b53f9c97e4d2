// A network interface: what the stack sees of it, and the contract that a driver fulfils. include/linux/netdevice.h.
import type { Cpus } from "../../sync/cpu.ts";
import type { Rss } from "./rss.ts";
import type { Frames, Link } from "./wire.ts";

/** Features, as `ethtool -k` names them; a device has a set of these bits. */
export const feature = { sg: 1, csum: 2, tso: 4, gso: 8, gro: 16, highdma: 32, lltx: 64 } as const;

/** netdev_tx_t */
export const netdevTx = { ok: 0, busy: 16 } as const;

/** Counters by `ethtool -S` name; a driver adds its own. */
export type Counters = Record<string, number>;

/** The transmit ring's pointers to packets, as the words in memory that they are: for runs in which somebody writes where he should not. */
export interface TxSlots {
  readonly size: number;
  /** Between hard_start_xmit and the poll that frees it. */
  inFlight(slot: number): boolean;
  isNull(slot: number): boolean;
  /** A stray write: the word becomes `bits`, or gets them on top. What the driver writes there later makes it good again. */
  strike(slot: number, bits: number, how: "store" | "or"): void;
  /** A write through the fields in front of the array: the poll's index into the descriptors is this address from then on. */
  strikeIndex(address: number): void;
}

/** What a driver is to the rest of the machine. Every function runs on the CPU that cpus.current() says. */
export interface Driver {
  readonly name: string;
  /** ndo_open: rings are made and filled; false when memory was refused and everything was given back. */
  open(): boolean;
  /** ndo_stop: everything is given back. */
  stop(): void;
  /** ndo_change_mtu on a running or stopped device: "ok", "no memory", or why it cannot be. */
  changeMtu(mtu: number): string;
  /** ndo_start_xmit: owns the skb when it returns netdevTx.ok. */
  startXmit(skb: number): number;
  /** ndo_features_check(), as far as GSO goes: the stack cuts this packet itself. */
  cutBefore?(skb: number): boolean;
  /** NAPI poll: received packets handled, at most `budget`; less than that means done and interrupts on again. */
  poll(budget: number): number;
  /** The hardware's side: a frame has arrived; it is written into a posted buffer or lost. Owns the frame. */
  frameArrived(frame: number): void;
  /** Slots that hold a buffer the hardware may write to, of how many: what shrinks when refills fail. */
  ringFill(): { readonly filled: number; readonly size: number };
  readonly counters: Counters;
  /** The page pool that its buffers come from, by number; -1 while there is none. */
  poolNumber?(): number;
  /** The receive ring in the notation of the tests: [FFP.U...]. */
  draw?(slots?: number): string;
  readonly txSlots?: TxSlots;
  /** ndo_set_rx_mode: the card's filter is written anew for `multicasts` addresses; left out, as many as before. */
  setRxMode?(multicasts?: number): void;
}

/** struct net_device, as far as the model needs it. */
export interface NetDevice {
  readonly index: number;
  readonly name: string;
  mtu: number;
  features: number;
  /** tx_queue_len */
  readonly txQueueLen: number;
  /** __QUEUE_STATE_DRV_XOFF */
  txStopped: boolean;
  running: boolean;
  readonly driver: Driver;
  /** The wire to send on; undefined while the cable is out. */
  link: Link | undefined;
  /** The CPU that its interrupts go to. */
  readonly irqCpu: number;
  /** The NAPI that polls it (napi.ts); of a card with several queue pairs, each pair has its own. */
  readonly napi?: number;
  /** Of a card with several queue pairs: each of them, which packets are queued on, and who comes where (multiqueue.ts). */
  readonly queues?: readonly NetDevice[];
  readonly rss?: Rss;
  /** XPS as most drivers set it: a CPU sends on the queue whose interrupt it gets. Left out: by the flow's hash. */
  readonly xps?: boolean;
  /** Frames that a rule of flow steering dropped; not there as long as none was. */
  filtered?: number;
  /** ip -s link: packets, bytes, errors and drops. */
  readonly stats: {
    rxPackets: number;
    rxBytes: number;
    rxDropped: number;
    rxMissed: number;
    txPackets: number;
    txBytes: number;
    txDropped: number;
  };
}

/** What a driver is given to build on; the machine makes it. */
export interface DriverHost {
  readonly cpus: Cpus;
  readonly frames: Frames;
  /** The device that the driver serves; there once the driver is registered. */
  device(): NetDevice;
  /** napi_schedule(): the driver's poll will run in NET_RX on this CPU. */
  napiSchedule(): void;
  /** napi_gro_receive(): hands a packet up. The stack owns it. */
  receive(skb: number): void;
  /** napi_get_frags(): an empty sk_buff for fragments, the same one until it was received; 0 without memory. */
  getFrags(): number;
  /** napi_gro_frags(): hands up what getFrags() gave, headers still in its first fragment. */
  receiveFrags(): void;
  /** netif_wake_queue() */
  wakeQueue(): void;
  /** netif_stop_queue() */
  stopQueue(): void;
  /** How long the receive side gathers packets before it interrupts (`ethtool -C rx-usecs`); left out: as its ring has it. */
  readonly coalesceNanos?: number | undefined;
  /** Raises the device's interrupt after what the hardware takes to coalesce. */
  raiseInterrupt(): void;
}
