// Compares what `skblab run --perfetto` wrote with the journal of the same run, read back by Google's protobuf compiler with Perfetto's own schema.
//   node scripts/compare-perfetto.mjs PERFETTO_TRACE.PROTO SCENARIO
// protoc is Debian's protobuf-compiler; the schema is protos/perfetto/trace/perfetto_trace.proto of Perfetto's source. A field that the schema does not
// have would be printed by its number. Exits 1 when anything differs, 2 when it cannot be run.
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

const [proto, scenario] = process.argv.slice(2);
if (proto === undefined || scenario === undefined) {
  console.error("usage: node scripts/compare-perfetto.mjs PERFETTO_TRACE.PROTO SCENARIO");
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), "skblab-perfetto-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
const [trace, journal, decoded] = ["trace.pb", "journal.ndjson", "trace.txt"].map((f) => join(work, f));
const must = (what, { status, error, stderr }) => {
  if (status === 0) return;
  console.error(`${what}: ${error?.message ?? stderr}`);
  process.exit(2);
};
const main = join(import.meta.dirname, "../dist/cli/main.js");
// A short piece of the run: the text that protoc prints is a hundred times as long as the trace.
const written = ["--perfetto", trace, "--journal", journal, "--between", "0-3"];
must("skblab run", spawnSync(process.execPath, [main, "run", scenario, ...written], { encoding: "utf8" }));
const out = openSync(decoded, "w");
must(
  "protoc",
  spawnSync("protoc", ["--decode", "perfetto.protos.Trace", `-I${dirname(proto)}`, basename(proto)], {
    stdio: [openSync(trace, "r"), out, "pipe"],
    encoding: "utf8",
  }),
);
closeSync(out);

/** protoc's text: `name {` opens, `name: value` is a member, several of a name are a list. */
function* packets(lines) {
  const stack = [];
  let at = {};
  for (const line of lines) {
    const [, indent, name, rest] = /^( *)(\w+)(.*)$/.exec(line) ?? [];
    if (line.trim() === "}") {
      const whole = at;
      at = stack.pop();
      if (stack.length === 0) {
        yield whole;
        at = {};
      }
      continue;
    }
    if (name === undefined) continue;
    if (/^\d+$/.test(name)) yield { unknown: `${indent.length / 2} deep: field ${name}` };
    const value = rest.startsWith(": ")
      ? JSON.parse(/^: [A-Z]/.test(rest) ? `"${rest.slice(2)}"` : rest.slice(2).replace(/\\'/g, "'"))
      : {};
    at[name] = [...(at[name] ?? []), value];
    if (rest === " {") {
      stack.push(at);
      at = value;
    }
  }
}

const wrong = [];
const tracks = new Map();
const events = [];
let counters = 0;
let last = 0;
for (const { unknown, timestamp, track_descriptor: [told] = [], track_event: [event] = [], ...rest } of packets(
  readFileSync(decoded, "utf8").split("\n"),
)) {
  if (unknown !== undefined) wrong.push(`the schema does not have it, ${unknown}`);
  else if (rest.trusted_packet_sequence_id === undefined) wrong.push("a packet without its sequence");
  else if (told !== undefined) tracks.set(told.uuid[0], { name: told.name[0], counter: told.counter !== undefined });
  else if (event !== undefined) {
    const track = tracks.get(event.track_uuid[0]);
    const isCounter = event.type[0] === "TYPE_COUNTER";
    if (track === undefined || track.counter !== isCounter)
      wrong.push(`${event.type[0]} on track ${event.track_uuid[0]}`);
    if (timestamp[0] < last) wrong.push(`time goes back from ${last} to ${timestamp[0]}`);
    last = timestamp[0];
    if (isCounter) {
      counters++;
      if (event.counter_value === undefined) wrong.push("a counter without a value");
    } else {
      const args = (event.debug_annotations ?? []).map((a) => [a.name[0], (a.int_value ?? a.string_value)[0]]);
      events.push(JSON.stringify([timestamp[0], track?.name, event.name[0], Object.fromEntries(args)]));
    }
  } else wrong.push(`a packet of another kind: ${Object.keys(rest)}`);
}
const expected = readFileSync(journal, "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => {
    const { event, nanos, cpu, ...fields } = JSON.parse(line);
    return JSON.stringify([Math.round(nanos), `CPU ${cpu}`, event, fields]);
  });
expected.forEach((line, i) => {
  if (events[i] !== line) wrong.push(`event ${i}: the journal has ${line}, the trace ${events[i]}`);
});
if (events.length !== expected.length) wrong.push(`${events.length} events, and the journal has ${expected.length}`);
if (wrong.length > 0) {
  console.log(`${wrong.length} differences:\n${wrong.slice(0, 20).join("\n")}`);
  process.exit(1);
}
console.log(`${events.length} events and ${counters} counter values on ${tracks.size} tracks, all as in the journal.`);
