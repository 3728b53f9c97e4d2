// The kernel's own words: where they stand in a line tells where the transport's part ends (transport.ts), and in which order they stand
// tells whether a log was printed newest first (order.ts). Sources: mm/page_alloc.c, mm/show_mem.c, mm/oom_kill.c, mm/slub.c, lib/dump_stack.c,
// kernel/panic.c, arch/*/kernel/{dumpstack,traps,process}.c.

const zone = "(?:DMA|DMA32|Normal|HighMem|Movable|Device)";

/** Words that a line begins with, and the place of their line in a report. */
const beginnings: readonly (readonly [rank: number, words: string])[] = [
  [1, "------------\\[ cut here \\]"],
  [1, "WARNING: CPU: \\d{1,9} PID"],
  [1, "BUG: Bad page state in process"],
  [1, "BUG: [Uu]nable to handle "],
  [1, "BUG: kernel NULL pointer"],
  [1, "(?:CPU \\d{1,5} )?Unable to handle kernel "],
  [2, "page:[0-9a-fp]{8,16} (?:ref|)count:"],
  [3, "page dumped because: "],
  [3, "Modules linked in:"],
  [4, "CPU: \\d{1,9} (?:UID: \\d{1,9} )?PID: \\d{1,9} Comm: "],
  [4, "Pid: \\d{1,9}, comm: "],
  [5, "Hardware name: "],
  [5, "Workqueue: [\\w]"],
  [6, "Call [Tt]race:"],
  [6, "Backtrace:"],
  [8, "Mem-[Ii]nfo:"],
  [9, `(?:Node \\d{1,9} )?${zone} per-cpu:`],
  [10, "active_anon:\\d{1,9} (?:in)?active_"],
  [10, "[Aa]ctive:\\d{1,9} inactive:\\d{1,9}"],
  [11, "Node \\d{1,9} active_anon:\\d{1,9}kB"],
  [12, `(?:Node \\d{1,9} )?${zone} free:\\d{1,9}kB`],
  [12, "(?:lowmem_reserve|protections)\\[\\]:"],
  [13, `(?:Node \\d{1,9} )?${zone}: \\d{1,9}\\*\\d{1,9}kB`],
  [14, "Node \\d{1,9} hugepages_total="],
  [14, "\\d{1,9} total pagecache pages"],
  [15, "\\d{1,9} pages in swap"],
  [15, "Swap cache(?: stats)?: add "],
  [16, "(?:Free|Total) swap {0,2}[=:]"],
  [17, "\\d{1,9} pages (?:of )?RAM"],
  [17, "\\d{1,9} (?:reserved pages|pages reserved)"],
  [18, "Tasks state \\(memory"],
  [19, "oom-kill:constraint="],
  [20, "Out of memory: Kill"],
  [0, "Linux version \\d\\.\\d"],
  [0, "Linux \\S{1,64} \\d{1,2}\\.\\d{1,3}\\S{0,60} #\\d"],
  [0, "Kernel panic - not syncing"],
  [0, "kernel BUG at [\\w./-]{1,80}:\\d{1,6}!"],
  [0, "invalid opcode: 0{4} "],
  [0, "Disabling lock debugging"],
  [0, "---\\[ end (?:trace |Kernel panic)"],
  [0, "Rebooting in \\d"],
  [0, "R[AD]X: [0-9a-f]{16} R"],
  [0, "(?:Oops: )?general protection fault[:,]"],
  [0, "SL[AU]B: Unable to allocate memory on "],
  [0, "(?:(?:page|anon|ksm) )?flags: 0x[0-9a-f]{4}"],
  [0, "raw: [0-9a-f]{8}"],
  [0, "BUG: K(?:A|M|C)SAN: [a-z]"],
  [0, "BUG: KFENCE: [a-z]"],
  [0, "(?:Read|Write) of size \\d{1,9} (?:at addr [0-9a-f]{8}|by task \\S)"],
  [0, "(?:Allocated|Freed) by task \\d{1,9}[ :]"],
  [0, "The buggy address belongs to "],
  [0, "BUG \\S{1,60} \\((?:Not tainted|Tainted: )"],
  [0, "INFO: (?:Allocated|Freed) in [\\w.]{1,100}\\+0x"],
  [0, "INFO: (?:Slab|Object) 0x[0-9a-f]{8}"],
  [0, "INFO: 0x[0-9a-f]{8,16}-0x[0-9a-f]{8}"],
  [0, "FIX \\S{1,60}: (?:Restoring|Object at) "],
  [0, "unreferenced object 0x[0-9a-f]{8}"],
  [0, "(?:rcu: )?INFO: rcu_[a-z_]{1,30} (?:self-)?detected "],
  [0, "skbuff: skb_(?:over|under)_panic: "],
  [0, "page_pool_release_retry\\(\\) stalled pool shutdown"],
];

const source = beginnings.map(([, words]) => words).join("|");
const anywhere = new RegExp(`(?:${source})`);
const atStart = new RegExp(`^(?:${source})`);

/** A stack frame in its forms; the blanks before it are the kernel's own. */
const frame =
  /\[<[0-9a-f]{8,16}>\]|\[[0-9a-f]{8,16}\] \[[0-9a-f]{8,16}\] \S|(?:\? )?[A-Za-z_.][\w.]{1,100}\+0x[0-9a-f]{1,6}\/0x[0-9a-f]|<\/?(?:IRQ|TASK|EOI|NMI|SOFTIRQ)>/;

/** Longest stretch of a line that is looked at: no transport puts more before a kernel line. */
const looked = 240;

/** Where a line's kernel text certainly begins, or -1. */
export function kernelStart(line: string): number {
  const at = (line.length > looked ? line.slice(0, looked) : line).search(anywhere);
  return at;
}

/** Where a stack frame begins in a line, or -1. */
export function frameStart(line: string): number {
  return (line.length > looked ? line.slice(0, looked) : line).search(frame);
}

/** True when a text begins with words that only the kernel's own lines begin with. */
export const isKernelLine = (text: string): boolean => atStart.test(text);

const ranked = beginnings
  .filter(([rank]) => rank > 0)
  .map(([rank, words]) => ({ rank, form: new RegExp(`^(?:${words})`) }));

/** The place of a text's line in a report, counted upwards from its first line; 0 when the line may stand anywhere. */
export function rankOf(text: string): number {
  if (!atStart.test(text)) return 0;
  return ranked.find((r) => r.form.test(text))?.rank ?? 0;
}
