// Every command, in the order of the help page. Adding one is one line here and one file in commands/.
import type { CommandEntry } from "./command.ts";

export const commands: readonly CommandEntry[] = [
  {
    name: "diagnose",
    summary: "explain every memory failure in a kernel log: what, why, how sure, and what would change it",
    load: async () => (await import("./commands/diagnose.ts")).command,
  },
  {
    name: "decode",
    summary: "say what a gfp mask or a page-flags word means, in one kernel or in every era",
    load: async () => (await import("./commands/decode.ts")).command,
  },
  {
    name: "page-owner",
    summary: "take a census of a page_owner dump: who holds memory, what pins it, what grew",
    load: async () => (await import("./commands/page_owner.ts")).command,
  },
  {
    name: "pools",
    summary: "judge the page pools of a real machine: hit rates, pages in flight; leak, slow consumer or small ring",
    load: async () => (await import("./commands/pools.ts")).command,
  },
  {
    name: "collect",
    summary: "collect what a diagnosis needs from a machine, or print a script for one that has only a shell",
    load: async () => (await import("./commands/collect.ts")).command,
  },
  {
    name: "watch",
    summary: "follow a running machine: room left for each order, where it goes, each incident as it happens",
    load: async () => (await import("./commands/watch.ts")).command,
  },
  {
    name: "metrics",
    summary: "one sample of a running machine for Prometheus: room, packet caches, drops",
    load: async () => (await import("./commands/metrics.ts")).command,
  },
  {
    name: "image",
    summary: "read a memory image (kdump, ELF core, /proc/kcore): who holds packets and pages, and what is broken",
    load: async () => (await import("./commands/image.ts")).command,
  },
  {
    name: "fleet",
    summary: "many hosts' logs as causes: how many hosts, since when, which kernels and drivers, where to start",
    load: async () => (await import("./commands/fleet.ts")).command,
  },
  {
    name: "run",
    summary: "run a scenario file on the model",
    load: async () => (await import("./commands/run.ts")).command,
  },
  {
    name: "experiment",
    summary: "compare, ablate or sweep a machine's settings: medians, intervals and effect sizes over many seeds",
    load: async () => (await import("./commands/experiment.ts")).command,
  },
  {
    name: "merge",
    summary: "join the parts of an experiment or a fleet that several hosts ran",
    load: async () => (await import("./commands/merge.ts")).command,
  },
  {
    name: "cases",
    summary: "questions that people asked about packet memory, answered by running",
    load: async () => (await import("./commands/cases.ts")).command,
  },
  {
    name: "verify",
    summary: "replay transcripts of a real kernel on the model",
    load: async () => (await import("./commands/verify.ts")).command,
  },
  {
    name: "driver",
    summary: "hold a driver to the rules of memory: every request refused once, every reference watched",
    load: async () => (await import("./commands/driver.ts")).command,
  },
  {
    name: "layout",
    summary: "where the fields of a kernel struct lie (declared, or your kernel's BTF), and what a change would move",
    load: async () => (await import("./commands/layout.ts")).command,
  },
  {
    name: "explore",
    summary:
      "try every interleaving of CPUs: which locking lets a packet race, hang, or get lost (NETIF_F_LLTX and your own)",
    load: async () => (await import("./commands/explore.ts")).command,
  },
  {
    name: "serve",
    summary: "the laboratory in the browser, on this machine only",
    load: async () => (await import("./commands/serve.ts")).command,
  },
];
