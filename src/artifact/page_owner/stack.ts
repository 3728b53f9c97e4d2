// A stack text of a page_owner dump, taken apart: frames and the lines between them that say more about the page.
// Forms: ` fn+0x1/0x2 [module]` (4.10 and later), ` [<ffffffff8115c62e>] fn+0x1/0x2` (3.19 and later), `[0xc0146f01] kmem_getpages+49`
// (the 2005 patch, decimal offset, no size). Written by __dump_page_owner()/print_page_owner(), mm/page_owner.c.

export interface OwnerFrame {
  /** Function name; a bare address where the kernel knew no name. */
  readonly symbol: string;
  readonly offset: number | undefined;
  readonly size: number | undefined;
  readonly module: string | undefined;
}

export interface OwnerStack {
  readonly frames: readonly OwnerFrame[];
  /** "Slab cache page", "Charged …", "Page has been migrated, last migrate reason: …". */
  readonly remarks: readonly string[];
  /** Lines that are neither; a damaged dump. */
  readonly unread: readonly string[];
}

const frame =
  /^\s*(?:\[<?(?:0x)?([0-9a-f]+)>?\]\s*)?(?:\?\s*)?([A-Za-z_.$][\w.$:]*?)\+(0x[0-9a-f]+|\d+)(?:\/(0x[0-9a-f]+))?(?:\s+\[([\w-]+)(?:\s+[0-9a-f]+)?\])?(?:\s+[\w./+-]+:\d+)?\s*$/;
/** With source lines, as the kernel's decode_stacktrace.sh writes them; what the compiler put into its caller has no offset of its own. */
const inlined = /^\s*([A-Za-z_.$][\w.$]*) [\w./+-]+:\d+ \[inline\]\s*$/;
const bare = /^\s*(?:\[<?)?0x([0-9a-f]+)(?:>?\])?\s*$/;
const remark = /^(Slab cache page|Charged |Page has been migrated|memcg:)/;

export function readOwnerStack(text: string): OwnerStack {
  const frames: OwnerFrame[] = [];
  const remarks: string[] = [];
  const unread: string[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const f = frame.exec(line);
    if (f !== null) {
      const offset = f[3] as string;
      frames.push({
        symbol: f[2] as string,
        offset: offset.startsWith("0x") ? Number.parseInt(offset, 16) : Number(offset),
        size: f[4] === undefined ? undefined : Number.parseInt(f[4], 16),
        module: f[5],
      });
      continue;
    }
    const inline = inlined.exec(line)?.[1];
    const b = bare.exec(line);
    if (inline !== undefined) frames.push({ symbol: inline, offset: undefined, size: undefined, module: undefined });
    else if (b !== null) frames.push({ symbol: `0x${b[1]}`, offset: undefined, size: undefined, module: undefined });
    else if (remark.test(line.trimStart())) remarks.push(line.trim());
    else unread.push(line);
  }
  return { frames, remarks, unread };
}

/** What identifies a frame to a person: function, and module where it has one. */
export function frameName(f: OwnerFrame): string {
  return f.module === undefined ? f.symbol : `${f.symbol} [${f.module}]`;
}
