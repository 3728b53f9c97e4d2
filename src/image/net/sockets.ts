// Sockets: those that processes hold by a descriptor, those that only the TCP hash knows (closed by their owner, not yet accepted), and
// those of the kernel itself. Each with its queues, walked with bounds, their lengths checked.
import { Absent, ifThere } from "../address_space.ts";
import type { Findings } from "../findings.ts";
import type { Kernel } from "../kernel.ts";
import { type Chain, chainOrProblem, walkChain, walkRing, walkTree } from "../lists.ts";
import type { SlabCache } from "../slab/cache.ts";
import { allocatedObjects, type SlabReader } from "../slab/caches.ts";
import type { Struct } from "../types.ts";
import { StructView } from "../view.ts";

export interface SocketOwner {
  readonly pid: number;
  readonly command: string;
  readonly fd: number;
}

/** `dump`: the request that a netlink socket is answering piece by piece (struct netlink_callback). */
export type QueueName = "rx" | "tx" | "err" | "backlog" | "reader" | "rtx" | "ooo" | "dump";

export interface SocketQueue {
  readonly name: QueueName;
  /** sk_buffs in order. */
  readonly skbs: readonly bigint[];
  /** Where the queue counts itself. */
  readonly qlen: number | undefined;
  /** Its walk ended before the queue did: a finding, or the end of what is in the image. */
  readonly isBroken?: true;
}

export interface Socket {
  readonly address: bigint;
  /** By a descriptor, by the TCP hash only, or by the kernel's own inode only. */
  readonly how: "file" | "ehash" | "kernel";
  /** How a socket without a descriptor came to be so. */
  readonly label: "" | "orphan" | "unaccepted";
  readonly owners: readonly SocketOwner[];
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  readonly state: number;
  readonly prot: string;
  readonly localPort: number;
  readonly remotePort: number;
  /** IPv4 addresses in the order of the network's bytes; undefined for other families. */
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly rmem: number;
  readonly wmem: number;
  readonly forwardAlloc: number;
  readonly rcvbuf: number;
  readonly sndbuf: number;
  readonly owned: number;
  readonly inode: number;
  readonly queues: readonly SocketQueue[];
  readonly tcp: TcpState | undefined;
}

export interface TcpState {
  readonly sndUna: number;
  readonly sndNxt: number;
  readonly writeSeq: number;
  readonly rcvNxt: number;
  readonly copiedSeq: number;
}

export interface Sockets {
  readonly sockets: readonly Socket[];
  /** Time-wait and half-open sockets: they hold no packets. */
  readonly mini: readonly { readonly address: bigint; readonly state: number }[];
  /** Descriptors and sockets whose memory is not in the image. */
  readonly unseen: number;
  readonly processes: number;
}

const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const TCP_LISTEN = 10;
const TCP_TIME_WAIT = 6;
const TCP_NEW_SYN_RECV = 12;
const mostTasks = 1 << 20;
const mostDescriptors = 1 << 20;
const mostSockets = 1 << 20;

/** Finds all sockets. Throws LayoutUnknown. */
export function readSockets(
  kernel: Kernel,
  caches: readonly SlabCache[],
  reader: SlabReader,
  findings: Findings,
): Sockets {
  const finder = new SocketFinder(kernel, findings);
  finder.ofProcesses();
  finder.ofTcpHash();
  const inodes = caches.find((c) => c.name === "sock_inode_cache");
  if (inodes !== undefined) finder.ofInodes(allocatedObjects(kernel, inodes, reader));
  return finder.result();
}

class SocketFinder {
  private readonly kernel: Kernel;
  private readonly findings: Findings;
  private readonly sock: Struct;
  private readonly socket: Struct;
  private readonly owners = new Map<bigint, SocketOwner[]>();
  private readonly socketOf = new Map<bigint, bigint>();
  private readonly unowned = new Map<bigint, Socket["how"]>();
  private readonly mini: { address: bigint; state: number }[] = [];
  private unseen = 0;
  private processes = 0;

  constructor(kernel: Kernel, findings: Findings) {
    this.kernel = kernel;
    this.findings = findings;
    this.sock = kernel.types.struct("sock");
    this.socket = kernel.types.struct("socket");
  }

  ofProcesses(): void {
    const { kernel } = this;
    const init = kernel.symbols.address("init_task");
    if (init === undefined) return;
    const task = kernel.types.struct("task_struct");
    const { entries } = walkRing(kernel, init + task.at("tasks"), mostTasks);
    for (const entry of entries) {
      this.processes++;
      try {
        this.ofTask(entry - task.at("tasks"), task);
      } catch (error) {
        if (!(error instanceof Absent)) throw error;
        this.unseen++;
      }
    }
  }

  private ofTask(at: bigint, task: Struct): void {
    const { space, types, symbols } = this.kernel;
    const files = space.u64(at + task.at("files"));
    if (files === 0n) return;
    const pid = space.u32(at + task.at("pid"));
    const command = space.text(at + task.at("comm"), 16);
    const table = types.struct("fdtable");
    const fdt = space.u64(files + types.struct("files_struct").at("fdt"));
    const count = Math.min(space.u32(fdt + table.at("max_fds")), mostDescriptors);
    const array = space.u64(fdt + table.at("fd"));
    const file = types.struct("file");
    const socketOps = symbols.address("socket_file_ops");
    for (let fd = 0; fd < count; fd++) {
      const place = array + BigInt(fd * 8);
      const f = ifThere(() => space.u64(place));
      if (f === undefined) {
        // The same is true of all of its page: a table that lies nowhere may say that it has a million descriptors.
        const rest = Math.min(count - fd, Number(4096n - (place & 4095n)) >> 3 || 1);
        this.unseen += rest;
        fd += rest - 1;
        continue;
      }
      const sk = ifThere(() => {
        if (f === 0n || space.u64(f + file.at("f_op")) !== socketOps) return 0n;
        const socket = space.u64(f + file.at("private_data"));
        const found = space.u64(socket + this.socket.at("sk"));
        if (found !== 0n) this.socketOf.set(found, socket);
        return found;
      });
      if (sk === undefined) this.unseen++;
      else if (sk !== 0n && this.owners.size < mostSockets) {
        const own = this.owners.get(sk);
        if (own === undefined) this.owners.set(sk, [{ pid, command, fd }]);
        else own.push({ pid, command, fd });
      }
    }
  }

  /** Established and closing TCP sockets of the whole machine (struct inet_hashinfo). */
  ofTcpHash(): void {
    const { kernel } = this;
    const { space, types } = kernel;
    const table = kernel.symbols.address("tcp_hashinfo");
    const info = types.find("inet_hashinfo");
    if (table === undefined || info === undefined) return;
    const common = types.struct("sock_common");
    const node = common.at("skc_nulls_node");
    const state = common.at("skc_state");
    const buckets = ifThere(() => space.u64(table + info.at("ehash")));
    const mask = ifThere(() => space.u32(table + info.at("ehash_mask"))) ?? 0;
    if (buckets === undefined || mask > 1 << 24) return;
    for (let i = 0; i <= mask && this.unowned.size < mostSockets; i++) {
      const first = ifThere(() => space.u64(buckets + BigInt(i * 8)));
      if (first === undefined) {
        this.unseen++;
        continue;
      }
      if ((first & 1n) === 1n) continue;
      for (const entry of walkChain(kernel, first, 0n, 65536).entries) {
        const sk = entry - node;
        const own = ifThere(() => space.u8(sk + state));
        if (own === TCP_TIME_WAIT || own === TCP_NEW_SYN_RECV) this.mini.push({ address: sk, state: own });
        else if (own !== undefined && ifThere(() => space.u64(sk + this.sock.at("sk_socket"))) === 0n)
          this.unowned.set(sk, "ehash");
      }
    }
  }

  ofInodes(objects: Iterable<bigint>): void {
    const alloc = this.kernel.types.find("socket_alloc");
    if (alloc === undefined) return;
    for (const object of objects) {
      const socket = object + alloc.at("socket");
      const sk = ifThere(() => this.kernel.space.u64(socket + this.socket.at("sk")));
      if (sk === undefined || sk === 0n || this.owners.has(sk) || this.unowned.has(sk)) continue;
      this.socketOf.set(sk, socket);
      this.unowned.set(sk, "kernel");
    }
  }

  result(): Sockets {
    const sockets: Socket[] = [];
    const add = (sk: bigint, how: Socket["how"], owners: readonly SocketOwner[]): void => {
      const found = ifThere(() => this.read(sk, how, owners));
      if (found === undefined) this.unseen++;
      else sockets.push(found);
    };
    for (const [sk, owners] of this.owners) add(sk, "file", owners);
    for (const [sk, how] of this.unowned) add(sk, how, []);
    return { sockets, mini: this.mini, unseen: this.unseen, processes: this.processes };
  }

  private read(at: bigint, how: Socket["how"], owners: readonly SocketOwner[]): Socket {
    const { kernel, sock } = this;
    const { space, types } = kernel;
    const v = new StructView(space, sock, at);
    const family = v.number("__sk_common.skc_family");
    const protocol = v.number("sk_protocol");
    const state = v.number("__sk_common.skc_state");
    const proto = v.word("__sk_common.skc_prot");
    const prot = ifThere(() => space.text(proto + types.struct("proto").at("name"), 32)) ?? "?";
    // Raw sockets of these protocols have another struct behind struct sock.
    const type = v.number("sk_type");
    const isInet = family === AF_INET || family === AF_INET6;
    const isTcp = isInet && protocol === IPPROTO_TCP && type === SOCK_STREAM;
    const isUdp = isInet && protocol === IPPROTO_UDP && type === SOCK_DGRAM;
    const tcp = isTcp && state !== TCP_LISTEN ? types.find("tcp_sock") : undefined;
    const dead = types.constant("sock_flags", "SOCK_DEAD") ?? 0;
    const isDead = ((v.word("__sk_common.skc_flags", "sk_flags") >> BigInt(dead)) & 1n) === 1n;
    return {
      address: at,
      how,
      label: how !== "ehash" ? "" : isDead ? "orphan" : "unaccepted",
      owners,
      family,
      type,
      protocol,
      state,
      prot,
      localPort: isInet ? v.number("__sk_common.skc_num") : 0,
      remotePort: isInet ? swap16(v.number("__sk_common.skc_dport")) : 0,
      localAddress: isInet ? this.ip(v, family, "skc_rcv_saddr") : undefined,
      remoteAddress: isInet ? this.ip(v, family, "skc_daddr") : undefined,
      rmem: v.signed("sk_backlog.rmem_alloc"),
      wmem: v.number("sk_wmem_alloc"),
      forwardAlloc: v.signed("sk_forward_alloc"),
      rcvbuf: v.signed("sk_rcvbuf"),
      sndbuf: v.signed("sk_sndbuf"),
      owned: v.signed("sk_lock.owned"),
      inode: this.inodeOf(at),
      queues: [...this.queuesOf(v, prot, isUdp, tcp), ...(family === AF_NETLINK ? this.dumpOf(at) : [])],
      tcp: tcp === undefined ? undefined : tcpState(space.bytes(at, tcp.sizeBytes), tcp),
    };
  }

  private ip(v: StructView, family: number, name: string): string {
    const wide = family === AF_INET6 ? v.field(`__sk_common.${name.replace("skc_", "skc_v6_")}`) : undefined;
    if (wide === undefined) return dotted(v.number(`__sk_common.${name}`));
    return coloned(Array.from({ length: 8 }, (_, i) => v.data.getUint16(wide.off + i * 2)));
  }

  private inodeOf(sk: bigint): number {
    const socket = this.socketOf.get(sk);
    const { types, space } = this.kernel;
    const alloc = types.find("socket_alloc");
    const inode = types.find("inode");
    if (socket === undefined || alloc === undefined || inode === undefined) return 0;
    const at = socket - alloc.at("socket") + alloc.at("vfs_inode") + inode.at("i_ino");
    return Number(ifThere(() => space.u64(at)) ?? 0n);
  }

  private queuesOf(v: StructView, prot: string, isUdp: boolean, tcp: Struct | undefined): readonly SocketQueue[] {
    const { kernel } = this;
    const skb = kernel.types.struct("sk_buff");
    const queues: SocketQueue[] = [
      this.ring(v.at("sk_receive_queue"), "rx", v.address, prot),
      this.ring(v.at("sk_write_queue"), "tx", v.address, prot),
      this.ring(v.at("sk_error_queue"), "err", v.address, prot),
      this.told(
        "backlog",
        v.address,
        prot,
        chainOrProblem(() => walkChain(kernel, v.word("sk_backlog.head"), skb.at("next"))),
      ),
    ];
    const udp = kernel.types.find("udp_sock");
    const reader = udp?.find("reader_queue");
    if (isUdp && reader !== undefined) queues.push(this.ring(v.address + reader.at, "reader", v.address, prot));
    if (tcp !== undefined)
      queues.push(
        this.tree(v.at("tcp_rtx_queue"), "rtx", v.address, prot, skb),
        this.tree(v.address + tcp.at("out_of_order_queue"), "ooo", v.address, prot, skb),
      );
    return queues;
  }

  /** The request of a dump that its reader has not taken to the end; it hangs in the socket and in no queue. */
  private dumpOf(at: bigint): readonly SocketQueue[] {
    const struct = this.kernel.types.find("netlink_sock");
    const running = struct?.find("cb_running");
    const request = struct?.find("cb.skb");
    if (running === undefined || request === undefined) return [];
    const skb = ifThere(() =>
      this.kernel.space.u8(at + running.at) === 0 ? 0n : this.kernel.space.u64(at + request.at),
    );
    return skb === undefined || skb === 0n ? [] : [{ name: "dump", skbs: [skb], qlen: undefined }];
  }

  private ring(head: bigint, name: QueueName, sk: bigint, prot: string): SocketQueue {
    const chain = chainOrProblem(() => walkRing(this.kernel, head));
    const count = this.kernel.types.struct("sk_buff_head").at("qlen");
    const qlen = ifThere(() => this.kernel.space.u32(head + count));
    if (chain.problem === undefined && qlen !== undefined && qlen !== chain.entries.length)
      this.findings.add({
        kind: "socket queue",
        text: `socket ${sk.toString(16)} (${prot}): qlen ${qlen}, ${chain.entries.length} on the ${longName[name]}`,
        address: sk,
      });
    return { ...this.told(name, sk, prot, chain), qlen };
  }

  private tree(root: bigint, name: QueueName, sk: bigint, prot: string, skb: Struct): SocketQueue {
    const node = skb.at("rbnode");
    const chain = chainOrProblem(() => walkTree(this.kernel, this.kernel.space.u64(root)));
    return this.told(name, sk, prot, { ...chain, entries: chain.entries.map((e) => e - node) });
  }

  private told(name: QueueName, sk: bigint, prot: string, chain: Chain): SocketQueue {
    if (chain.problem !== undefined && chain.isCut !== true)
      this.findings.add({
        kind: "socket queue",
        text: `socket ${sk.toString(16)} (${prot}): the ${longName[name]} ${chain.problem}`,
        address: sk,
      });
    return { name, skbs: chain.entries, qlen: undefined, ...(chain.problem === undefined ? {} : { isBroken: true }) };
  }
}

export const longName: Readonly<Record<QueueName, string>> = {
  rx: "receive queue",
  tx: "write queue",
  err: "error queue",
  backlog: "backlog",
  reader: "reader queue",
  rtx: "retransmit queue",
  ooo: "out-of-order queue",
  dump: "dump in progress",
};

function tcpState(bytes: Uint8Array, tcp: Struct): TcpState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u32 = (name: string): number => view.getUint32(tcp.off(name), true);
  return {
    sndUna: u32("snd_una"),
    sndNxt: u32("snd_nxt"),
    writeSeq: u32("write_seq"),
    rcvNxt: u32("rcv_nxt"),
    copiedSeq: u32("copied_seq"),
  };
}

const swap16 = (n: number): number => ((n & 0xff) << 8) | (n >>> 8);
/** Eight groups of an IPv6 address, the longest run of zeros left out (RFC 5952); an IPv4 address in it as such. */
export function coloned(groups: readonly number[]): string {
  if (groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff)
    return [groups[6] ?? 0, groups[7] ?? 0].flatMap((g) => [g >> 8, g & 255]).join(".");
  let [from, length] = [-1, 1];
  for (let i = 0; i < groups.length; i++) {
    let n = 0;
    while (groups[i + n] === 0) n++;
    if (n > length) [from, length] = [i, n];
  }
  const text = (part: readonly number[]): string => part.map((g) => g.toString(16)).join(":");
  return from < 0 ? text(groups) : `${text(groups.slice(0, from))}::${text(groups.slice(from + length))}`;
}

/** An IPv4 address out of a word in the order of the network. */
const dotted = (word: number): string => [word, word >>> 8, word >>> 16, word >>> 24].map((b) => b & 0xff).join(".");
