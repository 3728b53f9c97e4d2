// A diagnosis as a JUnit report, which CI systems show as tests: an incident is a test that failed when it is bad enough, an input without one a test
// that passed. The format has no standard; this keeps to the elements that all readers know (testsuite, testcase, failure, system-out).
import type { DiagnosedIncident, Diagnosis, Severity } from "../../diagnosis/finding.ts";
import { bySeverity } from "../../diagnosis/finding.ts";
import { inertLine, wellFormed } from "../escape.ts";

/** `failOn`: incidents at least this bad fail. */
export function junitOf(d: Diagnosis, failOn: Severity = "watch"): string {
  const fails = (i: DiagnosedIncident): boolean => bySeverity(i.severity, failOn) <= 0;
  const hit = new Set(d.incidents.flatMap((i) => i.occurrences.map((o) => o.input)));
  const quiet = d.inputs.filter((i) => !hit.has(i.name));
  const cases = [
    ...d.incidents.map((i) => incidentCase(i, fails(i))),
    ...quiet.map((i) =>
      // An input that could not be read passed nothing.
      (i.lines ?? 0) === 0 && i.notes.length > 0
        ? `${caseStart("no report of memory trouble", i.name)}><skipped message="${xml(i.notes[0]?.sentence ?? "")}"/></testcase>`
        : `${caseStart("no report of memory trouble", i.name)}/>`,
    ),
  ];
  const skipped = cases.filter((c) => c.includes("<skipped ")).length;
  const failures = d.incidents.filter(fails).length;
  const counts = `tests="${cases.length}" failures="${failures}" errors="0" skipped="${skipped}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="skblab" ${counts}>
<testsuite name="skblab diagnose" ${counts}>
${cases.map((c) => `${c}\n`).join("")}</testsuite>
</testsuites>
`;
}

function incidentCase(i: DiagnosedIncident, fails: boolean): string {
  const first = i.occurrences[0];
  const start = caseStart(i.title, first?.input ?? "skblab");
  const places = i.occurrences.slice(0, 20).map((o) => `${o.input}:${o.firstLine}`);
  const text = [
    `${i.severity}, ${i.count} ${i.count === 1 ? "time" : "times"}, kernel ${i.kernel.release}`,
    ...places,
    ...i.advice
      .slice(0, 3)
      .flatMap((a) => [`Advice: ${a.action}`, ...(a.command === undefined ? [] : [`  ${a.command}`])]),
  ].join("\n");
  return fails
    ? `${start}><failure type="${xml(i.kind)}" message="${xml(i.cause)}">${xml(text)}</failure></testcase>`
    : `${start}><system-out>${xml(`${i.cause}\n${text}`)}</system-out></testcase>`;
}

const caseStart = (name: string, input: string): string => `<testcase classname="${xml(input)}" name="${xml(name)}"`;

/** Text and attribute values; a character that XML 1.0 forbids is shown, not passed on. */
const xml = (text: string): string =>
  wellFormed(text)
    .split("\n")
    .map((line) =>
      inertLine(line).replace(/[&<>"'\uFFFE\uFFFF]/g, (c) => (c >= "\uFFFE" ? "\uFFFD" : `&#${c.charCodeAt(0)};`)),
    )
    .join("\n");
