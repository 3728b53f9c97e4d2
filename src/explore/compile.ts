// Story → Program: tasks unrolled (unroll.ts), joined at the `to()` between their sections, laid out in bits, numbered and linked. A task's
// place says exactly what it can still do: the smallest acyclic automaton. No state is looked at here.
import { assert, ModelBug, some } from "../base/assert.ts";
import { BadInput } from "../base/bad_input.ts";
import { runsOver } from "../model/sync/context.ts";
import type { Cell, Effect, Fifo, Lock, Remark } from "../model/sync/effect.ts";
import type { Field, Note, Program } from "./program.ts";
import { compareCode, opOf, pack, present, setField } from "./program.ts";
import type { Story, TaskSpec } from "./story.ts";
import type { CompileLimits, Draft, Target } from "./unroll.ts";
import { compileLimits, describe, mayBlock, Unroller } from "./unroll.ts";

interface Node {
  readonly task: number;
  readonly draft: Draft;
}

/** Bits that hold 0 .. max. */
const bitsFor = (max: number): number => 32 - Math.clz32(max);

class Layout {
  readonly story: Story;
  readonly used: number[] = [0];
  readonly fields = new Map<string, Field>();

  constructor(story: Story) {
    this.story = story;
  }

  field(name: string, bits: number): Field {
    if (bits > 31)
      throw new BadInput(
        `Story ${this.story.name}: the state does not fit: ${name} needs ${bits} bits, a field has at most 31.`,
      );
    // First fit keeps hot small fields together; a word is never left half used when something small comes.
    let word = this.used.findIndex((u) => u + bits <= 32);
    if (word < 0) word = this.used.push(0) - 1;
    const field: Field = { word, shift: this.used[word] as number, mask: 2 ** bits - 1 };
    this.used[word] = (this.used[word] as number) + bits;
    this.fields.set(name, field);
    return field;
  }
}

/** Builds the tables. Throws BadInput that names the task and the step when the story cannot be one. */
export function compile(
  story: Story,
  options: { readonly preemptions?: boolean; readonly limits?: CompileLimits } = {},
): Program {
  const limits = options.limits ?? compileLimits;
  const nodes: Node[] = [];
  const base: number[] = [];
  const numberOf: Map<Draft, number>[] = [];
  const unrollers: Unroller[] = [];
  const firsts: string[] = [];
  story.tasks.forEach((task, t) => {
    const u = new Unroller(story, task, limits);
    firsts.push(u.run());
    unrollers.push(u);
    base.push(nodes.length);
    const map = new Map<Draft, number>();
    for (const draft of u.drafts.values()) {
      map.set(draft, nodes.length);
      nodes.push({ task: t, draft });
    }
    numberOf.push(map);
  });
  const land = (t: number, target: Target): { node: number; remarks: readonly Remark[] } => {
    const remarks = [...target.remarks];
    let at = target;
    const seen = new Set<string>();
    while (typeof at.to === "string") {
      if (seen.has(at.to))
        throw new BadInput(
          `Story ${story.name}, task ${story.tasks[t]?.name}: section ${at.to} goes round without a step.`,
        );
      seen.add(at.to);
      at = some((unrollers[t] as Unroller).roots.get(at.to), `section ${at.to}`);
      remarks.push(...at.remarks);
    }
    return { node: some((numberOf[t] as Map<Draft, number>).get(at.to), "node"), remarks };
  };

  const layout = new Layout(story);
  const pc = story.tasks.map((task, t) =>
    layout.field(`pc ${task.name}`, Math.max(1, bitsFor((numberOf[t] as Map<Draft, number>).size - 1))),
  );
  const locks: Field[] = [];
  const cpus = new Set(story.tasks.map((t) => t.cpu).filter((c) => c !== undefined));
  const uses = (cpu: number, kinds: readonly string[]): boolean =>
    nodes.some(
      (n) => story.tasks[n.task]?.cpu === cpu && n.draft.effect !== undefined && kinds.includes(n.draft.effect.does),
    );
  for (const cpu of [...cpus].sort((a, b) => a - b)) {
    if (uses(cpu, ["irqOff", "irqOn", "irqSave", "irqRestore"])) layout.field(`irqs off, CPU ${cpu}`, 1);
    if (uses(cpu, ["bhOff", "bhOn"])) layout.field(`bh off, CPU ${cpu}`, 2);
  }
  for (const thing of story.shared) {
    const bits =
      thing.kind === "lock" ? 4 : thing.kind === "cell" ? bitsFor(thing.max) : bitsFor(thing.max) * thing.capacity;
    const field = layout.field(thing.name, bits);
    if (thing.kind === "lock") locks.push(field);
  }
  if (locks.length > 8) throw new BadInput(`Story ${story.name} has more than 8 locks.`);
  const lastTask = options.preemptions === true ? layout.field("last task", 4) : undefined;
  const preemptions = options.preemptions === true ? layout.field("preemptions", 4) : undefined;
  const bits = layout.used.reduce((sum, n) => sum + n, 0);
  if (layout.used.length > 8 || (layout.used[7] ?? 0) > 31)
    throw new BadInput(
      `Story ${story.name}: the state does not fit: it needs ${bits} bits, there are 255.`,
      undefined,
      "Fewer tasks, smaller ranges.",
    );
  // The last bit of the last word is always 1 (program.ts, present): a state is never all zero.
  if (layout.used.length > 4 || (layout.used[3] ?? 0) > 31)
    throw new BadInput(
      `Story ${story.name}: the state does not fit: it needs ${bits} bits, there are 127.`,
      undefined,
      `Fewer tasks, smaller ranges; the largest: ${[...layout.fields]
        .map(([name, f]) => ({ name, bits: bitsFor(f.mask) }))
        .sort((a, b) => b.bits - a.bits)
        .slice(0, 3)
        .map((f) => `${f.name} ${f.bits}`)
        .join(", ")}.`,
    );

  const notes: Note[] = [{ remarks: [], ends: false }];
  const noteIds = new Map<string, number>();
  const noteOf = (remarks: readonly Remark[]): number => {
    if (remarks.length === 0) return 0;
    const key = JSON.stringify(remarks);
    let id = noteIds.get(key);
    if (id === undefined) {
      id = notes.push({ remarks, ends: remarks.some((r) => r.does === "fail") }) - 1;
      noteIds.set(key, id);
    }
    return id;
  };
  const n = nodes.length;
  const nodeNumbers = (): Int32Array => new Int32Array(n);
  const table = {
    op: new Uint8Array(n),
    word: nodeNumbers(),
    shift: nodeNumbers(),
    mask: nodeNumbers(),
    arg: nodeNumbers(),
    compare: nodeNumbers(),
    most: nodeNumbers(),
    edge: nodeNumbers(),
    joined: new Uint8Array(n),
    watch: new Uint8Array(n),
    active: new Uint8Array(n),
    idle: new Uint8Array(n),
    fault: nodeNumbers(),
    taskOf: new Uint8Array(n),
    local: new Uint8Array(n),
  };
  const edgeTo: number[] = [];
  const edgeNote: number[] = [];
  nodes.forEach(({ task: t, draft }, i) => {
    table.taskOf[i] = t;
    table.edge[i] = edgeTo.length;
    const e = draft.effect;
    if (e === undefined) return;
    table.op[i] = opOf(e);
    table.joined[i] = e.joined ? 1 : 0;
    table.active[i] = e.does === "enter" ? 0 : 1;
    fill(e, i, t);
    for (const target of draft.next) {
      const { node, remarks } = land(t, target);
      edgeTo.push(node);
      edgeNote.push(noteOf(remarks));
      const next = nodes[node]?.draft.effect;
      if (e.joined && next !== undefined && mayBlock(next))
        throw new BadInput(
          `Story ${story.name}, task ${story.tasks[t]?.name}: ${describe(e)} is joined to ${describe(next)}, which may have to wait.`,
        );
    }
  });

  function fill(e: Effect, i: number, t: number): void {
    const cpu = story.tasks[t]?.cpu;
    const put = (name: string): Field => {
      const f = layout.fields.get(name);
      if (f === undefined)
        throw new BadInput(
          `Story ${story.name}, task ${story.tasks[t]?.name}: ${describe(e)} needs a CPU, and a device has none.`,
        );
      table.word[i] = f.word;
      table.shift[i] = f.shift;
      table.mask[i] = f.mask;
      return f;
    };
    if ("on" in e) put(e.on.name);
    if ("value" in e) table.arg[i] = e.value;
    switch (e.does) {
      case "irqOff":
      case "irqSave":
        table.arg[i] = 1;
        put(`irqs off, CPU ${cpu}`);
        return;
      case "irqOn":
      case "irqRestore":
        table.arg[i] = e.does === "irqRestore" ? e.value : 0;
        table.watch[i] = table.arg[i] === 0 ? 1 : 0;
        put(`irqs off, CPU ${cpu}`);
        return;
      case "bhOff":
      case "bhOn":
        table.arg[i] = e.does === "bhOff" ? 1 : -1;
        table.most[i] = 3;
        put(`bh off, CPU ${cpu}`);
        return;
      case "add":
      case "addAndRead":
      case "addAndTest":
        table.most[i] = e.on.max;
        return;
      case "test":
      case "wait":
      case "enter":
        table.compare[i] = compareCode[e.compare];
        table.idle[i] = e.does !== "test" && e.idle ? 1 : 0;
        return;
      case "push":
      case "pushFront":
      case "pop":
        table.compare[i] = bitsFor(e.on.max);
        table.most[i] = e.on.capacity;
        return;
      case "unlock":
        table.fault[i] = noteOf([
          { does: "fail", finding: "ruleBroken", text: `${e.on.name} is unlocked by a task that does not hold it` },
        ]);
        return;
      case "require": {
        table.arg[i] = e.what === "irqsOn" ? 0 : 1;
        const text =
          e.what === "irqsOn"
            ? `${e.call}() where interrupts are disabled`
            : `${e.call}() may sleep, but this is atomic context`;
        table.fault[i] = noteOf([{ does: "remark", finding: "ruleBroken", text }]);
        return;
      }
      default:
        return;
    }
  }

  const tasks = story.tasks;
  const lists = (keep: (a: TaskSpec, b: TaskSpec) => boolean): { from: Int32Array; list: Int32Array } => {
    const from = new Int32Array(tasks.length + 1);
    const list: number[] = [];
    tasks.forEach((a, i) => {
      tasks.forEach((b, j) => {
        if (i !== j && a.cpu !== undefined && a.cpu === b.cpu && keep(a, b)) list.push(j);
      });
      from[i + 1] = list.length;
    });
    return { from, list: Int32Array.from(list) };
  };
  const stop = lists((a, b) => runsOver(b.context, a.context));
  const rival = lists((a, b) => a.context === b.context);
  const flag = (name: string, part: "word" | "shift"): Int32Array =>
    Int32Array.from(tasks, (t) => layout.fields.get(`${name}, CPU ${t.cpu}`)?.[part] ?? -1);
  const initial = new Int32Array(4);
  initial[3] = present;
  for (const thing of story.shared)
    if (thing.kind === "cell" && thing.initial > 0)
      setField(initial, some(layout.fields.get(thing.name), thing.name), thing.initial);
  tasks.forEach((_, t) => {
    const { node, remarks } = land(t, { remarks: [], to: firsts[t] as string });
    assert(remarks.length === 0, "a remark before the first effect");
    setField(initial, pc[t] as Field, node - (base[t] as number));
  });
  if (lastTask !== undefined) setField(initial, lastTask, 15);
  const reached = reach(n, nodes, table.edge, edgeTo);
  markLocal(story, nodes, table, edgeTo, edgeNote, reached.back);
  const seenSize = n * 2 ** (locks.length + 1);
  if (n > 65535) throw new ModelBug(`${n} nodes`);
  const program = {
    story,
    bits,
    initial,
    tasks: tasks.length,
    pc,
    pcWord: Int32Array.from(pc, (f) => f.word),
    pcShift: Int32Array.from(pc, (f) => f.shift),
    pcMask: Int32Array.from(pc, (f) => f.mask),
    base: Int32Array.from(base),
    stopFrom: stop.from,
    stoppers: stop.list,
    rivalFrom: rival.from,
    rivals: rival.list,
    irqWord: flag("irqs off", "word"),
    irqShift: flag("irqs off", "shift"),
    bhWord: flag("bh off", "word"),
    bhShift: flag("bh off", "shift"),
    hardirq: Uint8Array.from(tasks, (t) => (t.context === "hardirq" ? 1 : 0)),
    process: Uint8Array.from(tasks, (t) => (t.context === "process" ? 1 : 0)),
    ...table,
    effects: nodes.map((x) => x.draft.effect),
    edgeTo: Int32Array.from(edgeTo),
    edgeNote: Int32Array.from(edgeNote),
    notes,
    fields: layout.fields,
    locks,
    lockWord: Int32Array.from(locks, (f) => f.word),
    lockShift: Int32Array.from(locks, (f) => f.shift),
    cyclic: reached.cyclic,
    lastTask,
    preemptions,
    lockSeen: new Uint8Array(seenSize),
    lockSights: [],
    at: 0,
    badNode: 0,
    badValue: 0,
  };
  return { ...program, ...pack(program) };
}

/** Which edges lead back on the way of a depth-first walk; without one a task cannot go round. */
function reach(
  n: number,
  nodes: readonly Node[],
  edge: Int32Array,
  edgeTo: readonly number[],
): { cyclic: boolean; back: Set<number> } {
  const colour = new Uint8Array(n);
  const back = new Set<number>();
  const visit = (node: number): void => {
    colour[node] = 1;
    const degree = (nodes[node] as Node).draft.next.length;
    for (let a = 0; a < degree; a++) {
      const e = (edge[node] as number) + a;
      const to = edgeTo[e] as number;
      if (colour[to] === 1) back.add(e);
      else if (colour[to] === 0) visit(to);
    }
    colour[node] = 2;
  };
  for (let i = 0; i < n; i++) if (colour[i] === 0) visit(i);
  return { cyclic: back.size > 0, back };
}

/** A node is local when it cannot wait, touches only what no other task names, remarks nothing, and does not close a loop. */
function markLocal(
  story: Story,
  nodes: readonly Node[],
  table: { edge: Int32Array; local: Uint8Array; joined: Uint8Array },
  edgeTo: readonly number[],
  edgeNote: readonly number[],
  back: ReadonlySet<number>,
): void {
  const users = new Map<Lock | Cell | Fifo, Set<number>>();
  for (const { task, draft } of nodes)
    if (draft.effect !== undefined && "on" in draft.effect) {
      const set = users.get(draft.effect.on) ?? new Set();
      users.set(draft.effect.on, set.add(task));
    }
  for (const rule of story.ends) for (const c of rule.when) users.get(c.on)?.add(-1);
  const alone = (t: number): boolean => {
    const { cpu } = story.tasks[t] as TaskSpec;
    return cpu === undefined || story.tasks.every((o, j) => j === t || o.cpu !== cpu);
  };
  nodes.forEach(({ task, draft }, i) => {
    const e = draft.effect;
    if (e === undefined || mayBlock(e) || e.joined || e.does === "require" || e.does === "unlock") return;
    const own = "on" in e ? users.get(e.on)?.size === 1 : alone(task) || e.does === "step";
    const watched = (e.does === "irqOn" || e.does === "irqRestore") && story.shared.some((s) => s.kind === "lock");
    if (!own || watched || e.does === "trylock" || !alone(task)) return;
    for (let a = 0; a < draft.next.length; a++) {
      const edge = (table.edge[i] as number) + a;
      if (edgeNote[edge] !== 0 || back.has(edge)) return;
      if (edgeTo[edge] === undefined) return;
    }
    table.local[i] = 1;
  });
}
