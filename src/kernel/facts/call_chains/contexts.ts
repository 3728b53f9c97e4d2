// What stands on a stack below whoever asked for memory: the poll, the softirq, the interrupt and what it stopped, system calls, threads.
import type { Architecture, Fact } from "../../release.ts";
import type { Chain } from "./allocators.ts";

/** A packet on its way up, between a poll function and whoever allocates (net/ipv4, net/core/dev.c). */
export const upTheStack: Chain = [
  {
    since: [2, 6],
    value: "tcp_v4_do_rcv < tcp_v4_rcv < ip_local_deliver < ip_rcv < netif_receive_skb",
    source: "a report of a 405EX, 2.6.29",
  },
  {
    since: [2, 6, 36],
    value:
      "tcp_v4_do_rcv < tcp_v4_rcv < ip_local_deliver_finish < ip_local_deliver < ip_rcv < __netif_receive_skb < netif_receive_skb < napi_gro_receive",
    source: "net/core/dev.c 3.13",
  },
  {
    since: [4, 19],
    value:
      "tcp_v4_do_rcv < tcp_v4_rcv < ip_local_deliver_finish < ip_local_deliver < ip_rcv < __netif_receive_skb_one_core < __netif_receive_skb < netif_receive_skb_internal < napi_gro_receive",
    source: "net/core/dev.c 4.19",
  },
  {
    since: [5, 10],
    value:
      "tcp_v4_do_rcv < tcp_v4_rcv < ip_protocol_deliver_rcu < ip_local_deliver_finish < ip_local_deliver < ip_rcv < __netif_receive_skb_one_core < netif_receive_skb_list_internal < napi_complete_done",
    source: "net/core/dev.c 6.1",
  },
];

export const poll: Chain = [
  { since: [2, 6], value: "net_rx_action", source: "net/core/dev.c 2.6.24 and 4.19" },
  { since: [5, 13], value: "__napi_poll < net_rx_action", source: "net/core/dev.c 6.1" },
];
export const timers: Chain = [
  { since: [2, 6], value: "run_timer_softirq", source: "kernel/timer.c 2.6.24" },
  { since: [2, 6, 36], value: "call_timer_fn < run_timer_softirq", source: "kernel/timer.c 3.13" },
  {
    since: [4, 13],
    value: "call_timer_fn < __run_timers.part.0 < run_timer_softirq",
    source: "kernel/time/timer.c 6.1",
  },
];
export const softirqs: Chain = [
  { since: [2, 6], value: "__do_softirq", source: "kernel/softirq.c 2.6.24 and 6.1" },
  { since: [6, 10], value: "handle_softirqs", source: "kernel/softirq.c 6.10" },
];

/** From the softirq back to what the interrupt stopped. `irq`: on the interrupt's stack; `below`: what it stopped, the idle task. */
export interface IrqExit {
  readonly irq: string;
  readonly below: string;
}
export const irqExit: Partial<Record<Architecture, readonly Fact<IrqExit>[]>> & {
  readonly x86_64: readonly Fact<IrqExit>[];
} = {
  x86_64: [
    {
      since: [2, 6],
      value: {
        irq: "call_softirq < do_softirq < irq_exit < do_IRQ < ret_from_intr",
        below: "default_idle < cpu_idle",
      },
      source: "a tg3 report of 2.6.24, virtio_net of 2.6.34",
    },
    {
      since: [3, 0],
      value: {
        irq: "call_softirq < do_softirq < irq_exit < do_IRQ < common_interrupt",
        below: "default_idle < cpu_idle < rest_init < start_kernel",
      },
      source: "arch/x86/kernel/entry_64.S 3.0",
    },
    {
      since: [3, 14],
      value: {
        irq: "irq_exit < do_IRQ < common_interrupt",
        below: "default_idle < arch_cpu_idle < cpu_startup_entry < rest_init < start_kernel",
      },
      source: "kernel/softirq.c 3.14",
    },
    {
      since: [4, 10],
      value: {
        irq: "irq_exit < do_IRQ < common_interrupt",
        below: "default_idle < default_idle_call < do_idle < cpu_startup_entry < rest_init < start_kernel",
      },
      source: "kernel/sched/idle.c 4.19; a report of 4.18",
    },
    {
      since: [5, 8],
      value: {
        irq: "__irq_exit_rcu < common_interrupt",
        below:
          "asm_common_interrupt < default_idle < default_idle_call < do_idle < cpu_startup_entry < rest_init < start_kernel",
      },
      source: "arch/x86/kernel/irq.c 6.1",
    },
  ],
  i386: [
    {
      since: [2, 6],
      value: {
        irq: "do_softirq < do_IRQ < common_interrupt",
        below: "default_idle < cpu_idle < start_kernel",
      },
      source: "e1000 reports of 2.6.10 and 2.6.31",
    },
  ],
  ppc32: [
    {
      since: [2, 6],
      value: {
        irq: "call_do_softirq < do_softirq < irq_exit < do_IRQ < ret_from_except",
        below: "cpu_idle < rest_init < start_kernel",
      },
      source: "arch/powerpc/kernel/irq.c 2.6.29",
    },
    {
      since: [3, 10],
      value: {
        irq: "call_do_softirq < do_softirq < irq_exit < do_IRQ < ret_from_except",
        below: "arch_cpu_idle < cpu_startup_entry < rest_init < start_kernel",
      },
      source: "kernel/cpu/idle.c 3.10",
    },
  ],
  arm: [
    {
      since: [2, 6],
      value: { irq: "irq_exit < asm_do_IRQ < __irq_svc", below: "cpu_idle < rest_init < start_kernel" },
      source: "a report of a CNS3xxx board, 2.6.31",
    },
    {
      since: [3, 10],
      value: {
        irq: "irq_exit < __handle_domain_irq < gic_handle_irq < __irq_svc",
        below: "arch_cpu_idle < cpu_startup_entry < rest_init < start_kernel",
      },
      source: "a report of 4.3",
    },
  ],
  arm64: [
    {
      since: [3, 7],
      value: {
        irq: "irq_exit < __handle_domain_irq < gic_handle_irq < el1_irq",
        below: "arch_cpu_idle < cpu_startup_entry < rest_init < start_kernel",
      },
      source: "arch/arm64/kernel/entry.S 4.19",
    },
    {
      since: [5, 14],
      value: {
        irq: "__irq_exit_rcu < irq_exit_rcu < el1_interrupt < el1h_64_irq_handler < el1h_64_irq",
        below: "arch_cpu_idle < default_idle_call < do_idle < cpu_startup_entry < rest_init < start_kernel",
      },
      source: "arch/arm64/kernel/entry-common.c 6.1",
    },
  ],
  mips: [
    {
      since: [2, 6],
      value: {
        irq: "do_softirq < irq_exit < plat_irq_dispatch < ret_from_irq",
        below: "r4k_wait < cpu_idle < start_kernel",
      },
      source: "arch/mips/kernel 2.6.24",
    },
  ],
};

export const ksoftirqd: Chain = [
  { since: [2, 6], value: "do_softirq < ksoftirqd < kthread", source: "kernel/softirq.c 2.6.24 and 2.6.32" },
  { since: [3, 0], value: "run_ksoftirqd < kthread", source: "kernel/softirq.c 3.0 and 3.4: not in 2.6.32" },
  {
    since: [3, 8],
    value: "run_ksoftirqd < smpboot_thread_fn < kthread < ret_from_fork",
    source: "a report of 6.1.192",
  },
];
export const bottomHalvesOn: Chain = [
  { since: [2, 6], value: "do_softirq < local_bh_enable", source: "kernel/softirq.c 2.6.24" },
  { since: [3, 14], value: "do_softirq_own_stack < do_softirq < __local_bh_enable_ip", source: "a report of 4.4" },
  { since: [5, 12], value: "do_softirq < __local_bh_enable_ip", source: "kernel/softirq.c 6.1" },
];
export const worker: Chain = [
  { since: [2, 6], value: "run_workqueue < worker_thread < kthread", source: "kernel/workqueue.c 2.6.24" },
  {
    since: [2, 6, 36],
    value: "process_one_work < worker_thread < kthread < ret_from_fork",
    source: "kernel/workqueue.c 6.1",
  },
];
export const systemCall: Readonly<Record<"ioctl" | "sendto" | "recvfrom", Chain>> = {
  ioctl: [
    {
      since: [2, 6],
      value: "dev_open < dev_change_flags < devinet_ioctl < inet_ioctl < sock_ioctl < do_ioctl < vfs_ioctl < sys_ioctl",
      source: "net/core/dev.c and fs/ioctl.c 2.6.24",
    },
    {
      since: [2, 6, 35],
      value:
        "__dev_open < __dev_change_flags < dev_change_flags < devinet_ioctl < inet_ioctl < sock_do_ioctl < sock_ioctl < do_vfs_ioctl < sys_ioctl",
      source: "net/core/dev.c 3.13",
    },
    {
      since: [4, 17],
      value:
        "__dev_open < __dev_change_flags < dev_change_flags < devinet_ioctl < inet_ioctl < sock_do_ioctl < sock_ioctl < __x64_sys_ioctl",
      source: "net/core/dev.c 6.1; syzbot reports of 6.9",
    },
  ],
  sendto: [
    {
      since: [2, 6],
      value: "sock_sendmsg < sys_sendto",
      source: "net/socket.c 2.6.24",
    },
    { since: [2, 6, 38], value: "inet_sendmsg < sock_sendmsg < sys_sendto", source: "net/ipv4/af_inet.c 3.13" },
    {
      since: [4, 17],
      value: "inet_sendmsg < sock_sendmsg < __sys_sendto < __x64_sys_sendto",
      source: "net/socket.c 6.1",
    },
  ],
  recvfrom: [
    { since: [2, 6], value: "sock_recvmsg < sys_recvfrom", source: "net/socket.c 2.6.24" },
    {
      since: [4, 17],
      value: "inet_recvmsg < sock_recvmsg < __sys_recvfrom < __x64_sys_recvfrom",
      source: "net/socket.c 6.1",
    },
  ],
};
export const entry: Chain = [
  { since: [2, 6], value: "system_call_fastpath", source: "arch/x86/kernel/entry_64.S 3.0" },
  { since: [4, 2], value: "entry_SYSCALL_64_fastpath", source: "arch/x86/entry/entry_64.S 4.4" },
  {
    since: [4, 16],
    value: "do_syscall_64 < entry_SYSCALL_64_after_hwframe",
    source: "a report of 6.1.192; first release from history (commit 21d375b6b34f)",
  },
];
