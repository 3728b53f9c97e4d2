// Whose a file is, by its path: a bundle's folder names its host (sosreport, supportconfig, must-gather, collect), else the first name in the
// path that is no common word of logs and directories. Pure: nothing here opens anything.

/** Names that many machines share, or none has. */
const nobody = /^(?:localhost(?:\.localdomain)?\d?|\(none\)|none|unknown|-|)$/i;

/** A host as a line or a file states it; undefined where it is a word that any machine may have. */
export const statedHost = (name: string | undefined): string | undefined =>
  name === undefined || nobody.test(name) ? undefined : name;

/** Directories that say nothing of a host: `var/log`, `2026/11/29`, `proc`. */
const commonDirectory =
  /^(?:\.{0,2}|var|logs?|proc|sys|etc|tmp|run|root|home|usr|opt|boot|lib|data|out|output|files|dumps?|crash|pstore|journals?|remote|rsyslog|hosts?|nodes|kernel|kern|net|collect|collected|bundles?|archives?|backups?|old|sample\d{0,3}|sos_\w{1,40}|host_service_logs|\d{1,14}|\d{4}[-_.]\d{2}(?:[-_.]\d{2}\S{0,20})?)$/i;
/** Files that every machine has. */
const commonFile =
  /^(?:dmesg|messages|syslog|kern|kernel|kmsg|journal|journalctl|boot|console|serial|system|basic-environment|meminfo|slabinfo|buddyinfo|zoneinfo|vmstat|pagetypeinfo|page_owner|sysctl|ethtool|ip|uname|uptime|version|cmdline|cpuinfo|hostname|os-release|vmcore-dmesg|manifest|readme)(?:[-_.]\S{0,200})?$/i;

const ending = /\.(?:gz|xz|zst|bz2|tgz|txz|tar|log|txt|json|ndjson|jsonl|zip)$/i;
/** `.log.1`, `-20261129`, `.2026-11-29`: what rotation adds. */
const rotated = /(?:(?<=\.(?:log|txt))\.\d{1,3}|[-_.]\d{4}-?\d{2}-?\d{2}(?:[-_.T]\d{2,6})?)$/;

/** `web1.log.2.gz` → web1; `sosreport-web1-2026-01-02-abcdefg.tar.xz` → web1. */
export function hostOfName(name: string): string {
  const bundle = hostOfBundle(name);
  if (bundle !== undefined) return bundle;
  let bare = name;
  while (ending.test(bare) || rotated.test(bare)) bare = bare.replace(ending, "").replace(rotated, "");
  return bare === "" ? name : bare;
}

const hostWord = "[A-Za-z0-9][A-Za-z0-9.-]{0,200}";
/** sos: name, perhaps a case number, a date, a few letters. supportconfig: `scc_HOST_260102_1314`, older `nts_`. */
const sos = new RegExp(
  `^(?:sosreport|sos)-(${hostWord}?)(?:-\\d{7,9})?-(?:\\d{4}-\\d{2}-\\d{2}|\\d{14})(?:-\\w{1,20})?(?:\\.|$)`,
);
const supportconfig = new RegExp(`^(?:scc|nts)_(${hostWord})_\\d{6}_\\d{4}(?:\\.|_|$)`);

function hostOfBundle(component: string): string | undefined {
  return (sos.exec(component) ?? supportconfig.exec(component))?.[1];
}

/** The components of an input's name: those of the path, of the archive in it, and of the archive in that. */
const componentsOf = (input: string): string[] => input.split(/[/:]/).filter((c) => c !== "");

/** The host whose bundle an input lies in; undefined for what is no bundle. */
export function bundleHost(input: string): string | undefined {
  const parts = componentsOf(input);
  const gathered = parts.findIndex((p) => /^must-gather/.test(p));
  const node = gathered < 0 ? -1 : parts.indexOf("nodes", gathered);
  if (node >= 0 && parts[node + 2] !== undefined) return parts[node + 1];
  for (const part of parts.toReversed()) {
    const host = hostOfBundle(part);
    if (host !== undefined) return host;
  }
  return undefined;
}

/** The host by the first telling name in a path below a named directory or inside an archive; undefined when all its names are common ones. */
export function hostInPath(path: string): string | undefined {
  const parts = path.split("/").filter((c) => c !== "");
  const file = parts.pop() ?? "";
  const directory = parts.find((p) => !commonDirectory.test(p));
  if (directory !== undefined) return hostOfName(directory);
  return commonFile.test(file) || commonDirectory.test(hostOfName(file)) ? undefined : hostOfName(file);
}

export const isCommonDirectory = (name: string): boolean => commonDirectory.test(name);

/** An input's path, and behind it the paths inside the archive, inside the archive in that, and so on. */
const layersOf = (input: string): string[] => input.split(/(?<=\.(?:tar(?:\.\w{1,5})?|t[gx]z|tbz2?)):/);

/** Where the host of an input is said, most telling first; `job` is the host of the files that are read together. */
export function hostOfInput(input: string, job: string, from: RegExp | undefined): string {
  const bundle = bundleHost(input);
  if (bundle !== undefined) return bundle;
  const found = from?.exec(input);
  if (found !== null && found !== undefined) return found[1] ?? found[0];
  const [, ...inside] = layersOf(input);
  for (const path of inside.reverse()) {
    const host = hostInPath(path);
    if (host !== undefined) return host;
  }
  return job;
}

/** Whether a file says the name of its machine: etc/hostname, sos' hostname, /proc/sys/kernel/hostname. */
export const saysHost = (input: string): boolean =>
  /(?:^|[/:])(?:etc\/hostname|proc\/sys\/kernel\/hostname|sos_commands\/(?:host|general)\/hostname(?:_-f)?|hostname)$/.test(
    input,
  );

/** The name that such a file says. */
export const hostSaid = (text: string): string | undefined =>
  statedHost(/^\s*([A-Za-z0-9][A-Za-z0-9._-]{0,252})\s*$/.exec(text)?.[1]);

/** `web1` and `web1.example.com` in the inputs of one machine are one name. */
export const sameHost = (a: string, b: string): boolean => a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);
