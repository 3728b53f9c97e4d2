// The words of a panic, as kernels print them, and what follows for memory.
import { expect, test } from "vitest";
import { isKnownPanic, panicReason, panicSaid } from "./panics.ts";

test.each([
  ["System is deadlocked on memory", "act shortage"],
  ["Out of memory: compulsory panic_on_oom is enabled", "act shortage"],
  ["Out of memory and no killable processes...", "act shortage"],
  ["Cannot allocate SWIOTLB buffer", "act shortage"],
  ["memblock_alloc_try_nid: Failed to allocate 4096 bytes", "act shortage"],
  ["stack-protector: Kernel stack is corrupted in: tcp_v4_rcv+0xb20/0xb30", "corruption corruption"],
  ["corrupted stack end detected inside scheduler", "corruption corruption"],
  ["VFS: Unable to mount root fs on unknown-block(0,0)", "act none"],
  ["No working init found.  Try passing init= option to kernel.", "act none"],
  ["Requested init /sbin/init failed (error -2).", "act none"],
  ["Attempted to kill init! exitcode=0x0000000b", "unknown not said"],
  ["Attempted to kill the idle task!", "unknown not said"],
  ["hung_task: blocked tasks", "act none"],
  ["softlockup: hung tasks", "act none"],
  ["Watchdog detected hard LOCKUP on cpu 3", "act none"],
  ["RCU Stall", "act none"],
  ["sysrq triggered crash", "harmless none"],
  ["panic_on_warn set ...", "unknown not said"],
  ["Fatal machine check", "act none"],
  ["NMI: Not continuing", "act none"],
  ["Fatal exception in interrupt", "unknown not said"],
  ["Aiee, killing interrupt handler!", "unknown not said"],
])("%s: %s", (reason, said) => {
  const line = `Kernel panic - not syncing: ${reason}`;
  const { severity, memory } = panicSaid(line);
  expect(`${severity} ${memory}`).toBe(said);
  expect([isKnownPanic(line), panicReason(line)]).toEqual([true, reason]);
  // 2.6 printed no colon where there was no reason.
  expect(isKnownPanic("Kernel panic - not syncing")).toBe(false);
});

test("of another reason, or one that is cut, nothing follows", () => {
  for (const reason of ["", "Fatal", "my_driver: giving up", "Attempted to"]) {
    expect(isKnownPanic(`Kernel panic - not syncing: ${reason}`), reason).toBe(false);
    expect(panicSaid(`Kernel panic - not syncing: ${reason}`)).toMatchObject({
      severity: "unknown",
      memory: "not said",
    });
  }
});
