// The answer to bad pages, slab reports and packets that left their buffer, with the counts, flags, bytes and lengths that decide what is said of
// them, one by one. The lines are as 6.1 prints them where nothing else stands beside them.
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

interface Page {
  readonly counts?: string;
  readonly mapping?: string;
  readonly flags?: string;
  readonly raw?: Lines;
  readonly reason?: string;
  /** What stands before `stack`: the check itself, where its lines are not lost. */
  readonly top?: Lines;
  readonly stack?: Lines;
  readonly behind?: Lines;
  readonly release?: string;
}
const none = "0000000000000000";
const page = ({
  counts = "refcount:0 mapcount:0",
  mapping = none,
  flags = "0x4000000000000000(zone=1)",
  reason = "nonzero mapcount",
  ...p
}: Page): Lines => [
  "BUG: Bad page state in process server  pfn:02d33",
  `page:00000000f1c2d3e4 ${counts} mapping:${mapping} index:0x0 pfn:0x2d33`,
  `flags: ${flags}`,
  `raw: ${(p.raw ?? ["4000000000000000", "dead000000000100", "dead000000000122", none]).join(" ")}`,
  `raw: ${none} ${none} ${none} ${none}`,
  ...(reason === "" ? [] : [`page dumped because: ${reason}`]),
  processLine("Not tainted", p.release),
  "Call Trace:",
  " <TASK>",
  ...frames(
    ...(p.top ?? ["dump_stack_lvl", "bad_page"]),
    ...(p.stack ?? ["free_pcp_prepare", "free_unref_page", "__free_pages", ...task]),
  ),
  " </TASK>",
  ...(p.behind ?? []),
];
const counts = (refcount: number, mapcount: number): string => `refcount:${refcount} mapcount:${mapcount}`;
const pages: Texts = {
  ...each(
    [-127, -2, -1, 0, 1, 2],
    (n) => `page, references ${n}`,
    (n) => page({ counts: counts(n, 0), reason: "nonzero _refcount" }),
  ),
  ...each(
    [-128, -127, -2, -1, 0, 1, 2],
    (n) => `page, mapped ${n}`,
    (n) => page({ counts: counts(0, n) }),
  ),
  ...each(
    [-1, 0, 1],
    (n) => `page without a reason, references ${n}`,
    (n) => page({ counts: counts(n, 0), reason: "" }),
  ),
  ...each(
    [
      "non-NULL mapping",
      "PAGE_FLAGS_CHECK_AT_FREE flag(s) set",
      "PAGE_FLAGS_CHECK_AT_PREP flag set",
      "page_pool leak",
      "corrupted mapping in tail page",
      "compound_head not consistent",
      "TAIL_MAPPING",
      "hwpoisoned (hardware-level)",
      "page still charged to cgroup",
      "nonzero _count",
      "some other check",
    ],
    (reason) => `page, ${reason}`,
    (reason) => page({ reason }),
  ),
  ...each(
    [
      "0x4000000000000000(zone=1)",
      "0x0()",
      "0x4000000000000001(locked|zone=1)",
      "0x4000000000000200(slab|zone=1)",
      "0x4000000000000080(buddy|zone=1)",
      "0x4000000000010200(slab|head|zone=1)",
      "0x4000000000000000(tail|buddy|zone=1)",
      "0x4000000000000000(tail|zone=1)",
      "0x4000000000000000",
      "0x4000000000000001",
      "0x0",
    ],
    (flags) => `page, flags ${flags}`,
    (flags) => page({ flags, reason: "PAGE_FLAGS_CHECK_AT_FREE flag(s) set" }),
  ),
  ...each(
    words("0000000000000040 dead000000000040 dead000000000043 dead000000000044 dead000000000100"),
    (w) => `page, pool's word ${w}`,
    (w) => page({ reason: "page_pool leak", raw: ["4000000000000000", w, "ffff888002d31000", none] }),
  ),
  ...each(
    words("dead000000000400 0000000000000400 0000000000000001 0000000000000004 5a5a5a5a5a5a5a5a"),
    (m) => `page, mapping ${m}`,
    (m) => page({ mapping: m, reason: "non-NULL mapping" }),
  ),
  ...each(
    ["__put_compound_page", "free_large_kmalloc", "kfree", "skb_release_data", "kfree_skb_reason", "my_own"],
    (first) => `page, its stack begins with ${first}`,
    (first) => page({ top: [], stack: [first, "kfree", "my_free", ...task] }),
  ),
  "page, its block freed by what is no kmalloc": log(
    ...page({ stack: ["free_pages_prepare", "free_compound_page", "my_free", ...task] }),
  ),
  ...each(
    ["__free_pages_ok", "free_compound_page", "destroy_large_folio", "free_unref_page"],
    (n) => `page of a block, freed by ${n}`,
    (n) => page({ flags: "0x4000000000000000(tail|zone=1)", stack: ["free_pages_prepare", n, ...task] }),
  ),
  "page written over": log(
    ...page({
      mapping: "5a5a5a5a5a5a5a5a",
      raw: ["5a5a5a5a5a5a5a5a", "5a5a5a5a5a5a5a5a", none, none],
      reason: "non-NULL mapping",
    }),
  ),
  ...each(
    [
      ["free_pcppages_bulk", "drain_pages_zone"],
      ["check_new_page_bad", "get_page_from_freelist", "__alloc_pages"],
      [
        "free_tail_pages_check",
        "free_pcp_prepare",
        "__free_pages_ok",
        "free_compound_page",
        "__put_compound_page",
        "kfree",
        "skb_free_head",
      ],
      ["__free_pages_ok", "free_compound_page", "page_frag_free", "skb_free_head", "skb_release_data"],
      ["free_unref_page", "page_frag_free", "skb_free_head", "skb_release_data", "kfree_skb"],
      ["free_unref_page", "__put_page", "skb_release_data", "consume_skb"],
      ["free_unref_page", "my_driver_free"],
    ],
    (stack) => `page, ${stack.join(" ")}`,
    (stack) => page({ stack: [...stack, ...task], flags: "0x4000000000000200(slab|zone=1)" }),
  ),
  ...each(
    words("00 01 03 07 0f 3ff 7ff fff 1000"),
    (pfn) => `page, a tail at ${pfn}`,
    (pfn) =>
      page({ flags: "0x4000000000000000(tail|buddy|zone=1)" }).map((l) =>
        l.replaceAll("2d33", pfn).replaceAll("02d33", pfn),
      ),
  ),
  ...each(
    words("0005a660 c0a5a660 c0a5a661 c0a5a680 c0a5a9a0 c0b4d660"),
    (address) => `page of 32 bits at ${address}`,
    (address) => [
      "BUG: Bad page state in process server  pfn:02d33",
      `page:${address} count:0 mapcount:1 mapping:  (null) index:0x0`,
      "page flags: 0x0()",
      processLine("Not tainted", "3.10.0"),
      "Call Trace:",
      ...frames("bad_page", "free_pages_prepare", "free_hot_cold_page", ...task),
    ],
  ),
  "page of an owner": log(
    ...page({
      behind: [
        "page_owner tracks the page as freed",
        "page last allocated via order 0, migratetype Unmovable, gfp_mask 0xcc0(GFP_KERNEL), pid 44, tgid 44 (sh), ts 2027600803, free_ts 0",
        ...frames("get_page_from_freelist", "__alloc_pages", "my_maker+0x1/0x2 [my_mod]", ...task),
        "page last free stack trace:",
        ...frames("free_pcp_prepare", "free_unref_page", "__free_pages", "my_freer", ...task),
      ],
    }),
  ),
  "page of whom made it": log(
    ...page({
      behind: [
        "page_owner tracks the page as allocated",
        "page last allocated via order 0, migratetype Unmovable, gfp_mask 0xcc0(GFP_KERNEL), pid 44, tgid 44 (sh), ts 2027600803, free_ts 0",
        ...frames("get_page_from_freelist", "__alloc_pages", "my_maker", ...task),
        "page_owner free stack trace missing",
      ],
    }),
  ),
};

interface Slab {
  readonly cache?: string;
  readonly problem?: string;
  readonly range?: string;
  readonly found?: string;
  readonly expected?: string;
  readonly made?: Lines;
  readonly freed?: Lines;
  readonly ages?: readonly [made: number, freed: number];
  readonly object?: string;
  readonly dump?: Lines;
}
const track = (what: string, stack: Lines | undefined, age: number): Lines =>
  stack === undefined ? [] : [`${what} in ${stack[0]}+0x1/0x2 age=${age} cpu=0 pid=48`, ...frames(...stack, ...task)];
const slab = ({
  cache = "kmalloc-512",
  problem = "Poison overwritten",
  range = "0xffff888002d31794-0xffff888002d31794",
  found = "6a",
  expected = "6b",
  ages = [200, 100],
  object = "0xffff888002d316c0",
  ...s
}: Slab): Lines => [
  "=============================================================================",
  `BUG ${cache} (Not tainted): ${problem}`,
  "-----------------------------------------------------------------------------",
  "",
  ...(range === "" ? [] : [`${range} @offset=6036. First byte 0x${found} instead of 0x${expected}`]),
  ...track("Allocated", s.made, ages[0]),
  ...track("Freed", s.freed, ages[1]),
  "Slab 0xffffea00000b4c00 objects=21 used=12 fp=0xffff888002d30dc0 flags=0x4000000000010200(slab|head|zone=1)",
  ...(object === "" ? [] : [`Object ${object} @offset=5824 fp=0xffff888002d30dc0`]),
  "",
  ...(s.dump ?? []),
  processLine(),
  "Call Trace:",
  " <TASK>",
  ...frames("dump_stack_lvl", "check_bytes_and_report", "check_object", "free_debug_processing", ...task),
  " </TASK>",
];
const redzone = (byte: string, odd = byte): string =>
  `Redzone  ffff888002d318c0: ${[...Array.from({ length: 7 }, () => byte), odd].join(" ")}                          ........`;
const behindObject = "0xffff888002d318c0-0xffff888002d318c7";
const slabs: Texts = {
  ...each(
    [
      "Poison overwritten",
      "Redzone overwritten",
      "Right Redzone overwritten",
      "Left Redzone overwritten",
      "kmalloc Redzone overwritten",
      "Object already free",
      "Redzone",
      "Right",
      "Freechain corrupt",
      "Invalid object pointer 0x00000000",
      "Wrong object count. Counter is 1 but counted were 2",
    ],
    (problem) => `slab, ${problem}`,
    (problem) => slab({ problem }),
  ),
  ...each(
    words("6a:6b 6c:6b 6a:a5 00:6b"),
    (b) => `slab, poison ${b}`,
    (b) => slab({ found: b.split(":")[0] ?? "", expected: b.split(":")[1] ?? "", cache: "skbuff_head_cache" }),
  ),
  ...each(
    words("4 5 7"),
    (n) => `slab, bytes to ${n}`,
    (n) => slab({ range: `0xffff888002d31794-0xffff888002d3179${n}` }),
  ),
  ...each(
    words("bb:cc cc:bb bb:bb cc:cc 00:cc bb:cd"),
    (b) => `slab, redzone ${b}`,
    (b) =>
      slab({
        problem: "Right Redzone overwritten",
        range: behindObject,
        found: b.split(":")[0] ?? "",
        expected: b.split(":")[1] ?? "",
        dump: [redzone(b.split(":")[0] ?? "")],
      }),
  ),
  ...each(
    words("c1 c2 c3 c4"),
    (to) => `slab, redzone of another to ${to}`,
    (to) =>
      slab({
        problem: "Redzone overwritten",
        range: `0xffff888002d318c0-0xffff888002d318${to}`,
        found: "bb",
        expected: "cc",
        dump: [redzone("bb")],
      }),
  ),
  ...each(
    ["", redzone("bb", "12"), redzone("bb", "cc"), redzone("bb")],
    (dump) => `slab, redzone shown ${dump.slice(28)}`,
    (dump) =>
      slab({
        problem: "Redzone overwritten",
        range: behindObject,
        found: "bb",
        expected: "cc",
        dump: dump === "" ? [] : [dump],
      }),
  ),
  ...each(
    words(
      "0xffff888002d316b8-0xffff888002d316bf 0xffff888002d316b8-0xffff888002d316c0 0xffff888002d318c0-0xffff888002d318c0",
    ),
    (range) => `slab, redzone at ${range}`,
    (range) => slab({ problem: "Redzone overwritten", range, found: "41", expected: "cc" }),
  ),
  "slab, redzone without the object": log(
    ...slab({ problem: "Redzone overwritten", range: behindObject, found: "41", expected: "cc", object: "" }),
  ),
  "slab, right redzone without the object": log(
    ...slab({ problem: "Right Redzone overwritten", range: behindObject, found: "41", expected: "cc", object: "" }),
  ),
  "slab, redzone without the bytes": log(...slab({ problem: "Redzone overwritten", range: "" })),
  "slab, poison without the bytes": log(...slab({ range: "" })),
  ...each(
    words("skbuff_head_cache kmalloc-2k size-2048 TCP UDPv6 sock_inode_cache request_sock_TCP dentry"),
    (cache) => `slab of ${cache}`,
    (cache) => slab({ cache, made: ["__alloc_skb", "my_maker"], freed: ["kfree_skbmem", "my_freer"] }),
  ),
  ...each(
    words("kmalloc-2k dentry"),
    (cache) => `slab of others' ${cache}`,
    (cache) => slab({ cache, made: ["kmalloc_trace", "my_maker"], freed: ["kfree", "my_freer"] }),
  ),
  ...each(
    words(
      "__alloc_skb alloc_skb __kmalloc kmalloc_large kmem_cache_alloc kmalloc_reserve __kmem_cache_alloc_node my_alloc",
    ),
    (made) => `slab made by ${made}`,
    (made) => slab({ made: [made, "my_maker"] }),
  ),
  ...each(
    words(
      "kfree kmem_cache_free __slab_free slab_free_hook kfree_skbmem kfree_skb_reason skb_free_head skb_release_data __kfree_skb consume_skb my_free",
    ),
    (freed) => `slab freed by ${freed}`,
    (freed) => slab({ freed: [freed, "my_freer"] }),
  ),
  ...each(
    [
      [100, 200],
      [200, 100],
      [100, 100],
    ] as const,
    (ages) => `slab, ages ${ages.join(" ")}`,
    (ages) => slab({ made: ["my_maker"], freed: ["my_freer"], ages }),
  ),
  "slab, a module's": log(...slab({ made: ["kmalloc_trace", "my_maker+0x1/0x2 [my_mod]"] })),
};

/** A system call whose names tell neither of sending nor of receiving. */
const entry: Lines = ["vfs_read", "ksys_read", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"];
interface Panic {
  /** The helpers that found it. */
  readonly top?: Lines;
  readonly what?: string;
  readonly len?: number;
  readonly put?: number;
  readonly head?: string;
  readonly data?: string;
  readonly tail?: string;
  readonly end?: string;
  readonly dev?: string;
  readonly stack?: Lines;
  readonly release?: string;
}
const panic = ({
  what = "skb_over_panic",
  len = 405,
  put = 113,
  head = "ffff8d2b41c3e400",
  data = "ffff8d2b41c3e440",
  tail = "0x1d5",
  end = "0xc0",
  dev = "eth0",
  ...p
}: Panic): Lines => [
  `skbuff: ${what}: text:ffffffffa0c68060 len:${len} put:${put} head:${head} data:${data} tail:${tail} end:${end} dev:${dev}`,
  "------------[ cut here ]------------",
  "kernel BUG at net/core/skbuff.c:120!",
  "invalid opcode: 0000 [#1] SMP NOPTI",
  processLine("Not tainted", p.release),
  "RIP: 0010:skb_panic+0x4a/0x4c",
  "Call Trace:",
  " <TASK>",
  ...frames(...(p.top ?? ["skb_put.cold"]), ...(p.stack ?? ["my_rx_poll", "net_rx_action", ...entry])),
  " </TASK>",
];
const geometry = (put: number, room: number): Panic => ({
  len: 100 + put,
  put,
  tail: `0x${(64 + 100 + put).toString(16)}`,
  end: `0x${room.toString(16)}`,
});
const panics: Texts = {
  ...each(
    words(
      "my_rx_poll my_clean_ring napi_gro my_tasklet my_irq my_interrupt usb_giveback_urb_bh my_rx_complete netif_receive_skb gether_setup my_sendmsg my_sendto my_xmit my_tx_fixup ip_output sock_write_iter my_rx_write vhost_net_rx handle_tx_copy virtio_transport_rx xenvif_tx my_function",
    ),
    (n) => `panic by ${n}`,
    (n) => panic({ stack: [n, ...entry] }),
  ),
  ...each(
    words(
      "my_poll my_rx rx_my my_clean_ring my_napi my_tasklet my_irq my_interrupt usb_giveback_urb_bh netif_receive_skb gether_my my_function",
    ),
    (n) => `panic, ${n} of what a program sent`,
    (n) => panic({ stack: ["my_builder", n, "my_sendmsg", ...task] }),
  ),
  ...each(
    words("my_rx_poll my_sendmsg my_function"),
    (n) => `panic above ${n}`,
    (n) => panic({ stack: ["my_builder", n, ...entry] }),
  ),
  ...each(
    [1, 2, 112, 113],
    (put) => `panic, put ${put}`,
    (put) => panic(geometry(put, 0xc0)),
  ),
  ...each(
    [16383, 65535, 2100, 2101, 2112, 2560, 9000, 16384, 16385],
    (put) => `panic, put ${put} of a frame`,
    (put) => panic(geometry(put, 0x680)),
  ),
  ...each(
    [16383, 65535, 400],
    (len) => `panic, len ${len}`,
    (len) => panic({ ...geometry(113, 0xc0), len }),
  ),
  ...each(
    [0xd4, 0xd5, 0xd6],
    (end) => `panic at ${end}`,
    (end) => panic({ ...geometry(49, end) }),
  ),
  ...each(
    ["eth0", "<NULL>", "(efault)", "(null)", "(einval)"],
    (dev) => `panic of ${dev}`,
    (dev) => panic({ dev }),
  ),
  ...each(
    [14, 64, 65, 80],
    (put) => `panic under ${put}`,
    (put) =>
      panic({
        what: "skb_under_panic",
        len: 100 + put,
        put,
        data: `ffff8d2b41c3e${(0x400 + 64 - put).toString(16).slice(-3)}`,
        tail: "0xa4",
        end: "0x6c0",
      }),
  ),
  ...each(
    ["0xbb310642", "0x872e5f48", "0x1d5", "ffff8d2b41c3e640", "0xbb31064", "<NULL>"],
    (tail) => `panic, tail ${tail}`,
    (tail) => panic({ tail }),
  ),
  ...each(
    ["ffff8d2b41c3e440", "ffff8d2b41c3e441", "ffff8d2b41c3e640", "ffff8d2b41c3a440"],
    (data) => `panic, data ${data}`,
    (data) => panic({ len: 149, put: 49, data, tail: "0xd5", end: "0xd6" }),
  ),
  ...each(
    words("4.14.0 4.15.0 5.7.0 5.8.0"),
    (release) => `panic of ${release}`,
    (release) => panic({ release, head: "00000000f1c2d3e4", data: "00000000a1b2c3d4" }),
  ),
  ...each(
    words("skb_panic skb_over_panic skb_under_panic skb_put skb_push __skb_put __skb_push my_put"),
    (n) => `panic found by ${n}`,
    (n) => panic({ top: [n] }),
  ),
  "panic under, the length of the put damaged": log(
    ...panic({ what: "skb_under_panic", len: 114, put: 80, data: "ffff8d2b41c3e3f0", tail: "0xa4", end: "0x6c0" }).map(
      (l) => l.replace("put:80", "put:8?"),
    ),
  ),
  "panic found by nobody": log(...panic({ top: [] })),
  "panic, cut": log(
    "skbuff: skb_over_panic: text:ffffffffa0c68060 len:405 put:113 head:ffff8d2b41c3e400 data:ffff8d2b41c3e440 tail:0x1d5 end:0x",
  ),
  "panic of 2.6": log("skb_over_panic: text:c03a8d1c len:1544 put:1544 dev:eth0"),
  "panic of 2.6, cut": log("skb_over_panic: text:c03a8d1c len:1544 put:1544"),
  "panic by a module": log(...panic({ stack: ["my_rx_poll+0x1/0x2 [my_mod]", ...task] })),
  "panic without a stack": log(...panic({}).slice(0, 6)),
};

keptAnswers({ "pages and slabs": { ...pages, ...slabs }, "packets past their end": panics }, shortLines);
