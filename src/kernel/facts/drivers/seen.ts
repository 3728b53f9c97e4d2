// Which network driver stands on a stack, and what it does there. Three sources, in this order for each frame: the module's tag, the index
// of functions (every driver of Debian's kernels), and the names that are known by hand (older kernels, drivers that Debian does not build).
import { compareVersions } from "../../release.ts";
import { functionIndex } from "../functions/index.ts";
import type { MemoryKind, ModulePlace, NetworkFunction } from "../functions/roles.ts";
import { drivers } from "./all.ts";
import type { BufferCall, DriverFacts, DriverSymbol, FrameRole } from "./driver.ts";

/** A frame as far as drivers need it. */
export interface StackName {
  readonly function: string;
  readonly module?: string | undefined;
  readonly reliable: boolean;
}

/** A driver seen in a stack: what its innermost telling frame does, and the index of that frame. */
export interface DriverSeen {
  /** What is known by hand; of a driver that only the index knows the name and the place, and no receive path. */
  readonly driver: DriverFacts;
  readonly role: FrameRole | undefined;
  readonly frame: number;
  /** Where its source stands and what builds it, where the index has it. */
  readonly place?: ModulePlace;
}

/** Compilers append `.constprop.0`, `.isra.3`, `.part.1`, `.cold`, `.clone.2`, `.cfi_jt`, `.llvm.123` to a function's name. */
export const bareName = (name: string): string => name.replace(/(?:\.[a-z_]{1,30}(?:\.\d{1,20}){0,3}){1,8}$/, "");

/** Libraries that stand beside their drivers (drivers/vhost/vhost.c, drivers/net/ethernet/intel/lib*, drivers/ntb/ntb_transport.c). */
const libraries: readonly string[] = ["vhost", "libeth", "libie", "ntb_transport"];

/** Whether a module is a library of drivers: one of those, or one with drivers in directories below its own that are called after it (ath). */
const isLibrary = (module: string): boolean =>
  libraries.includes(module) || functionIndex()?.isLibrary(module) === true;

/** Directories whose modules drive a network interface; net/ itself holds protocols. */
const driverDirectory =
  /^drivers\/(net|vhost|usb\/gadget|infiniband\/ulp|staging\/(rtl|vt66|wlan|wfx|wilc|qlge|ks7010))|^drivers\/scsi\/.*iscsi/;

/** True for a module of the network: of a driver, or a protocol's below net/. */
export const isNetworkPlace = (place: ModulePlace): boolean =>
  driverDirectory.test(place.directory) || /^net\//.test(place.directory);

const tagOf = (module: string): string => module.replaceAll("-", "_");
const byModule = new Map(drivers.flatMap((d) => d.modules.map((m) => [m, d] as const)));

function symbolOf(driver: DriverFacts, name: string): DriverSymbol | undefined {
  return (
    driver.symbols.find((s) => s.prefix !== true && s.name === name) ??
    driver.symbols.find((s) => s.prefix === true && name.startsWith(s.name))
  );
}

/** Whether a driver has a function of this name, by what is known by hand: several may. */
export const isFunctionOf = (driver: string, name: string): boolean =>
  drivers.some((d) => d.name === driver && symbolOf(d, bareName(name)) !== undefined);

/** What is known by hand, or a driver of the index that nothing but its place is known of. */
function factsOf(key: string): DriverFacts {
  const known = byModule.get(key);
  if (known !== undefined) return known;
  const place = functionIndex()?.module(key);
  const option = place === undefined || place.option === "" ? "" : `, CONFIG_${place.option}`;
  const what = place === undefined ? "" : `${place.directory}${option}`;
  return { name: key, modules: [key], what, symbols: [], rx: [], failure: [], refillGfp: "", mtuMax: 0 };
}

/** One key for a driver: the first module of those known by hand, else the module's name. */
const keyOf = (module: string): string => byModule.get(module)?.modules[0] ?? module;

/** A storm names the same frames again and again; a hostile log may name anything. */
const mostFrames = 5000;
let asked: { readonly index: unknown; readonly frames: Map<string, ReadonlySet<string>> } | undefined;

/** The drivers that a frame may belong to; none for a frame of somebody else. */
function driversOf(frame: StackName): ReadonlySet<string> {
  const index = functionIndex();
  if (asked === undefined || asked.index !== index || asked.frames.size > mostFrames)
    asked = { index, frames: new Map() };
  const key = `${frame.module ?? ""} ${frame.function}`;
  const found = asked.frames.get(key) ?? findDrivers(frame);
  asked.frames.set(key, found);
  return found;
}

function findDrivers(frame: StackName): ReadonlySet<string> {
  if (frame.module !== undefined) {
    const tag = tagOf(frame.module);
    if (byModule.has(tag)) return new Set([keyOf(tag)]);
    const place = functionIndex()?.module(tag);
    return new Set(place !== undefined && driverDirectory.test(place.directory) && !isLibrary(tag) ? [tag] : []);
  }
  const name = bareName(frame.function);
  const indexed = functionIndex()?.find(name) ?? [];
  // A function of the kernel's own text, or of a protocol: no driver's.
  if (indexed.some((f) => f.place.name === "")) return new Set();
  const found = indexed
    .filter((f) => driverDirectory.test(f.place.directory) && !isLibrary(f.place.name))
    .map((f) => keyOf(f.place.name));
  const byHand = drivers.filter((d) => {
    const symbol = symbolOf(d, name);
    return symbol !== undefined && (found.length === 0 || symbol.prefix !== true);
  });
  return new Set([...found, ...byHand.map((d) => d.modules[0] as string)]);
}

/**
 * The driver that a stack names, or undefined when no frame tells one or several fit. The innermost telling frame decides; frames behind it
 * narrow what it may be. Frames innermost first; guesses (`?`) are asked only in a stack that is all guesses. `since`: the kernel is not older.
 */
export function driverOfStack(frames: readonly StackName[], since: readonly number[] = [2, 6]): DriverSeen | undefined {
  const guesses = !frames.some((f) => f.reliable);
  const plausible = plausibleIn(frames, since);
  const told = frames.map((f) =>
    guesses || f.reliable ? new Set([...driversOf(f)].filter((key) => plausible(key, f))) : new Set<string>(),
  );
  let fits: ReadonlySet<string> = new Set();
  for (const one of told) {
    const both = fits.size === 0 ? one : new Set([...one].filter((k) => fits.has(k)));
    if (both.size > 0) fits = both;
  }
  const key = onlyOne(fits, told);
  if (key === undefined) return undefined;
  const driver = factsOf(key);
  const own = told.flatMap((keys, i) => (keys.has(key) ? [i] : []));
  const roles = own.map((i) => ({ frame: i, role: roleIn(driver, key, frames[i] as StackName) }));
  const telling = roles.find((r) => r.role !== undefined) ?? roles[0];
  if (telling === undefined) return undefined;
  // To send, a core hands the packet to its minidriver first: where none stands above it, its line may be missing.
  if (driver.family !== undefined && telling.role === "tx" && telling === roles[0]) return undefined;
  const place = functionIndex()?.module(key);
  return { driver, ...telling, ...(place === undefined ? {} : { place }) };
}

/** The first kernel of the index. */
const oldestIndexed = [5, 10] as const;

/** Whether a driver of several with the same names can be meant: a gadget's requests are not the host's, and memory must be what it asks for. */
function plausibleIn(
  frames: readonly StackName[],
  since: readonly number[],
): (key: string, frame: StackName) => boolean {
  // __netdev_alloc_frag() is a function of 3.5 to 4.0 (net/core/skbuff.c): no driver of a later release stands above it.
  const upTo = frames.some((f) => bareName(f.function) === "__netdev_alloc_frag") ? [4, 0] : undefined;
  const tooNew = (key: string): boolean => {
    // u_ether.c of those releases asks with alloc_skb() (3.10), which comes by no fragment.
    if (key === "u_ether" && upTo !== undefined) return true;
    const since = byModule.get(key)?.since;
    return since !== undefined && upTo !== undefined && compareVersions(since, upTo) > 0;
  };
  const named = (form: RegExp): boolean => frames.some((f) => form.test(f.function));
  const host = named(/^(__)?usb_hcd_giveback_urb/);
  const gadget = named(/^usb_gadget_giveback_request|^composite_/);
  const receiveBuffer = named(/^(__)?((netdev|napi|dev)_)?alloc_skb/);
  // What a function asks for is known of the releases of the index only.
  const recent = compareVersions(since, oldestIndexed) >= 0;
  return (key, frame) => {
    if (frame.module === undefined && tooNew(key)) return false;
    if (frame.module !== undefined || (!host && !gadget && !receiveBuffer)) return true;
    const known = functionIndex()
      ?.find(bareName(frame.function))
      .find((f) => keyOf(f.place.name) === key);
    const isGadget = functionIndex()?.module(key)?.directory.startsWith("drivers/usb/gadget") === true;
    if ((host && isGadget) || (gadget && !isGadget)) return false;
    return (
      known === undefined ||
      !receiveBuffer ||
      (!recent && refillByHand(byModule.get(key), since)?.has("rxSkb") === true) ||
      known.memory.has("rxSkb") ||
      known.memory.has("skb") ||
      !known.does.has("refills")
    );
  };
}

/** Of several that fit the core of a family stands for its members, unless the stack names a member elsewhere. */
function onlyOne(fits: ReadonlySet<string>, told: readonly ReadonlySet<string>[]): string | undefined {
  const core = [...fits].find((k) => byModule.get(k)?.family !== undefined);
  if (core === undefined) return fits.size === 1 ? [...fits][0] : undefined;
  const members = new Set(byModule.get(core)?.family?.map((d) => d.modules[0] as string));
  if (fits.size > 1 && ![...fits].every((k) => k === core || members.has(k))) return undefined;
  const alone = told.find((keys) => keys.size === 1 && members.has([...keys][0] as string));
  return alone === undefined ? core : [...alone][0];
}

/** What a frame of the driver does, by hand or by the index. */
function roleIn(driver: DriverFacts, key: string, frame: StackName): FrameRole | undefined {
  const name = bareName(frame.function);
  const known = symbolOf(driver, name);
  if (known?.role !== undefined) return known.role;
  const facts = functionIndex()
    ?.find(name)
    .find((f) => keyOf(f.place.name) === key);
  return facts === undefined ? undefined : frameRole(facts);
}

/** What a function of the index does for packets, or undefined: whoever called it decides. */
export function frameRole(f: NetworkFunction): FrameRole | undefined {
  if (f.does.has("refills")) return "rx refill";
  switch (f.role) {
    case "transmit":
      return "tx";
    case "poll":
    case "receive":
      return "rx poll";
    case "open":
    case "stop":
    case "mtu":
    case "ethtool":
    case "configure":
    case "probe":
    case "remove":
    case "power":
    case "init":
    case "exit":
    case "netlink":
    case "timeout":
      return "setup";
    case undefined:
      return roleByReach(f);
    default:
      return f.does.has("delivers") ? "rx poll" : undefined;
  }
}

/** A function without a role of its own does what the only ways to it do. */
function roleByReach(f: NetworkFunction): FrameRole | undefined {
  const only = (...kinds: readonly string[]): boolean => f.from.size > 0 && [...f.from].every((k) => kinds.includes(k));
  if (only("transmit", "send")) return "tx";
  if (only("setup", "teardown", "timeout")) return "setup";
  if (!only("poll", "interrupt", "receive")) return undefined;
  if (f.does.has("delivers")) return "rx poll";
  return f.does.has("completes") && f.memory.size === 0 ? "tx completion" : undefined;
}

/** The modules that a frame may belong to: the one it names, or all that have such a function. */
export const modulesOf = (frame: StackName): readonly string[] =>
  frame.module !== undefined
    ? [tagOf(frame.module)]
    : (functionIndex()?.find(bareName(frame.function)) ?? []).map((f) => f.place.name);

/** What a driver's call for a receive buffer asks for, in the words of the index. */
const memoryOfCall: Readonly<Record<BufferCall, MemoryKind>> = {
  netdev_alloc_skb: "rxSkb",
  "netdev_alloc_skb sleeping": "rxSkb",
  napi_alloc_skb: "rxSkb",
  alloc_skb: "rxSkb",
  kmalloc: "slab",
  netdev_alloc_frag: "frag",
  skb_page_frag_refill: "frag",
  alloc_pages: "pages",
  page_pool: "pool",
};
const anyMachine = { pageSize: 4096, cacheLine: 64, netSkbPad: 64, netIpAlign: 2, sharedInfo: 320 };

/** What the releases that were read by hand fill the driver's ring with, from `since` on; undefined where nobody has read one. */
function refillByHand(driver: DriverFacts | undefined, since: readonly number[]): ReadonlySet<MemoryKind> | undefined {
  const read = driver?.rx.filter((_, i) => {
    const next = driver.rx[i + 1]?.since;
    return next === undefined || compareVersions(next, since) > 0;
  });
  if (driver === undefined || read === undefined || read.length === 0) return undefined;
  const calls = read.flatMap(({ value }) =>
    [1500, Math.min(9000, driver.mtuMax)].flatMap((mtu) => value.buffers(mtu, anyMachine).map((b) => b.call)),
  );
  return new Set(calls.map((call) => memoryOfCall[call]));
}

/**
 * Whether a driver of a kernel since `since` fills its ring by asking for this kind of memory: then a frame of the driver that stands behind
 * such a request may have asked itself, or through a function whose line is missing. True where nobody knows. Of kernels older than those of
 * the index only what was read by hand counts.
 */
export function refillAsksFor(module: string, kinds: readonly MemoryKind[], since: readonly number[]): boolean {
  const index = functionIndex();
  const key = keyOf(tagOf(module));
  const driver = byModule.get(key);
  const names = driver?.modules.map(tagOf) ?? [key];
  const recent = compareVersions(since, oldestIndexed) >= 0;
  const hand = recent ? undefined : refillByHand(driver, since);
  if (index === undefined || (!recent && hand === undefined)) return true;
  return kinds.some((k) => hand?.has(k) === true || names.some((m) => index.refillMemory(m)?.has(k) === true));
}

/** Tables of netfilter are set up, and any message of rtnetlink is handled, without an interface being brought up or changed. */
const changesNoInterface = (f: NetworkFunction): boolean =>
  f.name === "rtnetlink_rcv_msg" ||
  (/^net\/(?:\w{1,20}\/)?netfilter/.test(f.place.directory) && frameRole(f) === "setup");

/** A frame of network code, whoever's: a driver's, a protocol's in a module, a file's of net/. */
export interface NetworkFrame {
  readonly role: FrameRole | undefined;
  readonly place: ModulePlace;
}

/** What the index knows of one frame; undefined for a frame of somebody else. Of several that share the name only what they agree on. */
export function networkFrame(frame: StackName): NetworkFrame | undefined {
  const index = functionIndex();
  if (index === undefined) return undefined;
  const tag = frame.module === undefined ? undefined : tagOf(frame.module);
  const tagged = tag === undefined ? undefined : index.module(tag);
  if (tag !== undefined && (tagged === undefined || !isNetworkPlace(tagged))) return undefined;
  const found = index.find(bareName(frame.function)).filter((f) => tag === undefined || f.place.name === tag);
  const [first] = found;
  if (first === undefined) return tagged === undefined ? undefined : { role: undefined, place: tagged };
  const roles = new Set(found.map((f) => (changesNoInterface(f) ? undefined : frameRole(f))));
  return { role: roles.size === 1 ? [...roles][0] : undefined, place: first.place };
}

/** A driver's ndo_start_xmit, whichever driver's: bottom halves are off there (net/core/dev.c __dev_queue_xmit()). */
export function transmits(frame: StackName): boolean {
  const found = (functionIndex()?.find(bareName(frame.function)) ?? []).filter(
    (f) => frame.module === undefined || f.place.name === tagOf(frame.module),
  );
  return found.length > 0 && found.every((f) => f.role === "transmit");
}

/** The innermost module that no kernel of the index builds: somebody's own driver, perhaps. Undefined without the index. */
export function foreignModule(frames: readonly StackName[], from: number): { name: string; frame: number } | undefined {
  const index = functionIndex();
  if (index === undefined) return undefined;
  const guesses = !frames.some((f) => f.reliable);
  const frame = frames.findIndex(
    (f, i) =>
      i >= from &&
      (guesses || f.reliable) &&
      f.module !== undefined &&
      index.module(f.module) === undefined &&
      !isLibrary(tagOf(f.module)) &&
      !byModule.has(tagOf(f.module)),
  );
  const name = frames[frame]?.module;
  return name === undefined ? undefined : { name, frame };
}
