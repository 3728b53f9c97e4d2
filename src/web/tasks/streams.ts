// Files as chunks of plain bytes: .gz through the browser's own stream, .zst and .xz through their libraries.
import { BadInput } from "../../base/bad_input.ts";
import type { Progress } from "./protocol.ts";

const magic = {
  gzip: [0x1f, 0x8b],
  xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
} as const;

/** Unpacked bytes at most; a bomb ends here. */
const unpackedMax = 64 * 2 ** 30;

const startsWith = (head: Uint8Array, bytes: readonly number[]): boolean => bytes.every((b, i) => head[i] === b);

/** True for what chunksOf() unpacks. */
export async function isPacked(blob: Blob): Promise<boolean> {
  const head = new Uint8Array(await blob.slice(0, 6).arrayBuffer());
  return Object.values(magic).some((bytes) => startsWith(head, bytes));
}

/** A stream through the browser's own decompressor. The types of the DOM give it any bytes to write, a stream of bytes to read wants its own. */
export const inflatedBy = (
  packed: ReadableStream<Uint8Array<ArrayBuffer>>,
  format: CompressionFormat,
): ReadableStream<Uint8Array<ArrayBuffer>> => packed.pipeThrough(new DecompressionStream(format));

/** The unpacked bytes of `name`, which every complaint about them names. */
export async function* chunksOf(name: string, blob: Blob, progress: Progress): AsyncGenerator<Uint8Array> {
  const head = new Uint8Array(await readable(name, blob.slice(0, 6).arrayBuffer()));
  let read = 0;
  const counted = blob.stream().pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        read += chunk.length;
        progress(
          read / Math.max(1, blob.size),
          `${Math.round(read / 1048576)} of ${Math.round(blob.size / 1048576)} MiB`,
        );
        controller.enqueue(chunk);
      },
    }),
  );
  let plain: ReadableStream<Uint8Array> = counted;
  if (startsWith(head, magic.gzip)) plain = inflatedBy(counted, "gzip");
  else if (startsWith(head, magic.xz))
    plain = new (await import("xz-decompress")).XzReadableStream(counted) as ReadableStream<Uint8Array>;
  else if (startsWith(head, magic.zstd)) plain = await unzstd(counted);
  const packed = plain !== counted;
  const reader = plain.getReader();
  let given = 0;
  for (;;) {
    let step: ReadableStreamReadResult<Uint8Array>;
    try {
      step = await reader.read();
    } catch (error) {
      throw new BadInput(
        packed
          ? `The compressed data is damaged or cut (${reason(error)}).`
          : `The browser could not read it to its end (${reason(error)}).`,
        { file: name },
      );
    }
    if (step.done) return;
    given += step.value.length;
    if (given > unpackedMax)
      throw new BadInput(
        "This unpacks to more than 64 GiB.",
        { file: name },
        "Unpack it and give the part that matters.",
      );
    yield step.value;
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");

/** A folder, or a file that changed or went away since it was chosen, is no fault of ours. */
async function readable<T>(name: string, read: Promise<T>): Promise<T> {
  try {
    return await read;
  } catch (error) {
    throw new BadInput(
      `The browser could not read it (${reason(error)}).`,
      { file: name },
      "Of a folder choose the files; a file that has changed must be chosen again.",
    );
  }
}

async function unzstd(packed: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
  const { Decompress } = await import("fzstd");
  return packed.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      start(controller) {
        (this as { d?: InstanceType<typeof Decompress> }).d = new Decompress((chunk) => controller.enqueue(chunk));
      },
      transform(chunk) {
        (this as { d?: InstanceType<typeof Decompress> }).d?.push(chunk);
      },
      // Only the end tells that a frame is cut.
      flush() {
        (this as { d?: InstanceType<typeof Decompress> }).d?.push(new Uint8Array(0), true);
      },
    }),
  );
}
