// Small texts of /proc/net: dev, sockstat, softnet_stat, snmp and netstat (net/core/net-procfs.c, net/ipv4/proc.c).

export interface NetDev {
  readonly kind: "net/dev";
  /** Column names of the two halves. */
  readonly receive: readonly string[];
  readonly transmit: readonly string[];
  readonly devices: readonly {
    readonly name: string;
    readonly receive: readonly number[];
    readonly transmit: readonly number[];
  }[];
}

export interface SockStat {
  readonly kind: "sockstat";
  /** TCP → inuse 1, orphan 0, tw 7, alloc 2, mem 258 (mem in pages; FRAG memory in bytes). */
  readonly protocols: readonly {
    readonly name: string;
    readonly values: readonly (readonly [name: string, value: number])[];
  }[];
}

export interface SoftnetStat {
  readonly kind: "softnet_stat";
  /** One row per online cpu: processed, dropped, time_squeeze, ... as printed in hexadecimal. */
  readonly cpus: readonly (readonly number[])[];
}

/**
 * /proc/net/snmp and /proc/net/netstat: two lines a protocol, names and values (net/ipv4/proc.c); or the sentences of `netstat -s`, of which
 * those without a name here keep their words, with % for the number.
 */
export interface NetCounters {
  readonly kind: "net/netstat";
  readonly form?: "netstat -s";
  /** `Tcp`, `TcpExt`, `IpExt` … */
  readonly protocols: readonly {
    readonly name: string;
    readonly counters: readonly (readonly [name: string, value: number])[];
  }[];
}

/** What nstat(8) prints: the names of netstat and snmp with their protocol in front, `UdpMemErrors`. */
export interface Nstat {
  readonly kind: "nstat";
  /** `rest` is the line's end as printed: a rate, which stands at 0.0 unless nstat runs in the background. */
  readonly counters: readonly { readonly name: string; readonly value: number; readonly rest: string }[];
}
