// A report of 6.1 as warn_alloc(), slab_out_of_memory() and show_mem() print it, made of the parts that a test is about; the state of memory is that of
// fixtures/logs/e1000_refill_6.1.txt. And the answer to one question of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findingOf } from "../asked.ts";
import { diagnoseTexts } from "../field.testkit.ts";
import type { DiagnosedIncident, Finding } from "../finding.ts";

const real = readFileSync(join(import.meta.dirname, "../../../fixtures/logs/e1000_refill_6.1.txt"), "utf8").split("\n");
const first = (begins: string): number => real.findIndex((line) => line.includes(begins));
/** Mem-Info of the first report there, down to its last line. */
export const memInfo: readonly string[] = real
  .slice(first("Mem-Info:"), first("pages hwpoisoned") + 1)
  .map((line) => line.replace(/^\[[ .\d]+\] /, ""));

export interface Told {
  readonly comm?: string;
  readonly order?: number;
  /** `0xa20(GFP_ATOMIC)` */
  readonly mask?: string;
  readonly release?: string;
  /** From the innermost that is no reporter's out. */
  readonly frames?: readonly string[];
  /** Lines behind the trace. */
  readonly behind?: readonly string[];
  readonly memInfo?: readonly string[];
}

/** The task's way to its end, as a system call makes it. */
export const bySyscall: readonly string[] = [
  "vfs_write+0xad/0x310",
  "ksys_write+0x5f/0xd0",
  "do_syscall_64+0x2f/0x50",
  "entry_SYSCALL_64_after_hwframe+0x4b/0xb5",
];
/** A poll of the network to its end, in a softirq that an interrupt runs. */
export const bySoftirq: readonly string[] = [
  "__napi_poll+0x2a/0x170",
  "net_rx_action+0x2a5/0x360",
  "__do_softirq+0xc5/0x2d0",
  "irq_exit_rcu+0x8f/0xb0",
  "</IRQ>",
  "<TASK>",
  "asm_common_interrupt+0x22/0x40",
  "default_idle+0x10/0x20",
  "do_idle+0x7d/0xc0",
  "cpu_startup_entry+0x14/0x20",
  "start_kernel+0x690/0x6b0",
  "secondary_startup_64_no_verify+0xe0/0xeb",
];

/** kmalloc for a packet's head, whose cache needs a new slab. */
export const bySlab: readonly string[] = [
  "new_slab+0x1/0x2",
  "___slab_alloc+0x1/0x2",
  "__kmem_cache_alloc_node+0x1/0x2",
  "__kmalloc_node_track_caller+0x1/0x2",
];
/** A packet that is sent is copied by these, the innermost first. */
export const copiedBy = (...copiers: readonly string[]): readonly string[] => [
  ...bySlab,
  ...["kmalloc_reserve", ...copiers, "validate_xmit_skb", "__dev_queue_xmit", "ip_finish_output2", "tcp_sendmsg"].map(
    (f) => `${f}+0x1/0x2`,
  ),
  "sock_write_iter+0x1/0x2",
  ...bySyscall,
];
/** e1000 refills its ring while it polls. */
export const refilling: readonly string[] = [
  "__alloc_pages_bulk+0x1/0x2",
  "e1000_alloc_rx_buffers+0x12/0x34",
  "e1000_clean_rx_irq+0x1/0x2",
  ...bySoftirq,
];
/** A program writes to a socket of TCP. */
export const sending: readonly string[] = [
  ...bySlab,
  "__alloc_skb+0x1/0x2",
  "tcp_stream_alloc_skb+0x1/0x2",
  "tcp_sendmsg_locked+0x1/0x2",
  "tcp_sendmsg+0x1/0x2",
  "sock_write_iter+0x1/0x2",
  ...bySyscall,
];

const stamped = (lines: readonly string[]): string =>
  `${lines.map((line, i) => `[   24.${String(600000 + i * 10).padStart(6, "0")}] ${line}`).join("\n")}\n`;

/** `COMM: page allocation failure: order:0, mode:0xa20(GFP_ATOMIC)` with its stack. */
export const allocFailure = (told: Told): string => {
  const soft = told.frames?.includes("</IRQ>") === true;
  return stamped([
    `${told.comm ?? "sh"}: page allocation failure: order:${told.order ?? 0}, mode:${told.mask ?? "0xa20(GFP_ATOMIC)"}, nodemask=(null)`,
    `CPU: 0 PID: 38 Comm: ${told.comm ?? "sh"} Not tainted ${told.release ?? "6.1.192"} #1 `,
    "Call Trace:",
    soft ? " <IRQ>" : " <TASK>",
    ...["dump_stack_lvl+0x3a/0x4c", "warn_alloc+0x10e/0x130", "__alloc_pages_slowpath.constprop.0+0xb01/0xcd0"].map(
      (f) => `  ${f}`,
    ),
    ...["__alloc_pages+0x203/0x220", ...(told.frames ?? bySyscall)].map((f) =>
      f.startsWith("<") ? ` ${f}` : `  ${f}`,
    ),
    " </TASK>",
    ...(told.behind ?? []),
    ...(told.memInfo ?? memInfo),
  ]);
};

/** What SLUB says of a cache that could not grow. */
export const slubLines = (cache: string, slabs: number, free = 0, order = 0): readonly string[] => [
  "SLUB: Unable to allocate memory on node -1, gfp=0xa20(GFP_ATOMIC)",
  `  cache: ${cache}, object size: 192, buffer size: 192, default order: ${order}, min order: ${order}`,
  `  node 0: slabs: ${slabs}, objs: ${slabs * 21}, free: ${free}`,
];
export const slubFailure = (cache: string, slabs: number, free = 0, order = 0): string =>
  stamped(slubLines(cache, slabs, free, order));

/** The one incident of a text, with other texts beside it. */
export async function only(log: string, beside: Readonly<Record<string, string>> = {}): Promise<DiagnosedIncident> {
  const { incidents } = await diagnoseTexts({ log, ...beside });
  const [incident] = incidents;
  if (incident === undefined || incidents.length > 1)
    throw new Error(`${incidents.length} incidents: ${incidents.map((i) => i.title).join("; ")}`);
  return incident;
}

/** The answer to a question of the one incident of a text; undefined where it is not asked. */
export const answerIn = async (
  log: string,
  id: Parameters<typeof findingOf>[1],
  beside: Readonly<Record<string, string>> = {},
): Promise<Finding | undefined> => findingOf((await only(log, beside)).findings, id);
