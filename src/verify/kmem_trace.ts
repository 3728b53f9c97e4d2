// The kmem events of an ftrace text with the kernel stack behind each: allocations that a network driver's own functions made. An event
// belongs to a driver when between the allocator and the driver's innermost function stand only helpers of memory and sk_buffs, and no
// interrupt. What protocols, interrupt setup or /proc ask for below a driver's function is passed over and counted.
import { BadInput } from "../base/bad_input.ts";
import { bareName } from "../kernel/facts/drivers/index.ts";
import { gfpCombination, gfpEraAt, gfpMask } from "../kernel/facts/gfp.ts";
import type { TranscriptInput } from "./replayer.ts";

export type DriverName = "e1000" | "e1000e" | "virtio_net";

/** One allocation. Sizes in bytes; `chain` are the driver's functions, innermost first. */
export interface Allocation {
  readonly line: number;
  readonly event: "kmalloc" | "kmem_cache_alloc" | "mm_page_alloc";
  readonly gfp: number;
  /** order and migratetype for pages; requested and given bytes for objects. */
  readonly a: number;
  readonly b: number;
  /** The page of a new slab. */
  readonly slab: boolean;
  /** Asked for by vmalloc(). */
  readonly mapped: boolean;
  /** The range of addresses that vmalloc() takes. */
  readonly vmapArea: boolean;
  /** Asked for by napi_get_frags(), for a packet that keeps its page. */
  readonly wholePage: boolean;
  readonly chain: readonly string[];
  readonly driver: DriverName;
}

export interface KmemTrace {
  readonly allocations: readonly Allocation[];
  /** Allocations with a driver's function in the stack that others asked for. */
  readonly passedOver: number;
}

const ours =
  /^(e1000e?_|virtnet_|try_fill_recv$|add_recvbuf|refill_work$|receive_(buf|mergeable|big|small)$|page_to_skb$|virtqueue_)/;
const helper =
  /^(trace_event_raw_event_\w+|__alloc_pages(_bulk)?|alloc_pages\w*|folio_alloc\w*|allocate_slab|new_slab|_*slab_alloc\w*|_*kmem_cache_alloc\w*|_*kmalloc\w*|v[zm]alloc\w*|__vmalloc_node\w*|__get_vm_area_node|alloc_vmap_area|dma_\w+|__dma_direct\w*|_*page_frag\w*|__netdev_alloc_\w+|__napi_alloc_\w+|napi_alloc_\w+|napi_get_frags|skb_page_frag_refill|__alloc_skb|_*(napi_)?build_skb)$/;
const interrupt =
  /^(asm_|sysvec_|common_interrupt|irq_exit|handle_softirqs|__?do_softirq|net_rx_action|__napi_poll|process_one_work)/;
const anyDriver = /^(e1000e?_|virtnet_|try_fill_recv$)/;

function gfpOfText(text: string, version: readonly number[]): number | undefined {
  const era = gfpEraAt(version);
  let mask = 0;
  for (const word of text.split("|")) {
    const value = gfpCombination(word, version) ?? (era && gfpMask(word.replace(/^(__)?GFP_/, ""), era));
    if (value === undefined) return undefined;
    mask |= value;
  }
  return mask;
}

function driverOf(chain: readonly string[]): DriverName | undefined {
  if (chain.some((f) => /^(virtnet_|try_fill_recv|refill_work)/.test(f))) return "virtio_net";
  if (chain.some((f) => f.startsWith("e1000e_"))) return "e1000e";
  return chain.some((f) => f.startsWith("e1000_")) ? "e1000" : undefined;
}

const fields = /^(kmalloc|kmem_cache_alloc|mm_page_alloc): (.*)$/;
const number = (text: string, name: string): number =>
  Number(new RegExp(`\\b${name}=(-?\\d+)`).exec(text)?.[1] ?? Number.NaN);

/** Whether a line of the text is a frame of a driver that the model has. */
export const namesDriver = (line: string): boolean => line.startsWith(" => ") && anyDriver.test(line.slice(4));

/** Since 6.10 the allocators' functions carry this behind their names (include/linux/alloc_tag.h). */
const functionName = (frame: string): string => bareName(frame).replace(/_noprof$/, "");

/** Reads an ftrace text of a kernel of this version, which says what its gfp names mean; events without a stack are no driver's. */
export function readKmemTrace(input: TranscriptInput, version: readonly number[]): KmemTrace {
  const allocations: Allocation[] = [];
  let passedOver = 0;
  let at = 0;
  let entries = 0;
  let text = "";
  let stack: string[] = [];
  const finish = (): void => {
    const found = fields.exec(text);
    text = "";
    if (found === null || stack.length === 0) return;
    const [, event = "", rest = ""] = found;
    const cut = stack.findIndex((f) => interrupt.test(f));
    const own = cut < 0 ? stack : stack.slice(0, cut);
    const first = own.findIndex((f) => ours.test(f));
    const driver = driverOf(own);
    if (
      first < 0 ||
      driver === undefined ||
      own.includes("kmem_cache_alloc_bulk") ||
      !own.slice(0, first).every((f) => helper.test(f))
    ) {
      if (own.some((f) => anyDriver.test(f))) passedOver++;
      return;
    }
    const gfp = gfpOfText(/gfp_flags=(\S+)/.exec(rest)?.[1] ?? "", version);
    const pages = event === "mm_page_alloc";
    const vmapArea = event === "kmem_cache_alloc" && own.includes("alloc_vmap_area");
    // A second one splits what is free of the address space: that is not the driver's doing.
    if (vmapArea && allocations.at(-1)?.vmapArea === true) {
      passedOver++;
      return;
    }
    const a = number(rest, pages ? "order" : "bytes_req");
    const b = number(rest, pages ? "migratetype" : "bytes_alloc");
    if (gfp === undefined || Number.isNaN(a) || Number.isNaN(b))
      throw new BadInput("This event lacks the size, the order or the gfp flags.", { file: input.path, line: at });
    allocations.push({
      line: at,
      event: event as Allocation["event"],
      gfp,
      a,
      b,
      slab: own.some((f) => f === "allocate_slab" || f === "new_slab"),
      mapped: own.some((f) => f.startsWith("__vmalloc_node")),
      vmapArea,
      wholePage: own.includes("napi_get_frags"),
      chain: own.filter((f) => ours.test(f)),
      driver,
    });
  };
  input.lines.forEach((line, i) => {
    if (line.startsWith(" => ")) {
      stack.push(functionName(line.slice(4).trim()));
      return;
    }
    const event = /^\s*\S.{0,60}\[\d+\]\s{1,9}\S{1,16}\s{1,9}[\d.]+: (.*)$/.exec(line)?.[1];
    if (event === undefined) return;
    entries++;
    if (event.startsWith("<stack trace>")) return;
    finish();
    text = event;
    at = i + 1;
    stack = [];
  });
  finish();
  requireEntries(input, entries);
  return { allocations, passedOver };
}

/** The head of an ftrace text says how many entries stand in it, and how many were written: with fewer it would be compared with what is not all. */
function requireEntries(input: TranscriptInput, entries: number): void {
  const head = input.lines.findIndex((line) => line.startsWith("# entries-in-buffer/entries-written: "));
  const said = /written: (\d{1,12})\/(\d{1,12})/.exec(input.lines[head] ?? "");
  if (said === null) return;
  const place = { file: input.path, line: head + 1 };
  if (said[1] !== said[2])
    throw new BadInput(
      `The trace buffer was too small: ${said[1]} of ${said[2]} entries were left.`,
      place,
      "Record it again with a larger buffer_size_kb.",
    );
  if (Number(said[1]) !== entries)
    throw new BadInput(
      `The trace should have ${said[1]} entries and has ${entries}: it is cut off, or lines are missing.`,
      place,
      "Copy it again, whole.",
    );
}
