// A diagnosis as SARIF 2.1.0 (OASIS), which code hosts and CI systems show beside the file: a result an incident, at the lines of its reports.
import type { DiagnosedIncident, Diagnosis, Severity } from "../../diagnosis/finding.ts";
import { inertLine, wellFormed } from "../escape.ts";

/** Places that one result names; `occurrenceCount` has all. */
const mostPlaces = 20;

const levels: Readonly<Record<Severity, "error" | "warning" | "note">> = {
  corruption: "error",
  unknown: "error",
  act: "error",
  watch: "warning",
  harmless: "note",
};

const ruleNames: Readonly<Record<string, string>> = {
  alloc_failure: "An allocation of pages failed",
  slab_failure: "An allocation from a slab cache failed",
  bad_page: "A page was freed in a state that it must not be in",
  oops: "The kernel stopped on a fault in packet code",
  skb_panic: "A packet's data would leave its buffer",
  slab_corruption: "A slab object was damaged",
  page_pool_stall: "Pages of a pool do not come back",
  oom: "The kernel killed a process for lack of memory",
  driver_line: "A driver says that it got no memory",
};

/** The log as a value for JSON.stringify; `version` is skblab's. */
export function sarifOf(d: Diagnosis, version: string): unknown {
  const kinds = [...new Set(d.incidents.map((i) => i.kind))];
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "skblab",
            version,
            rules: kinds.map((id) => ({
              id,
              shortDescription: { text: ruleNames[id] ?? "The kernel reported trouble with memory" },
            })),
          },
        },
        columnKind: "utf16CodeUnits",
        artifacts: d.inputs.map((i) => ({
          location: { uri: uriOf(i.name) },
          ...(i.bytes === null ? {} : { length: i.bytes }),
        })),
        invocations: [
          {
            executionSuccessful: true,
            toolExecutionNotifications: d.inputs.flatMap((i) =>
              i.notes.map((n) => ({
                level: "note",
                message: { text: inertLine(n.sentence) },
                locations: [placeOf({ input: i.name, firstLine: n.line ?? 1, lastLine: n.line ?? 1 })],
              })),
            ),
          },
        ],
        results: d.incidents.map((i) => resultOf(i, kinds.indexOf(i.kind))),
      },
    ],
  };
}

function resultOf(i: DiagnosedIncident, ruleIndex: number): unknown {
  const advice = i.advice[0];
  return {
    ruleId: i.kind,
    ruleIndex,
    level: levels[i.severity],
    // The same cause on another day, in another file, is the same alert.
    partialFingerprints: { "skblab/cause/v1": `${i.kind}|${i.driver ?? ""}|${i.order ?? ""}|${inertLine(i.title)}` },
    message: {
      text: inertLine(
        [`${i.title}.`, i.cause, ...(advice === undefined ? [] : [`Advice: ${advice.action}`])].join(" "),
      ),
    },
    occurrenceCount: Math.max(1, i.count),
    locations: i.occurrences.slice(0, 1).map(placeOf),
    relatedLocations: i.occurrences.slice(1, mostPlaces).map((o, id) => ({ id, ...(placeOf(o) as object) })),
    properties: { severity: i.severity, kernel: i.kernel.release },
  };
}

const placeOf = (o: { readonly input: string; readonly firstLine: number; readonly lastLine: number }): unknown => ({
  physicalLocation: {
    artifactLocation: { uri: uriOf(o.input) },
    region: { startLine: Math.max(1, o.firstLine), endLine: Math.max(1, o.firstLine, o.lastLine) },
  },
});

/** A path as a URI reference: what would read as a scheme, or is no character of one, is escaped. */
const uriOf = (path: string): string =>
  path === "-"
    ? "stdin"
    : path
        .split("/")
        .map((part) => encodeURIComponent(wellFormed(part)))
        .join("/");
