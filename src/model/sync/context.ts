// Where code runs on a CPU, and who stops whom: a hardware interrupt runs over a softirq, a softirq over a process.
// After include/linux/hardirq.h (2.6.9 and later). A device or a store buffer is not on a CPU: nothing stops it.
//
//   CPU 0   hardirq   ▇▇▇▇            runs to its end, while interrupts are on underneath
//           softirq  ▇    ▇▇▇▇        while bottom halves are on and no hardirq runs
//           process ▇         ▇▇▇

export type Context = "process" | "softirq" | "hardirq" | "device";

/** A higher level runs over a lower one on the same CPU. */
export const level: Readonly<Record<Context, number>> = { process: 0, softirq: 1, hardirq: 2, device: 3 };

/** Whether `upper`, once entered, keeps `lower` on the same CPU from running. */
export function runsOver(upper: Context, lower: Context): boolean {
  return upper !== "device" && lower !== "device" && level[upper] > level[lower];
}
