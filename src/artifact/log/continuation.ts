// When are two lines one? Rules that name the shape of both halves: KERN_CONT pieces that got a line of their own (kernels around 4.9,
// mended by 1f84a18fc010 in 4.10), and lines that a mailer wrapped at 72 columns. No rule looks at length alone.

/** One way a line gets broken. */
export interface JoinRule {
  /** The end of the first half and the beginning of the second. */
  readonly first: RegExp;
  readonly second: RegExp;
  /** What stood between them. */
  readonly glue: "" | " ";
  /** Who breaks it: the kernel's own pieces, or whoever passed the text on. */
  readonly broken: "printk" | "mail";
}

const zone = "(?:DMA|DMA32|Normal|HighMem|Movable|Device)";
const pairs = /^(?:[a-z_]+(?:\([a-z]+\))?: ?\S+(?:\s+|$))*(?:all_unreclaimable\?.*)?$/;

/** In the order they are tried; the first that fits joins. */
const joinRules: readonly JoinRule[] = [
  // Node 0 DMA: 1*4kB (U) 0*8kB ... = 15908kB
  {
    first: new RegExp(`^(?:Node \\d+ )?${zone}: *(?:\\d+\\*\\d+kB *(?:\\([A-Z]+\\) *)?)*(?:= *)?$`),
    second: /^\s*(?:\d+\*\d+kB|\([A-Z]{1,8}\)|= \d+kB|\d+kB\s*$)/,
    glue: " ",
    broken: "printk",
  },
  {
    first: /^(?:lowmem_reserve|protections)\[\]:(?:\s+\d+)*\s*$/,
    second: /^\s*\d+(?:\s+\d+)*\s*$/,
    glue: " ",
    broken: "printk",
  },
  // swapper/0: + page allocation failure: order:0 + , mode:0x20(GFP_ATOMIC)
  { first: /^[^:].{0,40}:\s*$/, second: /^page allocation failure[:.] /, glue: " ", broken: "printk" },
  { first: /page allocation failure[:.] order:\d+\s*$/, second: /^,\s*mode:0x/, glue: "", broken: "printk" },
  { first: /page allocation failure[:.] order:\d+,$/, second: /^\s*mode:0x/, glue: " ", broken: "mail" },
  { first: /, mode:0x[0-9a-f]+$/, second: /^\((?:__)?GFP_/, glue: "", broken: "printk" },
  {
    first: /^Modules linked in:/,
    second: /^\s*(?:\w+(?:\([A-Z+-]+\))?(?:\s+|$))+(?:\[last unloaded: .*)?$/,
    glue: " ",
    broken: "printk",
  },
  {
    first: /^Code:(?: [(<]?[0-9a-f]{2,8}[)>]?)+\s*$/,
    second: /^\s*[(<]?[0-9a-f]{2}[)>]?(?: [(<]?[0-9a-f]{2}[)>]?)*\s*$/,
    glue: " ",
    broken: "printk",
  },
  // GPR00: and Instruction dump: of PowerPC, wrapped
  {
    first: /^GPR\d\d:(?: [0-9a-f]{8,16}){1,7}\s*$/,
    second: /^[0-9a-f]{8,16}(?: [0-9a-f]{8,16}){0,6}\s*$/,
    glue: " ",
    broken: "mail",
  },
  {
    first: /^page:\S+ (?:flags|count|refcount):/,
    second: /^(?:flags|count|mapcount|mapping|index|pfn):\S/,
    glue: " ",
    broken: "mail",
  },
  {
    first: /\b(?:at|for)(?: data| instruction)?(?: at)?(?: address| request)$/,
    second: /^0x[0-9a-f]+\s*$/,
    glue: " ",
    broken: "mail",
  },
  {
    first: /\bat(?: virtual address)?$/,
    second: /^(?:0x[0-9a-f]+|[0-9a-f]{8,16})\s*$/,
    glue: " ",
    broken: "mail",
  },
  {
    first: /^\s*(?:<\w+>\s*)?(?:\[<?(?:0x)?[0-9a-f]{8,16}>?\]\s*)+(?:\?\s*)?$/,
    second: /^\s*(?:\? )?[\w.]+\+0x[0-9a-f]+\/0x/,
    glue: " ",
    broken: "mail",
  },
  { first: /\bpage allocation$/, second: /^failure[.:]/, glue: " ", broken: "mail" },
  { first: /\bpage allocation failure[.:]$/, second: /^order:\d/, glue: " ", broken: "mail" },
  // long lines of Mem-Info: free:3836kB min:184kB ... pages_scanned:0 all_unreclaimable? no
  {
    first: new RegExp(`^(?:Node \\d+ )?${zone} free:\\d+kB (?!.*all_unreclaimable)`),
    second: pairs,
    glue: " ",
    broken: "mail",
  },
  { first: /^Node \d+ active_anon:\d+kB (?!.*all_unreclaimable)/, second: pairs, glue: " ", broken: "mail" },
  // 6.16 and later: fields behind all_unreclaimable?. A line that broke before them must not pass for one without them.
  {
    first:
      /^Node \d+ active_anon:\d+kB .*all_unreclaimable\?(?: (?:yes|no)(?: Balloon:\d+kB(?: gpu_active:\d+kB)?)?)? ?$/,
    second: /^(?=[ynBg])(?:(?:yes|no)(?: |$))?(?:(?:Balloon|gpu_active|gpu_reclaim):\d+kB(?: |$))*$/,
    glue: " ",
    broken: "mail",
  },
  {
    first: /page allocation failure[:.] order:\d+, mode:\S+,$/,
    second: /^(?:nodemask=|cpuset=)/,
    glue: " ",
    broken: "mail",
  },
  {
    first: /^CPU: \d+ .*PID: \d+ Comm: /,
    second: /^\s*(?:Not tainted|Tainted: (?!\[)|G {2,}|(?:[A-Z](?: +[A-Z]){0,20} +)?\d\.\d+)\s*/,
    glue: " ",
    broken: "mail",
  },
  // (dump_stack+0x0/0x28) from [<c010c668>] (warn_alloc_failed+0xec/0x128)
  { first: /\) from$/, second: /^\[<[0-9a-f]{8,16}>\] \(\w/, glue: " ", broken: "mail" },
  { first: /\) from \[<[0-9a-f]{8,16}>\]$/, second: /^\(\w+\+0x[0-9a-f]/, glue: " ", broken: "mail" },
  {
    first: /^ ?(?:\? |\[<[0-9a-f]{8,16}>\] )?(?:\? )?\w[\w.]{0,100}\+0x[0-9a-f]{1,6}\/0x[0-9a-f]{1,6}$/,
    second: /^\s*\[[a-z][\w-]{1,60}\]\s*$/,
    glue: " ",
    broken: "mail",
  },
  { first: /\binvoked oom-killer:$/, second: /^gfp_mask=0x/, glue: " ", broken: "mail" },
  {
    first: /skb_(?:over|under)_panic: ?text:\S/,
    second: /^\s{0,40}(?:len|put|head|data|tail|end|dev):\S/,
    glue: " ",
    broken: "mail",
  },
  { first: /^Node \d+ hugepages_/, second: /^hugepages_\w+=\d/, glue: " ", broken: "mail" },
  { first: /invoked oom-killer: gfp_mask=/, second: /^(?:order|oom_score_adj|nodemask)=/, glue: " ", broken: "mail" },
  {
    first: /^(?:Memory cgroup out|Out) of memory: Kill/,
    second: /^(?:(?:total-vm|anon-rss|file-rss|shmem-rss|UID|pgtables|oom_score_adj):\S+[, ]*)+/,
    glue: " ",
    broken: "mail",
  },
];

/** What every second half begins with: most lines go on nothing. */
const anySecond = new RegExp(joinRules.map((r) => `(?:${r.second.source})`).join("|"));

/** The rule by which `next` goes on `text`, if any. */
export function joinRule(text: string, next: string): JoinRule | undefined {
  if (next === "" || !anySecond.test(next)) return undefined;
  return joinRules.find((r) => r.second.test(next) && r.first.test(text));
}

/** Both halves with what stood between them, once. */
export function joined(text: string, next: string, rule: JoinRule): string {
  // No module's name begins or ends with an underscore: the break went through one.
  const within = text.startsWith("Modules linked in:") && (text.endsWith("_") || next.startsWith("_"));
  return text.trimEnd() + (within ? "" : rule.glue) + next.trimStart();
}
