// Puts advice to the test: builds a machine like the one a report describes, says what it had to assume, runs it as it was and with each change,
// and tells by how much the failures go down. What the model cannot build is said, not guessed.
import { mean } from "../analysis/statistics.ts";
import { parseRelease } from "../kernel/release.ts";
import { drivers } from "../model/drivers/drivers.ts";
import { receiveWatched } from "./cases/preallocated.ts";
import { runMachine } from "./machine_run.ts";
import { machineSchema } from "./machine_settings.ts";

/** What a diagnosed incident says of the machine. */
export interface ProveInput {
  readonly kind: string;
  readonly title: string;
  readonly release: string;
  readonly arch: string | undefined;
  readonly driver: string | null;
  readonly order: number | null;
  readonly gfpNames: readonly string[];
}

export interface Proof {
  readonly title: string;
  /** What is counted. */
  readonly measure: string;
  readonly assumed: readonly string[];
  readonly rows: readonly { readonly change: string; readonly before: number; readonly after: number }[];
  /** Why there is nothing to run. */
  readonly refused: string | undefined;
}

const seeds = 3;

/** A function of its input. `progress` in 0..1. */
export function prove(input: ProveInput, progress: (done: number, what: string) => void): Proof {
  if (input.kind === "alloc_failure") return proveFailure(input, progress);
  if (input.kind === "bad_page" || input.kind === "oops") return proveOwnership(input, progress);
  return refuse(input, `the model has no experiment for a report of kind ${input.kind}`);
}

const refuse = (input: ProveInput, refused: string): Proof => ({
  title: input.title,
  measure: "",
  assumed: [],
  rows: [],
  refused,
});

/** Small machines: what is tested is orders and reserves, and a run must end soon. */
const memoryMb = 128;

function proveFailure(input: ProveInput, progress: (done: number, what: string) => void): Proof {
  const driver = drivers.find((d) => d.name === input.driver);
  if (driver === undefined || input.order === null)
    return refuse(
      input,
      input.driver === null ? "the report names no driver" : `the model has no driver ${input.driver}`,
    );
  const version = /^\d+\.\d+(\.\d+)?/.exec(input.release)?.[0];
  if (version === undefined) return refuse(input, "the report does not say which kernel it is");
  const release = `${version}-${input.arch ?? "x86_64"}`;
  parseRelease(release);
  const assumed = [
    ...(input.arch === undefined ? ["the architecture is x86_64"] : []),
    `the machine has ${memoryMb} MB, whatever the report's had, and a load that keeps it full, as a compile would`,
    "bursts of frames of the full MTU arrive, and the application reads every 20 ms",
  ];
  const mtus = input.order <= 1 ? [1500, 4000, 9000] : [9000, 4000, 1500];
  const base = (mtu: number): Record<string, unknown> => ({
    release,
    memoryMb,
    nics: [{ driver: driver.name, mtu }],
    traffic: [{ framesPerSecond: Math.round(9e7 / mtu), burst: Math.ceil(192_000 / mtu) }],
    sends: [{ writesPerSecond: 1000 }],
    reader: { everyMicros: 20_000, rcvbufKb: 16_384 },
    load: { kilopages: 150, jobs: 10, pagesPerMilli: 600 },
    millis: 60,
    reports: 0,
  });
  const failures = (given: Record<string, unknown>, order?: number): number =>
    mean(
      Array.from({ length: seeds }, (_, i) => {
        const r = runMachine(machineSchema.parse({ ...given, seed: i + 1 }));
        return r.printed.reduce((n, p) => n + (order === undefined || p.order === order ? p.count : 0), 0);
      }),
    );
  progress(0.05, "the machine as it was");
  const mtu = mtus.find((m) => failures(base(m), input.order ?? undefined) > 0);
  if (mtu === undefined)
    return {
      ...refuse(input, `no MTU from 1500 to 9000 made a request of order ${input.order} fail on such a machine`),
      assumed,
    };
  assumed.unshift(`the MTU is ${mtu}: the first of ${mtus.join(", ")} at which order ${input.order} fails here`);
  const before = failures(base(mtu));
  const changes: { change: string; given: Record<string, unknown> }[] = [
    { change: "vm.min_free_kbytes 16384", given: { ...base(mtu), sysctl: { min_free_kbytes: 16_384 } } },
    { change: "TSO off (ethtool -K)", given: { ...base(mtu), nics: [{ driver: driver.name, mtu, tso: false }] } },
    ...(mtu > 1500 ? [{ change: "MTU 1500", given: base(1500) }] : []),
    { change: "nothing is sent, only received", given: { ...base(mtu), sends: [] } },
  ];
  const rows = changes.map(({ change, given }, i) => {
    progress((i + 1) / (changes.length + 1), change);
    return { change, before, after: failures(given) };
  });
  return {
    title: input.title,
    measure: `failures printed in 60 ms, mean of ${seeds} seeds`,
    assumed,
    rows,
    refused: undefined,
  };
}

/** Memory in the hands of two owners: the mistake that the report fits, and the same driver without it. */
function proveOwnership(input: ProveInput, progress: (done: number, what: string) => void): Proof {
  progress(0.2, "buffers used again");
  const before = receiveWatched("preallocated", 0).faults;
  progress(0.7, "fresh buffers");
  return {
    title: input.title,
    measure: "times that memory was used by somebody who no longer owned it, in 1000 frames",
    assumed: [
      "the cause is a driver that hands its buffers to the stack and uses them again: it fits a page that is free and in use at once; the report does not prove it",
      "a ring of 256 buffers for MTU 9000 on 2.6.31, ppc32, 128 MB",
    ],
    rows: [
      { change: "a fresh buffer for each that is handed up", before, after: receiveWatched("fresh", 0).faults },
      { change: "a fresh buffer, and the application reads late", before, after: receiveWatched("fresh", 64).faults },
    ],
    refused: undefined,
  };
}
