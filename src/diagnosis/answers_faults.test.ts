// The answer to faults, with the functions, pointers, objects and letters that decide what is said of them, one by one. The lines are as 6.1 prints
// them where nothing else stands beside them.
import {
  each,
  frames,
  keptAnswers,
  type Lines,
  log,
  processLine,
  shortLines,
  type Texts,
  task,
  words,
} from "./answers_kept.testkit.ts";

interface Fault {
  readonly head?: Lines;
  readonly at?: string;
  readonly process?: string;
  readonly registers?: Lines;
  readonly stack?: Lines;
  readonly behind?: Lines;
}
const fault = ({
  head = ["BUG: unable to handle page fault for address: ffffb40a4b1fe008"],
  at = "some_function",
  stack = task,
  ...f
}: Fault): Lines => [
  ...head,
  f.process ?? processLine(),
  `RIP: 0010:${at}+0x6d/0x190`,
  ...(f.registers ?? []),
  "Call Trace:",
  " <TASK>",
  ...frames(...stack),
  " </TASK>",
  ...(f.behind ?? []),
];

/** Functions by the part of the kernel that they are of: those that have a packet, those of the network, of the allocator, and others. */
const functionsAtFault =
  words(`skb_put kfree_skb page_pool_put_page page_frag_free __netdev_alloc_frag napi_alloc_frag emac_poll_rx mal_poll
  tg3_rx_ring igb_clean_ring ixgbe_clean_ring e1000_watchdog net_rx_action net_tx_action netlink_trim_skb genl_family_rcv_skb
  tcp_ack udp_rcv ip_rcv_core ip6_rcv ipv6_rcv inet_bind icmp_rcv arp_process neigh_update netif_receive dev_open napi_complete sk_free sock_close
  sctp_rcv netlink_bind nf_hook_slow ipt_do_table xfrm_input br_forward vlan_dev_open bond_open tun_get_user veth_open
  __tcp_push __udp_lib __ip_select sys_socket_pair my_sendmsg my_recvmsg my_poll my_pollx my_clean_rx my_clean_tx my_alloc_rx my_rx_buffer
  my_xmit my_refill kmem_cache_alloc kmalloc_order __kmalloc_node kfree_const __slab_free ___slab_alloc free_block get_freepointer rmqueue_bulk
  get_page_from_freelist free_pages_ok __free_pages_core put_page_list __put_page ext4_writepages my_function x_tcp_y memcpy memset strlen
  __list_del_entry_valid _raw_spin_lock queue_work`);
/** Where such a function is only called from; innermost that is no helper comes first. */
const farther = (name: string): Lines => ["schedule_work", "memcpy", name, ...task];

const functionTexts: Texts = {
  ...each(
    functionsAtFault,
    (n) => `at ${n}`,
    (n) => fault({ at: n }),
  ),
  ...each(
    words("skb_put tcp_ack kmem_cache_alloc my_poll net_rx_action igb_clean_ring"),
    (n) => `below ${n}`,
    (n) => fault({ at: "ext4_writepages", stack: farther(n) }),
  ),
  ...each(
    words("skb_put tcp_ack kmem_cache_alloc my_poll"),
    (n) => `helper below ${n}`,
    (n) => fault({ at: "memcpy", stack: [n, ...task] }),
  ),
  ...each(
    [0, 1, 2, 3, 4, 5, 6, 7],
    (n) => `helper ${n} frames below skb_put`,
    (n) => fault({ at: "memcpy", stack: [...Array.from({ length: n }, (_, i) => `my_step${i}`), "skb_put", ...task] }),
  ),
  ...each(
    [3, 4, 5, 6, 7],
    (n) => `allocator ${n} frames below`,
    (n) =>
      fault({ at: "my_function", stack: [...Array.from({ length: n }, (_, i) => `my_step${i}`), "kfree", ...task] }),
  ),
  ...each(
    words(
      "net/core/skbuff.c include/linux/skbuff.h include/net/page_pool.h net/core/page_pool.c net/ipv4/route.c drivers/net/tun.c drivers/nvme/host.c mm/slub.c fs/net/x.c",
    ),
    (file) => `check in ${file}`,
    (file) => fault({ head: [`kernel BUG at ${file}:120!`, "invalid opcode: 0000 [#1] SMP NOPTI"], at: "my_function" }),
  ),
  "stack lost": log(...fault({ at: "my_function" }).slice(0, 3)),
  "stack cut": log(...fault({ at: "my_function", stack: ["my_step", "my_other"] }).slice(0, 7)),
  "place lost": log(...fault({ stack: ["my_step", ...task] }).filter((l) => !l.startsWith("RIP"))),
};

const zero = "BUG: kernel NULL pointer dereference, address: 0000000000000008";
const register = (name: string, value: string): Lines => [
  "RSP: 0018:ffffb40a4b1fbd20 EFLAGS: 00010286",
  `RAX: ${name === "RAX" ? value : "0000000000000001"} RBX: ${name === "RBX" ? value : "ffff8d2b41c3e400"} RCX: 0000000000000027`,
  `RDX: 0000000000000000 RSI: 0000000000000202 RDI: ${name === "RDI" ? value : "ffff8d2b41c3e440"}`,
  "RBP: ffffb40a4b1fbd40 R08: 0000000000000000 R09: ffffb40a4b1fbb90",
  "R10: 0000000000000003 R11: ffffffffb2ed2228 R12: ffff8d2b41c3e400",
  "R13: 0000000000000000 R14: 0000000000000001 R15: ffff8d2b41c3e480",
  "FS:  0000000000000000(0000) GS:ffff8d2b7fc80000(0000) knlGS:0000000000000000",
  "CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033",
];
const pointers = words(
  "0000000000000000 0000000000000fff 0000000000010000 6b6b6b6b6b6b6b6b 6b6b6b6b6b6b6b83 5a5a5a5a5a5a5a5a dead000000000100 dead000000000122 fffffffffffffff4 0000000000040000 0000000000000200 0000000000400000 5441444f4e2f3065 a56b6b6b6b6b6b6b ffff8d2b41c3e440",
);
const places: Texts = {
  ...each(
    pointers,
    (p) => `general protection on ${p}`,
    (p) =>
      fault({
        head: [`general protection fault, probably for non-canonical address 0x${p}: 0000 [#1] SMP NOPTI`],
        at: "skb_release_data",
        registers: register("RDI", p),
      }),
  ),
  ...each(
    pointers,
    (p) => `paging request on ${p}`,
    (p) =>
      fault({
        head: [`BUG: unable to handle page fault for address: ${p}`],
        at: "kfree_skb",
        registers: register("RDI", p),
      }),
  ),
  ...each(
    pointers.slice(3),
    (p) => `paging request of a register's ${p}`,
    (p) =>
      fault({
        head: [
          `BUG: unable to handle page fault for address: ${(BigInt(`0x${p}`) - 8n).toString(16).padStart(16, "0")}`,
        ],
        at: "my_function",
        registers: register("RBX", p),
      }),
  ),
  ...each(
    words("general warning"),
    (p) => `no pointer of ${p}`,
    (p) =>
      fault({
        head: [
          p === "general"
            ? "general protection fault: 0000 [#1] SMP"
            : "WARNING: CPU: 1 PID: 77 at net/core/dev.c:10 my_function+0x6d/0x190",
        ],
        at: "my_function",
        registers: register("RAX", pointers[3] ?? ""),
      }),
  ),
  "first fault": log(...fault({ head: [zero, "Oops: 0000 [#1] SMP NOPTI"] })),
  "second fault": log(...fault({ head: [zero, "Oops: 0000 [#2] SMP NOPTI"] })),
  "with a panic": log(
    ...fault({
      head: [zero, "Oops: 0000 [#1] SMP NOPTI"],
      behind: ["---[ end trace 0000000000000000 ]---", "Kernel panic - not syncing: Fatal exception in interrupt"],
    }),
  ),
  "in a module": log(
    ...fault({ head: [zero], at: "my_function" }).map((l) => (l.startsWith("RIP") ? `${l} [my_module]` : l)),
  ),
  sleeping: log(
    "BUG: sleeping function called from invalid context at mm/slab.h:421",
    "in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 77, name: server",
    processLine(),
    "Call Trace:",
    " <TASK>",
    ...frames("dump_stack_lvl", "__might_resched", "kmem_cache_alloc", "tcp_ack", ...task),
    " </TASK>",
  ),
  ...each(
    words("Fatal Attempted Out VFS"),
    (p) => `panic ${p}`,
    (p) => [
      `Kernel panic - not syncing: ${{ Fatal: "Fatal exception", Attempted: "Attempted to kill init! exitcode=0x0000000b", Out: "Out of memory and no killable processes...", VFS: "VFS: Unable to mount root fs on unknown-block(0,0)" }[p]}`,
      processLine(),
      "Call Trace:",
      " <TASK>",
      ...frames("dump_stack_lvl", "panic", "do_exit", ...task),
      " </TASK>",
    ],
  ),
};

interface Kasan {
  readonly bug?: string;
  readonly at?: string;
  readonly access?: string;
  readonly place?: string;
  readonly cache?: string;
  readonly made?: Lines;
  readonly freed?: Lines;
}
const kasan = ({
  bug = "slab-use-after-free",
  at = "my_function",
  access = "Read of size 8",
  cache = "kmalloc-512",
  ...k
}: Kasan): Lines => [
  "==================================================================",
  `BUG: KASAN: ${bug} in ${at}+0x6d/0x190`,
  ...(access === "" ? [] : [`${access} at addr ffff888002d31794 by task server/77`]),
  "",
  processLine(),
  "Call Trace:",
  " <TASK>",
  ...frames("dump_stack_lvl", "print_report", "kasan_report", at, ...task),
  " </TASK>",
  ...(k.made === undefined
    ? []
    : [
        "",
        "Allocated by task 77:",
        ...frames("kasan_save_stack", "__kasan_slab_alloc", "kmem_cache_alloc", ...k.made, ...task),
      ]),
  ...(k.freed === undefined
    ? []
    : [
        "",
        "Freed by task 77:",
        ...frames("kasan_save_stack", "__kasan_slab_free", "kmem_cache_free", ...k.freed, ...task),
      ]),
  "",
  "The buggy address belongs to the object at ffff888002d31780",
  ` which belongs to the cache ${cache} of size 512`,
  `The buggy address is located ${k.place ?? "20 bytes inside of"}`,
  " freed 512-byte region [ffff888002d31780, ffff888002d31980)",
  "==================================================================",
];
const sanitizers: Texts = {
  ...each(
    words(
      "slab-use-after-free use-after-free double-free invalid-free slab-out-of-bounds null-ptr-deref wild-memory-access",
    ),
    (bug) => `KASAN ${bug}`,
    (bug) => kasan({ bug, made: ["my_maker"], freed: ["my_freer"] }),
  ),
  ...each(
    words("1 2 8"),
    (n) => `KASAN write of ${n}`,
    (n) => kasan({ access: `Write of size ${n}` }),
  ),
  ...each(
    words("skbuff_head_cache TCP UDP sock_inode_cache request_sock_TCP dentry xTCP"),
    (cache) => `KASAN of ${cache}`,
    (cache) => kasan({ cache }),
  ),
  ...each(
    ["0 bytes to the right of", "8 bytes to the right of", "8 bytes to the left of", "20 bytes inside of"],
    (place) => `KASAN ${place}`,
    (place) => kasan({ bug: "slab-out-of-bounds", place, made: ["alloc_my_skb"], freed: ["my_freer"] }),
  ),
  "KASAN made only": log(...kasan({ made: ["my_maker"] })),
  "KASAN freed only": log(...kasan({ freed: ["my_freer"] })),
  "KASAN of nobody": log(...kasan({})),
  "KASAN at a packet": log(...kasan({ at: "skb_put" })),
  "KASAN without its access": log(...kasan({ access: "" })),
};

const taints: Texts = {
  ...each(
    [..."PGFSRMBUDAWCIOELKXT"],
    (l) => `taint ${l}`,
    (l) =>
      fault({
        head: [`BUG: unable to handle page fault for address: ${pointers[4]}`],
        process: processLine(`Tainted: ${l.padEnd(9)}`),
      }),
  ),
  ...each(
    words("BD BDM BM"),
    (l) => `taint ${l}`,
    (l) => fault({ process: processLine(`Tainted: G ${[...l].join(" ")}`) }),
  ),
  ...each(
    [
      "my_mod(O)",
      "my_mod(OE) other(PO) third",
      "nvidia(P)",
      "a(E) b(C)",
      "a(O) b(O) c(O) d(O) e(O) f(O) g(O)",
      "plain ones",
      "my_mod(O+) [last unloaded: other(O)]",
      "my_mod(X)",
    ],
    (m) => `modules ${m}`,
    (m) =>
      fault({
        head: [`BUG: unable to handle page fault for address: ${pointers[4]}`],
        process: processLine("Tainted: G           O"),
        behind: [`Modules linked in: ${m}`],
      }),
  ),
  ...each(
    ["a b c", "a b c d e f g", "a b c d e f g h", "a(U) b(P)"],
    (m) => `modules of 2.6.32 ${m}`,
    (m) => fault({ process: processLine("Not tainted", "2.6.32-5-amd64"), behind: [`Modules linked in: ${m}`] }),
  ),
  ...each(
    words("3.1.0 3.2.0"),
    (r) => `modules of ${r}`,
    (r) => fault({ process: processLine("Not tainted", r), behind: ["Modules linked in: a b c"] }),
  ),
  ...each(
    ["my_mod", "other"],
    (m) => `foreign beside ${m} on the stack`,
    (m) =>
      fault({
        head: [`BUG: unable to handle page fault for address: ${pointers[4]}`],
        process: processLine("Tainted: G           O"),
        stack: [`my_call+0x1/0x2 [${m}]`, ...task],
        behind: ["Modules linked in: my_mod(O) other"],
      }),
  ),
  "foreign where it stopped": log(
    ...fault({ process: processLine("Tainted: G           O"), behind: ["Modules linked in: my_mod(O) other"] }).map(
      (l) => (l.startsWith("RIP") ? `${l} [my_mod]` : l),
    ),
  ),
  "foreign, letters alone": log(
    ...fault({ process: processLine("Tainted: G           O"), stack: ["my_call+0x1/0x2 [other]", ...task] }),
  ),
  "foreign, no stack": log(
    ...fault({ process: processLine("Tainted: G           O"), behind: [] }).slice(0, 3),
    "Modules linked in: my_mod(O) other",
  ),
  "foreign of a warning": log(
    ...fault({
      head: ["WARNING: CPU: 1 PID: 77 at net/core/dev.c:10 my_function+0x6d/0x190"],
      process: processLine("Tainted: G           O"),
      behind: ["Modules linked in: my_mod(O)"],
    }),
  ),
};

keptAnswers(
  { "faults by function": functionTexts, "faults by pointer": { ...places, ...sanitizers, ...taints } },
  shortLines,
);
