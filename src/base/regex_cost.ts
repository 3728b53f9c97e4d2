// How long can a backtracking engine take for a regular expression that fails? Linear, polynomial or exponential, from the ambiguity of
// its automaton: two ways round one loop on the same text double with each round; a loop from which the same text leads to a second loop
// costs its square. (Weber and Seidl, "On the degree of ambiguity of finite automata", 1991.) Names a text to pump where it can.
import type { Regex, RegexNode } from "./regex_syntax.ts";
import { readRegex } from "./regex_syntax.ts";

/** How the time grows with the length of the text. */
export type RegexCost = "linear" | "polynomial" | "exponential";

/** One state of the automaton: the last character was taken by `node`. */
interface State {
  readonly take: Uint8Array;
  /** Where it leads; a state that is reached in two ways stands twice. */
  to: number[];
  /** Once here nothing can fail any more: nobody comes back to try again. */
  readonly done: boolean;
}

/** The cost of `/source/flags`, searched for at every place where it is not anchored. Throws on syntax that it does not know. */
export function regexCost(source: string, flags = ""): RegexCost {
  const regex = readRegex(source, flags);
  if (regex.unboundedLookBehind.length > 0) return "polynomial";
  const states = live(statesOf(regex));
  const component = components(states.map((s) => s.to));
  if (twoWaysRound(states, component)) return "exponential";
  return loopAfterLoop(states, component) ? "polynomial" : "linear";
}

/** States 0 and 1 stand for the characters before the match, newlines apart: a search begins anew at each of them. */
function statesOf(regex: Regex): State[] {
  const ids = new Map<RegexNode, number>();
  const states: State[] = [
    { take: regex.multiline ? regex.other : regex.any, to: [], done: false },
    { take: regex.newline, to: [], done: false },
  ];
  const idOf = (node: RegexNode): number => {
    const known = ids.get(node);
    if (known !== undefined) return known;
    const id = states.length;
    ids.set(node, id);
    const state: State = { take: node.take!, to: [], done: finishes(node) };
    states.push(state);
    state.to = waysFrom(node, false).map(idOf);
    return id;
  };
  const anchored = waysFrom(regex.start, true).map(idOf);
  const anywhere = waysFrom(regex.start, false).map(idOf);
  if (regex.multiline) {
    states[0]!.to = [0, 1, ...anywhere];
    states[1]!.to = [0, 1, ...anchored];
    return states;
  }
  // A pattern that is anchored everywhere is tried once only.
  const once = regex.sticky || anywhere.length === 0;
  if (!once) states[0]!.to = [0, ...anywhere];
  states.push({ take: regex.any, to: anchored, done: false });
  return states;
}

/** The nodes that can take the next character, once for each way that leads there without taking one. */
function waysFrom(node: RegexNode, atStart: boolean): RegexNode[] {
  const out: RegexNode[] = [];
  const walk = (at: RegexNode, path: ReadonlySet<RegexNode>): void => {
    for (const next of at.next) {
      if (next.take !== undefined) out.push(next);
      else if (path.has(next) || next.kind === "dead end" || (next.kind === "start of input" && !atStart)) continue;
      else if (next.kind === "close" && path.has(next.opened!)) continue;
      else walk(next, new Set([...path, next]));
    }
  };
  walk(node, new Set());
  return out;
}

/** True when the match is complete here whatever follows. */
function finishes(node: RegexNode, seen = new Set<RegexNode>()): boolean {
  for (const next of node.next) {
    if (next.kind === "end") return true;
    if (next.take !== undefined || seen.has(next) || !["plain", "open", "close"].includes(next.kind)) continue;
    seen.add(next);
    if (finishes(next, seen)) return true;
  }
  return false;
}

/** Without the states from which nothing fails. */
function live(states: readonly State[]): State[] {
  const place = new Map<number, number>();
  states.forEach((s, i) => {
    if (!s.done) place.set(i, place.size);
  });
  return states
    .filter((s) => !s.done)
    .map((s) => ({ ...s, to: s.to.flatMap((t) => (place.has(t) ? [place.get(t)!] : [])) }));
}

/** The number of each state's strongly connected component; -1 where no loop is. */
function components(to: readonly (readonly number[])[]): Int32Array {
  const n = to.length;
  const index = new Int32Array(n).fill(-1);
  const low = new Int32Array(n);
  const onStack = new Uint8Array(n);
  const out = new Int32Array(n).fill(-1);
  const stack: number[] = [];
  let counter = 0;
  let found = 0;
  for (let root = 0; root < n; root++) {
    if (index[root] !== -1) continue;
    const work: [state: number, edge: number][] = [[root, 0]];
    while (work.length > 0) {
      const top = work.at(-1)!;
      const [v, edge] = top;
      if (edge === 0) {
        index[v] = low[v] = counter++;
        stack.push(v);
        onStack[v] = 1;
      }
      if (edge < to[v]!.length) {
        top[1]++;
        const w = to[v]![edge]!;
        if (index[w] === -1) work.push([w, 0]);
        else if (onStack[w] === 1) low[v] = Math.min(low[v]!, index[w]!);
        if (edge === 0 && top[1] === 1 && to[v]!.length === 0) work.pop();
        continue;
      }
      work.pop();
      const above = work.at(-1)?.[0];
      if (above !== undefined) low[above] = Math.min(low[above]!, low[v]!);
      if (low[v] !== index[v]) continue;
      const members: number[] = [];
      let w: number;
      do {
        w = stack.pop()!;
        onStack[w] = 0;
        members.push(w);
      } while (w !== v);
      if (members.length > 1 || to[v]!.includes(v)) {
        for (const m of members) out[m] = found;
        found++;
      }
    }
  }
  return out;
}

const meet = (a: Uint8Array, b: Uint8Array): boolean => a.some((x, i) => x === 1 && b[i] === 1);
const meet3 = (a: Uint8Array, b: Uint8Array, c: Uint8Array): boolean =>
  a.some((x, i) => x === 1 && b[i] === 1 && c[i] === 1);

function twoWaysRound(states: readonly State[], component: Int32Array): boolean {
  const n = states.length;
  const inLoop = (s: number): number[] => states[s]!.to.filter((t) => component[t] === component[s]);
  for (let s = 0; s < n; s++) {
    if (component[s] === -1) continue;
    const own = inLoop(s);
    if (new Set(own).size < own.length) return true;
  }
  const pairs: number[] = [];
  const place = new Map<number, number>();
  for (let p = 0; p < n; p++)
    for (let q = p; q < n; q++) {
      if (component[p] === -1 || component[p] !== component[q]) continue;
      place.set(p * n + q, pairs.length);
      pairs.push(p * n + q);
    }
  const edges = pairs.map((pair) => {
    const out: number[] = [];
    for (const a of inLoop(Math.floor(pair / n)))
      for (const b of inLoop(pair % n))
        if (meet(states[a]!.take, states[b]!.take)) out.push(place.get(Math.min(a, b) * n + Math.max(a, b))!);
    return out;
  });
  const pairComponent = components(edges);
  const equal = new Set<number>();
  const unequal = new Set<number>();
  pairs.forEach((pair, i) => {
    if (pairComponent[i] !== -1) (Math.floor(pair / n) === pair % n ? equal : unequal).add(pairComponent[i]!);
  });
  return [...equal].some((c) => unequal.has(c));
}

/** Is there a text that goes round p, leads from p to q, and goes round q? */
function loopAfterLoop(states: readonly State[], component: Int32Array): boolean {
  const n = states.length;
  for (let p = 0; p < n; p++) {
    if (component[p] === -1) continue;
    for (let q = 0; q < n; q++)
      if (q !== p && component[q] !== -1 && component[q] !== component[p] && pumps(states, component, p, q))
        return true;
  }
  return false;
}

function pumps(states: readonly State[], component: Int32Array, p: number, q: number): boolean {
  const n = states.length;
  const seen = new Set<number>();
  const work: (readonly [number, number, number])[] = [[p, p, q]];
  for (let item = work.pop(); item !== undefined; item = work.pop()) {
    const [a, b, c] = item;
    for (const a2 of states[a]!.to) {
      if (component[a2] !== component[p]) continue;
      for (const c2 of states[c]!.to) {
        if (component[c2] !== component[q] || !meet(states[a2]!.take, states[c2]!.take)) continue;
        for (const b2 of states[b]!.to) {
          const key = (a2 * n + b2) * n + c2;
          if (seen.has(key) || !meet3(states[a2]!.take, states[b2]!.take, states[c2]!.take)) continue;
          if (a2 === p && b2 === q && c2 === q) return true;
          seen.add(key);
          work.push([a2, b2, c2]);
        }
      }
    }
  }
  return false;
}
