// The recordings of one kernel's page allocator: those of the clone, then a spread of the others over machines and scenarios.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const root = join(import.meta.dirname, "../..");
const sharedOf = {
  "6.1.192": ["buddy", "debian-stock/buddy"],
  "5.10.223": ["5.10/buddy"],
  "6.12.117": ["6.12/buddy"],
  "7.2.12": ["7.2/buddy"],
};

/** A transcript's text; .xz through the tool of that name. */
export function textOf(path) {
  if (path.endsWith(".gz")) return gunzipSync(readFileSync(path)).toString();
  if (path.endsWith(".xz")) return execFileSync("xz", ["-dc", path], { maxBuffer: 2 ** 30 }).toString();
  return readFileSync(path, "utf8");
}

export function loadTranscript(path) {
  const lines = textOf(path).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return { path, lines };
}

const isOf = (input, version) => {
  const header = JSON.parse(input.lines[0]);
  return (
    header.format?.startsWith("ora_buddy/") &&
    (header.release.startsWith(version) || header.version?.includes(`Debian ${version}-`))
  );
};

/** Machines in turn, each with another kind of scenario first: every machine and every kind soon appear. */
function spread(files, most) {
  const kind = (path) =>
    path
      .split("/")
      .at(-1)
      .replace(/^\d+_|_s\d+.*$/g, "");
  const machines = [...groupedBy(files, (f) => f.split("/").at(-2)).values()].map((list, m) => {
    const kinds = [...groupedBy(list.sort(), kind).values()];
    const turned = [...kinds.slice(m % kinds.length), ...kinds.slice(0, m % kinds.length)];
    return turned.flatMap((ofKind) => ofKind.slice(0, 1)).concat(turned.flatMap((ofKind) => ofKind.slice(1)));
  });
  const chosen = [];
  for (let i = 0; chosen.length < Math.min(most, files.length); i++)
    for (const list of machines) if (list[i] !== undefined && chosen.length < most) chosen.push(list[i]);
  return chosen;
}

export function recordingsOf(version, { fixturesOnly, most }) {
  const folders = fixturesOnly
    ? []
    : (sharedOf[version] ?? []).map((f) => join(root, "../shared/captures", f)).filter(existsSync);
  const packed = (folder) =>
    readdirSync(folder, { recursive: true })
      .filter((f) => /\.ndjson(\.gz|\.xz)?$/.test(f))
      .map((f) => join(folder, f));
  const own = packed(join(root, "fixtures/buddy"))
    .map(loadTranscript)
    .filter((t) => isOf(t, version));
  const others = spread(folders.flatMap(packed), Math.max(0, most - own.length)).map(loadTranscript);
  return [...own, ...others];
}

function groupedBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
}
