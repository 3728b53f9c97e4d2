// What can be seen of one sk_buff at one moment: the shape that the model is read out into and that reports draw. Data only.

export interface FragPicture {
  /** The page's pfn, in the numbering of whoever looked. */
  readonly pfn: number;
  readonly offset: number;
  readonly size: number;
  /** page_count() of the fragment's block. */
  readonly count: number;
  /** Id of the fragment's destructor; 0 none. */
  readonly destructor: number;
}

/** One sk_buff with its head. data, tail, end and the header offsets count bytes from the head; 65535 is an unset header. */
export interface SkbPicture {
  /** The handle of the sk_buff and of its head, to tell shared from private. */
  readonly skb: number;
  readonly head: number;
  readonly headAddress: number;
  readonly data: number;
  readonly tail: number;
  readonly end: number;
  readonly len: number;
  readonly dataLen: number;
  readonly truesize: number;
  readonly users: number;
  readonly cloned: boolean;
  readonly nohdr: boolean;
  readonly hdrLen: number;
  /** 0 unavailable, 1 orig, 2 clone */
  readonly fclone: number;
  readonly headFrag: boolean;
  readonly ppRecycle: boolean;
  readonly pfmemalloc: boolean;
  /** Low 16 bits: references; high 16: payload-only references. */
  readonly dataref: number;
  readonly flags: number;
  readonly mac: number;
  readonly net: number;
  readonly trans: number;
  readonly ipSummed: number;
  readonly gsoSize: number;
  readonly gsoSegs: number;
  readonly gsoType: number;
  readonly frags: readonly FragPicture[];
  readonly fragList: readonly SkbPicture[];
}
