// Who points to the memory in which a pointer to a page was found: a variable of a module, or the private data of a network device (with the
// driver's own names for it, from its BTF). One step or two: a ring is often an array that hangs in a struct that hangs in the device.
import type { Btf } from "../../artifact/btf/btf.ts";
import type { Member, StructLayout } from "../../kernel/layout/layout.ts";
import { ifThere } from "../address_space.ts";
import type { Kernel } from "../kernel.ts";
import type { KernelModule } from "../modules.ts";
import type { Device } from "./devices.ts";

const mostPrivateBytes = 1 << 16;
/** Of what a device's private data points to, this much is looked into. */
const secondBytes = 4096;

/** Names for starts of memory (slab objects, frames) by those who point to them; those that nobody points to are left out. */
export function namesOfPointed(
  kernel: Kernel,
  modules: readonly KernelModule[],
  devices: readonly Device[],
  owners: ReadonlySet<bigint>,
): ReadonlyMap<bigint, string> {
  const names = new Map<bigint, string>();
  const wanted = owners.size === 0 ? undefined : owners;
  if (wanted === undefined) return names;
  const take = (word: bigint, name: () => string): void => {
    const owner = ownerOf(kernel, wanted, word);
    if (owner !== undefined && !names.has(owner)) names.set(owner, name());
  };
  for (const m of modules)
    for (const { from, bytes } of m.data)
      eachWord(kernel, from, bytes, (word, at) =>
        take(word, () => `module ${m.name}: ${m.nameOf(at, from) ?? `0x${at.toString(16)}`}`),
      );
  for (const d of devices) {
    const own = privateOf(kernel, d);
    if (own === undefined) continue;
    const { from, bytes, struct } = own;
    eachWord(kernel, from, bytes, (word, at) => {
      const here = (): string =>
        `${d.name}: ${struct?.nameAt(Number(at - from)) ?? `private data+0x${(at - from).toString(16)}`}`;
      take(word, here);
      if (word > kernel.pageOffset && (word & 7n) === 0n)
        eachWord(kernel, word, secondBytes, (inner, innerAt) =>
          take(
            inner,
            () =>
              `${here()}->${struct?.behind(Number(at - from), Number(innerAt - word)) ?? `0x${(innerAt - word).toString(16)}`}`,
          ),
        );
    });
  }
  return names;
}

/** The wanted start that a word points to: itself, or (of memory that is mapped page by page) the frame behind it. */
function ownerOf(kernel: Kernel, wanted: ReadonlySet<bigint>, word: bigint): bigint | undefined {
  if (word < 1n << 63n || (word & 7n) !== 0n) return undefined;
  if (wanted.has(word)) return word;
  if ((word & 0xfffn) !== 0n) return undefined;
  const physical = ifThere(() => kernel.space.translate(word));
  const frame = physical === undefined ? undefined : kernel.pageOffset + BigInt(physical);
  return frame !== undefined && wanted.has(frame) ? frame : undefined;
}

/** Every aligned word of a stretch, page by page; pages that are not there are left out. */
function eachWord(kernel: Kernel, from: bigint, length: number, see: (word: bigint, at: bigint) => void): void {
  for (let done = 0; done < length; ) {
    const at = from + BigInt(done);
    const piece = Math.min(length - done, 4096 - Number(at & 0xfffn));
    const bytes = ifThere(() => kernel.space.bytes(at, piece));
    if (bytes !== undefined) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (let i = 0; i + 8 <= piece; i += 8) see(view.getBigUint64(i, true), at + BigInt(i));
    }
    done += piece;
  }
}

/** A driver's own struct. */
interface DriverStruct {
  readonly bytes: number;
  /** `e1000_adapter.rx_ring`. */
  nameAt(offset: number): string;
  /** Of what the pointer at `offset` leads to, the member at `inside`; undefined when its type is no struct of the driver. */
  behind(offset: number, inside: number): string | undefined;
}

interface PrivateData {
  readonly from: bigint;
  readonly bytes: number;
  /** The driver's struct for it, when the BTF of exactly one module has one that fits. */
  readonly struct: DriverStruct | undefined;
}

/** netdev_priv(): behind struct net_device, aligned to 32 bytes (include/linux/netdevice.h; since 6.10 a member). */
function privateOf(kernel: Kernel, device: Device): PrivateData | undefined {
  const struct = kernel.types.find("net_device");
  if (struct === undefined) return undefined;
  const offset = struct.find("priv")?.off ?? Math.ceil(struct.sizeBytes / 32) * 32;
  const from = device.address + BigInt(offset);
  const said = struct.find("priv_len");
  const length = said === undefined ? undefined : ifThere(() => kernel.space.u32(device.address + said.at));
  const fits = driverStruct(kernel, device, from);
  const bytes = Math.min(length ?? fits?.bytes ?? 0, mostPrivateBytes);
  return bytes === 0 ? undefined : { from, bytes, struct: fits };
}

/** The largest struct of a module's BTF with a pointer to a net_device where this device's private data holds a pointer to it. */
function driverStruct(kernel: Kernel, device: Device, from: bigint): DriverStruct | undefined {
  let best: { readonly btf: Btf; readonly layout: StructLayout } | undefined;
  for (const { btf, own } of kernel.types.moduleTypes())
    for (const name of own) {
      const layout = btf.layout(name);
      if (layout === undefined || layout.sizeBytes <= (best?.layout.sizeBytes ?? 64)) continue;
      const back = layout.members.find((m) => m.type === "struct net_device *");
      if (back === undefined) continue;
      const word = ifThere(() => kernel.space.u64(from + BigInt(Math.floor(back.offsetBits / 8))));
      if (word === device.address) best = { btf, layout };
    }
  const found = best;
  if (found === undefined) return undefined;
  return {
    bytes: found.layout.sizeBytes,
    nameAt: (offset) => `${found.layout.name}.${memberName(found.layout, offset)}`,
    behind(offset, inside) {
      const type = memberAt(found.layout, offset)?.type ?? "";
      const target =
        type.startsWith("struct ") && type.endsWith(" *") ? found.btf.layout(type.slice(7, -2)) : undefined;
      return target === undefined || inside >= target.sizeBytes ? undefined : memberName(target, inside);
    },
  };
}

const memberAt = (layout: StructLayout, offset: number): Member | undefined =>
  layout.members.findLast((m) => m.offsetBits <= offset * 8);

function memberName(layout: StructLayout, offset: number): string {
  const member = memberAt(layout, offset);
  const inside = member === undefined ? offset : offset - Math.floor(member.offsetBits / 8);
  return `${member?.name ?? ""}${inside === 0 ? "" : `+0x${inside.toString(16)}`}`;
}
