// The answer to faults of every class: each form of a first line with pointers from both sides of every bound, each bug of a sanitizer, each message
// that is a verdict by itself, lockups and sleepers with each kind of function on their stack. Kept in fixtures/answers/faults.txt.
//   ANSWERS=write npx vitest run src/diagnosis/kept_faults.test.ts    writes it anew
import { said } from "./answers.testkit.ts";
import { type Files, keptAnswers, logOf } from "./answers_kept.testkit.ts";
import type { Diagnosis } from "./finding.ts";

const cpu = (comm = "server"): string => `CPU: 1 PID: 77 Comm: ${comm} Not tainted 6.1.0-18-amd64 #1 Debian 6.1.76-1`;
const stackOf = (...names: readonly string[]): readonly string[] => [
  "Call Trace:",
  " <TASK>",
  ...names.map((n) => ` ${n.replace(/^(?:\? )?\S+/, "$&+0x12/0x340")}`),
  " </TASK>",
];
const bySyscall = [
  "inet_recvmsg",
  "__sys_recvfrom",
  "__x64_sys_recvfrom",
  "do_syscall_64",
  "entry_SYSCALL_64_after_hwframe",
];
const registers = (values: Readonly<Record<string, string>> = {}): readonly string[] => {
  const of = (name: string): string => `${name}: ${values[name] ?? "ffff888012345680"}`;
  return [
    "RSP: 0018:ffffc90000123d28 EFLAGS: 00010246",
    [of("RAX"), of("RBX"), of("RCX")].join(" "),
    [of("RDX"), of("RSI"), of("RDI")].join(" "),
    [of("RBP"), of("R08"), of("R09")].join(" "),
    [of("R10"), of("R11"), of("R12")].join(" "),
    [of("R13"), of("R14"), of("R15")].join(" "),
    "FS:  00007f0000000000(0000) GS:ffff88803ec00000(0000) knlGS:0000000000000000",
    "CS:  0010 DS: 0000 ES: 0000 CR0: 0000000080050033",
    `CR2: ${values.CR2 ?? "0000000000000000"} CR3: 0000000010000000 CR4: 00000000000006f0`,
  ];
};
/** A fault of x86-64 as 6.1 prints it. */
const fault = (
  head: readonly string[],
  at = "my_own",
  more: {
    readonly values?: Readonly<Record<string, string>>;
    readonly bare?: true;
    readonly stack?: readonly string[];
  } = {},
): Files =>
  logOf([
    ...head,
    cpu(),
    `RIP: 0010:${at}+0x12/0x340`,
    ...(more.bare === true ? [] : registers(more.values)),
    ...stackOf(...(more.stack ?? ["tcp_recvmsg_locked", ...bySyscall])),
    "---[ end trace 0000000000000000 ]---",
  ]);
const pageFault = (address: string, error = "0000"): readonly string[] => [
  /^0{13}/.test(address)
    ? `BUG: kernel NULL pointer dereference, address: ${address}`
    : `BUG: unable to handle page fault for address: ${address}`,
  "#PF: supervisor read access in kernel mode",
  `#PF: error_code(0x${error}) - not-present page`,
  "PGD 0 P4D 0",
  `Oops: ${error} [#1] PREEMPT SMP NOPTI`,
];

const addresses = [
  ...[
    "0000000000000000",
    "0000000000000008",
    "0000000000000fff",
    "0000000000001000",
    "000000000000ffff",
    "0000000000010001",
  ],
  ...[
    "0000000000ffffff",
    "0000000001000001",
    "0000000000040000",
    "00007ffffffff123",
    "0000800000000123",
    "7fffffffffffff12",
  ],
  ...[
    "ffffffffffffff01",
    "fffffffffffff001",
    "fffffffffffff000",
    "ffff888012345678",
    "6b6b6b6b6b6b6b83",
    "5a5a5a5a5a5a5a5a",
  ],
  ...["dead000000000100", "dead000000000122", "dead000000000040", "dffffc0000000003", "5441444f4e2f3065"],
];
const byAddress: Record<string, Files> = {};
for (const address of addresses) {
  for (const at of ["my_own", "skb_release_data", "kmem_cache_alloc", "memcpy_erms"])
    byAddress[`${address} in ${at}`] = fault(pageFault(address), at, { bare: true });
  byAddress[`${address} out of a register`] = fault(pageFault(address), "my_own", {
    values: {
      CR2: address,
      RBX: (BigInt(`0x${address}`) - 16n < 0n ? 0n : BigInt(`0x${address}`) - 16n).toString(16).padStart(16, "0"),
    },
  });
  byAddress[`general protection, ${address}`] = fault(
    [`general protection fault, probably for non-canonical address 0x${address}: 0000 [#1] PREEMPT SMP PTI`],
    "skb_release_data",
  );
  byAddress[`general protection with ${address} in a register`] = fault(
    ["general protection fault: 0000 [#1] SMP PTI"],
    "my_own",
    {
      values: { RDX: address },
    },
  );
}

const odd: Readonly<Record<string, Files>> = {
  "a jump to nowhere": fault(pageFault("0000000000000000", "0010"), "0x0", { bare: true }),
  "a jump to a wild place": fault(pageFault("ffffffffc0a01234", "0010"), "my_own"),
  "a jump, as a guarded page tells": fault(pageFault("ffff888012345678", "0011"), "my_own"),
  "a write": fault(pageFault("0000000000000008", "0002"), "my_own"),
  "KASAN's shadow": fault([
    "general protection fault, probably for non-canonical address 0xdffffc0000000003: 0000 [#1] PREEMPT SMP KASAN",
    "KASAN: null-ptr-deref in range [0x0000000000000018-0x000000000000001f]",
  ]),
  "KASAN's shadow of a wild pointer": fault([
    "general protection fault, probably for non-canonical address 0xe005fc7f6cd6d6d6: 0000 [#1] PREEMPT SMP KASAN",
    "KASAN: maybe wild-memory-access in range [0x002fff0000000000-0x002fff0000000007]",
  ]),
  "a general protection fault without registers": fault(["general protection fault: 0000 [#1] SMP"], "my_own", {
    bare: true,
  }),
  "a stack segment": fault(["stack segment: 0000 [#1] SMP"]),
  "a stack segment without registers": fault(["stack segment: 0000 [#1] SMP"], "my_own", { bare: true }),
  "a division": fault(["divide error: 0000 [#1] SMP"]),
  "an overflowed stack": fault(["double fault: 0000 [#1] SMP"]),
  "a split lock": fault(["x86/split lock detection: #AC: crashing the kernel", "split lock: 0000 [#1] SMP"]),
  "a machine check": fault(["mce: [Hardware Error]: Machine check events logged", "Machine check: 0000 [#1] SMP"]),
  "an odd place of a null pointer beside an error": fault(pageFault("0000000000000007"), "my_own", {
    values: { RBX: "fffffffffffffff5" },
  }),
  "an even place of a null pointer beside an error": fault(pageFault("0000000000000008"), "my_own", {
    values: { RBX: "fffffffffffffff5" },
  }),
  "two registers that fit": fault(pageFault("6b6b6b6b6b6b6b83"), "my_own", {
    values: { RBX: "6b6b6b6b6b6b6b6b", RCX: "6b6b6b6b6b6b6b7b" },
  }),
  "a register just out of reach": fault(pageFault("ffff888012346680"), "my_own", {
    values: { RBX: "ffff888012345680" },
  }),
  "a register just in reach": fault(pageFault("ffff88801234667f"), "my_own", { values: { RBX: "ffff888012345680" } }),
  "no place": logOf([...pageFault("6b6b6b6b6b6b6b83"), cpu(), ...stackOf("tcp_recvmsg_locked", ...bySyscall)]),
  "a module's function": logOf([
    ...pageFault("6b6b6b6b6b6b6b83"),
    "Modules linked in: foo(OE) bar(E) baz",
    cpu(),
    "RIP: 0010:foo_rx+0x12/0x340 [foo]",
    ...stackOf("foo_poll [foo]", "net_rx_action", "__do_softirq"),
  ]),
  "a kernel's own module": logOf([
    ...pageFault("6b6b6b6b6b6b6b83"),
    "Modules linked in: foo(OE) bar baz",
    cpu(),
    "RIP: 0010:bar_rx+0x12/0x340 [bar]",
    ...stackOf("bar_poll [bar]", "net_rx_action", "__do_softirq"),
  ]),
};

/** Faults whose instruction is printed: `mov 0x8(%rbx),%rax` and its like, with the register and the address that fit it, or do not. */
const withCode = (code: string, address: string, values: Readonly<Record<string, string>>): Files =>
  logOf([
    ...pageFault(address),
    cpu(),
    "RIP: 0010:my_own+0x12/0x340",
    `Code: 90 90 90 90 90 90 90 90 90 90 ${code} 90 90 90 90 90 90 90 90`,
    ...registers(values),
    ...stackOf("tcp_recvmsg_locked", ...bySyscall),
  ]);
const coded: Readonly<Record<string, Files>> = {
  "a register and 8": withCode("<48> 8b 43 08", "6b6b6b6b6b6b6b73", {
    RBX: "6b6b6b6b6b6b6b6b",
    RCX: "6b6b6b6b6b6b6b70",
  }),
  "a register and 8 that do not fit": withCode("<48> 8b 43 08", "6b6b6b6b6b6b6b74", {
    RBX: "6b6b6b6b6b6b6b6b",
    RCX: "6b6b6b6b6b6b6b70",
  }),
  "a register less 8": withCode("<48> 8b 43 f8", "6b6b6b6b6b6b6b63", { RBX: "6b6b6b6b6b6b6b6b" }),
  "a register, an index of 8 bytes and 16": withCode("<48> 8b 44 cb 10", "dead000000000128", {
    RBX: "dead000000000108",
    RCX: "0000000000000002",
  }),
  "an index that does not fit": withCode("<48> 8b 44 cb 10", "dead000000000128", {
    RBX: "dead000000000108",
    RCX: "0000000000000003",
  }),
  "KASAN's constant as an index": withCode("<0f> b6 04 02", "dffffc0000000003", {
    RDX: "dffffc0000000000",
    RAX: "0000000000000003",
  }),
  "a register that is not printed": logOf([
    ...pageFault("6b6b6b6b6b6b6b73"),
    cpu(),
    "RIP: 0010:my_own+0x12/0x340",
    "Code: 90 90 90 90 <48> 8b 43 08 90 90",
    "RAX: ffff888012345680",
    ...stackOf("my_caller", ...bySyscall),
  ]),
  "a sum that wraps": withCode("<48> 8b 43 08", "0000000000000007", { RBX: "ffffffffffffffff" }),
};

const arm64 = (head: string, at: string, link: string): Files =>
  logOf([
    head,
    "Mem abort info:",
    "  ESR = 0x96000004",
    "Internal error: Oops: 96000004 [#1] PREEMPT SMP",
    "CPU: 1 PID: 77 Comm: server Not tainted 6.1.0-18-arm64 #1",
    "pstate: 60000005 (nZCv daif -PAN -UAO -TCO BTYPE=--)",
    `pc : ${at}+0x20/0x100`,
    `lr : ${link}+0x40/0x200`,
    "sp : ffff80000a5b3c00",
    "x29: ffff80000a5b3c00 x28: ffff000012345680 x27: 0000000000000000",
    "Call trace:",
    ` ${at}+0x20/0x100`,
    ` ${link}+0x40/0x200`,
    " tcp_recvmsg+0x40/0x200",
    " inet_recvmsg+0x40/0x200",
    " __arm64_sys_recvfrom+0x40/0x200",
    " el0t_64_sync+0x40/0x200",
    "Code: 00000000 00000000 00000000 00000000 (f9400000)",
  ]);
for (const address of ["0000000000000010", "dead000000000122", "ffff000012345678", "0000007f12345678"])
  for (const [at, link] of [
    ["__memcpy", "skb_copy_bits"],
    ["my_own", "skb_copy_bits"],
    ["kfree", "skb_release_data"],
    ["refcount_dec", "kfree"],
    ["skb_release_data", "consume_skb"],
  ] as const) {
    const what = address.startsWith("0000000000000") ? "NULL pointer dereference" : "paging request";
    byAddress[`arm64 ${address} in ${at}`] = arm64(
      `Unable to handle kernel ${what} at virtual address ${address}`,
      at,
      link,
    );
  }
byAddress["arm64 touches a process"] = arm64(
  "Unable to handle kernel access to user memory outside uaccess routines at virtual address 0000007f12345678",
  "my_own",
  "my_caller",
);
byAddress["arm64 touches a process, in words of old"] = arm64(
  "Internal error: Accessing user space memory: access to user memory without uaccess routines",
  "my_own",
  "my_caller",
);
byAddress["ppc32"] = logOf([
  "Unable to handle kernel paging request for data at address 0x00000008",
  "Faulting instruction address: 0xc01234f0",
  "Oops: Kernel access of bad area, sig: 11 [#1]",
  "NIP: c01234f0 LR: c0123400 CTR: c0100000",
  "REGS: c03d5b10 TRAP: 0300   Not tainted  (2.6.38)",
  "NIP [c01234f0] skb_release_data+0x20/0x100",
  "LR [c0123400] kfree_skb+0x40/0x90",
  "Call Trace:",
  "[c03d5bc0] [c0123400] kfree_skb+0x40/0x90",
  "[c03d5bd0] [c0145600] tcp_recvmsg+0x40/0x90",
  "[c03d5be0] [c0010000] ret_from_syscall+0x0/0x3c",
]);

const bugs = [
  ...[
    "null-ptr-deref",
    "user-memory-access",
    "wild-memory-access",
    "use-after-free",
    "slab-use-after-free",
    "out-of-bounds",
  ],
  ...[
    "slab-out-of-bounds",
    "global-out-of-bounds",
    "stack-out-of-bounds",
    "double-free",
    "invalid-free",
    "double-free or invalid-free",
  ],
  ...["invalid-access", "vmalloc-out-of-bounds", "use-after-scope"],
];
const sanitizers: Record<string, Files> = {};
for (const bug of bugs)
  for (const access of ["Read of size 8", "Write of size 8", "Free", ""]) {
    const line =
      access === ""
        ? []
        : access === "Free"
          ? ["Free of addr ffff888012345680 by task server/77"]
          : [`${access} at addr ffff888012345680 by task server/77`];
    sanitizers[`KASAN ${bug}, ${access}`] = logOf([
      "==================================================================",
      `BUG: KASAN: ${bug} in skb_release_data+0x1c4/0x1d0`,
      ...line,
      "",
      cpu(),
      ...stackOf("dump_stack_lvl", "print_report", "kasan_report", "skb_release_data", "consume_skb", ...bySyscall),
      "The buggy address belongs to the object at ffff888012345680",
      " which belongs to the cache skbuff_small_head of size 640",
      "==================================================================",
    ]);
  }
for (const address of ["0000000000000008", "0000000000001234", "0000000000012345", "ffff888012345680"])
  sanitizers[`KASAN user-memory-access at ${address}`] = logOf([
    "BUG: KASAN: user-memory-access in my_own+0x16/0x46",
    `Read of size 8 at addr ${address} by task server/77`,
    cpu(),
    ...stackOf("kasan_report", "my_own", ...bySyscall),
  ]);
for (const head of [
  "BUG: KMSAN: uninit-value in ip_rcv+0x10/0x20",
  "BUG: KMSAN: kernel-infoleak in _copy_to_iter+0x870/0x1fd0",
  "BUG: KFENCE: use-after-free read in skb_release_data+0x10/0x20",
  "BUG: KFENCE: use-after-free write in skb_release_data+0x10/0x20",
  "BUG: KFENCE: out-of-bounds read in skb_put+0x10/0x20",
  "BUG: KFENCE: memory corruption in kfree_skbmem+0x10/0x20",
  "BUG: KFENCE: invalid free in kfree_skbmem+0x10/0x20",
  "BUG: KFENCE: invalid read in kfree_skbmem+0x10/0x20",
  "BUG: KASAN: ",
])
  sanitizers[head] = logOf([head, cpu(), ...stackOf("my_own", ...bySyscall)]);

const warning = (message: string | undefined, place: string): Files =>
  logOf([
    ...(message === undefined ? [] : ["------------[ cut here ]------------", message]),
    `WARNING: CPU: 1 PID: 77 at ${place}`,
    cpu(),
    `RIP: 0010:${place.split(" ")[1] ?? "my_own+0x1/0x2"}`,
    ...stackOf("skb_release_data", "consume_skb", ...bySyscall),
    "---[ end trace 0000000000000000 ]---",
  ]);
const messages: Record<string, Files> = {};
for (const message of [
  "refcount_t: saturated; leaking memory.",
  "refcount_t: decrement hit 0; leaking memory.",
  "refcount_t: addition on 0; use-after-free.",
  "refcount_t: underflow; use-after-free.",
  "refcount_t: underflow",
  "list_add corruption. prev->next should be next (ffff8880123456a0), but was dead000000000100. (prev=ffff888012345680).",
  "list_add corruption. next->prev should be prev (ffff888012345680), but was 0000000000000000. (next=ffff8880123456a0).",
  "list_del corruption, ffff888012345680->next is LIST_POISON1 (dead000000000100)",
  "list_del corruption. prev->next should be ffff888012345680, but was ffff8880123456a0",
  "list_add double add: new=ffff888012345680, prev=ffff888012345680, next=ffff8880123456a0.",
  "Negative(-1) inflight packet-pages",
  "DMA-API: e1000e 0000:00:19.0: device driver failed to check map error[device address=0x000000003ed60bc2] [size=54 bytes] [mapped as single]",
  "my_driver: something is odd",
])
  messages[message] = warning(message, "lib/odd.c:28 my_own+0x55/0x70");
for (const place of [
  "lib/refcount.c:28 refcount_warn_saturate+0x55/0x70",
  "lib/list_debug.c:47 __list_del_entry+0x55/0x70",
  "net/core/dev.c:100 my_own+0x55/0x70",
  "",
])
  messages[`a warning at ${place}`] = warning(undefined, place);
messages["a transmit queue"] = warning(
  "NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out",
  "net/sched/sch_generic.c:477 dev_watchdog+0x264/0x270",
);
messages["a warning after a panic"] = logOf([
  "Kernel panic - not syncing: Fatal exception in interrupt",
  ...stackOf("panic", "my_own", ...bySyscall),
  "WARNING: CPU: 1 PID: 77 at kernel/smp.c:100 smp_call+0x55/0x70",
  cpu(),
  ...stackOf("my_own", ...bySyscall),
]);

/** Checks of packet memory where they stand, with the words that some print and the lines near which they stand. */
const checks: readonly (readonly [file: string, line: number, name: string, words?: string])[] = [
  ["net/core/skbuff.c", 110, "skb_panic"],
  ["net/core/skbuff.c", 110, "skb_over_panic"],
  ["net/core/skbuff.c", 110, "skb_under_panic"],
  ["net/core/skbuff.c", 1800, "skb_put"],
  ["net/core/skbuff.c", 1800, "__skb_put"],
  ["include/linux/skbuff.h", 2500, "__skb_pull"],
  ["include/linux/skbuff.h", 2500, "skb_pull_rcsum"],
  ["include/linux/skbuff.h", 2500, "__pskb_pull_tail"],
  ["net/core/skbuff.c", 4100, "skb_segment"],
  ["net/core/skbuff.c", 2800, "__skb_checksum"],
  ["net/core/skbuff.c", 2800, "skb_checksum"],
  ["net/core/skbuff.c", 2800, "skb_copy_and_csum_bits"],
  ["net/core/skbuff.c", 2800, "skb_copy_and_csum_dev"],
  ["arch/x86/lib/checksum.c", 28, "csum_partial"],
  ["net/core/skbuff.c", 1700, "pskb_expand_head"],
  ...[
    "__slab_free",
    "__cache_free",
    "___cache_free",
    "kfree",
    "kmem_cache_free",
    "do_slab_free",
    "slab_free",
    "__kmem_cache_free",
    "free_to_partial_list",
  ].flatMap((name) => [
    ["mm/slub.c", 305, name] as const,
    ["mm/slub.c", 699, name] as const,
    ["mm/slub.c", 700, name] as const,
  ]),
  ["mm/slab.c", 3400, "kfree"],
  ["mm/slab_common.c", 980, "free_large_kmalloc"],
  ["mm/slub.c", 3500, "free_nonslab_page"],
  ["mm/slub.c", 1900, "__free_slab"],
  ["lib/list_debug.c", 28, "__list_add_valid"],
  ["include/linux/mm.h", 700, "put_page", "page dumped because: VM_BUG_ON_PAGE(page_ref_count(page) == 0)"],
  [
    "include/linux/mm.h",
    700,
    "get_page",
    "page dumped because: VM_BUG_ON_PAGE(((unsigned int) page_ref_count(page) + 127u <= 127u))",
  ],
  ["include/linux/page_ref.h", 70, "put_page", "page dumped because: VM_BUG_ON_PAGE(page->_count.counter == 0)"],
  ["include/linux/mm.h", 700, "put_page", "page dumped because: VM_BUG_ON_PAGE(PageTail(page))"],
  ["include/linux/mm.h", 700, "put_page"],
];
const assertions: Record<string, Files> = {};
for (const [file, line, name, words] of checks)
  for (const form of ["whole", "no place", "no line"]) {
    assertions[`${file}:${line} ${name} ${words ?? ""} ${form}`] = logOf([
      ...(words === undefined
        ? []
        : ["page:ffffea0000123440 refcount:0 mapcount:0 mapping:0000000000000000 index:0x0 pfn:0x48d1", words]),
      ...(form === "no line" ? [] : ["------------[ cut here ]------------", `kernel BUG at ${file}:${line}!`]),
      "invalid opcode: 0000 [#1] PREEMPT SMP NOPTI",
      cpu(),
      ...(form === "no place" ? [] : [`RIP: 0010:${name}+0x12/0x340`]),
      ...stackOf("my_own", ...bySyscall),
    ]);
  }

const lockups: Record<string, Files> = {};
for (const name of [
  ...["try_to_free_pages", "do_try_to_free_pages", "shrink_node", "balance_pgdat", "compact_zone", "isolate_freepages"],
  ...[
    "isolate_migratepages_block",
    "__alloc_pages_direct_reclaim",
    "try_to_compact_pages",
    "kswapd",
    "__alloc_pages_slowpath",
    "my_own",
  ],
]) {
  const stack = stackOf("native_queued_spin_lock_slowpath", name, ...bySyscall);
  lockups[`soft ${name}`] = logOf([
    "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [server:77]",
    cpu(),
    "RIP: 0010:my_spin+0x12/0x340",
    ...stack,
  ]);
  lockups[`rcu ${name}`] = logOf([
    "rcu: INFO: rcu_sched self-detected stall on CPU",
    "rcu: \t1-....: (2098 ticks this GP) idle=a73/1/0x4000000000000000 softirq=21608/21608 fqs=917",
    "\t(t=2104 jiffies g=3495 q=402)",
    cpu(),
    "RIP: 0010:my_spin+0x12/0x340",
    ...stack,
  ]);
}
lockups["hard"] = logOf([
  "NMI watchdog: Watchdog detected hard LOCKUP on cpu 1",
  cpu(),
  "RIP: 0010:my_spin+0x12/0x340",
  ...stackOf("my_own", ...bySyscall),
]);
lockups["soft, a cut stack"] = logOf([
  "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [server:77]",
  cpu(),
  "RIP: 0010:my_spin+0x12/0x340",
  ...stackOf("my_own", "my_caller"),
]);

const sleepers: Record<string, Files> = {};
for (const name of [
  "kmem_cache_alloc",
  "__kmalloc",
  "kmalloc_trace",
  "__alloc_skb",
  "mutex_lock",
  "__alloc_pages",
  "vmalloc",
]) {
  sleepers[`sleeping function, ${name}`] = logOf([
    "BUG: sleeping function called from invalid context at include/linux/sched/mm.h:274",
    "in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 77, name: server",
    cpu(),
    ...stackOf("dump_stack_lvl", "__might_resched", name, "my_own", ...bySyscall),
  ]);
  sleepers[`atomic, ${name}`] = logOf([
    "BUG: scheduling while atomic: server/77/0x00000100",
    cpu(),
    ...stackOf(
      "dump_stack_lvl",
      "__schedule_bug",
      "__schedule",
      "schedule",
      "__cond_resched",
      name,
      "my_own",
      ...bySyscall,
    ),
  ]);
}
for (const name of [
  ...[
    "dump_stack",
    "show_stack",
    "unwind_backtrace",
    "dump_backtrace",
    "__schedule_bug",
    "__schedule",
    "schedule",
    "io_schedule",
    "schedule_timeout",
  ],
  ...[
    "wait_for_common",
    "wait_for_completion",
    "_cond_resched",
    "__cond_resched",
    "preempt_schedule_common",
    "__might_resched",
  ],
  ...[
    "kzalloc",
    "__get_free_pages",
    "alloc_pages",
    "__alloc_frozen_pages_noprof",
    "__vmalloc",
    "slab_alloc_node",
    "__kmalloc_node",
  ],
])
  sleepers[`atomic behind ${name}`] = logOf([
    "BUG: scheduling while atomic: server/77/0x00000100",
    cpu(),
    ...stackOf("dump_stack_lvl", "__schedule_bug", name, "my_own", ...bySyscall),
  ]);

for (const frame of ["? kmem_cache_alloc", "? my_leftover", "mutex_lock"])
  sleepers[`atomic, between frames and guesses ${frame}`] = logOf([
    "BUG: scheduling while atomic: server/77/0x00000100",
    cpu(),
    ...stackOf("dump_stack_lvl", "__schedule_bug", "schedule", frame, "my_own", "? my_guess", ...bySyscall),
  ]);

const panics: Readonly<Record<string, Files>> = Object.fromEntries(
  [
    ...[
      "Out of memory: compulsory panic_on_oom is enabled",
      "stack-protector: Kernel stack is corrupted in: my_own+0x1/0x2",
    ],
    ...[
      "VFS: Unable to mount root fs on unknown-block(0,0)",
      "Attempted to kill init! exitcode=0x0000000b",
      "hung_task: blocked tasks",
    ],
    ...[
      "softlockup: hung tasks",
      "sysrq triggered crash",
      "panic_on_warn set ...",
      "Fatal machine check",
      "Fatal exception",
      "odd reason",
    ],
  ].map((reason) => [
    reason,
    logOf([`Kernel panic - not syncing: ${reason}`, cpu(), ...stackOf("panic", "my_own", ...bySyscall)]),
  ]),
);

/** An answer without its finer findings: what it is, how bad, why, and which questions are answered how. */
const brief = (d: Diagnosis): readonly string[] =>
  d.incidents.map(
    (i) =>
      `${i.kind} ${i.severity} ${i.kernel.release} ${i.direction ?? "-"} ${said(i.title)} # ${said(i.cause)} # ${i.findings.map((f) => `${f.id} ${f.answer}${f.evidence.length} ${said(f.claim)}`).join(", ")}`,
  );
keptAnswers(
  {
    faults: {
      ...byAddress,
      ...odd,
      ...coded,
      ...sanitizers,
      ...messages,
      ...assertions,
      ...lockups,
      ...sleepers,
      ...panics,
    },
  },
  brief,
);
