import { expect, test } from "vitest";
import {
  bundleHost,
  hostInPath,
  hostOfInput,
  hostOfName,
  hostSaid,
  sameHost,
  saysHost,
  statedHost,
} from "./host_name.ts";

test("a file is called as its host; endings, rotation and dates are not", () => {
  const names = [
    "web1",
    "web1.log",
    "web1.log.gz",
    "web1.log.2.gz",
    "web1-20261129.log.xz",
    "web1.2026-11-29.log",
    "web-1.fra.example.com.log",
  ];
  expect(names.map(hostOfName)).toEqual(["web1", "web1", "web1", "web1", "web1", "web1", "web-1.fra.example.com"]);
});

test("bundles say whose they are: sosreport with and without a case, supportconfig, must-gather", () => {
  expect(
    [
      "sosreport-web-1-2026-01-02-abcdefg.tar.xz",
      "sosreport-web-2-01234567-2026-01-02-abcdefg",
      "sosreport-db.fra.example.com-20130101120000-1a2b.tar.xz",
      "scc_db7_260102_1314.txz",
      "nts_db-8_260102_1314",
    ].map(bundleHost),
  ).toEqual(["web-1", "web-2", "db.fra.example.com", "db7", "db-8"]);
  const gathered = "/data/must-gather.local.812/quay-io-openshift-sha256-12/nodes/worker-3.ocp.example.com/dmesg";
  expect(bundleHost(gathered)).toBe("worker-3.ocp.example.com");
  expect(bundleHost("/var/log/web1.log")).toBeUndefined();
});

test("a path names a host by its first word that is no common one", () => {
  const paths = [
    "web1/dmesg.txt",
    "2026/11/29/web1.log",
    "var/log/web1/messages",
    "./logs/web1.log",
    "var/log/messages",
    "proc/meminfo",
    "dmesg.txt",
  ];
  expect(paths.map(hostInPath)).toEqual(["web1", "web1", "web1", "web1", undefined, undefined, undefined]);
});

test("inside archives the folder at the top is the host's, unless all archives have it", () => {
  expect(hostOfInput("x/web9.tar:dmesg.txt", "web9", undefined)).toBe("web9");
  expect(hostOfInput("x/web9.tar.gz:var/log/messages", "web9", undefined), "tar czf web9.tar.gz /var/log").toBe("web9");
  expect(hostOfInput("x/host.tar:web9/dmesg.txt", "host", undefined)).toBe("web9");
  expect(hostOfInput("x/fleet.tgz:web9.log", "fleet", undefined)).toBe("web9");
  expect(hostOfInput("x/all.tar.xz:./sosreport-web-1-2026-01-02-abc/dmesg", "all", undefined)).toBe("web-1");
  expect(hostOfInput("x/all.tar:web1.tar.gz:proc/meminfo", "all", undefined), "an archive in an archive").toBe("web1");
});

test("--host-from is asked behind the bundle, which is surer, and before everything else", () => {
  expect(hostOfInput("logs/rack3/web9.txt", "web9", /logs\/([^/]+)\//)).toBe("rack3");
  expect(hostOfInput("logs/rack3/scc_db7_260102_1314/boot.txt", "rack3", /logs\/([^/]+)\//)).toBe("db7");
});

test("a file that says the machine's name, and words that are nobody's name", () => {
  expect(["a.tar:sosreport-x/etc/hostname", "web/proc/sys/kernel/hostname", "etc/hostnames"].map(saysHost)).toEqual([
    true,
    true,
    false,
  ]);
  expect(["web1\n", "web1.example.com", "two words", "localhost", "(none)"].map(hostSaid)).toEqual([
    "web1",
    "web1.example.com",
    undefined,
    undefined,
    undefined,
  ]);
  expect(statedHost("localhost.localdomain")).toBeUndefined();
  expect([sameHost("web1", "web1.fra"), sameHost("web1", "web10"), sameHost("web1.fra", "web1.nyc")]).toEqual([
    true,
    false,
    false,
  ]);
});
