// Storms for the property that a sieve changes no answer (sieve.test.ts): reports of real logs, repeated with other stamps, processes, addresses
// and amounts, mixed with what disturbs a storm: lines of others, rate limits, pauses, settings, damage.
import type { Prng } from "../base/prng.ts";

/** Reports of a log whose lines carry the kernel's stamp; each without stamps. */
export function reportsIn(text: string): string[][] {
  const head =
    /page allocation failure|Bad page state in process|invoked oom-killer|^={20}|cut here|stalled pool|skb_over_panic/;
  const reports: string[][] = [];
  for (const line of text.split("\n")) {
    const own = line.replace(/^\[ *\d+\.\d+\] ?/, "");
    if (own === line) continue;
    if (head.test(own)) reports.push([]);
    reports.at(-1)?.push(own);
  }
  return reports;
}

const others = [
  "eth0: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: RX/TX",
  "warn_alloc: 17 callbacks suppressed",
  "net_ratelimit: 4 callbacks suppressed",
  "eth1: changing MTU from 1500 to 9000",
  "usb 1-1: new high-speed USB device number 5 using xhci_hcd",
  "vm.min_free_kbytes = 11000",
  "Killed process 812 (httpd) total-vm:81920kB, anon-rss:4096kB, file-rss:0kB",
  "SLUB: Unable to allocate memory on node -1, gfp=0x20(GFP_ATOMIC)",
  "e1000 0000:00:03.0 eth0: Detected Tx Unit Hang",
  "Mem-Info:",
  "",
  "a & b",
  "------------[ cut here ]------------",
  "Linux version 6.1.76 (buildd@x) (gcc 12) #1 SMP",
  "CPU: 3 PID: 99 Comm: swapper/3 Not tainted 6.1.192-oracle #1",
];

/** A storm of `lines` lines or a few more. */
export function stormOf(reports: readonly (readonly string[])[], p: Prng, lines: number): string {
  const few = Array.from({ length: 1 + p.below(5) }, () => p.pick(reports));
  const syslog = p.chance(0.4);
  const noise = p.pick([0, 0, 0.02, 0.1]);
  const ends = p.chance(0.2) ? "\r\n" : "\n";
  const orders = p.chance(0.3);
  let micros = 1e6 * p.below(100_000);
  const out: string[] = [];
  const put = (line: string): void => {
    micros += p.chance(0.001) ? 4e6 : p.below(200);
    const seconds = `${String(Math.floor(micros / 1e6)).padStart(5)}.${String(micros % 1e6).padStart(6, "0")}`;
    const host = p.chance(0.0005) ? "other" : "web1";
    const day = 10 + Math.floor(out.length / 3000);
    out.push(`${syslog ? `Nov ${day} 08:04:${10 + p.below(40)} ${host} kernel: ` : ""}[${seconds}] ${line}${ends}`);
  };
  while (out.length < lines) {
    if (p.chance(noise)) for (let n = 1 + p.below(3); n > 0; n--) put(p.pick(others));
    micros += p.below(3e6);
    const pid = String(2 + p.below(32_000));
    const heap = p.u32().toString(16).padStart(8, "0");
    const own = p.pick(few).filter(() => !p.chance(noise / 20));
    for (const line of own)
      put(
        line
          .replace(/\b(PID: |pid )\d+/g, (_, before: string) => `${before}${pid}`)
          .replace(/\bffff8880[0-9a-f]{5}/g, `ffff8880${heap.slice(0, 5)}`)
          .replace(/\bpfn:(0x)?[0-9a-f]+/g, (_, x: string | undefined) => `pfn:${x ?? ""}${heap.slice(3)}`)
          .replace(
            /\b((?:in)?active_anon|free|free_pcp|mapped|dirty|min):\d+/g,
            (_, name: string) => `${name}:${p.below(99_999)}`,
          )
          .replace(/\b\d{1,9}(?=\*(?:4|8|16)kB)/g, () => String(p.below(3000)))
          .replace(/order:\d/, (all) => (orders ? `order:${p.below(4)}` : all))
          .replace(/swapper\/\d/g, () => `swapper/${p.below(3)}`),
      );
  }
  return out.join("");
}
