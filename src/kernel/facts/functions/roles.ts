// What is known of a function of the kernel's network code: where it stands, who calls it, what it can be reached from. Computed from the
// packages of several kernels by scripts/function-index.mjs, not typed: prototypes, tables of operations and the calls in the code.

/** What a function is to whoever calls it from outside of its driver; the packed file numbers them (it lists the names itself). */
export type FunctionRole =
  /** NAPI poll */
  | "poll"
  | "interrupt"
  | "tasklet"
  | "timer"
  /** of an urb, a virtqueue, a request of a USB gadget */
  | "completion"
  | "transmit"
  | "open"
  | "stop"
  /** ndo_change_mtu */
  | "mtu"
  | "ethtool"
  /** any other operation that changes an interface */
  | "configure"
  | "probe"
  | "remove"
  /** suspend and resume */
  | "power"
  /** of a module */
  | "init"
  | "exit"
  | "netlink"
  /** queued work, kernel threads of vhost */
  | "worker"
  /** ndo_tx_timeout */
  | "timeout"
  /** sendmsg */
  | "send"
  /** recvmsg */
  | "take"
  /** a protocol or a bridge is handed a packet */
  | "receive";

/** Ways into a driver, coarser than roles: the bits of a function's reach, in this order. */
export const entryKinds = [
  "poll",
  "interrupt",
  "transmit",
  "setup",
  "teardown",
  "worker",
  "timeout",
  "send",
  "take",
  "receive",
] as const;
export type EntryKind = (typeof entryKinds)[number];

/** Memory that a function asks for, itself or through what it calls; the bits of its memory, in this order. */
export const memoryKinds = ["slab", "skb", "rxSkb", "frag", "pool", "pages", "dma", "vmalloc"] as const;
export type MemoryKind = (typeof memoryKinds)[number];

/** Bits of what a function does: hands packets up; frees packets that were sent; fills a receive ring. */
export const deeds = ["delivers", "completes", "refills"] as const;
export type Deed = (typeof deeds)[number];

/** A module, or a file of the kernel's own text when `name` is empty. */
export interface ModulePlace {
  readonly name: string;
  /** `drivers/net/ethernet/intel/ice`; for the kernel's own text the file, `net/core/dev.c`. */
  readonly directory: string;
  /** Kconfig option that builds it, without CONFIG_; empty where it is not known. */
  readonly option: string;
}

/** A function as the kernels of the index have it; what several of them say is united. */
export interface NetworkFunction {
  readonly name: string;
  readonly place: ModulePlace;
  readonly role: FunctionRole | undefined;
  readonly from: ReadonlySet<EntryKind>;
  readonly memory: ReadonlySet<MemoryKind>;
  readonly does: ReadonlySet<Deed>;
  /** Kernels that have it: `5.10`, `6.12-arm64`. */
  readonly kernels: readonly string[];
}

/** The index: functions by name, modules by name. */
export interface FunctionIndex {
  /** Kernels that were read. */
  readonly kernels: readonly string[];
  /** Every function of that name, without a compiler's suffix; empty when no kernel of the index has one. */
  find(name: string): readonly NetworkFunction[];
  /** A module by its name (`-` and `_` are the same), of any subsystem. */
  module(name: string): ModulePlace | undefined;
  /** Drivers stand in directories below the module's own and are called after it. */
  isLibrary(module: string): boolean;
  /** The memory that a module's functions ask for when they fill a receive ring; undefined for a module without such functions. */
  refillMemory(module: string): ReadonlySet<MemoryKind> | undefined;
}
