// Reads a tar file as it comes: the text of the files that are wanted, one after the other.

/**
 * @param {AsyncIterable<Buffer>} stream
 * @param {(name: string) => string | undefined} wanted the path that a file is handed out under; undefined for none
 * @param {(path: string, text: string) => void} take
 */
export async function readTar(stream, wanted, take) {
  let held = Buffer.alloc(0);
  let longName = "";
  /** What is left of the file that is being read, and what of its padding. */
  let file;
  for await (const chunk of stream) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    for (;;) {
      if (file !== undefined) {
        if (held.length < file.room) {
          file.parts?.push(held);
          file.room -= held.length;
          held = Buffer.alloc(0);
          break;
        }
        file.parts?.push(held.subarray(0, file.room));
        held = held.subarray(file.room);
        const text = file.parts && Buffer.concat(file.parts).subarray(0, file.size).toString("latin1");
        if (file.isName) longName = text.replace(/\0.*$/s, "");
        else if (file.path !== undefined) take(file.path, text);
        file = undefined;
      }
      if (held.length < 512) break;
      const header = held.subarray(0, 512);
      held = held.subarray(512);
      if (header[0] === 0) continue;
      const word = (at, length) => header.toString("latin1", at, at + length).replace(/\0.*$/s, "");
      const size = Number.parseInt(word(124, 12), 8) || 0;
      const type = String.fromCharCode(header[156]);
      const prefix = word(345, 155);
      const name = longName || (prefix === "" ? word(0, 100) : `${prefix}/${word(0, 100)}`);
      if (type !== "L" && type !== "x" && type !== "g") longName = "";
      const isName = type === "L";
      const path = type === "0" || type === "\0" ? wanted(name) : undefined;
      file = {
        size,
        room: Math.ceil(size / 512) * 512,
        isName,
        path,
        parts: isName || path !== undefined ? [] : undefined,
      };
    }
  }
}
