// A stall of RCU says which CPUs are waited for and how long, from the words of each era, and reads the stack of the first CPU alone.
import { expect, test } from "vitest";
import { explain } from "./explain.ts";
import type { DiagnosedIncident } from "./finding.ts";

const all = async (log: string): Promise<readonly DiagnosedIncident[]> => (await explain({ log })).incidents;

test.each([
  [
    "INFO: RCU detected CPU 0 stall (t=4295359473/2500 jiffies)",
    "CPU 0 kept RCU's grace period from ending for 4295359473 jiffies",
  ],
  [
    "INFO: rcu_sched_state detected stall on CPU 1 (t=15000 jiffies)",
    "CPU 1 kept RCU's grace period from ending for 15000 jiffies",
  ],
  [
    "INFO: rcu_sched_state detected stalls on CPUs/tasks: { 4 5 6} (detected by 1, t=2504 jiffies)",
    "CPUs 4, 5, 6 kept RCU's grace period from ending for 2504 jiffies",
  ],
  [
    "INFO: rcu_sched self-detected stall on CPU { 0}  (t=6000 jiffies g=195730 c=195729 q=1744)",
    "CPU 0 kept RCU's grace period from ending for 6000 jiffies",
  ],
  [
    "INFO: rcu_sched self-detected stall on CPU\n\t3-...: (2098 ticks this GP) idle=a73/140000000000001/0 softirq=21608/21608 fqs=917\n\t (t=2104 jiffies g=3495 c=3494 q=402)",
    "CPU 3 kept RCU's grace period from ending for 2104 jiffies",
  ],
  [
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\nrcu: \t0-...!: (0 ticks this GP) idle=5fc/0/0x0 softirq=11204/11204 fqs=0\nrcu: \t7-....: (1 GPs behind) idle=5fc/0/0x0 softirq=11204/11204 fqs=0\nrcu: \t(detected by 1, t=5252 jiffies, g=12425, q=473 ncpus=8)",
    "CPUs 0, 7 kept RCU's grace period from ending for 5252 jiffies",
  ],
  ["rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "A CPU or a task kept RCU's grace period from ending"],
])("%s", async (log, cause) => {
  const [incident, ...others] = await all(`${log}\n`);
  expect(others).toEqual([]);
  expect(incident).toMatchObject({ kind: "oops", title: "RCU stall", severity: "watch" });
  expect(incident?.cause).toBe(`${cause}.`);
  expect(incident?.findings.filter((f) => f.answer === "no")).toEqual([]);
});

const head = `rcu: INFO: rcu_sched detected stalls on CPUs/tasks:
rcu: \t1-....: (1 GPs behind) idle=60b/1/0x40000002 softirq=4573/4574 fqs=2997
\t(detected by 0, t=6001 jiffies, g=5809, q=17874)
Sending NMI from CPU 0 to CPUs 1:
NMI backtrace for cpu 1
CPU: 1 PID: 715 Comm: napi/phy0-9 Not tainted 5.15.112 #0
`;
const stack = (...names: string[]): string =>
  `RIP: 0010:${names[0]}+0x10/0x300\nCall Trace:\n${names
    .slice(1)
    .map((n) => ` ${n}+0x27/0x160\n`)
    .join("")}`;

test("the place is that of the first CPU shown, not of RCU's thread or the next CPU", async () => {
  const other = stack("native_halt", "shrink_node", "balance_pgdat", "kswapd", "kthread", "ret_from_fork");
  for (const next of [
    `rcu: rcu_sched kthread starved for 5252 jiffies! g12425 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x402 ->cpu=0\n${other}`,
    `NMI backtrace for cpu 2\nCPU: 2 PID: 45 Comm: kswapd0 Not tainted 5.15.112 #0\n${other}`,
  ]) {
    const [incident] = await all(`${head}${stack("mt76_dma_rx_poll", "__napi_poll", "napi_threaded_poll")}${next}`);
    expect(incident?.cause).toBe(
      "CPU 1 kept RCU's grace period from ending for 6001 jiffies. When that was noticed, the first CPU shown was in mt76_dma_rx_poll.",
    );
  }
});

test("a stall in reclaim is told as one", async () => {
  const [incident] = await all(`${head}${stack("shrink_lruvec", "shrink_node", "balance_pgdat", "kswapd")}`);
  expect(incident?.cause).toMatch(/The stack shows a search for memory to free \(shrink_/);
  expect(incident?.findings.find((f) => f.id === "fragmentation")?.answer).toBe("unknown");
});

test("a hard lockup is told from a soft one", async () => {
  const [incident] = await all(
    `NMI watchdog: Watchdog detected hard LOCKUP on cpu 10\n${stack("native_queued_spin_lock_slowpath", "_raw_spin_lock_irqsave", "force_qs_rnp")}`,
  );
  expect(incident).toMatchObject({
    kind: "oops",
    title: "Hard lockup in native_queued_spin_lock_slowpath",
    severity: "watch",
  });
  expect(incident?.cause).toMatch(
    /^A CPU took no interrupt for too long; it happened to be in native_queued_spin_lock_slowpath/,
  );
});
