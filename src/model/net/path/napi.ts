// NET_RX: the poll list of each CPU, the budget, and who is asked again. net_rx_action(), napi_poll(), net/core/dev.c, 6.1.
import { eventKind } from "../../../kernel/events.ts";
import { netRxNanos } from "../../../kernel/facts/netdev_budget.ts";
import type { Release } from "../../../kernel/release.ts";
import { factAt } from "../../../kernel/release.ts";
import type { Journal } from "../../journal.ts";
import type { Cpus } from "../../sync/cpu.ts";
import { softirq } from "../../sync/cpu.ts";

export interface Napi {
  /** Registers a poll function; its number is for `schedule`. `flush` runs after each poll (GRO: with HZ below 1000 nothing is held longer). */
  add(poll: (budget: number) => number, flush: () => void, weight?: number): number;
  /** napi_schedule(): false when it is scheduled already. */
  schedule(napi: number): boolean;
  scheduled(napi: number): boolean;
  /**
   * One round of napi_busy_loop(): the poll runs where it is called, in a task with bottom halves off, and belongs to it until busyStop(). Its
   * packets, or -1 while it belongs to somebody else.
   */
  busyPoll(napi: number): number;
  /** busy_poll_stop(): one more poll, then interrupts again, or the list where that one used its budget up. Its packets. */
  busyStop(napi: number): number;
  /** A poll of busyPoll() runs now. */
  pollsBusily(): boolean;
  /** Rounds that ended with work left: time_squeeze of /proc/net/softnet_stat, by CPU. */
  squeezed(cpu: number): number;
}

/** net.core.netdev_budget and NAPI_POLL_WEIGHT. */
const netdevBudget = 300;
const pollWeight = 64;
/** BUSY_POLL_BUDGET, net/core/dev.c 5.10.223, include/net/busy_poll.h 6.1.192 to 7.3.4. */
const busyBudget = 8;

export function createNapi(cpus: Cpus, journal: Journal, release: Release): Napi {
  const budgetNanos = factAt(netRxNanos, release.version)?.value ?? Number.POSITIVE_INFINITY;
  const polls: ((budget: number) => number)[] = [];
  const flushes: (() => void)[] = [];
  const weights: number[] = [];
  const onList: boolean[] = [];
  /** By NAPI: a task polls it. */
  const owned: boolean[] = [];
  let busily = false;
  const lists: number[][] = Array.from({ length: cpus.count }, () => []);
  const squeezes = new Float64Array(cpus.count);
  const pollKind = eventKind.napi_poll;

  cpus.openSoftirq(softirq.netRx, (cpu) => {
    const list = lists[cpu]!;
    const begin = cpus.busyNanos(cpu);
    let budget = netdevBudget;
    // Whoever is on the list now is polled in this round; those that use their whole weight are asked again behind the others.
    while (list.length > 0 && budget > 0 && cpus.busyNanos(cpu) - begin <= budgetNanos) {
      const napi = list.shift() as number;
      const weight = weights[napi]!;
      const work = polls[napi]!(weight);
      budget -= work;
      if (journal.heard) journal.emit(pollKind, napi, work, weight);
      flushes[napi]!();
      if (work < weight) onList[napi] = false;
      else list.push(napi);
    }
    if (list.length > 0) {
      squeezes[cpu]!++;
      cpus.raise(cpu, softirq.netRx);
    }
  });

  const onePoll = (napi: number): number => {
    busily = true;
    const work = polls[napi]!(busyBudget);
    if (journal.heard) journal.emit(pollKind, napi, work, busyBudget);
    flushes[napi]!();
    busily = false;
    return work;
  };

  return {
    busyPoll(napi) {
      if (onList[napi] && owned[napi] !== true) return -1;
      owned[napi] = true;
      onList[napi] = true;
      return onePoll(napi);
    },
    busyStop(napi) {
      if (owned[napi] !== true) return 0;
      owned[napi] = false;
      const work = onePoll(napi);
      onList[napi] = work === busyBudget;
      if (onList[napi]) {
        lists[cpus.current()]!.push(napi);
        cpus.raise(cpus.current(), softirq.netRx);
      }
      return work;
    },
    pollsBusily: () => busily,
    add(poll, flush, weight = pollWeight) {
      flushes.push(flush);
      weights.push(weight);
      onList.push(false);
      return polls.push(poll) - 1;
    },
    schedule(napi) {
      if (onList[napi]) return false;
      onList[napi] = true;
      const cpu = cpus.current();
      lists[cpu]!.push(napi);
      cpus.raise(cpu, softirq.netRx);
      return true;
    },
    scheduled: (napi) => onList[napi] as boolean,
    squeezed: (cpu) => squeezes[cpu]!,
  };
}
