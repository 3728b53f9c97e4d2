// What the kernel's own checker (kernel/locking/lockdep.c) would say of all runs together: a lock taken in a hardware interrupt
// and also held with interrupts on; two locks taken in both orders. It needs no deadlock to happen, only both habits to exist.
// A trylock never waits, so it adds no order to what is held already; what is taken under it counts.
import type { Finding } from "./finding.ts";
import type { LockSight, Program } from "./program.ts";
import { op } from "./program.ts";

/** The rules that the sights of a search break. `path` gives a schedule to a state, then one step. */
export function judgeLocks(p: Program, path: (state: number, task: number) => number[]): Finding[] {
  const out = [unsafe(p, path), inverted(p, path)].filter((f) => f !== undefined);
  return out.sort((a, b) => a.path.length - b.path.length).slice(0, 1);
}

const lockNames = (p: Program): string[] => p.story.shared.filter((s) => s.kind === "lock").map((s) => s.name);

/** Number of the lock that a node takes, or -1. */
function taken(p: Program, node: number, names: readonly string[]): number {
  const e = p.effects[node];
  return e !== undefined && (e.does === "lock" || e.does === "trylock") ? names.indexOf(e.on.name) : -1;
}

function unsafe(p: Program, path: (state: number, task: number) => number[]): Finding | undefined {
  const names = lockNames(p);
  const inIrq = new Map<number, LockSight>();
  const irqsOn = new Map<number, LockSight>();
  const first = (map: Map<number, LockSight>, l: number, sight: LockSight): void => {
    if (l >= 0 && !map.has(l)) map.set(l, sight);
  };
  for (const sight of p.lockSights) {
    if (p.hardirq[sight.task] === 1) first(inIrq, taken(p, sight.node, names), sight);
    else if (p.op[sight.node] === op.write) {
      names.forEach((_, l) => {
        if (((sight.held >> l) & 1) === 1) first(irqsOn, l, sight);
      });
    } else if (!sight.irqsOff) first(irqsOn, taken(p, sight.node, names), sight);
  }
  for (const [l, a] of inIrq) {
    const b = irqsOn.get(l);
    if (b === undefined) continue;
    const taskName = (s: LockSight): string => p.story.tasks[s.task]?.name ?? "";
    const held = p.op[b.node] === op.write ? "turns interrupts on while it holds" : "takes it with interrupts on:";
    return {
      finding: "ruleBroken",
      text: `${names[l]}: ${taskName(a)} takes it in a hardware interrupt, and ${taskName(b)} ${held} ${names[l]}`,
      path: path(b.state, b.task),
      also: { text: `${taskName(a)} takes ${names[l]} in the interrupt`, path: path(a.state, a.task) },
    };
  }
  return undefined;
}

function inverted(p: Program, path: (state: number, task: number) => number[]): Finding | undefined {
  const names = lockNames(p);
  const pairs = new Map<string, LockSight>();
  for (const sight of p.lockSights) {
    if (p.op[sight.node] !== op.lock) continue;
    const inner = taken(p, sight.node, names);
    names.forEach((_, outer) => {
      if (((sight.held >> outer) & 1) === 1 && !pairs.has(`${outer},${inner}`)) pairs.set(`${outer},${inner}`, sight);
    });
  }
  for (const [key, a] of pairs) {
    const [outer, inner] = key.split(",").map(Number) as [number, number];
    const ring = chain(pairs, inner, outer);
    if (ring === undefined) continue;
    const b = pairs.get(ring) as LockSight;
    return {
      finding: "ruleBroken",
      text: `order inversion: ${p.story.tasks[a.task]?.name} takes ${names[inner]} under ${names[outer]}, elsewhere ${names[outer]} comes under ${names[inner]}`,
      path: path(a.state, a.task),
      also: { text: `${p.story.tasks[b.task]?.name} takes them the other way round`, path: path(b.state, b.task) },
    };
  }
  return undefined;
}

/** The last pair of a chain of orders that leads from one lock to another, or undefined. */
function chain(pairs: ReadonlyMap<string, LockSight>, from: number, to: number): string | undefined {
  const seen = new Set([from]);
  const todo = [from];
  for (let l = todo.pop(); l !== undefined; l = todo.pop()) {
    for (const key of pairs.keys()) {
      const [outer, inner] = key.split(",").map(Number) as [number, number];
      if (outer !== l) continue;
      if (inner === to) return key;
      if (!seen.has(inner)) {
        seen.add(inner);
        todo.push(inner);
      }
    }
  }
  return undefined;
}
