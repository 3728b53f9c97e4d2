// Compares an sk_buff of the model with one that a recorder dumped, field by field; names of the recorder on both sides.
import { frozenSlabPages } from "../kernel/facts/skb_heads.ts";
import { factAt } from "../kernel/release.ts";
import type { SkbPicture } from "../kernel/skb_picture.ts";
import { headField, skbField } from "../model/net/skb/skb_columns.ts";
import { payloadFnv, viewSkb } from "../model/net/skb/skb_view.ts";
import type { SkbMachine } from "./skb_machine.ts";
import { pageSize } from "./skb_machine.ts";

export type Row = Readonly<Record<string, unknown>>;

/** Names that recorded objects have, while they live. */
export interface Names {
  /** Tenant of a model row → recorded address, for heads alive after the last operation. */
  heads: Map<number, string>;
  skbs: Map<number, string>;
  /** recorded sizeof(sk_buff), once a fast clone has shown it. */
  skBuffBytes: number | undefined;
}

const createNames = (): Names => ({ heads: new Map(), skbs: new Map(), skBuffBytes: undefined });

export interface FieldDifference {
  readonly field: string;
  readonly kernel: unknown;
  readonly model: unknown;
}

const directMap = 0xffff888000000000n;
/** How much of the payload the recorder hashed. */
export const hashedBytes = 65536;

export interface Comparer {
  /** Begins a dump: names that it does not show again end with it. */
  begin(): void;
  /** The first field of a recorded skb in which the model's differs; undefined where all are equal. `at` says where it stands in the transcript. */
  compare(at: string, record: Row, skb: number): FieldDifference | undefined;
  /** What was not seen in this dump is dead: its name is free again. */
  end(): void;
}

/** One dump of everything: begin(), then compare() for each skb, then end(). */
export function createComparer(machine: SkbMachine): Comparer {
  const { skbs, pages, heap } = machine;
  const { config } = skbs;
  const frozen = factAt(frozenSlabPages, machine.kernel.release.version)?.value === true;
  const names = createNames();
  let heads = new Map<number, string>();
  let rows = new Map<number, string>();

  const { S, H } = skbs.columns;
  const tenants = 2 ** 26;
  const headTenant = (head: number): number => head + H[head + headField.TENANT]! * tenants;
  const skbTenant = (skb: number): number => skb + (S[skb + skbField.STATE]! >>> 2) * tenants;

  function compare(at: string, record: Row, skb: number): FieldDifference | undefined {
    const view = viewSkb(skbs, skb);
    return (
      differing(at, record, plainFields(view, skb)) ??
      identity(at, record, view) ??
      headPage(at, record, view) ??
      compareFrags(at, record, view) ??
      compareList(at, record, view)
    );
  }

  function plainFields(v: SkbPicture, skb: number): Row {
    return {
      data: v.data,
      tail: v.tail,
      end: v.end,
      len: v.len,
      data_len: v.dataLen,
      headroom: v.data,
      tailroom: skbs.tailroom(skb),
      truesize: v.truesize,
      users: v.users,
      cloned: Number(v.cloned),
      nohdr: Number(v.nohdr),
      hdr_len: v.hdrLen,
      fclone: v.fclone,
      head_frag: Number(v.headFrag),
      ...(config.recycleMarks ? { pp_recycle: Number(v.ppRecycle) } : {}),
      pfmemalloc: Number(v.pfmemalloc),
      dataref: v.dataref,
      shflags: v.flags,
      mac: v.mac,
      net: v.net,
      trans: v.trans,
      ksize: v.headFrag ? -1 : heap.ksize(v.headAddress),
      ip_summed: v.ipSummed,
      nr_frags: v.frags.length,
      fnv: payloadFnv(skbs, skb, hashedBytes),
    };
  }

  function differing(at: string, record: Row, model: Row): FieldDifference | undefined {
    for (const field in model)
      if (record[field] !== model[field])
        return { field: `${at}.${field}`, kernel: record[field], model: model[field] };
    return undefined;
  }

  function identity(at: string, record: Row, v: SkbPicture): FieldDifference | undefined {
    const gso = [v.gsoSize, v.gsoSegs, v.gsoType];
    if (String(record["gso"]) !== String(gso)) return { field: `${at}.gso`, kernel: record["gso"], model: gso };
    return (
      named(`${at}.head`, String(record["head"]), headTenant(v.head), names.heads, heads) ??
      named(`${at}.skb`, String(record["skb"]), skbTenant(v.skb), names.skbs, rows) ??
      fastClone(at, record, v)
    );
  }

  /** The object had this name before, or is new and takes a name nobody else has now. */
  function named(
    field: string,
    recorded: string,
    handle: number,
    before: ReadonlyMap<number, string>,
    now: Map<number, string>,
  ): FieldDifference | undefined {
    const known = now.get(handle) ?? before.get(handle);
    if (known !== undefined && known !== recorded) return { field, kernel: recorded, model: `still ${known}` };
    for (const [other, name] of now)
      if (name === recorded && other !== handle) return { field, kernel: recorded, model: "two different objects" };
    now.set(handle, recorded);
    return undefined;
  }

  function fastClone(at: string, record: Row, v: SkbPicture): FieldDifference | undefined {
    if (v.fclone !== 2) return undefined;
    const name = rows.get(skbTenant(S[v.skb + skbField.PARTNER]!));
    if (name === undefined) return undefined;
    const apart = Number(BigInt(`0x${String(record["skb"])}`) - BigInt(`0x${name}`));
    names.skBuffBytes ??= apart;
    return apart === names.skBuffBytes && apart >= 192 && apart <= 256
      ? undefined
      : { field: `${at}.skb`, kernel: record["skb"], model: `${names.skBuffBytes} bytes behind ${name}` };
  }

  function headPage(at: string, record: Row, v: SkbPicture): FieldDifference | undefined {
    const kernel = record["head_page"] as Row;
    const pfn = Number(kernel["pfn"]);
    const offset = Number(kernel["off"]);
    const address = (directMap + BigInt(pfn) * BigInt(pageSize) + BigInt(offset)).toString(16);
    if (record["head"] !== address) return { field: `${at}.head`, kernel: record["head"], model: address };
    const page = Math.floor(v.headAddress / pageSize);
    const slab = !v.headFrag && heap.blockOf(v.headAddress).slab;
    const model = {
      pfn: slab || pages.same(page, pfn) ? pfn : (pages.nameOf(page) ?? "another page"),
      order: pages.compoundOrder(page),
      slab: Number(slab),
      count: frozen && !v.headFrag ? 0 : pages.pageCount(page),
      ...("cache" in kernel ? { cache: slab ? cacheName(v.headAddress) : "" } : {}),
      off: slab ? offset - (offset % heap.ksize(v.headAddress)) : v.headAddress - pages.compoundHead(page) * pageSize,
    };
    return differing(`${at}.head_page`, kernel, model);
  }

  /** The name of the cache that an object is of. */
  function cacheName(address: number): string {
    const cache = heap.engine.cacheOf(address);
    return heap.caches().find((c) => c.id === cache)?.name ?? "?";
  }

  function compareFrags(at: string, record: Row, v: SkbPicture): FieldDifference | undefined {
    const kernel = record["frags"] as readonly Row[];
    for (let i = 0; i < v.frags.length; i++) {
      const frag = v.frags[i]!;
      const pfn = kernel[i]?.["pfn"];
      const model = {
        pfn: pages.same(frag.pfn, Number(pfn)) ? pfn : (pages.nameOf(frag.pfn) ?? "another page"),
        off: frag.offset,
        size: frag.size,
        count: frag.count,
      };
      const found = differing(`${at}.frags[${i}]`, kernel[i] ?? {}, model);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  function compareList(at: string, record: Row, v: SkbPicture): FieldDifference | undefined {
    const kernel = record["frag_list"] as readonly Row[];
    if (kernel.length !== v.fragList.length)
      return { field: `${at}.frag_list`, kernel: `${kernel.length} skbs`, model: `${v.fragList.length} skbs` };
    for (let i = 0; i < kernel.length; i++) {
      const slot = kernel[i]?.["slot"];
      // A member of a list lies in no slot.
      if (slot !== undefined && slot !== -1) return { field: `${at}.frag_list[${i}].slot`, kernel: slot, model: -1 };
      const found = compare(`${at}.frag_list[${i}]`, kernel[i]!, v.fragList[i]!.skb);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  return {
    begin() {
      heads = new Map();
      rows = new Map();
    },
    compare,
    /** What was not seen in this dump is dead: its name is free again. */
    end() {
      names.heads = heads;
      names.skbs = rows;
    },
  };
}
