// What is broken in an image. One broken thing gives one finding: whoever reports it also says where, so that others stay silent.

export type FindingKind =
  | "free list"
  | "free page"
  | "free count"
  | "page"
  | "per-cpu list"
  | "lru list"
  | "slab"
  | "socket queue"
  | "qdisc"
  | "sk_buff"
  | "page pool"
  | "layout";

export interface ImageFinding {
  readonly kind: FindingKind;
  /** One sentence with zone, list, pfn or address. */
  readonly text: string;
  readonly zone?: string;
  readonly order?: number;
  readonly migrateType?: number;
  readonly pfn?: number;
  readonly cpu?: number;
  readonly address?: bigint;
  readonly cache?: string;
}

/** Findings kept; more of them are counted. */
const mostKept = 2000;

/** Collects findings in the order in which they are seen. */
export class Findings {
  readonly list: ImageFinding[] = [];
  /** Findings beyond the bound. */
  more = 0;

  add(finding: ImageFinding): void {
    if (this.list.length < mostKept) this.list.push(finding);
    else this.more++;
  }
}
