// The registry of anchors: byte strings whose presence makes a stretch of a log worth reading. One line each; scan.ts searches
// for all of them at once and keeps `before` lines above and `after` lines below. Case matters: these are the kernel's own spellings
// (mm/page_alloc.c, mm/oom_kill.c, mm/slub.c, mm/slab.c, net/core/skbuff.c, net/core/page_pool.c, fs/proc, ethtool(8), sysctl(8)).
import { headlineRows } from "./incidents/headline.ts";

/** What an anchor announces. */
export type AnchorRole =
  /** begins a report of memory that could not be had */
  | "shortage"
  /** begins a report of something corrupted, leaked or impossible */
  | "fault"
  /** stands inside a report: found alone, the report's head is missing */
  | "body"
  /** says how many reports were left out */
  | "suppressed"
  /** tells something about the machine */
  | "context"
  /** begins or belongs to a /proc, ethtool or sysctl text */
  | "artifact";

export interface Anchor {
  /** Names the anchor in LogWindow.anchors. */
  readonly name: string;
  readonly text: string;
  readonly role: AnchorRole;
  /** Lines of context above and below. */
  readonly before: number;
  readonly after: number;
}

const reach: Readonly<Record<AnchorRole, readonly [before: number, after: number]>> = {
  shortage: [24, 300],
  fault: [24, 150],
  body: [80, 200],
  suppressed: [2, 4],
  context: [1, 1],
  artifact: [4, 6],
};

const row = (role: AnchorRole, text: string, name = text): Anchor => {
  const [before, after] = reach[role];
  return { name, text, role, before, after };
};

const listed: readonly Anchor[] = [
  row("shortage", "page allocation failure"),
  row("shortage", "-order allocation failed", "allocation failed (2.4)"),
  row("shortage", ", mode:0x", "mode"),
  row("shortage", ", mode:0\u00d7", "mode"),
  row("shortage", "page allocation stalls for"),
  row("shortage", "nable to allocate memory on", "Unable to allocate memory"),
  row("shortage", "vmalloc: allocation failure"),
  row("shortage", "vmalloc error"),
  row("shortage", "out of vmalloc space"),
  row("shortage", "vmap allocation for size"),
  row("shortage", "invoked oom-killer"),
  row("shortage", "ut of memory", "Out of memory"),
  row("shortage", "oom-kill:constraint"),
  row("shortage", "Killed process"),

  row("fault", "Bad page state"),
  row("fault", "Bad page map"),
  row("body", "bad_page"),
  row("body", "warn_alloc"),
  row("body", "oom_kill_process"),
  row("body", "Memory cgroup stats"),
  row("body", "kB, failcnt "),
  row("body", "Tasks state (memory"),
  row("body", "page dumped because"),
  row("body", "print_trailer"),
  row("body", "check_bytes_and_report"),
  row("body", "object_err"),
  row("body", "slab_err"),
  row("body", "slab_pad_check"),
  row("body", "count:-"),
  row("body", "Unreclaimable slab info:"),
  row("fault", "unreferenced object"),
  row("fault", "skb_over_panic"),
  row("fault", "skb_under_panic"),
  row("fault", "stalled pool shutdown"),
  row("fault", "page_pool leak"),
  row("fault", "page_pool_release_retry"),
  row("fault", "kernel BUG at"),
  row("fault", "BUG: "),
  row("fault", "Oops"),
  row("fault", "Internal error:"),
  row("fault", "general protection fault"),
  row("fault", "nable to handle kernel", "Unable to handle kernel"),
  row("fault", "nable to handle page fault", "unable to handle page fault"),
  row("fault", "Kernel panic"),
  row("fault", "WARNING: at "),
  row("fault", "WARNING: CPU"),
  row("fault", "BUG ", "BUG cache"),
  row("fault", "oison overwritten", "Poison overwritten"),
  row("fault", "edzone overwritten", "Redzone overwritten"),
  row("fault", "bject already free", "Object already free"),
  row("fault", "ouble free", "double free"),
  row("fault", "use-after-free"),
  row("fault", "slab error in"),
  row("fault", "lab corruption", "slab corruption"),
  row("fault", "list_del corruption"),
  row("fault", "list_add corruption"),
  row("fault", "list_add double add"),
  row("fault", "refcount_t:"),
  row("fault", "Trying to vfree"),
  row("fault", "Trying to fix it up"),
  row("fault", "Tx Ring full when queue awake"),

  row("body", "Mem-Info:", "Mem-Info"),
  row("body", "Mem-info:", "Mem-Info"),
  row("body", "lowmem_reserve[]:", "lowmem_reserve"),
  row("body", "protections[]:", "protections"),
  row("body", "*4kB", "buddy line"),
  row("body", "*64kB", "buddy line"),
  row("body", "active_anon:"),
  row("body", "Free pages:"),

  row("suppressed", "callbacks suppressed"),
  row("suppressed", "messages suppressed"),

  row("context", "Linux version "),
  row("context", " GNU/Linux", "uname"),
  row("context", "SLUB: HWalign="),
  row("context", "SLUB: Genslabs="),
  row("context", " zonelists"),
  row("context", ": renamed from ", "interface renamed"),
  row("context", "changing MTU"),
  row("context", "> mtu ", "ip link"),
  row("context", "Policy zone:"),
  row("context", "page_owner is"),

  row("artifact", ", zone "),
  row("artifact", "Page block order:"),
  row("artifact", "slabinfo - version"),
  row("artifact", "Active / Total Objects"),
  row("artifact", "OBJS ACTIVE  USE OBJ SIZE"),
  row("artifact", "min_free_kbytes"),
  row("artifact", "vm.lowmem_reserve_ratio"),
  row("artifact", "net.core."),
  row("artifact", "net.ipv4.tcp_"),
  row("artifact", "ffload parameters", "Offload parameters"),
  row("artifact", "Features for "),
  row("artifact", "Ring parameters for "),
  row("artifact", "Channel parameters for "),
  row("artifact", "firmware-version:"),
  row("artifact", "MemTotal:"),
  row("artifact", "nr_free_pages"),
  row("artifact", "Inter-|"),
  row("artifact", "sockets: used"),
  row("artifact", "NIC statistics:"),
  row("artifact", "TcpExt: "),
  row("artifact", "Udp: InDatagrams"),
  row("artifact", "net.ipv4.udp_mem"),
];

/** The words of the headlines for which no row above stands: a form that the readers know is found by the scan too. */
const ofHeadlines: readonly Anchor[] = headlineRows.flatMap(({ kind, words }) => {
  const role: AnchorRole =
    kind === "suppressed"
      ? "suppressed"
      : ["alloc_failure", "slab_failure", "oom", "driver_line"].includes(kind)
        ? "shortage"
        : "fault";
  return words.filter((w) => !listed.some((a) => w.includes(a.text))).map((w) => row(role, w));
});

const first = new Set<string>();
export const anchors: readonly Anchor[] = [...listed, ...ofHeadlines].filter(
  (a) => !first.has(a.text) && first.add(a.text) !== undefined,
);
