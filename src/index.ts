// The library: what a program may import from "skblab". Rooms add their public names here.

export { type Btf, readBtf } from "./artifact/btf/btf.ts";
export { readKernelFile, type Unpack } from "./artifact/btf/kernel_file.ts";
export { findReadings } from "./artifact/embedded.ts";
export { type Gathered, type GatheredInput, type GatheredReading, gather, type InputItem } from "./artifact/gather.ts";
export { type Identification, identify } from "./artifact/identify.ts";
export { inferRelease } from "./artifact/log/incidents/infer_release.ts";
export { readIncidents } from "./artifact/log/incidents/read_incidents.ts";
export { repairText } from "./artifact/log/lines.ts";
export { readPools } from "./artifact/page_pool/read.ts";
export { textReaders } from "./artifact/readers.ts";
export { BadInput, type InputPlace } from "./base/bad_input.ts";
export { type ByteSource, sourceOf } from "./base/byte_source.ts";
export type { Prng } from "./base/prng.ts";
export { type Collector, createCollector } from "./diagnosis/collect.ts";
export { diagnose } from "./diagnosis/diagnose.ts";
export { explain } from "./diagnosis/explain.ts";
export type { DiagnosedIncident, Diagnosis, Finding } from "./diagnosis/finding.ts";
export { judgePools, type PoolVerdict } from "./diagnosis/pools.ts";
// Stories of tasks, and the explorer of their interleavings (docs/explore.md).
export * from "./explore/index.ts";
// Memory images (docs/images.md): bytes that can be read anywhere, synchronously, in Node or in a worker of a browser.
export { openImage } from "./image/container/open.ts";
export { type RandomBytes, randomBytesOf } from "./image/container/random_bytes.ts";
export { type Image, readImage } from "./image/image.ts";
export { type ImageRecord, imageRecords } from "./image/records.ts";
// The index of the kernel's network functions: without it only what is known by hand names a driver (docs/diagnose.md).
export { giveFunctionIndex } from "./kernel/facts/functions/index.ts";
export { readFunctionIndex } from "./kernel/facts/functions/packed.ts";
export type { FunctionIndex, NetworkFunction } from "./kernel/facts/functions/roles.ts";
export { decodeGfp, gfpReadings } from "./kernel/facts/gfp.ts";
export { decodePageFlags, pageFlagReadings } from "./kernel/facts/page_flags.ts";
export { declaredStructs } from "./kernel/facts/structs.ts";
export { holesOf, type Member, memberOf, type StructLayout, type StructSource } from "./kernel/layout/layout.ts";
export type { Incident, IncidentsRead } from "./kernel/readings/incident.ts";
export type { LogLine } from "./kernel/readings/log_line.ts";
export type { ProcReading } from "./kernel/readings/proc.ts";
export { formatRelease, parseRelease, type Release } from "./kernel/release.ts";
export type { SkbPicture } from "./kernel/skb_picture.ts";
// A machine as a program has it, or only its memory, and what observes them (docs/library.md).
export {
  createBootedMemory,
  createLink,
  createMachine,
  createPageOwner,
  type KernelChoice,
  type Machine,
  observeBuddyinfo,
  observeExtfrag,
  observePagetypeinfo,
  observeZoneinfo,
  partsFor,
  prng,
  rulesOf,
} from "./library/machine.ts";
export type { BootedMemory, Heap, Pools } from "./library/memory_doors.ts";
export type { Card } from "./library/net_doors.ts";
export type { Skbs } from "./library/packet_doors.ts";
// Drivers, and what a driver of your own is made of (docs/library.md).
export type { DriverMaker, DriverParts, DriverSettings } from "./model/drivers/driver.ts";
export { gfpOf } from "./model/drivers/driver.ts";
export { drivers, giveDriver } from "./model/drivers/drivers.ts";
export { createRxRing, type RxRing } from "./model/drivers/rx_ring.ts";
export { createTxRing, type TxRing } from "./model/drivers/tx_ring.ts";
export { type Failing, failing } from "./model/failing.ts";
export type { Journal, Listener } from "./model/journal.ts";
// The page allocator: a booted machine's memory, its observers, the watermark test with its reasons, and replays of real transcripts.
export type { MachineOptions } from "./model/machine.ts";
export type { BootedOptions } from "./model/mm/booted.ts";
export type { PageOwner } from "./model/mm/page_owner.ts";
export { requestAtMin } from "./model/mm/rights.ts";
export { zoneStateFromReport, zoneWatermarkOk } from "./model/mm/watermark.ts";
export { type Driver, type DriverHost, feature, type NetDevice, netdevTx } from "./model/net/path/netdevice.ts";
export { frameBytes, frameField, frameKind } from "./model/net/path/wire.ts";
export type { OwnershipFault } from "./model/net/skb/ownership.ts";
export { kmallocGeometry } from "./model/slab/geometry.ts";
export { diagnosisDocument } from "./report/diagnosis.ts";
export { diagnosisJsonSchema, diagnosisSchema } from "./report/diagnosis_schema.ts";
export type { Block, Document } from "./report/document.ts";
export { imageDocument, imageJson } from "./report/image.ts";
export { renderMarkdown } from "./report/markdown.ts";
export { poolsDocument, poolsJson } from "./report/pools.ts";
export { drawSkbAscii, drawSkbSvg } from "./report/skb_drawing.ts";
export { renderText } from "./report/text.ts";
// Scenarios: the files of `skblab run`, and the cases.
export { cases } from "./scenario/cases/index.ts";
export { kindNamed } from "./scenario/kinds.ts";
export { readScenario } from "./scenario/read.ts";
export { type DriverVerdict, verifyDriver } from "./verify/driver.ts";
export { replayTranscript } from "./verify/verify.ts";
