// What stands round the stack of an RCU stall (kernel/rcu/tree_stall.h, 6.1; kernel/rcutree.c, 3.2): the CPUs that are waited for, how long, and
// the stacks, one CPU after another. The report ends before the second one: it is of another CPU, or of RCU's own thread.
import type { Oops } from "../../../kernel/readings/oops.ts";

export const isStall = /INFO: (?:rcu_[a-z_]{1,30}|RCU) (?:self-)?detected /;

const cpuLine = /^(?:rcu: )?\s{0,16}(\d{1,5})-[.O!oN]{3,8}: \(/;
const sinceLine = /(?:\(|, )t=(\d{1,12})(?:\/\d{1,9})? jiffies/;
const ownLine =
  /^(?:rcu: )?\s{0,16}(?:\((?:t=|detected by )|Tasks blocked on level-|[Ss]ending NMI |NMI backtrace for cpu \d|Task dump for CPU \d|task:\S{1,64} {1,40}state:)/;
const nextStack = /^(?:NMI backtrace for cpu|Task dump for CPU) \d/;
const threadLine =
  /^(?:rcu: )?\s{0,16}(?:\S{1,40} kthread (?:starved for|timer wakeup )|RCU grace-period kthread stack dump:)/;

export class StallBuilder {
  private readonly cpus: number[] = [];
  private jiffies: number | undefined;
  private stacks = 0;

  constructor(headline: string) {
    this.takeSince(headline);
    const listed = /\bCPUs?(?:\/tasks)?:? \{([ \d]{1,200})\}/.exec(headline)?.[1];
    const one = /\bCPU (\d{1,5})\b/.exec(headline)?.[1];
    for (const cpu of (listed ?? one ?? "").split(" ")) if (cpu !== "") this.cpus.push(Number(cpu));
  }

  /** Another stack begins. */
  ends(text: string): boolean {
    return threadLine.test(text) || (nextStack.test(text) && this.stacks > 0);
  }

  /** A line of the stall. */
  take(text: string): boolean {
    const cpu = cpuLine.exec(text)?.[1];
    if (cpu !== undefined) this.cpus.push(Number(cpu));
    else if (!ownLine.test(text)) return false;
    if (nextStack.test(text)) this.stacks++;
    this.takeSince(text);
    return true;
  }

  private takeSince(text: string): void {
    const since = sinceLine.exec(text)?.[1];
    if (since !== undefined) this.jiffies ??= Number(since);
  }

  finish(): NonNullable<Oops["stalled"]> {
    return { ...(this.jiffies === undefined ? {} : { jiffies: this.jiffies }), cpus: this.cpus };
  }
}
