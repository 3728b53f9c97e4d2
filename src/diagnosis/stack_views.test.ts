// What a stack says whose lines are of every kind: each function that the trees name, at each place where it matters who stands there; stacks of every
// release and architecture, with lines lost, doubled, guessed or cut. Kept in fixtures/answers/views.txt; what must hold of all is claimed here.
//   ANSWERS=write npx vitest run src/diagnosis/stack_views.test.ts    writes it anew
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";
import { stackNames } from "../kernel/facts/call_chains/index.ts";
import { surveyOf } from "../kernel/facts/kernel_names.testkit.ts";
import type { CallTrace, Frame, TraceItem } from "../kernel/readings/call_trace.ts";
import { type Architecture, parseRelease } from "../kernel/release.ts";
import { callTrace } from "../observe/call_trace.ts";
import { isHelper, isPlumbing } from "./plumbing.ts";
import type { StackView } from "./stack.ts";
import { driverNameOf, ringIsBeingMade, viewStack } from "./stack.ts";
import { polling, refilling } from "./stack_names.ts";

const said: string[] = [];

/** Functions that rules know and no survey asked the trees for; of sanitizers, checks, hooks, exceptions and the scheduler. */
const further = `
  do_slab_free __kfree_skb skb_free_head __consume_stateless_skb sk_skb_reason_drop show_regs warn_slowpath_fmt report_bug page_fault
  __do_kernel_fault print_report print_address_description check_memory_region object_err __list_del_entry_valid simple_copy_to_iter _copy_from_iter
  raw_copy_to_user put_page __put_page bad_page check_new_page prep_new_page post_alloc_hook rmqueue __free_one_page free_unref_page
  free_tail_pages_check free_hot_cold_page free_pcp_prepare release_pages drain_local_pages drain_zone_pages drain_all_pages drain_pages
  do_fast_syscall_32 entry_SYSENTER_32 sysenter_do_call irqentry_exit kmem_cache_free free_pages foo_new_rx sysenter_past_esp el0_svc invoke_syscall
  kmsan_report __kmsan_check_memory kfence_report_error __kfence_alloc ____kasan_slab_free stack_trace_save set_alloc_info save_stack
  poison_slab_object skb_set_kcov_handle skb_ext_add __die die_kernel_fault oops_enter no_context bad_area_nosemaphore __bad_area handle_bug
  do_kern_addr_fault do_general_protection fixup_bug general_protection error_code strlen copyin arch_atomic_inc test_and_set_bit
  instrument_copy_to_user memmove __memcpy copyout do_raw_spin_lock native_queued_spin_lock_slowpath notify_die __und_svc __dabt_svc __pabt_svc
  __irq_svc __fiq_svc __asan_load8 __msan_warning do_DataAbort el1_sync el1_abort check_panic_on_warn exc_invalid_op do_program_check
  program_check_common do_trap_break call_break_hook brk_handler bug_handler do_el1_brk64 asm_exc_invalid_op exc_general_protection
  asm_exc_page_fault do_debug_exception __do_sys_clone3 __se_sys_clone __x64_sys_vfork __arm64_sys_clone sys_fork SyS_clone _do_fork kernel_clone
  do_fork copy_process dup_task_struct wake_up_new_task ptrace_stop wait_for_vfork_done smpboot_thread_fn run_ksoftirqd cpu_stopper_thread
  rcu_cpu_kthread watchdog migration_cpu_stop cpuhp_thread_fun irq_thread kernel_init_freeable do_one_initcall do_basic_setup do_initcalls
  do_pre_smp_initcalls smp_init prepare_namespace kernel_init run_init_process async_synchronize_full ret_from_fork ret_from_fork_asm schedule_tail
  call_usermodehelper_exec_async irqentry_exit_to_user_mode exit_to_user_mode_prepare rcu_core rcu_process_callbacks tasklet_action
  run_timer_softirq worker_thread process_one_work rescuer_thread schedule _raw_spin_unlock_irq wq_worker_sleeping create_worker manage_workers
  kthread selinux_socket_sendmsg smack_socket_sendmsg apparmor_file_open tomoyo_inode_getattr bpf_lsm_sb_mount hook_file_open
  apparmor_socket_recvmsg call_int_hook security_socket_sendmsg security_file_open sock_sendmsg sk_filter_trim_cap do_sock_setsockopt do_accept
  io_accept kernel_sendmsg kernel_recvmsg ip_cmsg_send netdev_sys_bind ___sys_sendmsg packet_snd packet_sendmsg udp_sendmsg raw_sendmsg
  unix_dgram_sendmsg udpv6_sendmsg vfree kvfree kstrdup kvasprintf krealloc kmemdup bpf_prog_filter_sysctl pskb_expand_head skb_copy T.874 T
  0xffffffffa0001234 ip_queue_xmit __ip_queue_xmit tcp_write_xmit tcp_push __tcp_push_pending_frames nmi_panic vpanic panic program_check_exception
  do_invalid_op invalid_op do_error_trap kfree_skb_list_reason napi_consume_skb dev_consume_skb_any dev_kfree_skb_irq_reason arp_rcv icmp_rcv
  icmpv6_rcv udp_rcv __udp4_lib_rcv ip_defrag foo_alloc_rx_skb foo_new_rx_buf foo_refill foo_rxalloc foo_rx_submit foo_post_rx foo_rx_post
  foo_rx_alloc foo_recv foo_clean foo_tasklet foo_intr foo_irq foo_callback foo_work foo_thread foo_poll foo_xmit foo_open foo_probe foo_rxbuf_get
  foo_rx_buf full_proxy_write new_sync_write vfs_write ksys_write __se_sys_write __arm64_sys_write sys_write SyS_write ret_from_kernel_thread
  module_alloc load_module handle_softirqs __do_softirq wait_for_common wait_for_completion preempt_schedule_common schedule_timeout __schedule_bug
  cond_resched do_tcp_sendpages dev_hard_start_xmit get_page_from_freelist kfree __warn do_page_fault do_int3 __do_page_fault
  selinux_inode_notifysecctx __krealloc devm_kmalloc devm_kzalloc kvasprintf __devres_alloc_node sk_stream_alloc_skb dev_kfree_skb_any
  __dev_kfree_skb_irq kfree_skb __kfree_skb netif_receive_generic_xdp xmit_one cstar_dispatch timer_interrupt hardware_interrupt_common
`
  .trim()
  .split(/\s+/);
const surveyed = surveyOf("defined").keys;
const names: readonly string[] = [...new Set([...surveyed, ...further])].sort();
const fewer: readonly string[] = [...new Set([...surveyed.filter((_, i) => i % 6 === 0), ...further])].sort();

describe("names", () => {
  const asked: readonly (readonly [string, (name: string) => boolean])[] = [
    ["nobody's hand", isPlumbing],
    ["works on anybody's memory", isHelper],
    ["polls, by its name", (name) => polling.test(name)],
    ["fills a ring, by its name", (name) => refilling.test(name)],
  ];
  test.each(asked)("%s", (what, holds) => {
    const those = names.filter(holds);
    expect(those.length).toBeGreaterThan(5);
    expect(those.length).toBeLessThan(names.length / 2);
    said.push(`${what}: ${those.join(" ")}`);
  });
});

/** A stack in x86's form of today: `?name` is a guess, `name [module]` of a module, `<IRQ>` a mark. */
const frame = (text: string): TraceItem => {
  const [name = "", module] = text.replace(/[?[\]]/g, "").split(" ");
  return text.startsWith("<")
    ? { kind: "marker", name: text.slice(1, -1) }
    : {
        kind: "frame",
        function: name,
        offset: 18,
        size: 64,
        reliable: !text.startsWith("?"),
        ...(module === undefined ? {} : { module }),
      };
};
const traceOf = (texts: readonly string[], heading = "Call Trace:"): CallTrace => ({
  form: "plain",
  heading,
  items: texts.map(frame),
});

const nameAt = (v: StackView, at: number | undefined): string =>
  at === undefined ? "-" : at < 0 ? "above" : (v.frames[at]?.function ?? "?");
const lacks = ({ trace, joined }: StackView): string => {
  const of = (p: StackView["trace"]): string => (p.state === "whole" ? p.state : "lacks" in p ? p.lacks : p.state);
  return of(trace) === of(joined) ? of(trace) : `${of(trace)}/${of(joined)}`;
};
/** All that a view says in one line. */
const viewed = (v: StackView): string =>
  [
    `${v.path}@${nameAt(v, v.pathFrame)}`,
    v.object === "other" ? "" : `${v.object}@${nameAt(v, v.objectFrame)}`,
    `${v.context}@${nameAt(v, v.contextFrame)}`,
    v.direction === undefined ? "" : `${v.direction}@${nameAt(v, v.directionFrame)}`,
    driverNameOf(v) === undefined ? "" : `driver ${driverNameOf(v)}@${v.driver?.frame ?? v.module?.frame}`,
    v.caller === undefined ? "nobody" : `${v.asked ? "" : "perhaps "}${nameAt(v, v.caller)}`,
    v.noSleepFrame === undefined ? "" : `may not sleep@${nameAt(v, v.noSleepFrame)}`,
    v.reclaimFrame === undefined ? "" : `reclaims@${nameAt(v, v.reclaimFrame)}`,
    ringIsBeingMade(v) ? "sets up" : "",
    lacks(v),
  ]
    .filter((x) => x !== "")
    .join("; ");

/** What is the same of most is said once; then whose name makes another answer. */
function grouped(what: string, answers: ReadonlyMap<string, string>): void {
  const byAnswer = new Map<string, string[]>();
  for (const [name, answer] of answers) byAnswer.set(answer, [...(byAnswer.get(answer) ?? []), name]);
  const all = [...byAnswer].sort(([, a], [, b]) => b.length - a.length);
  said.push(`== ${what}`);
  for (const [i, [answer, those]] of all.entries())
    said.push(`  ${answer}: ${i === 0 ? "all others" : those.join(" ")}`);
}

const refused = ["dump_stack_lvl", "warn_alloc", "__alloc_pages_slowpath", "__alloc_pages"];
const slab = [...refused, "new_slab", "___slab_alloc", "kmem_cache_alloc_node"];
const bySyscall = ["ksys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"];
const byThread = ["kthread", "ret_from_fork"];
const bySoftirq = [
  "net_rx_action",
  "__do_softirq",
  "do_softirq",
  "run_ksoftirqd",
  "smpboot_thread_fn",
  "kthread",
  "ret_from_fork",
];
/** Where one name stands for each of all: `X`. */
const places: Readonly<Record<string, readonly string[]>> = {
  "it asks for pages": [...refused, "X", ...bySyscall],
  "it asks a slab": [...slab, "X", ...bySyscall],
  "it asks for a packet": [...slab, "__alloc_skb", "X", "sock_sendmsg", ...bySyscall],
  "it asks for a packet in a poll": [...slab, "__alloc_skb", "__netdev_alloc_skb", "X", "foo_poll [foo]", ...bySoftirq],
  "it asks a cache of fragments": [...refused, "page_frag_alloc", "X", "foo_poll [foo]", ...bySoftirq],
  "it asks for a module": [...refused, "X [foo]", "worker_thread", ...byThread],
  "it asks for a copy": [...refused, "kmalloc_order", "__kmalloc_track_caller", "X", "my_own", ...bySyscall],
  "it is asked": ["X", "my_own", ...bySyscall],
  "it stands between who asked and the task": [...slab, "__alloc_skb", "my_own", "X", ...bySyscall],
  "it stands in a softirq": [...slab, "my_own", "X", ...bySoftirq],
  "it is a guess behind the allocator": [...refused, "?X", "my_own", ...bySyscall],
  "all are guesses": [...slab, "X", "my_own", ...bySyscall].map((n) => `?${n}`),
  "it is behind a check that stopped": ["panic", "X", ...bySyscall],
  "it is behind arm64's break": ["bug_handler", "call_break_hook", "brk_handler", "X", ...bySyscall],
  "it is behind arm64's break, which comes first": ["brk_handler", "el1_dbg", "X", ...bySyscall],
  "it gives a packet back that arrived": ["skb_release_data", "X", "udp_rcv", "net_rx_action", ...bySoftirq.slice(1)],
  "it gives a packet back that may have been sent": ["skb_release_data", "X", "tcp_v4_rcv", ...bySoftirq],
  "it frees a page": ["dump_stack_lvl", "bad_page", "X", "my_own", ...bySyscall],
  "it calls what frees a page": ["dump_stack_lvl", "bad_page", "free_pcp_prepare", "X", ...bySyscall],
  "its caller only hands on": ["dump_stack_lvl", "bad_page", "X", "kthread", "ret_from_fork"],
  "a module calls it": [...slab, "my_own [foo]", "X", "sock_sendmsg", ...bySyscall],
  "a hook of a module calls it": [...refused, "selinux_socket_sendmsg", "X", ...bySyscall],
  "a hook calls it": [...refused, "security_socket_sendmsg", "X", ...bySyscall],
  "it ends the stack": [...refused, "my_own", "do_syscall_64", "X"],
  "it ends the stack alone": [...refused, "my_own", "X"],
  "it frees what arrived": ["skb_release_data", "consume_skb", "X", "net_rx_action", ...bySoftirq.slice(1)],
  "it is called in a driver": [...refused, "X", "e1000_alloc_rx_buffers [e1000]", "e1000_clean [e1000]", ...bySoftirq],
  "it calls a module that nobody knows": [
    ...refused,
    "my_own [my_module]",
    "X",
    "__x64_sys_ioctl",
    "do_syscall_64",
    "entry_SYSCALL_64",
  ],
  "it calls a driver": [...refused, "e1000_alloc_rx_buffers [e1000]", "X", ...bySoftirq],
};
const bySystemCall = ["do_syscall_64", "entry_SYSCALL_64_after_hwframe"];
/** What calls functions of one kind alone, and what stands behind it. */
const callers: Readonly<Record<string, readonly string[]>> = {
  do_syscall_64: ["entry_SYSCALL_64_after_hwframe"],
  process_one_work: ["worker_thread", ...byThread],
  worker_thread: byThread,
  kthread: ["ret_from_fork"],
  smpboot_thread_fn: byThread,
  __x64_sys_clone: bySystemCall,
  kernel_clone: ["__x64_sys_clone", ...bySystemCall],
  kernel_init_freeable: ["kernel_init", "ret_from_fork"],
  kernel_init: ["ret_from_fork"],
  ret_from_fork: [],
  asm_exc_page_fault: [],
  __do_softirq: ["run_ksoftirqd", "smpboot_thread_fn", ...byThread],
};
/** Ways into the kernel. */
const entered =
  "do_syscall_64 do_fast_syscall_32 entry_SYSCALL_64 entry_SYSENTER_32 entry_INT80_32 system_call_fastpath tracesys cstar_dispatch ia32_sysret sysenter_past_esp syscall_call ret_from_syscall ret_fast_syscall el0_svc el0t_64_sync x64_sys_call invoke_syscall";
/** What they call, or what is called on the way back. */
const called =
  "sys_write SyS_write SYSC_write do_SYSENTER_32 do_int80_syscall_32 el0_da ia32_cstar_target stub_clone ptregscall_common trace_hardirqs_on_caller prepare_exit_to_usermode exit_to_user_mode_loop";

describe("each function at each place", () => {
  test.each(Object.entries(places))("%s", (what, texts) => {
    const answers = fewer.map((name) => {
      const trace = traceOf(texts.map((t) => t.replace("X", name)));
      return [name, viewed(viewStack(trace, [], !what.includes("frees"))).replaceAll(name, "X")] as const;
    });
    expect(answers.length).toBe(fewer.length);
    grouped(what, new Map(answers));
  });
  const isJoined = (...names: readonly string[]): boolean =>
    viewStack(traceOf([...refused, "my_own", ...names]), [], true).joined.state === "whole";
  test("behind what calls functions of one kind", () => {
    const any = fewer.filter((name) => isJoined(name, "my_other", ...byThread));
    for (const [caller, tail] of Object.entries(callers)) {
      const may = any.filter((name) => isJoined(name, caller, ...tail));
      const mayNot = any.filter((name) => !may.includes(name));
      const more = fewer.filter((name) => !any.includes(name) && isJoined(name, caller, ...tail));
      expect(may.length * mayNot.length, caller).toBeGreaterThan(0);
      const [which, those] = may.length < mayNot.length ? ["may call", may] : ["may not call", mayNot];
      said.push(`== ${caller} ${which}: ${those.join(" ")}${more.length === 0 ? "" : `; too: ${more.join(" ")}`}`);
    }
  });
  test.each(entered.split(" "))("%s calls what a system call is", (entry) => {
    for (const name of called.split(" ")) expect(isJoined(name, entry), name).toBe(true);
    for (const name of ["my_other", "my_syscal", "process_one_thing"]) expect(isJoined(name, entry), name).toBe(false);
  });
});

/** Stacks of many releases as their kernels print them. */
function ofReleases(): readonly (readonly [string, CallTrace])[] {
  const releases: readonly (readonly [string, Architecture])[] = [
    ...["2.6.18", "2.6.32", "3.10", "4.9", "4.19", "5.10", "6.1", "6.12"].map((r) => [r, "x86_64"] as const),
    ...(["i386", "ppc32", "arm", "arm64", "mips"] as const).flatMap((a) =>
      ["2.6.38", "4.9", "6.1"].map((r) => [r, a] as const),
    ),
  ];
  const asked = {
    sends: { passed: ["kmalloc", "__alloc_skb"], caller: "tcp_stream_alloc_skb < tcp_sendmsg_locked < tcp_sendmsg" },
    receives: {
      softirq: true,
      interrupt: true,
      passed: ["kmem_cache_alloc", "__alloc_skb"],
      caller: "tg3_rx < tg3_poll",
      task: "",
    },
    refills: {
      softirq: true,
      interrupt: true,
      passed: ["page_frag_alloc"],
      caller: "e1000_alloc_rx_buffers < e1000_clean_rx_irq < e1000_clean",
      task: "",
    },
    "is called up the stack": { softirq: true, passed: ["skb_clone"], caller: "netif_receive_skb < tg3_poll" },
    opens: {
      passed: [],
      caller: "igb_alloc_rx_buffers < igb_configure < __igb_open < igb_open < __dev_open",
      task: "ifconfig",
    },
    works: { passed: ["kmalloc"], caller: "my_own", task: "kworker/0:1" },
  };
  return releases.flatMap(([release, arch]) =>
    Object.entries(asked).map(([what, one]) => {
      const of = parseRelease(`${release}-${arch}`);
      const stack = stackNames(of, { report: "failure", task: "sender", softirq: false, interrupt: false, ...one });
      return [`${release} ${arch} ${what}`, callTrace(of, stack)] as const;
    }),
  );
}

/** A stack of which something is another: lines lost, guessed, doubled, torn, of a module, cut at the start or at the end, or without its heading. */
function damaged(trace: CallTrace, random: Prng): CallTrace {
  const { items } = trace;
  const at = random.below(items.length);
  const to = Math.min(items.length, at + 1 + random.below(4));
  const changed = (how: (f: Frame) => TraceItem): CallTrace => ({
    ...trace,
    items: items.map((x, i) => (i >= at && i < to && x.kind === "frame" ? how(x) : x)),
  });
  const kinds: readonly (() => CallTrace)[] = [
    () => ({ ...trace, items: items.filter((_, i) => i < at || i >= to) }),
    () => ({ ...trace, items: items.slice(at) }),
    () => ({ ...trace, items: items.slice(0, to) }),
    () => ({ ...trace, items: [...items.slice(0, to), ...items.slice(at)] }),
    () => changed((f) => ({ ...f, reliable: !f.reliable })),
    () => ({ ...trace, items: items.map((x) => (x.kind === "frame" ? { ...x, reliable: false } : x)) }),
    () => changed((f) => ({ ...f, module: "foo" })),
    () => changed((f) => ({ ...f, function: "my_own" })),
    () => changed(({ offset: _, ...f }) => f),
    () => ({ ...trace, torn: random.chance(0.5) ? "inside" : "end" }),
    () => ({ ...trace, heading: "" }),
    () => ({
      ...trace,
      items: [
        ...items.slice(0, at),
        { kind: "marker", name: random.pick(["IRQ", "/IRQ", "EOI", "TASK", "/TASK"]) },
        ...items.slice(at),
      ],
    }),
    () => changed((f) => (f.stackPointer === undefined ? f : { ...f, stackPointer: "c03e0000" })),
  ];
  return random.pick(kinds)();
}

/** Stacks of which each function is one that a question looks for. */
const firsts: Readonly<Record<string, readonly string[]>> = {
  "what sends": [
    "e1000_xmit_frame [e1000]",
    "dev_hard_start_xmit",
    "sch_direct_xmit",
    "__dev_queue_xmit",
    ...bySyscall,
  ],
  "what reclaims": [
    "shrink_node",
    "do_try_to_free_pages",
    "try_to_free_pages",
    "__alloc_pages",
    "my_own",
    ...bySyscall,
  ],
  "a head of a packet": ["skb_clone", "__alloc_skb", "kmem_cache_alloc_node", "my_own", ...bySyscall],
  "an interrupt": ["handle_irq_event", "__irq_svc", "do_softirq", "net_rx_action", "my_own", ...bySyscall],
  "a buffer that comes in": ["__netdev_alloc_skb", "my_refill [my_driver]", "my_poll [my_driver]", ...bySoftirq],
  "an opening": ["my_fill [my_driver]", "__dev_open", "dev_change_flags", ...bySyscall],
  "a page": [
    "__alloc_pages",
    "__kmalloc",
    "page_frag_alloc",
    "page_pool_alloc_pages",
    "vmalloc",
    "my_own",
    ...bySyscall,
  ],
};

/** One frame of ARM names its caller; on powerpc each says where it lies. */
const linked = (...pairs: readonly (readonly [name: string, from: string])[]): CallTrace => ({
  form: "arm",
  heading: "",
  items: pairs.map(
    ([name, from]): Frame => ({ kind: "frame", function: name, reliable: true, from: { function: from } }),
  ),
});
const stacked = (...places: readonly (readonly [name: string, stackPointer: string])[]): CallTrace => ({
  form: "powerpc",
  heading: "Call Trace:",
  items: places.map(([name, stackPointer]) => ({ ...(frame(name) as Frame), stackPointer })),
});
const byThreadOfModule = ["my_own [my_module]", "my_thread [my_module]"];
const byHand: Readonly<Record<string, CallTrace>> = {
  ...Object.fromEntries(
    (
      [
        ["32-bit x86 stopped on a check", "do_invalid_op", "error_code", "my_own", ...bySyscall],
        ["riscv stopped on a check", "do_trap_break", "handle_exception", "my_own", ...bySyscall],
        ["the boot stopped on a check", "panic", "kernel_init", "ret_from_fork"],
        ["a thread stopped on a check that is gone", "panic", "kthread", "ret_from_fork"],
        ["the same with a guess between", "panic", "?my_own", "kthread", "ret_from_fork"],
        ["a module's thread", ...slab, ...byThreadOfModule, "kthread", "ret_from_fork"],
        ["a module's thread, its starter's line lost", ...slab, ...byThreadOfModule, "ret_from_fork"],
        ["a module's thread of powerpc", ...slab, ...byThreadOfModule, "ret_from_kernel_thread"],
        ...[
          ...["kthread", "smpboot_thread_fn", "process_one_work", "full_proxy_write", "new_sync_write", "vfs_write"],
          ...["__x64_sys_write", "__se_sys_write", "__arm64_sys_write", "ksys_write", "sys_write", "SyS_write"],
          ...["my_other", "vfs_read", "sys_read"],
        ].map((n) => [
          `a module's work of ${n}`,
          ...slab,
          "my_own [my_module]",
          "my_watchdog [my_module]",
          n,
          "start_kernel",
        ]),
        ["a module's thread behind other entry code", ...slab, ...byThreadOfModule, "start_kernel"],
        ["a 32-bit system call of AMD", ...refused, "my_own", "compat_sys_write", "cstar_dispatch"],
        ["a 32-bit system call of AMD, its function lost", ...refused, "my_own", "cstar_dispatch"],
        ["an interrupt behind the allocator", "__alloc_pages", "__irq_svc", "my_own", "do_syscall_64"],
        ["an interrupt first", "__irq_svc", "my_own", "do_syscall_64"],
        ["reclaim in what an interrupt stopped", ...slab, "my_own", "__irq_svc", "shrink_node", "kswapd", ...byThread],
        ["reclaim behind who asked", ...slab, "my_own", "shrink_node", "kswapd", ...byThread],
        ["kmalloc without a slab", ...refused, "__kmalloc", "my_own", ...bySyscall],
        [
          "kmalloc behind a helper of the pages",
          ...refused,
          "alloc_pages_current",
          "__kmalloc",
          "my_own",
          ...bySyscall,
        ],
        ["kmalloc before the pages", "__kmalloc", ...refused, "my_own", ...bySyscall],
        ["kmalloc further out", ...refused, "my_own", "__kmalloc", ...bySyscall],
        ["pages last", "dump_stack_lvl", "__alloc_pages"],
        [
          "a receive buffer further out than an opening",
          ...refused,
          "my_own",
          "__dev_open",
          "__netdev_alloc_skb",
          "my_fill",
        ],
        ["a copy of a packet's head", ...slab, "skb_clone", "__alloc_skb", "my_own", ...bySyscall],
        ["a packet's data, its head a guess", ...slab, "?skb_clone", "__alloc_skb", "my_own", ...bySyscall],
        ["no context but a mark", "<IRQ>", ...slab, "my_own"],
        [
          "a leftover of a driver in a stack of frames and guesses",
          ...refused,
          "?tg3_poll [tg3]",
          "__kmalloc",
          "my_own",
        ],
        ["a leftover of a driver in a stack of guesses", ...refused, "tg3_poll [tg3]", "__kmalloc", "my_own"].map(
          (n, i) => (i === 0 ? n : `?${n}`),
        ),
        ...["e1000_clean [e1000]", "tg3_poll [tg3]"].map((behind) =>
          [`a leftover of a driver, and ${behind} behind it`, "__alloc_pages", "tg3_rx [tg3]", "__kmalloc", behind].map(
            (n, i) => (i === 0 ? n : `?${n}`),
          ),
        ),
        ...[4, 5].map((n) =>
          [
            `${n} leftovers`,
            "__alloc_pages",
            ...Array.from({ length: n }, (_, i) => `my_${i}`),
            "__kmalloc",
            "my_own",
          ].map((name, i) => (i === 0 ? name : `?${name}`)),
        ),
        ["a leftover in a stack that marks none", "__alloc_pages", "my_0", "__kmalloc", "my_own", "?my_1"],
      ] as readonly (readonly string[])[]
    ).map(([what = "", ...texts]) => [what, traceOf(texts)] as const),
  ),
  ...Object.fromEntries(
    ["irq", "dabt", "pabt", "und", "fiq", "swi"].map((entry) => [
      `ARM, what __${entry}_svc stopped stands behind it`,
      linked(["__alloc_pages", "my_own"], ["my_own", `__${entry}_svc`], ["sys_write", "ret_fast_syscall"]),
    ]),
  ),
  ...Object.fromEntries(
    ["c03dffff", "c03e0000", "c03effff", "c03f0000", "c03f0001"].flatMap((outer) =>
      ["my_own", "timer_interrupt", "do_IRQ", "unrecoverable_exception"].map((name) => [
        `powerpc, ${name} at ${outer}`,
        stacked(["__alloc_pages", "c03e0000"], [name, "c03e0000"], ["sys_write", outer], ["ret_from_syscall", outer]),
      ]),
    ),
  ),
};
test.each(Object.entries(byHand))("by hand: %s", (what, trace) => {
  const asked = viewed(viewStack(trace, [], true));
  const stopped = viewed(viewStack(trace, ["my_own_too"], false));
  expect(asked).not.toBe("");
  said.push(`${what}: ${asked}`, ...(asked === stopped ? [] : [`  at fault: ${stopped}`]));
});

/** The stack without its first lines, once for each of its lines that comes first then; of those that say the same once. */
function withoutHead(what: string, { items, ...trace }: CallTrace): void {
  const views = items.map((_, from) => {
    const now: CallTrace = { ...trace, items: items.slice(from) };
    return [viewStack(now, [], true), viewStack(now, ["my_own"], false)].map(viewed).join(" | at fault: ");
  });
  said.push(`== ${what}, without its head`);
  for (const [from, view] of views.entries()) if (view !== views[from - 1]) said.push(`  from ${from}: ${view}`);
}

describe("stacks of releases", () => {
  const seed = 20261201;
  const all = ofReleases();
  test("as printed each is whole", () => {
    for (const [what, trace] of all) {
      const view = viewStack(trace, [], true);
      said.push(`== ${what}: ${viewed(view)}`);
    }
    expect(all.length).toBeGreaterThan(100);
  });
  test("without its first lines each says no more", () => {
    const told = said.length;
    const few = /^(?:2\.6\.32 x86_64|6\.1 x86_64|(?:4\.9|6\.1) (?:ppc32|arm) |4\.9 arm64) /;
    for (const [what, trace] of all) if (few.test(what)) withoutHead(what, trace);
    for (const [what, texts] of Object.entries(firsts)) withoutHead(what, traceOf(texts));
    expect(said.length - told).toBeGreaterThan(200);
  });
  test(`with lines lost or changed (seed ${seed})`, () => {
    const random = prng(seed);
    for (const [what, trace] of all)
      for (let k = 0; k < 8; k++) {
        let now = damaged(trace, random);
        if (random.chance(0.3) && now.items.length > 0) now = damaged(now, random);
        const above = random.chance(0.25)
          ? [random.pick(["skb_put", "kfree", "tcp_v4_rcv", "e1000_clean", "my_own"])]
          : [];
        said.push(`${what}, ${k}: ${viewed(viewStack(now, above, random.chance(0.6)))}`);
      }
    expect(said.length).toBeGreaterThan(900);
  });
});

test("and all of it is as kept", () => {
  const kept = join(import.meta.dirname, "../../fixtures/answers/views.txt");
  if (process.env.ANSWERS === "write") writeFileSync(kept, `${said.join("\n")}\n`);
  expect(said).toEqual(readFileSync(kept, "utf8").trimEnd().split("\n"));
});
