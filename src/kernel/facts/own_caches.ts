// Slab caches that the functions on a stack name: an object of a cache of its own, known by who asks for it. A protocol's sockets lie in a cache
// that proto_register() names after the protocol (net/core/sock.c, 2.6.12 to 7.2).

/** All of `frames` stand on the stack, innermost first, whatever is between them; names by their whole or, with `*`, their beginning. */
export interface OwnCache {
  readonly frames: readonly string[];
  readonly cache: string;
  /** What one object is. */
  readonly object: string;
  readonly source: string;
}

/** The first row that fits stands. */
export const ownCaches: readonly OwnCache[] = [
  {
    frames: ["sk_prot_alloc", "tcp_create_openreq_child", "tcp_v6_syn_recv_sock"],
    cache: "TCPv6",
    object: "a TCP socket for an incoming connection over IPv6",
    source: "net/ipv6/tcp_ipv6.c tcpv6_prot, 2.6.32 and 6.1",
  },
  {
    frames: ["sk_prot_alloc", "tcp_create_openreq_child"],
    cache: "TCP",
    object: "a TCP socket for an incoming connection",
    source: "net/ipv4/tcp_ipv4.c tcp_prot, 2.6.32 and 6.1",
  },
  {
    frames: ["sk_clone", "tcp_create_openreq_child", "tcp_v6_syn_recv_sock"],
    cache: "TCPv6",
    object: "a TCP socket for an incoming connection over IPv6",
    source: "net/ipv6/tcp_ipv6.c tcpv6_prot, 2.6.32 and 6.1",
  },
  {
    frames: ["sk_clone*", "tcp_create_openreq_child"],
    cache: "TCP",
    object: "a TCP socket for an incoming connection",
    source: "net/ipv4/tcp_ipv4.c tcp_prot, 2.6.32 and 6.1",
  },
  {
    frames: ["__nf_conntrack_alloc*"],
    cache: "nf_conntrack",
    object: "an entry of connection tracking",
    source: "net/netfilter/nf_conntrack_core.c nf_conntrack_init_start, 5.10 and 6.1 (a number behind the name before)",
  },
  {
    frames: ["dst_alloc", "ip6_dst_alloc"],
    cache: "ip6_dst_cache",
    object: "an IPv6 route",
    source: "net/ipv6/route.c ip6_route_init, 5.10 and 7.2",
  },
  {
    frames: ["sock_alloc_inode"],
    cache: "sock_inode_cache",
    object: "the file side of a socket",
    source: "net/socket.c init_inodecache, 2.6.32 and 6.1",
  },
];

const isNamed = (wanted: string, name: string): boolean =>
  wanted.endsWith("*") ? name.startsWith(wanted.slice(0, -1)) : name === wanted;

/** The cache that a stack names, by the names of its frames, innermost first; undefined when none is known. */
export function ownCacheOf(names: readonly string[]): OwnCache | undefined {
  return ownCaches.find((row) => {
    let from = 0;
    return row.frames.every((wanted) => {
      const at = names.findIndex((name, i) => i >= from && isNamed(wanted, name));
      from = at + 1;
      return at >= 0;
    });
  });
}
