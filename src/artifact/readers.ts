// The registry of kernel texts that are read line by line, one line each. Formats with a reader of their own shape (failure reports in a
// log, page_owner dumps, traces) are in the folders of artifact/. Order matters only between readers that could begin with the same line.
import { buddyinfo, extfrag } from "./proc/buddyinfo.ts";
import { meminfo, sysctl, vmstat } from "./proc/counters.ts";
import { ethtoolChannels, ethtoolDriver, ethtoolFeatures, ethtoolRings } from "./proc/ethtool.ts";
import { netDev, sockStat, softnetStat } from "./proc/netstat.ts";
import { pagePools } from "./proc/page_pools.ts";
import { pagetypeinfo } from "./proc/pagetypeinfo.ts";
import { pressure } from "./proc/pressure.ts";
import { sampleTimes } from "./proc/sample_times.ts";
import { slabinfo } from "./proc/slabinfo.ts";
import { ethtoolStatistics, netCounters, nstat } from "./proc/statistics.ts";
import { zoneinfo } from "./proc/zoneinfo.ts";
import type { TextReader } from "./reader.ts";

export const textReaders: readonly TextReader[] = [
  pagetypeinfo,
  zoneinfo,
  buddyinfo,
  extfrag,
  meminfo,
  vmstat,
  slabinfo,
  ethtoolFeatures,
  ethtoolRings,
  ethtoolChannels,
  ethtoolDriver,
  sysctl,
  netDev,
  sockStat,
  softnetStat,
  ethtoolStatistics,
  netCounters,
  pagePools,
  pressure,
  sampleTimes,
  nstat,
];
