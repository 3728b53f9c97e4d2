// Which line begins a report, and of which kind. One table says it: each row has the words that every line of its form holds, the form, and
// a line of the form as a kernel prints it. The cheap test in front and the anchors of the scan (anchors.ts) are made of the words, so a
// row can never be shut out by a filter that does not know it.

import { messageLines } from "../../../kernel/facts/messages.ts";
import type { IncidentKind } from "../../../kernel/readings/incident.ts";

/** One form of a line that begins a report. */
export interface HeadlineRow {
  readonly kind: IncidentKind;
  /** Each line of this form holds one of these words, letter for letter. Four characters at least. */
  readonly words: readonly string[];
  readonly form: RegExp;
  /** A line of the form, as printed. */
  readonly example: string;
}

const row = (kind: IncidentKind, words: readonly string[], form: RegExp, example: string): HeadlineRow => ({
  kind,
  words,
  form,
  example,
});

const shortageRows: readonly HeadlineRow[] = [
  row(
    "alloc_failure",
    ["page allocation failure", "page allocation stalls for"],
    /page allocation (?:failure|stalls for)/,
    "swapper: page allocation failure. order:1, mode:0x20",
  ),
  row(
    "alloc_failure",
    ["-order allocation failed"],
    /__alloc_pages: \d{1,3}-order allocation failed/,
    "__alloc_pages: 0-order allocation failed (gfp=0x20/0)",
  ),
  row(
    "alloc_failure",
    ["vmalloc: allocation failure", "vmalloc error: size", "vmap allocation for size"],
    /vmalloc: allocation failure|vmalloc error: size|vmap allocation for size \d+ failed/,
    "vmap allocation for size 1052672 failed: use vmalloc=<size> to increase size.",
  ),
  row(
    "slab_failure",
    ["nable to allocate memory on"],
    /SL[AU]B: Unable to allocate memory on/,
    "SLUB: Unable to allocate memory on node -1 (gfp=0x20)",
  ),
  row(
    "oom",
    ["invoked oom-killer", "oom-killer: gfp_mask="],
    /invoked oom-killer|^oom-killer: gfp_mask=/,
    "httpd invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=0",
  ),
  row(
    "oom",
    ["ut of memory", "ut of Memory"],
    /(?:^|: )(?:Memory cgroup o|O)ut of [Mm]emory(?: \(oom_kill_allocating_task\))?: Kill(?:ed)? process \d+/,
    "Out of memory: Killed process 812 (httpd) total-vm:81920kB, anon-rss:4096kB, file-rss:0kB",
  ),
  row(
    "oom",
    ["oom-kill:constraint="],
    /^oom-kill:constraint=/,
    "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task=httpd,pid=812,uid=0",
  ),
  row(
    "oom",
    ["no killable processes", "deadlocked on memory", "panic_on_oom is enabled"],
    /^(?:Out of memory and no killable processes|Kernel panic - not syncing: (?:Out of memory|System is deadlocked on memory))/,
    "Kernel panic - not syncing: System is deadlocked on memory",
  ),
];

const pageRows: readonly HeadlineRow[] = [
  row(
    "suppressed",
    ["Bad page state: "],
    /Bad page state(?:: \d+ messages suppressed)/,
    "BUG: Bad page state: 14 messages suppressed",
  ),
  row("bad_page", ["Bad page state"], /Bad page state/, "BUG: Bad page state in process swapper  pfn:1a2b3"),
  row(
    "skb_panic",
    ["skb_over_panic", "skb_under_panic", "skput:"],
    /skb_(?:over|under)_panic: ?text:|skput:(?:over|under)/,
    "skbuff: skb_over_panic: text:c02483f0 len:1536 put:1536 head:c2a18000 data:c2a18020 tail:0xc2a18620 end:0xc2a18600 dev:eth0",
  ),
  row(
    "page_pool_stall",
    ["stalled pool shutdown"],
    /page_pool_release_retry\(\).{0,60}stalled pool shutdown/,
    "page_pool_release_retry() stalled pool shutdown 7 inflight 60 sec",
  ),
  row(
    "slab_corruption",
    ["BUG "],
    /^BUG [\w:.()-]+ ?(?:\((?:Not tainted|Tainted: [^)]*)\))?: \S/,
    "BUG kmalloc-2048 (Not tainted): Poison overwritten",
  ),
  row(
    "suppressed",
    ["callbacks suppressed", "messages suppressed"],
    /(?:callbacks suppressed|messages suppressed\.?)\s*$/,
    "warn_alloc_failed: 12 callbacks suppressed",
  ),
];

/** What opens a fault: die() and its neighbours in arch/*, BUG(), WARN(), panic(), the watchdog and the sanitizers. */
const faultRows: readonly HeadlineRow[] = [
  row(
    "oops",
    ["nable to handle "],
    /^(?:CPU \d{1,5} |BUG: |Internal error: )?[Uu]nable to handle (?:kernel |page fault)/,
    "BUG: unable to handle kernel NULL pointer dereference at 0000000000000010",
  ),
  // arch/parisc/kernel/traps.c parisc_terminate()
  row(
    "oops",
    ["Kernel Fault: Code=", "Bad Address (null pointer deref"],
    /^(?:Kernel Fault|Bad Address \(null pointer deref\?\)): Code=\d/,
    "Kernel Fault: Code=15 (Data TLB miss fault) at addr 0000000000000008",
  ),
  row(
    "oops",
    ["NULL pointer dereference"],
    /^BUG: [Kk]ernel NULL pointer dereference/,
    "BUG: Kernel NULL pointer dereference on read at 0x0000000c",
  ),
  row("oops", ["general protection fault"], /^general protection fault/, "general protection fault: 0000 [#1] SMP"),
  row(
    "oops",
    ["BUG at ", "bug detected", "BUG in ", "Kernel BUG"],
    /^(?:[Kk]ernel BUG at |Kernel bug detected|Kernel BUG\b)/,
    "kernel BUG at net/core/skbuff.c:120!",
  ),
  row("oops", ["Oops: ", "Oops ["], /^Oops(?:: | \[#)/, "Oops: 0002 [#1] PREEMPT SMP"),
  row("oops", ["nternal error: "], /^Internal error: /, "Internal error: Oops: 17 [#1] ARM"),
  row(
    "oops",
    ["WARNING: at ", "WARNING: CPU", "WARNING: ", "Badness at ", "Badness in "],
    /^(?:WARNING: (?:at |CPU: |[\w./-]+:\d+ at )|Badness (?:at|in) )/,
    "WARNING: CPU: 1 PID: 0 at net/sched/sch_generic.c:477 dev_watchdog+0x2e4/0x2ec",
  ),
  // arch/mips/kernel/unaligned.c die_if_kernel()
  row(
    "oops",
    ["kernel unaligned access"],
    /^Unhandled kernel unaligned access\b/,
    "Unhandled kernel unaligned access[#1]:",
  ),
  row("oops", ["divide error: "], /^divide error: /, "divide error: 0000 [#1] SMP NOPTI"),
  row("oops", ["invalid opcode: "], /^invalid opcode: /, "invalid opcode: 0000 [#1] SMP"),
  row("oops", ["stack segment: "], /^stack segment: /, "stack segment: 0000 [#1] SMP"),
  row(
    "oops",
    ["double fault: ", "PANIC: double fault"],
    /^(?:PANIC: )?double fault(?:: |, )/,
    "PANIC: double fault, error_code: 0x0",
  ),
  row(
    "oops",
    ["Kernel panic - not syncing"],
    /^Kernel panic - not syncing/,
    "Kernel panic - not syncing: Fatal exception in interrupt",
  ),
  row(
    "oops",
    ["soft lockup"],
    /^(?:NMI )?(?:watchdog: )?BUG: soft lockup/,
    "watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [ksoftirqd/3:31]",
  ),
  // kernel/watchdog_hld.c, 5.10; kernel/watchdog_perf.c, 6.12
  row(
    "oops",
    ["Watchdog detected hard LOCKUP"],
    /^(?:NMI )?watchdog: Watchdog detected hard LOCKUP on cpu \d/,
    "NMI watchdog: Watchdog detected hard LOCKUP on cpu 10",
  ),
  // kernel/rcu/tree_stall.h; kernel/rcutree.c up to 3.11, and its words of before 2.6.36 ("INFO: RCU detected CPU 0 stall")
  row(
    "oops",
    ["INFO: rcu_", "INFO: RCU detected"],
    /^(?:rcu: )?INFO: (?:rcu_[a-z_]{1,30}|RCU) (?:self-)?detected (?:expedited )?(?:CPU )?(?:\d{1,5} )?stalls?\b/,
    "rcu: INFO: rcu_sched self-detected stall on CPU",
  ),
  row(
    "oops",
    ["BUG: KASAN", "BUG: KFENCE", "BUG: KMSAN"],
    /^BUG: K(?:ASAN|FENCE|MSAN): /,
    "BUG: KASAN: slab-use-after-free in skb_release_data+0x1c4/0x1d0",
  ),
  row(
    "oops",
    ["llocated by task ", "reed by task "],
    /^(?:Allocated|Freed) by task \d{1,9}:/,
    "Allocated by task 4655:",
  ),
  row(
    "oops",
    ["sleeping function called from invalid context"],
    /^(?:BUG: |Debug: )?sleeping function called from invalid context at /,
    "BUG: sleeping function called from invalid context at mm/slub.c:942",
  ),
  row(
    "oops",
    ["scheduling while atomic"],
    /^(?:BUG: |bad: )?scheduling while atomic[:!]/,
    "BUG: scheduling while atomic: swapper/0/0/0x10000100",
  ),
  row(
    "oops",
    ["list_add corruption", "list_del corruption", "list_add double add"],
    /^(?:[\w.]{1,40}: )?list_(?:(?:add|del) corruption\b|add double add: )/,
    "list_del corruption. prev->next should be ffff88003d5c8e70, but was ffff88003d5c8e80",
  ),
  row("oops", ["refcount_t: "], /^refcount_t: /, "refcount_t: underflow; use-after-free."),
];

/** Every form, in the order in which they are tried. */
export const headlineRows: readonly HeadlineRow[] = [
  ...shortageRows,
  ...pageRows,
  ...faultRows,
  ...messageLines.map((m) => row("driver_line", m.words, m.form, m.example)),
];

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The words of some rows as one pattern: a line without any of them costs one scan. */
const hintOf = (rows: readonly HeadlineRow[]): RegExp =>
  new RegExp([...new Set(rows.flatMap((r) => r.words))].map(escaped).join("|"));

const hint = hintOf(headlineRows);

/** The kind of report that a text begins, or undefined. */
export function headlineKind(text: string): IncidentKind | undefined {
  return hint.test(text) && !ofMail.test(text) ? headlineRows.find((r) => r.form.test(text))?.kind : undefined;
}

/** What a mail is about, or a sentence quotes, is no line of a kernel. */
const ofMail = /^(?:Subject|Betreff|Re|Fwd?|Title): |["'\u2018\u201c](?:page allocation failure|order:\d)/;

const faultHint = hintOf(faultRows);

/** A fault, an assertion or a panic. */
export const isOopsHeadline = (text: string): boolean =>
  faultHint.test(text) && faultRows.some((r) => r.form.test(text));
