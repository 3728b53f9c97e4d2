// A compiled story as a Promela model, so that spin can give a second opinion: one proctype a task, one label a place, every step
// an atomic sequence with the same guard, and so the same states. Joined effects are one step there as here.
import type { Effect } from "../model/sync/effect.ts";
import type { Program } from "./program.ts";
import { nodeOf, op } from "./program.ts";

/** The model's text. Run: spin -a FILE && cc -O2 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -E */
export function promelaText(p: Program): string {
  const names = new Map(
    [...p.fields.keys()].filter((n) => !n.startsWith("pc ")).map((n, i) => [n, `v${i}_${n.replace(/\W+/g, "_")}`]),
  );
  const v = (name: string): string => names.get(name) ?? "v_unknown";
  const out = [`/* ${p.story.name}, written by skblab: ${p.tasks} tasks, ${p.bits} bits of state */`];
  for (const [name, id] of names) {
    const f = p.fields.get(name);
    const bits = f === undefined ? 1 : 32 - Math.clz32(f.mask);
    const initial = f === undefined ? 0 : ((p.initial[f.word] as number) >>> f.shift) & f.mask;
    out.push(`${bits === 1 ? "bit" : bits <= 8 ? "byte" : bits <= 15 ? "short" : "int"} ${id} = ${initial};`);
  }
  const upper = p.story.tasks.map((t) => p.story.tasks.some((o) => o.cpu !== undefined && o.cpu === t.cpu && o !== t));
  p.story.tasks.forEach((_, t) => {
    if (upper[t] === true) out.push(`bit busy${t} = ${p.active[nodeOf(p, p.initial, t)] === 1 ? 1 : 0};`);
  });
  p.story.tasks.forEach((task, t) => {
    out.push("", `active proctype t${t}() /* ${task.name} */`, "{");
    const first = nodeOf(p, p.initial, t);
    for (const node of [first, ...places(p, t).filter((n) => n !== first)])
      out.push(...place(p, t, node, v, upper[t] === true));
    out.push("}");
  });
  return `${out.join("\n")}\n`;
}

/** Places where a task can rest: the first, and wherever a step ends. */
function places(p: Program, t: number): number[] {
  const seen = new Set<number>();
  const todo = [nodeOf(p, p.initial, t)];
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (p.op[node] === op.done) continue;
    for (const end of endsOf(p, node)) todo.push(end);
  }
  return [...seen].sort((a, b) => a - b);
}

function edgesOf(p: Program, node: number): number[] {
  const from = p.edge[node] as number;
  const to = node + 1 < p.edge.length ? (p.edge[node + 1] as number) : p.edgeTo.length;
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function endsOf(p: Program, node: number): number[] {
  return edgesOf(p, node).flatMap((e) => {
    const next = p.edgeTo[e] as number;
    return p.joined[node] === 1 && p.op[next] !== op.done ? endsOf(p, next) : [next];
  });
}

function place(p: Program, t: number, node: number, v: (name: string) => string, upper: boolean): string[] {
  // A task that has ended stays where it is: spin would otherwise let processes die in turn.
  if (p.op[node] === op.done) return [`${labelOf(p, node)}: (0);`];
  const guards = stopGuards(p, t);
  const e = p.effects[node] as Effect;
  if (e.does === "enter") guards.push(...enterGuards(p, t, v));
  const lines: string[] = [`${labelOf(p, node)}: if`];
  for (const path of pathsOf(p, t, node, v, [])) {
    const ends = p.active[path.end] === 1 ? 1 : 0;
    const mark = upper ? ` busy${t} = ${ends};` : "";
    const guard = [...guards, ...path.guard];
    lines.push(
      `  :: d_step { ${guard.length === 0 ? "true" : guard.join(" && ")} -> ${path.acts.join(" ")}${mark} skip }; goto ${labelOf(p, path.end)}`,
    );
  }
  lines.push("  fi;");
  return lines;
}

/** Spin takes a label that begins with end for a fine place to stop. */
const labelOf = (p: Program, node: number): string =>
  `${p.op[node] === op.done || p.idle[node] === 1 ? "end" : "L"}${node}`;

interface Path {
  readonly guard: readonly string[];
  readonly acts: readonly string[];
  readonly end: number;
}

/** The ways through one step. Guards of joined effects speak of values after the acts before them, so acts are substituted. */
function pathsOf(p: Program, t: number, node: number, v: (name: string) => string, before: readonly Assign[]): Path[] {
  const e = p.effects[node];
  if (e === undefined) return [{ guard: [], acts: actsOf(before), end: node }];
  const base = p.edge[node] as number;
  return branches(p, t, node, e, v).flatMap((b) => {
    const next = p.edgeTo[base + b.gives] as number;
    const guard = b.guard.map((g) => substitute(g, before));
    const assigns = [...before];
    for (const a of b.assigns) {
      const value = substitute(a.value, before);
      const known = assigns.findIndex((x) => x.name === a.name);
      if (known >= 0) assigns[known] = { name: a.name, value };
      else assigns.push({ name: a.name, value });
    }
    const rest: Path[] =
      p.joined[node] === 1 ? pathsOf(p, t, next, v, assigns) : [{ guard: [], acts: actsOf(assigns), end: next }];
    return rest.map((r) => ({ guard: [...guard, ...r.guard], acts: r.acts, end: r.end }));
  });
}

interface Assign {
  readonly name: string;
  readonly value: string;
}

// The values are all in terms of the state before the step, so assignments must not see each other: order them safely by
// writing self-referring values only (each variable's new value reads at most itself in this vocabulary).
const actsOf = (assigns: readonly Assign[]): string[] => assigns.map((a) => `${a.name} = ${a.value};`);

function substitute(text: string, assigns: readonly Assign[]): string {
  let out = text;
  for (const a of assigns) out = out.replace(new RegExp(`\\b${a.name}\\b`, "g"), `(${a.value})`);
  return out;
}

function branches(
  p: Program,
  t: number,
  node: number,
  e: Effect,
  v: (name: string) => string,
): { guard: string[]; assigns: Assign[]; gives: number }[] {
  const arg = p.arg[node] as number;
  const one = (
    guard: string[],
    assigns: Assign[],
    gives = 0,
  ): { guard: string[]; assigns: Assign[]; gives: number } => ({ guard, assigns, gives });
  const cpu = p.story.tasks[t]?.cpu;
  const irq = v(`irqs off, CPU ${cpu}`);
  const bh = v(`bh off, CPU ${cpu}`);
  switch (e.does) {
    case "lock":
      return [one([`${v(e.on.name)} == 0`], [{ name: v(e.on.name), value: String(t + 1) }])];
    case "trylock":
      return [
        one([`${v(e.on.name)} != 0`], [], 0),
        one([`${v(e.on.name)} == 0`], [{ name: v(e.on.name), value: String(t + 1) }], 1),
      ];
    case "unlock":
      return [one([], [{ name: v(e.on.name), value: "0" }])];
    case "irqOff":
      return [one([], [{ name: irq, value: "1" }])];
    case "irqOn":
      return [one([], [{ name: irq, value: "0" }])];
    case "irqRestore":
      return [one([], [{ name: irq, value: String(e.value) }])];
    case "irqSave":
      return [0, 1].map((x) => one([`${irq} == ${x}`], [{ name: irq, value: "1" }], x));
    case "bhOff":
      return [one([], [{ name: bh, value: `${bh} + 1` }])];
    case "bhOn":
      return [one([], [{ name: bh, value: `${bh} - 1` }])];
    case "read":
      return range(e.on.max).map((x) => one([`${v(e.on.name)} == ${x}`], [], x));
    case "write":
      return [one([], [{ name: v(e.on.name), value: String(arg) }])];
    case "add":
      return [one([], [{ name: v(e.on.name), value: `${v(e.on.name)} + ${arg}` }])];
    case "addAndRead":
      return range(e.on.max).map((x) =>
        one([`${v(e.on.name)} + ${arg} == ${x}`], [{ name: v(e.on.name), value: String(x) }], x),
      );
    case "addAndTest":
      return [0, 1].map((z) =>
        one(
          [`${v(e.on.name)} + ${arg} ${z === 1 ? "==" : "!="} 0`],
          [{ name: v(e.on.name), value: `${v(e.on.name)} + ${arg}` }],
          z,
        ),
      );
    case "test":
      return [
        one([`!(${v(e.on.name)} ${e.compare} ${arg})`], [], 0),
        one([`${v(e.on.name)} ${e.compare} ${arg}`], [], 1),
      ];
    case "wait":
    case "enter":
      return [one([`${v(e.on.name)} ${e.compare} ${arg}`], [])];
    case "testAndSet":
    case "testAndClear":
      return range(e.on.max).map((x) =>
        one([`${v(e.on.name)} == ${x}`], [{ name: v(e.on.name), value: e.does === "testAndSet" ? "1" : "0" }], x),
      );
    case "push": {
      const bits = p.compare[node] as number;
      const q = v(e.on.name);
      return range((p.most[node] as number) - 1).map((n) =>
        one(
          [`(${q} >> ${n * bits}) == 0`, ...(n === 0 ? [] : [`(${q} >> ${(n - 1) * bits}) != 0`])],
          [{ name: q, value: `${q} | ${arg * 2 ** (n * bits)}` }],
        ),
      );
    }
    case "pushFront": {
      const q = v(e.on.name);
      return [one([], [{ name: q, value: `(${q} << ${p.compare[node]}) | ${arg}` }])];
    }
    case "pop": {
      const bits = p.compare[node] as number;
      const q = v(e.on.name);
      return range(e.on.max).map((x) =>
        one([`(${q} & ${2 ** bits - 1}) == ${x}`], [{ name: q, value: `${q} >> ${bits}` }], x),
      );
    }
    case "require":
    case "step":
      return [one([], [])];
  }
}

const range = (max: number): number[] => Array.from({ length: max + 1 }, (_, i) => i);

function stopGuards(p: Program, t: number): string[] {
  const out: string[] = [];
  for (let i = p.stopFrom[t] as number; i < (p.stopFrom[t + 1] as number); i++) out.push(`busy${p.stoppers[i]} == 0`);
  return out;
}

function enterGuards(p: Program, t: number, v: (name: string) => string): string[] {
  const cpu = p.story.tasks[t]?.cpu;
  const out: string[] = [];
  if (p.fields.has(`irqs off, CPU ${cpu}`)) out.push(`${v(`irqs off, CPU ${cpu}`)} == 0`);
  if (p.hardirq[t] === 0 && p.fields.has(`bh off, CPU ${cpu}`)) out.push(`${v(`bh off, CPU ${cpu}`)} == 0`);
  for (let i = p.rivalFrom[t] as number; i < (p.rivalFrom[t + 1] as number); i++) out.push(`busy${p.rivals[i]} == 0`);
  return out;
}
