// Packets played step by step, struct layouts by release or from a BTF file, and what a new field moves.
import type { Btf } from "../../artifact/btf/btf.ts";
import { readKernelFile } from "../../artifact/btf/kernel_file.ts";
import { BadInput } from "../../base/bad_input.ts";
import { joinBytes } from "../../base/bytes.ts";
import { declaredStructs } from "../../kernel/facts/structs.ts";
import type { StructLayout, StructSource } from "../../kernel/layout/layout.ts";
import { formatRelease, parseRelease } from "../../kernel/release.ts";
import type { SizeChange } from "../../lab/layout_what_if.ts";
import { parseEdit, unknownStruct, whatIf } from "../../lab/layout_what_if.ts";
import type { PacketStep, PlayedPacketStep } from "../../lab/packet_lab.ts";
import { playPackets } from "../../lab/packet_lab.ts";
import { layoutDocument, layoutJson, whatIfDocument, whatIfJson } from "../../report/layout.ts";
import type { Shown } from "./protocol.ts";
import { chunksOf } from "./streams.ts";

export interface PlayedPackets {
  readonly steps: readonly PlayedPacketStep[];
}

export async function packetTask(steps: readonly PacketStep[]): Promise<PlayedPackets> {
  return { steps: playPackets(steps) };
}

export interface LayoutInput {
  readonly release: string;
  readonly struct: string;
  /** Changes as on the command line, `skb_frag_struct:+void *destructor`; "" for none. */
  readonly edit: string;
  /** A BTF file, vmlinux, vmlinuz or module, instead of the declared structs. */
  readonly btf: { readonly name: string; readonly blob: Blob } | undefined;
}

export interface LayoutOutput {
  readonly shown: Shown;
  readonly layout: StructLayout;
  readonly whatIf: Shown | undefined;
  /** Structs that the change makes larger, smaller or other, before and after. */
  readonly changes: readonly SizeChange[];
  /** Structs that may be asked for, the first of those of a real kernel. */
  readonly names: readonly string[];
}

const namesMost = 4000;

export async function layoutTask(input: LayoutInput): Promise<LayoutOutput> {
  const release = parseRelease(input.release);
  const btf = input.btf === undefined ? undefined : await readBtfFile(input.btf);
  const source: StructSource = btf ?? declaredStructs(release);
  const layout = source.layout(input.struct);
  if (layout === undefined) throw unknownStruct(input.struct, source.names(), source.name);
  const origin = btf === undefined ? `${formatRelease(release)}, declared` : `${input.btf?.name}, BTF`;
  const edits = input.edit.trim() === "" ? [] : input.edit.split(";").map(parseEdit);
  const answer =
    edits.length === 0 ? undefined : whatIf(release, { edits, ...(btf === undefined ? {} : { source: btf }) });
  return {
    shown: { document: layoutDocument(layout, { cacheLine: 64, origin }), json: layoutJson(layout, origin) },
    layout,
    whatIf: answer === undefined ? undefined : { document: whatIfDocument(answer), json: whatIfJson(answer) },
    changes: answer?.changes ?? [],
    names: [...source.names()].sort().slice(0, namesMost),
  };
}

const kernelBytesMax = 1 << 29;

async function readBtfFile({ name, blob }: { readonly name: string; readonly blob: Blob }): Promise<Btf> {
  if (blob.size > kernelBytesMax) throw new BadInput("This file is larger than any kernel image.", { file: name });
  return readKernelFile(new Uint8Array(await blob.arrayBuffer()), name, async (packing, packed) => {
    if (packing !== "gzip" && packing !== "xz" && packing !== "zstd") {
      throw new BadInput(
        `Its kernel is packed with ${packing}, which is not read here.`,
        { file: name },
        "Use /sys/kernel/btf/vmlinux of the running kernel.",
      );
    }
    const parts: Uint8Array[] = [];
    try {
      for await (const chunk of chunksOf(name, new Blob([packed as BlobPart]), () => undefined)) {
        parts.push(chunk.slice());
      }
    } catch (error) {
      // What follows the packed kernel in the image is no part of it.
      if (parts.length === 0) throw error;
    }
    return joinBytes(parts);
  });
}
