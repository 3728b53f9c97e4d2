// The answer to every text of fixtures/, to the files of one machine together, and to texts of which a part is lost, without its words
// (answers.testkit.ts). What changes here is another answer: is it a better one? That is read in the difference.
//   ANSWERS=write npx vitest run src/diagnosis/answers.test.ts    writes fixtures/answers/ anew
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type Prng, prng } from "../base/prng.ts";
import { surveyOf } from "../kernel/facts/kernel_names.testkit.ts";
import { messageLines } from "../kernel/facts/messages.ts";
import { answerLines, briefLines, wordOf } from "./answers.testkit.ts";
import { keptAnswers } from "./answers_kept.testkit.ts";

type Texts = Readonly<Record<string, string | Uint8Array>>;
const fixtures = join(import.meta.dirname, "../../fixtures");
const filesOf = (room: string): readonly string[] =>
  readdirSync(join(fixtures, room), { withFileTypes: true })
    .filter((f) => f.isFile() && !/\.(?:json|md|gz)$/.test(f.name))
    .map((f) => f.name)
    .sort();
const read = (room: string, name: string): Uint8Array => readFileSync(join(fixtures, room, name));
const unpacked = (room: string): Readonly<Record<string, Texts>> =>
  Object.fromEntries(
    readdirSync(join(fixtures, room))
      .filter((name) => name.endsWith(".gz"))
      .map((name) => [name, { [name.slice(0, -3)]: gunzipSync(read(room, name)) }]),
  );
const alone = (room: string): Readonly<Record<string, Texts>> =>
  Object.fromEntries(filesOf(room).map((name) => [name, { [name]: read(room, name) }]));

/** Files that one machine has, in one go: what one of them says is asked beside the others. */
const together: Readonly<Record<string, Texts>> = Object.fromEntries(
  ["2.6", "3.13", "5.10", "6.1", "6.18", "7.2"].map((release) => [
    `everything of ${release}`,
    Object.fromEntries(
      filesOf("proc")
        .filter((f) => f.includes(`-${release}`) || f.startsWith("ethtool"))
        .map((f) => [f, read("proc", f)]),
    ),
  ]),
);

/** Lines that say something by themselves, each in a log of its own. */
const messages: Readonly<Record<string, Texts>> = Object.fromEntries(
  messageLines.map(({ id, example }) => [
    id,
    { "kern.log": `[   12.000000] Linux version 6.1.0 (gcc)\n[  100.000000] ${example}\n[  101.000000] last line\n` },
  ]),
);

/** What is left of a log: of every other text the first half, of the rest four lines of five. */
const lost = (texts: Readonly<Record<string, Texts>>): Readonly<Record<string, Texts>> =>
  Object.fromEntries(
    Object.entries(texts).map(([name, one], i) => {
      const lines = new TextDecoder().decode(one[name] as Uint8Array).split("\n");
      const left = i % 2 === 0 ? lines.slice(0, Math.ceil(lines.length / 2)) : lines.filter((_, at) => at % 5 !== 2);
      return [name, { [name]: left.join("\n") }];
    }),
  );

/** Numbers that a rule may compare with: bounds of its own, nothing, all ones. */
const otherNumber = (random: Prng, own: string): string => {
  const n = Number(own);
  const near = [n * 2, Math.floor(n / 2), n * 10, Math.floor(n / 10), n + 1, Math.max(0, n - 1), 0, 1, n * 64];
  return String(random.pick(near));
};

/** Texts with some of their numbers changed: what is compared with a bound is met from both sides. Stamps, addresses and dates stay. */
function changed(texts: Texts, seed: number): Texts {
  const random = prng(seed);
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [
      name,
      (typeof text === "string" ? text : new TextDecoder().decode(text))
        .split("\n")
        .map((line) =>
          random.chance(0.7)
            ? line
            : line.replace(/(?<=[:=\s(,])\d{1,9}(?=kB|[\s),]|$)/g, (own, at: number) =>
                at < 16 && /^\[|^\w{3} /.test(line) ? own : random.chance(0.3) ? otherNumber(random, own) : own,
              ),
        )
        .join("\n"),
    ]),
  );
}
const changedEach = (texts: Readonly<Record<string, Texts>>, times: number): Readonly<Record<string, Texts>> =>
  Object.fromEntries(
    Object.entries(texts).flatMap(([name, one], i) =>
      Array.from({ length: times }, (_, k) => {
        const seed = 1000 * i + k;
        return [`${name}, seed ${seed}`, changed(one, seed)] as const;
      }),
    ),
  );

/** What `ip -d link show` and sysctl print of the machine that a log is of. */
const settings = (mtu: number): Texts => ({
  "ip-link.txt": [
    `2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${mtu} qdisc mq state UP mode DEFAULT group default qlen 1000`,
    "    link/ether 52:54:00:12:34:56 brd ff:ff:ff:ff:ff:ff promiscuity 0 minmtu 46 maxmtu 16110 numtxqueues 1 numrxqueues 1",
    `3: enp2s0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${mtu} qdisc fq_codel state UP mode DEFAULT group default qlen 1000`,
    "",
  ].join("\n"),
  "sysctl.txt": "vm.min_free_kbytes = 16384\nvm.watermark_scale_factor = 10\nnet.core.netdev_budget = 300\n",
});
/** A log beside what its machine says of itself. */
const beside = (texts: Readonly<Record<string, Texts>>): Readonly<Record<string, Texts>> =>
  Object.fromEntries(
    Object.entries(texts).map(([name, one], i) => [
      name,
      {
        ...together[i % 3 === 0 ? "everything of 2.6" : "everything of 6.1"],
        ...settings([1500, 4000, 9000][i % 3] ?? 1500),
        ...one,
      },
    ]),
  );

/** A function of the kernel at fault, once by a check that stops and once by one that warns: `kernel BUG at`, `WARNING:`. */
const atFault = (): Readonly<Record<string, Texts>> =>
  Object.fromEntries(
    surveyOf("places")
      .keys.filter(
        (key, i) =>
          i % 8 === 0 ||
          /skb_(put|push|over|under|panic|check|copy_and)|cache_free|slab_free|kfree|list_|put_page|get_page/.test(key),
      )
      .map((key, i) => {
        const [file, name] = key.split(" ");
        const head =
          i % 2 === 0
            ? [`kernel BUG at ${file}:${100 + i}!`, "invalid opcode: 0000 [#1] SMP NOPTI"]
            : [`WARNING: CPU: 1 PID: 77 at ${file}:${100 + i} ${name}+0x12/0x340`];
        const lines = [
          ...head,
          "CPU: 1 PID: 77 Comm: server Not tainted 6.1.0-18-amd64 #1",
          `RIP: 0010:${name}+0x12/0x340`,
          "Call Trace:",
          " <TASK>",
          ` ${name}+0x12/0x340`,
          i % 3 === 0 ? " kfree_skb_reason+0x33/0x100" : " tcp_recvmsg_locked+0x2ee/0x9b0",
          " inet_recvmsg+0x5c/0x140",
          " </TASK>",
          "---[ end trace 0000000000000000 ]---",
        ];
        return [key, { "kern.log": lines.map((l) => `[  100.000000] ${l}`).join("\n") }] as const;
      }),
  );

/** Functions of every part of the network and around it that ask for memory (6.1), and reclaim, work and interrupts above whom they stand. */
const askers = [
  ...[
    "tcp_stream_alloc_skb",
    "ip_frag_next",
    "ip6_frag_next",
    "inet_csk_clone_lock",
    "inet6_create",
    "udp_send_skb",
    "sk_prot_alloc",
  ],
  ...[
    "skb_copy_expand",
    "sock_wmalloc",
    "netlink_dump",
    "nf_ct_ext_add",
    "br_handle_frame_finish",
    "napi_get_frags",
    "netif_rx_internal",
  ],
  ...[
    "neigh_alloc",
    "icmp_push_reply",
    "igmp_newpack",
    "arp_create",
    "unix_stream_sendmsg",
    "packet_sendmsg",
    "dev_ifconf",
    "xfrm_state_alloc",
  ],
  ...[
    "sctp_make_chunk",
    "rpc_malloc",
    "svc_alloc_arg",
    "nfs_page_create",
    "dst_alloc",
    "fib6_info_alloc",
    "mld_newpack",
    "ndisc_alloc_skb",
  ],
  ...[
    "try_to_free_pages",
    "do_try_to_free_pages",
    "shrink_node",
    "shrink_inactive_list",
    "balance_pgdat",
    "compact_zone",
    "isolate_freepages_block",
  ],
  ...[
    "isolate_migratepages_block",
    "__free_pages_ok",
    "free_unref_page_list",
    "prep_new_page",
    "post_alloc_hook",
    "rmqueue_bulk",
    "check_new_pages",
  ],
  ...[
    "netdev_tracker_alloc",
    "dev_get_by_index",
    "netdev_hold",
    "dst_dev_put",
    "csum_partial_copy",
    "skb_checksum_help",
    "skb_copy_and_csum_dev",
  ],
  ...[
    "kthread",
    "worker_thread",
    "rtnetlink_rcv_msg",
    "dev_ioctl",
    "do_page_fault",
    "vfs_write",
    "ext4_writepages",
    "my_own_function",
  ],
];
/** The same request, asked for by each of them, in an interrupt or in a task. */
const askedBy: Readonly<Record<string, Texts>> = Object.fromEntries(
  askers.map((name, i) => {
    const [order, mode] = i % 2 === 0 ? [0, "0x40a20(GFP_ATOMIC|__GFP_COMP)"] : [3, "0x40cc0(GFP_KERNEL|__GFP_COMP)"];
    const behind =
      i % 3 === 0
        ? ["net_rx_action+0x15c/0x2d0", "__do_softirq+0xf0/0x2fe", "</IRQ>", "<TASK>", "default_idle+0xf/0x20"]
        : ["__sys_sendto+0x1c8/0x1d0", "__x64_sys_sendto+0x20/0x30", "do_syscall_64+0x55/0xb0"];
    const lines = [
      `server: page allocation failure: order:${order}, mode:${mode}, nodemask=(null),cpuset=/,mems_allowed=0`,
      "CPU: 1 PID: 77 Comm: server Not tainted 6.1.0-18-amd64 #1",
      "Call Trace:",
      i % 3 === 0 ? " <IRQ>" : " <TASK>",
      " dump_stack_lvl+0x44/0x5c",
      " warn_alloc+0x130/0x1b0",
      " __alloc_pages_slowpath.constprop.0+0xc5c/0xca0",
      " __alloc_pages+0x2d3/0x310",
      ...(i % 4 < 2
        ? [" __kmalloc_node_track_caller+0x4a/0x150", " kmalloc_reserve+0x31/0x90", " __alloc_skb+0x88/0x1a0"]
        : []),
      ` ${name}+0x12/0x340`,
      ...behind.map((l) => ` ${l}`),
    ];
    return [name, { "kern.log": lines.map((l) => `[  100.000000] ${l}`).join("\n") }] as const;
  }),
);

const rooms: Readonly<Record<string, Readonly<Record<string, Texts>>>> = {
  ...Object.fromEntries(
    ["diagnosis", "input", "logs", "page_pool", "proc", "reports"].map((room) => [room, alone(room)]),
  ),
  dmesg: unpacked("dmesg"),
  messages,
  together,
  "changed logs": changedEach({ ...alone("logs"), ...alone("reports"), ...alone("diagnosis") }, 8),
  "changed files": changedEach(together, 12),
  "changed pools": changedEach(alone("page_pool"), 8),
  beside: beside({ ...alone("logs"), ...alone("reports"), ...alone("diagnosis") }),
  "at fault": atFault(),
  "asked by": askedBy,
  field: alone("field"),
  lost: lost({ ...alone("logs"), ...alone("reports"), ...alone("diagnosis"), ...alone("field") }),
};

for (const [room, texts] of Object.entries(rooms))
  keptAnswers(
    { [room]: texts },
    room === "at fault" ? wordOf : ["lost", "changed logs", "asked by"].includes(room) ? briefLines : answerLines,
  );
