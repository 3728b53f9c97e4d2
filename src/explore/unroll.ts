// A task's sections, run once for every answer their effects can give: a finite tree of announcements, since a generator sees nothing
// else. Equal subtrees become one draft, bottom up. Places and bits are compile.ts's.
//
//   lock ─ test stopped ─┬─ 1: unlock ─ end          a path is replayed from its start for every branch, and must announce
//                        └─ 0: pop ─ …               the same again: a generator with a memory of its own is found out
import { some } from "../base/assert.ts";
import { BadInput } from "../base/bad_input.ts";
import type { Effect, Goto, Remark } from "../model/sync/effect.ts";
import { effectText } from "../model/sync/effect.ts";
import type { Story, TaskSpec } from "./story.ts";

export interface CompileLimits {
  /** Steps on one path through a section. */
  readonly depth: number;
  /** Announcements over all paths of one section. */
  readonly announcements: number;
}

export const compileLimits: CompileLimits = { depth: 300, announcements: 60_000 };
/** What a task can do from one of its places on: the effect it announces, and where each answer leads. */
export interface Draft {
  readonly key: string;
  readonly effect: Effect | undefined;
  /** By answer. */
  readonly next: readonly Target[];
}

/** Behind an answer: what was remarked on the way, and the draft, or the section whose root it is. */
export interface Target {
  readonly remarks: readonly Remark[];
  readonly to: Draft | string;
}

const endDraft: Draft = { key: "end", effect: undefined, next: [] };

/** How many answers an effect can give; they are 0 .. n-1. */
function answers(e: Effect): number {
  switch (e.does) {
    case "trylock":
    case "test":
    case "addAndTest":
    case "irqSave":
      return 2;
    case "testAndSet":
    case "testAndClear":
    case "read":
    case "addAndRead":
    case "pop":
      return e.on.max + 1;
    default:
      return 1;
  }
}

/** Whether the effect can have to wait. */
export const mayBlock = (e: Effect): boolean => e.does === "lock" || e.does === "wait" || e.does === "enter";

const effectKey = (e: Effect): string =>
  `${e.does} ${"on" in e ? e.on.name : ""} ${"value" in e ? e.value : ""} ${"compare" in e ? e.compare : ""} ${"idle" in e ? e.idle : ""} ${"call" in e ? e.call : ""} ${e.joined} ${e.at}`;

function isEffect(x: unknown): x is Effect {
  return typeof x === "object" && x !== null && typeof (x as Effect).does === "string" && "joined" in x && "at" in x;
}

function isRemark(x: unknown): x is Remark {
  const does = typeof x === "object" && x !== null ? (x as Remark).does : "";
  return (does === "remark" || does === "fail") && typeof (x as Remark).finding === "string";
}

/** Unrolls the sections of one task. */
export class Unroller {
  readonly story: Story;
  readonly task: TaskSpec;
  readonly limits: CompileLimits;
  readonly drafts = new Map<string, Draft>();
  readonly roots = new Map<string, Target>();
  readonly wanted: { key: string; section: string; args: readonly number[] }[] = [];
  count = 0;

  constructor(story: Story, task: TaskSpec, limits: CompileLimits) {
    this.story = story;
    this.task = task;
    this.limits = limits;
    this.drafts.set("end", endDraft);
  }

  complain(what: string, advice?: string): never {
    throw new BadInput(`Story ${this.story.name}, task ${this.task.name}: ${what}`, undefined, advice);
  }

  want(section: string, args: readonly number[]): string {
    if (this.task.sections[section] === undefined) this.complain(`there is no section ${section} to go on with.`);
    const key = `${section}(${args.join(",")})`;
    if (!this.roots.has(key) && !this.wanted.some((w) => w.key === key)) {
      if (this.roots.size + this.wanted.length > 4000)
        this.complain(
          `it never ends: more than 4000 different sections, now ${key}.`,
          "Do the numbers given to to() stay bounded?",
        );
      this.wanted.push({ key, section, args });
    }
    return key;
  }

  run(): string {
    const first = this.want(this.task.start, this.task.args ?? []);
    for (let w = this.wanted.shift(); w !== undefined; w = this.wanted.shift()) {
      this.count = 0;
      this.roots.set(w.key, this.unroll(w.section, w.args, [], []));
    }
    return first;
  }

  /** The rest of a section after these answers; `said` is what was announced on the way. */
  unroll(section: string, args: readonly number[], given: readonly number[], said: readonly Effect[]): Target {
    const where = `${section}(${args.join(",")}), step ${given.length + 1}`;
    if (given.length > this.limits.depth || ++this.count > this.limits.announcements)
      this.complain(
        `the story never ends: ${where} (${said.length > 0 ? describe(said[said.length - 1] as Effect) : "start"}) and still no end.`,
        "Wait with wait() or lock() instead of spinning, and end each round of a loop with return to(…).",
      );
    const code = some(this.task.sections[section], section)(...args);
    const remarks: Remark[] = [];
    let at = 0;
    let turn = code.next();
    for (;;) {
      if (turn.done === true) {
        if (at < given.length) this.forgot(where, at, said, "came to its end");
        return { remarks, to: this.ending(turn.value, where) };
      }
      const said1 = turn.value as unknown;
      if (isRemark(said1)) {
        if (at === given.length) {
          if (at === 0) this.complain(`a remark in ${where} comes before any effect.`, "Announce a step first.");
          remarks.push(said1);
          if (said1.does === "fail") return { remarks, to: endDraft };
        }
        turn = code.next(0);
        continue;
      }
      if (!isEffect(said1))
        this.complain(
          `${section}(${args.join(",")}), step ${at + 1} announced no effect: it yielded ${JSON.stringify(said1) ?? String(said1)}.`,
          "Yield one of lock, read, write, test, …",
        );
      const known = said[at];
      if (known !== undefined) {
        if (effectKey(known) !== effectKey(said1)) this.forgot(where, at, said, `announced ${describe(said1)}`);
        turn = code.next(given[at] as number);
        at++;
        continue;
      }
      return { remarks, to: this.branch(section, args, given, said, said1) };
    }
  }

  branch(
    section: string,
    args: readonly number[],
    given: readonly number[],
    said: readonly Effect[],
    e: Effect,
  ): Draft {
    this.check(e, section, given.length + 1, said[said.length - 1]);
    const saidNow = [...said, e];
    const next: Target[] = [];
    for (let a = 0; a < answers(e); a++) next.push(this.unroll(section, args, [...given, a], saidNow));
    return this.draft(e, next);
  }

  draft(effect: Effect, next: readonly Target[]): Draft {
    const key = `${effectKey(effect)}|${next.map((t) => `${t.remarks.map((r) => `${r.does}${r.finding}${r.text}`).join(";")}>${typeof t.to === "string" ? `=${t.to}` : t.to.key}`).join("|")}`;
    const short = this.short(key);
    const known = this.drafts.get(short);
    if (known !== undefined) return known;
    const made: Draft = { key: short, effect, next };
    this.drafts.set(short, made);
    return made;
  }

  readonly names = new Map<string, string>();
  short(key: string): string {
    let name = this.names.get(key);
    if (name === undefined) {
      name = `#${this.names.size}`;
      this.names.set(key, name);
    }
    return name;
  }

  check(e: Effect, section: string, at: number, before: Effect | undefined): void {
    if ("on" in e && !this.story.shared.includes(e.on))
      this.complain(`${section}, step ${at} announced ${e.on.name}, which does not belong to the story.`);
    if (before?.joined === true && mayBlock(e))
      this.complain(`${section}, step ${at} (${describe(e)}) is joined to the step before, but it may have to wait.`);
    if (
      (e.does === "write" || e.does === "push" || e.does === "pushFront") &&
      (e.value < (e.does === "write" ? 0 : 1) || e.value > e.on.max || !Number.isInteger(e.value))
    )
      this.complain(
        `${section}, step ${at}: the state does not fit: ${e.value} in ${e.on.name}, which holds ${e.does === "write" ? 0 : 1} .. ${e.on.max}.`,
      );
  }

  ending(value: unknown, where: string): Draft | string {
    if (value === undefined) return endDraft;
    const g = value as Goto;
    if (typeof g.goto !== "string" || !Array.isArray(g.args))
      this.complain(`${where} returned ${JSON.stringify(value)}.`, "Return to(section, …) or nothing.");
    return g.goto === "" ? endDraft : this.want(g.goto, g.args);
  }

  forgot(where: string, at: number, said: readonly Effect[], now: string): never {
    this.complain(
      `${where} did not announce everything: with the same answers it first announced ${describe(some(said[at], "announcement"))} and then ${now}.`,
      "It keeps a state outside the story: put it into a cell.",
    );
  }
}

/** The effect in words, with its place. */
export const describe = (e: Effect): string => (e.at === "" ? effectText(e) : `${effectText(e)} at ${e.at}`);
