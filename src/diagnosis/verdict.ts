// The release of an incident: what the incident itself says, else what its neighbourhood in the log says.
import type { Incident } from "../kernel/readings/incident.ts";
import type { ReleaseVerdict } from "../kernel/readings/release_verdict.ts";

export function verdictOf(incident: Incident): ReleaseVerdict {
  const reading = incident.reading;
  const release = "process" in reading ? reading.process?.release : undefined;
  const version = /^(\d+(?:\.\d+){1,3})/
    .exec(release ?? "")?.[1]
    ?.split(".")
    .map(Number);
  return release === undefined || version === undefined
    ? { release: "unknown", certainty: "unknown", because: [] }
    : { release, certainty: "stated", version, because: [{ sentence: "the report prints it", lines: [] }] };
}
