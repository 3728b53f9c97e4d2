// Takes a JavaScript regular expression apart into an automaton of single characters, for regex_cost.ts. What an automaton cannot say is
// taken wider than it is: a look-ahead is a side way that ends, a word boundary nothing.

/** A node of the automaton: an edge that takes one character, or edges that take none. */
export interface RegexNode {
  /** Names the set of characters of {@link Regex.atoms} that leads on; undefined where nothing is taken. */
  take?: Uint8Array;
  /** What comes next, in any order. */
  readonly next: RegexNode[];
  /** `loop` opens or closes one run of a quantifier: a run that takes nothing does not count. */
  readonly kind: "plain" | "start of input" | "assertion" | "open" | "close" | "end" | "dead end";
  /** For "close": the node that opened the run. */
  readonly opened?: RegexNode;
}

/** A regular expression as an automaton. */
export interface Regex {
  readonly start: RegexNode;
  /** True when `^` holds behind every newline. */
  readonly multiline: boolean;
  /** True when it is tried at one place only (flag y). */
  readonly sticky: boolean;
  readonly newline: Uint8Array;
  readonly other: Uint8Array;
  readonly any: Uint8Array;
  readonly nodes: number;
  /** What a look-behind may scan without a bound, as written. */
  readonly unboundedLookBehind: readonly string[];
}

/** Characters that tell the classes of this project's patterns apart. */
const samples: readonly string[] = [
  ...Array.from({ length: 0x180 }, (_, i) => String.fromCharCode(i)),
  "\u0416",
  "\u1680",
  "\u2028",
  "\ufeff",
  "\uffff",
];

type Piece = (from: RegexNode) => RegexNode;

/** Copies of a counted piece: a count has no loop, so a few copies show all that it can do. */
const MOST_COPIES = 24;

/** Reads the pattern; throws on syntax that no pattern of this project uses (back references, named classes of Unicode). */
export function readRegex(source: string, flags: string): Regex {
  return new Reader(source, flags).read();
}

class Reader {
  private readonly source: string;
  private readonly flags: string;
  private readonly sticky: boolean;
  private at = 0;
  private nodes = 0;
  private readonly sets = new Map<string, Uint8Array>();
  private readonly lookBehind: string[] = [];
  private readonly atoms: readonly string[];

  constructor(source: string, flags: string) {
    this.source = source;
    this.sticky = flags.includes("y");
    this.flags = flags.replace(/[gyd]/g, "");
    this.atoms = atomsOf(source, this.flags);
  }

  read(): Regex {
    const start = this.node("plain");
    const last = this.alternatives()(start);
    if (this.at < this.source.length) throw new Error(`unread: ${this.source.slice(this.at)}`);
    last.next.push(this.node("end"));
    return {
      start,
      multiline: this.flags.includes("m"),
      sticky: this.sticky,
      newline: this.set("\\n"),
      other: this.set("[^\\n]"),
      any: this.set("[^]"),
      nodes: this.nodes,
      unboundedLookBehind: this.lookBehind,
    };
  }

  private node(kind: RegexNode["kind"], opened?: RegexNode): RegexNode {
    this.nodes++;
    return { kind, next: [], ...(opened === undefined ? {} : { opened }) };
  }

  private set(text: string): Uint8Array {
    const known = this.sets.get(text);
    if (known !== undefined) return known;
    const one = new RegExp(`^(?:${text})$`, this.flags.replace("m", ""));
    const made = Uint8Array.from(this.atoms, (c) => (one.test(c) ? 1 : 0));
    this.sets.set(text, made);
    return made;
  }

  private alternatives(): Piece {
    const pieces = [this.sequence()];
    while (this.source[this.at] === "|") {
      this.at++;
      pieces.push(this.sequence());
    }
    if (pieces.length === 1) return pieces[0]!;
    return (from) => {
      const to = this.node("plain");
      for (const piece of pieces) {
        const entry = this.node("plain");
        from.next.push(entry);
        piece(entry).next.push(to);
      }
      return to;
    };
  }

  private sequence(): Piece {
    const pieces: Piece[] = [];
    while (this.at < this.source.length && !"|)".includes(this.source[this.at]!)) pieces.push(this.quantified());
    return (from) => pieces.reduce((node, piece) => piece(node), from);
  }

  private quantified(): Piece {
    const piece = this.single();
    const count = /^(?:[*+?]|\{(\d{1,9})(,?)(\d{0,9})\})\??/.exec(this.source.slice(this.at));
    if (count === null) return piece;
    this.at += count[0].length;
    const sign = count[0][0]!;
    if (sign === "*") return this.repeat(piece, 0, Number.POSITIVE_INFINITY);
    if (sign === "+") return this.repeat(piece, 1, Number.POSITIVE_INFINITY);
    if (sign === "?") return this.repeat(piece, 0, 1);
    const least = Number(count[1]);
    const most = count[2] === "" ? least : count[3] === "" ? Number.POSITIVE_INFINITY : Number(count[3]);
    return this.repeat(piece, least, most);
  }

  private repeat(piece: Piece, least: number, most: number): Piece {
    const needed = Math.min(least, MOST_COPIES);
    const optional = most === Number.POSITIVE_INFINITY ? 0 : Math.min(most - least, 3);
    return (from) => {
      let node = from;
      for (let i = 0; i < needed; i++) node = piece(node);
      const to = this.node("plain");
      for (let i = 0; i < optional; i++) {
        node.next.push(to);
        node = this.run(piece, node);
      }
      if (most !== Number.POSITIVE_INFINITY) {
        node.next.push(to);
        return to;
      }
      const hub = this.node("plain");
      node.next.push(hub);
      this.run(piece, hub).next.push(hub);
      hub.next.push(to);
      return to;
    };
  }

  /** One optional run of a quantifier's body. */
  private run(piece: Piece, from: RegexNode): RegexNode {
    const open = this.node("open");
    from.next.push(open);
    const close = this.node("close", open);
    piece(open).next.push(close);
    return close;
  }

  private single(): Piece {
    const rest = this.source.slice(this.at);
    const group = /^\((?:\?(?:(:)|(<?[=!])|<[A-Za-z]\w*>))?/.exec(rest);
    if (group !== null) return this.group(group[0], group[2]);
    const c = rest[0]!;
    if (c === "^" || c === "$" || /^\\[bB]/.test(rest)) {
      this.at += c === "\\" ? 2 : 1;
      return (from) => this.assertion(from, c);
    }
    if (/^\\(?:[1-9]|k<|p\{|P\{)/.test(rest)) throw new Error(`not understood: ${rest.slice(0, 20)}`);
    const set = c === "[" ? classText(rest) : c === "\\" ? escapeText(rest) : c;
    this.at += set.length;
    const take = this.set(c === "/" ? "\\/" : set);
    return (from) => {
      const node = this.node("plain");
      node.take = take;
      from.next.push(node);
      return node;
    };
  }

  private assertion(from: RegexNode, sign: string): RegexNode {
    const kind = sign === "^" ? "start of input" : sign === "$" && !this.flags.includes("m") ? "dead end" : "assertion";
    const node = this.node(kind);
    from.next.push(node);
    return node;
  }

  private group(opening: string, look: string | undefined): Piece {
    const begin = this.at;
    this.at += opening.length;
    const inner = this.alternatives();
    if (this.source[this.at] !== ")") throw new Error("a group that does not end");
    this.at++;
    if (look === undefined) return inner;
    const text = this.source.slice(begin, this.at);
    const bare = text.replace(/\\.|\[[^\]]{0,99}\]/g, "x");
    if (look.startsWith("<") && /[*+]|\{\d{1,9},\}/.test(bare)) this.lookBehind.push(text);
    return (from) => {
      const node = this.node("assertion");
      from.next.push(node);
      if (!look.startsWith("<")) inner(node).next.push(this.node("end"));
      const on = this.node("assertion");
      node.next.push(on);
      return on;
    };
  }
}

function classText(rest: string): string {
  let end = 1;
  while (end < rest.length && rest[end] !== "]") end += rest[end] === "\\" ? 2 : 1;
  return rest.slice(0, end + 1);
}

const escapeText = (rest: string): string => /^\\(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|.)/.exec(rest)![0];

/** One character for each set of characters that no class of the pattern tells apart. */
function atomsOf(source: string, flags: string): readonly string[] {
  const tests = new Set<string>(["\\n"]);
  for (let at = 0; at < source.length; ) {
    const rest = source.slice(at);
    const text = rest[0] === "[" ? classText(rest) : rest[0] === "\\" ? escapeText(rest) : rest[0]!;
    at += text.length;
    if (/^[\^$*+?(){}|]$/.test(text) || /^\\[bB]$/.test(text)) continue;
    tests.add(text === "/" ? "\\/" : text);
  }
  const classes = [...tests].map((t) => new RegExp(`^(?:${t})$`, flags.replace("m", "")));
  const seen = new Map<string, string>();
  for (const c of samples) {
    const signature = classes.map((k) => (k.test(c) ? "1" : "0")).join("");
    if (!seen.has(signature)) seen.set(signature, c);
  }
  return [...seen.values()];
}
