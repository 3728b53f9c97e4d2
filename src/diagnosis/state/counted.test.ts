// A counter of /proc/net/netstat or snmp that only memory moves is to be watched; one that a late reader moves as well is not. net/ipv4/proc.c,
// net/ipv4/tcp.c (TCPMemoryPressures, TCPAbortOnMemory), net/core/filter.c (PFMemallocDrop), net/ipv4/udp.c (MemErrors, RcvbufErrors), 6.1.192.
import { expect, test } from "vitest";
import { explain } from "../explain.ts";

const counters: readonly (readonly [file: string, protocol: string, name: string, severity: "watch" | "harmless"])[] = [
  ["netstat", "TcpExt", "PFMemallocDrop", "watch"],
  ["netstat", "TcpExt", "TCPMemoryPressures", "watch"],
  ["netstat", "TcpExt", "TCPAbortOnMemory", "watch"],
  ["netstat", "TcpExt", "RcvPruned", "harmless"],
  ["netstat", "TcpExt", "OfoPruned", "harmless"],
  ["netstat", "TcpExt", "TCPRcvQDrop", "harmless"],
  ["netstat", "TcpExt", "TCPBacklogDrop", "harmless"],
  ["netstat", "TcpExt", "PruneCalled", "harmless"],
  ["netstat", "TcpExt", "TCPWqueueTooBig", "harmless"],
  ["snmp", "Udp", "MemErrors", "watch"],
  ["snmp", "Udp", "RcvbufErrors", "harmless"],
  ["snmp", "Udp", "SndbufErrors", "harmless"],
  ["snmp", "Ip", "InDiscards", "harmless"],
  ["snmp", "Ip", "OutDiscards", "harmless"],
  ["snmp", "Ip", "ReasmFails", "harmless"],
];

const findingOf = async (file: string, protocol: string, name: string, count: number) => {
  const text = `${protocol}: ${name} Other\n${protocol}: ${count} 0\nIpExt: InOctets OutOctets\nIpExt: 5 5\n`;
  return ((await explain({ [`proc/net/${file}`]: text })).states ?? [])
    .flatMap((s) => s.findings)
    .filter((f) => f.claim.includes(name));
};

test("drops and squeezes of the backlog are told where both columns are there", async () => {
  const told = async (columns: string): Promise<boolean> =>
    ((await explain({ "proc/net/softnet_stat": `${columns}\n` })).states ?? [])
      .flatMap((s) => s.findings)
      .some((f) => f.id === "state.softnet");
  const row = ["00000010", "00000000", "00000000", ...Array.from({ length: 10 }, () => "00000000")];
  expect([
    await told(row.join(" ")),
    await told(row.slice(0, 2).join(" ")),
    await told(row.slice(0, 1).join(" ")),
  ]).toEqual([true, false, false]);
});

test.each(counters)("%s: %s %s is %s", async (file, protocol, name, severity) => {
  const found = await findingOf(file, protocol, name, 4711);
  expect(found.map((f) => f.severity)).toEqual([severity]);
  expect(found[0]?.claim).toContain("4,711");
  const none = await findingOf(file, protocol, name, 0);
  expect(none.map((f) => f.severity)).toEqual(["harmless"]);
  expect(none[0]?.claim).not.toContain("4,711");
});
