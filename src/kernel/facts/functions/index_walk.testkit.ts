// The packed index of functions, read from its first byte to its last: the naive twin of look-ups (packed.ts).

/** Every name in the file's order, with how many places it has. */
export function walkedIndex(bytes: Buffer): ReadonlyMap<string, number> {
  const line = bytes.indexOf(10);
  const head = JSON.parse(bytes.subarray(0, line).toString()) as { blocks: number; blockNames: number };
  let at = line + 1 + head.blocks * 4;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] as number;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const walked = new Map<string, number>();
  let name = "";
  for (let i = 0; at < bytes.length; i++) {
    const shared = number();
    const own = number();
    name = (i % head.blockNames === 0 ? "" : name.slice(0, shared)) + bytes.toString("latin1", at, at + own);
    at += own;
    const count = number();
    walked.set(name, count);
    for (let skip = 0; skip < 2 * count; skip++) number();
  }
  return walked;
}
