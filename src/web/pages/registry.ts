// The pages, in the order of the menu; each is loaded when it is first opened.
import type { FunctionComponent } from "preact";

export interface Page {
  readonly id: string;
  readonly title: string;
  load(): Promise<FunctionComponent>;
}

export const pages: readonly Page[] = [
  { id: "diagnose", title: "Diagnose", load: async () => (await import("./diagnose.tsx")).DiagnosePage },
  { id: "memory", title: "Memory", load: async () => (await import("./memory.tsx")).MemoryPage },
  { id: "pools", title: "Pools", load: async () => (await import("./pools.tsx")).PoolsPage },
  { id: "census", title: "Census", load: async () => (await import("./census.tsx")).CensusPage },
  { id: "image", title: "Image", load: async () => (await import("./image.tsx")).ImagePage },
  { id: "packet", title: "Packet", load: async () => (await import("./packet.tsx")).PacketPage },
  {
    id: "interleavings",
    title: "Interleavings",
    load: async () => (await import("./interleavings.tsx")).InterleavingsPage,
  },
  { id: "fleet", title: "Fleet", load: async () => (await import("./fleet.tsx")).FleetPage },
  { id: "cases", title: "Cases", load: async () => (await import("./cases.tsx")).CasesPage },
  { id: "scenarios", title: "Scenarios", load: async () => (await import("./scenarios.tsx")).ScenariosPage },
  { id: "decode", title: "Decode", load: async () => (await import("./decode.tsx")).DecodePage },
];
