// The first line of a page_owner record in every form that kernels print (print_page_owner(), mm/page_owner.c). The scanner reads the usual one.

/** What a header line says; order -1: it says none, pid and tgid likewise. */
export interface OddHeader {
  readonly order: number;
  readonly mask: number;
  readonly pid: number;
  readonly tgid: number;
  readonly comm: string;
}

/** Headers of the other eras: no mask (2005), no pid (3.19), no comm (5.11), `, allocated by` … ; undefined when it is no header at all. */
export function readOddHeader(header: string): OddHeader | undefined {
  const start = /^(?:Page|Block) allocated via order (\d+)?/.exec(header);
  if (start === null) return undefined;
  const order = start[1] === undefined || Number(start[1]) > 20 ? -1 : Number(start[1]);
  const mask = /, mask 0x([0-9a-f]{1,8})\b/.exec(header)?.[1];
  const pid = /, pid (\d+)/.exec(header)?.[1];
  const tgid = /, tgid (\d+)/.exec(header)?.[1];
  const comm = /, tgid \d{1,10} \((.{0,64})\), ts/.exec(header)?.[1] ?? "";
  return {
    order,
    mask: mask === undefined ? 0 : Number.parseInt(mask, 16) | 0,
    pid: pid === undefined ? -1 : Number(pid),
    tgid: tgid === undefined ? -1 : Number(tgid),
    comm,
  };
}
