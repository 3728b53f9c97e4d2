// page_owner: remembers for every block of pages who allocated it and who freed it last, and prints the kernel's own dump.
// A listener of the journal: a machine without one pays nothing. Call chains are kept once each in a depot; a page holds a number.
// Follows mm/page_owner.c of 6.1.192; the 2005 form is the patch of 2.6.11-rc2-mm2 as the LWN article shows it.
// Costs while it listens: 32 bytes a page, and an event for every allocation and free.

import { eventKind } from "../../kernel/events.ts";
import { decodeGfp } from "../../kernel/facts/gfp.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { record, word } from "./memory.ts";

/** One frame: symbol, offset into it and its size in bytes; the address for the 2005 form. */
export interface StackFrame {
  readonly symbol: string;
  readonly offset: number;
  readonly size: number;
  readonly address?: number;
}

/** Call chains, each kept once; handle 0 is "no stack". */
export interface StackDepot {
  /** stack_depot_save(): the same frames give the same handle. */
  save(frames: readonly StackFrame[]): number;
  frames(handle: number): readonly StackFrame[];
  /** Distinct chains kept. */
  readonly size: number;
}

function createStackDepot(): StackDepot {
  const chains: (readonly StackFrame[])[] = [[]];
  const handles = new Map<string, number>();
  return {
    save(frames) {
      if (frames.length === 0) return 0;
      const key = frames.map((f) => `${f.symbol}+${f.offset}/${f.size}@${f.address ?? 0}`).join("\n");
      let handle = handles.get(key);
      if (handle === undefined) {
        handle = chains.push(frames) - 1;
        handles.set(key, handle);
      }
      return handle;
    },
    frames: (handle) => chains[handle] ?? [],
    get size() {
      return chains.length - 1;
    },
  };
}

/** Who runs: the scenario sets these before it calls into the allocator. */
export interface OwnerContext {
  readonly pid: number;
  readonly tgid: number;
  readonly comm: string;
  /** Depot handle of the present call chain. */
  stack: number;
}

/** What is known of the block that a page heads. */
export interface PageHistory {
  readonly order: number;
  readonly gfp: number;
  readonly pid: number;
  readonly tgid: number;
  readonly comm: string;
  readonly nanos: number;
  readonly freeNanos: number;
  readonly allocated: boolean;
  readonly allocStack: readonly StackFrame[];
  readonly freeStack: readonly StackFrame[];
}

export interface PageOwner {
  readonly context: OwnerContext;
  readonly depot: StackDepot;
  /** What is remembered of the block at `pfn`; undefined when nobody ever allocated it. */
  historyOf: (pfn: number) => PageHistory | undefined;
  stop: () => void;
  /** Runs `what` with another call chain as the present one. */
  within<T>(frames: readonly StackFrame[], what: () => T): T;
  /** The dump, record by record, rising pfn: `/sys/kernel/debug/page_owner` of 6.1, or `/proc/page_owner` of 2005. */
  dump(form: "6.1" | "2005"): Generator<string>;
}

export function createPageOwner(
  machine: MachineMemory,
  version: readonly number[],
  depot = createStackDepot(),
): PageOwner {
  const { memory, journal, area, rules } = machine;
  const pages = memory.pages;
  const allocStack = new Int32Array(pages);
  const freeStack = new Int32Array(pages);
  const gfpOf = new Int32Array(pages);
  // Low 5 bits order, bit 5 "allocated now", the rest the task's number from 1.
  const state = new Int32Array(pages);
  const allocNanos = new Float64Array(pages);
  const freeNanos = new Float64Array(pages);
  const tasks: { readonly pid: number; readonly tgid: number; readonly comm: string }[] = [];
  const taskIds = new Map<string, number>();
  const context: OwnerContext = { pid: 0, tgid: 0, comm: "swapper", stack: 0 };
  const allocatedBit = 32;

  const taskId = (): number => {
    const key = `${context.pid}/${context.tgid}/${context.comm}`;
    let id = taskIds.get(key);
    if (id === undefined) {
      id = tasks.push({ pid: context.pid, tgid: context.tgid, comm: context.comm });
      taskIds.set(key, id);
    }
    return id;
  };

  const stop = journal.listen(
    (kind, nanos, _cpu, pfn, order, gfp) => {
      if (kind === eventKind.page_migrated) {
        // folio_copy_owner(): the allocation's story goes along, order is 0 on both sides.
        allocStack[order] = allocStack[pfn]!;
        gfpOf[order] = gfpOf[pfn]!;
        state[order] = state[pfn]!;
        allocNanos[order] = allocNanos[pfn]!;
        state[pfn] = state[pfn]! & ~allocatedBit;
        freeStack[pfn] = context.stack;
        freeNanos[pfn] = nanos;
      } else if (kind === eventKind.mm_page_free) {
        state[pfn] = state[pfn]! & ~allocatedBit;
        freeStack[pfn] = context.stack;
        freeNanos[pfn] = nanos;
      } else if (pfn >= 0) {
        allocStack[pfn] = context.stack;
        gfpOf[pfn] = gfp;
        state[pfn] = (taskId() << 6) | allocatedBit | order;
        allocNanos[pfn] = nanos;
      }
    },
    "mm_page_alloc",
    "mm_page_free",
    "page_migrated",
  );

  const historyOf = (pfn: number): PageHistory | undefined => {
    const task = tasks[(state[pfn]! >> 6) - 1];
    if (task === undefined) return undefined;
    return {
      ...task,
      order: state[pfn]! & 31,
      gfp: gfpOf[pfn]! >>> 0,
      nanos: allocNanos[pfn]!,
      freeNanos: freeNanos[pfn]!,
      allocated: (state[pfn]! & allocatedBit) !== 0,
      allocStack: depot.frames(allocStack[pfn]!),
      freeStack: depot.frames(freeStack[pfn]!),
    };
  };

  /** page->flags as 6.1 x86_64 without NUMA prints them: only what the model knows. */
  const flagsText = (pfn: number): string => {
    const w = memory.page[(pfn << 2) | record.word]!;
    const zone = machine.memory.zone[((w & word.zoneMask) >> word.zoneShift) * 32 + 2]!;
    const names = [
      ...((w & word.lru) !== 0 ? ["lru"] : []),
      ...((w & word.compound) !== 0 ? ["head"] : []),
      `zone=${zone}`,
    ];
    const bits = (BigInt(zone) << 62n) | ((w & word.lru) !== 0 ? 16n : 0n) | ((w & word.compound) !== 0 ? 65536n : 0n);
    return `${bits === 0n ? "0" : `0x${bits.toString(16)}`}(${names.join("|")})`;
  };

  const record61 = (pfn: number, h: PageHistory): string => {
    const names = rules.types.names;
    const type = names[machine.alloc.migratetypeOf(h.gfp)] ?? "?";
    const block = names[area.blockTypeOf(pfn)] ?? "?";
    const stack = h.allocStack
      .map((f) => ` ${f.symbol}+0x${f.offset.toString(16)}/0x${f.size.toString(16)}\n`)
      .join("");
    return (
      `Page allocated via order ${h.order}, mask 0x${h.gfp.toString(16)}(${decodeGfp(h.gfp, version).text}), ` +
      `pid ${h.pid}, tgid ${h.tgid} (${h.comm}), ts ${h.nanos} ns, free_ts ${h.freeNanos} ns\n` +
      `PFN ${pfn} type ${type} Block ${pfn >> memory.spec.pageblockOrder} type ${block} Flags ${flagsText(pfn)}\n${stack}\n`
    );
  };

  /** Eight frames, addresses in brackets, decimal offsets. */
  const record2005 = (h: PageHistory): string =>
    `Page allocated via order ${h.order}\n${h.allocStack
      .slice(0, 8)
      .map((f) => `[0x${(f.address ?? 0).toString(16).padStart(8, "0")}] ${f.symbol}+${f.offset}\n`)
      .join("")}\n`;

  return {
    context,
    depot,
    historyOf,
    stop,
    within<T>(frames: readonly StackFrame[], what: () => T): T {
      const before = context.stack;
      context.stack = depot.save(frames);
      try {
        return what();
      } finally {
        context.stack = before;
      }
    },
    *dump(form: "6.1" | "2005"): Generator<string> {
      for (let pfn = 0; pfn < pages; pfn++) {
        if ((state[pfn]! & allocatedBit) === 0 || allocStack[pfn] === 0) continue;
        const history = historyOf(pfn);
        if (history !== undefined) yield form === "6.1" ? record61(pfn, history) : record2005(history);
      }
    },
  };
}
