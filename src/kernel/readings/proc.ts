// Every reading of a /proc, debugfs, ethtool or sysctl text, told apart by `kind`.
import type { BuddyInfo } from "./buddyinfo.ts";
import type { EthtoolChannels, EthtoolDriver, EthtoolFeatures, EthtoolRings, EthtoolStatistics } from "./ethtool.ts";
import type { Extfrag } from "./extfrag.ts";
import type { MemInfoFile } from "./meminfo.ts";
import type { NetCounters, NetDev, Nstat, SockStat, SoftnetStat } from "./netstat.ts";
import type { PagePools } from "./page_pools.ts";
import type { PageTypeInfo } from "./pagetypeinfo.ts";
import type { Pressure } from "./pressure.ts";
import type { SampleTimes } from "./sample_times.ts";
import type { SlabInfo } from "./slabinfo.ts";
import type { Sysctl } from "./sysctl.ts";
import type { VmStat } from "./vmstat.ts";
import type { ZoneInfo } from "./zoneinfo.ts";

export type ProcReading =
  | BuddyInfo
  | PageTypeInfo
  | ZoneInfo
  | MemInfoFile
  | VmStat
  | SlabInfo
  | Extfrag
  | EthtoolFeatures
  | EthtoolRings
  | EthtoolChannels
  | EthtoolDriver
  | EthtoolStatistics
  | Sysctl
  | NetDev
  | SockStat
  | SoftnetStat
  | NetCounters
  | PagePools
  | Pressure
  | SampleTimes
  | Nstat;

export type ProcKind = ProcReading["kind"];
