// The lines of a window as bytes, with the shape of each (line_shapes.ts): strings are made of those only that somebody reads.
import type { LineShapes } from "./line_shapes.ts";
import type { RawLine } from "./raw_lines.ts";

const decoder = new TextDecoder("utf-8");

export class TakenLines {
  readonly shapes: LineShapes;
  /** Of {@link shapes} when the window began: numbers of another one mean nothing now. */
  readonly generation: number;
  count = 0;
  /** For each line: its shape, or -1; its seconds since boot, or NaN; its transport; its width in bytes, and without carriage returns. */
  shape: Int32Array = new Int32Array(512);
  seconds: Float64Array = new Float64Array(512);
  form: Int32Array = new Int32Array(512);
  width: Int32Array = new Int32Array(512);
  column: Int32Array = new Int32Array(512);
  /** Lines without a shape. */
  shapeless = 0;
  private starts: Int32Array = new Int32Array(512);
  private numbers: Float64Array = new Float64Array(512);
  private bytes: Uint8Array = new Uint8Array(1 << 16);
  private end = 0;
  /** Lines that were taken and not copied yet lie in the scan's memory from here on, one behind another. */
  private from = -1;
  private to = -1;
  private readonly cut = new Map<number, number>();
  private made: readonly RawLine[] | undefined;

  constructor(shapes: LineShapes) {
    this.shapes = shapes;
    this.generation = shapes.generation;
  }

  /** Takes the line in memory[from, to), to be copied by {@link copy}; true when its shape is known, so that no table begins with it. */
  take(memory: Uint8Array, from: number, to: number, line: number, cutBytes: number): boolean {
    const { shapes } = this;
    if (this.from >= 0 && from !== this.to + 1) this.copy(memory);
    if (this.from < 0) this.from = from;
    this.to = to;
    const at = this.count++;
    if (at === this.shape.length) this.grow();
    shapes.read(memory, from, to);
    const shape = cutBytes > 0 ? -1 : shapes.shape;
    if (cutBytes > 0) this.cut.set(at, cutBytes);
    if (shape < 0) this.shapeless++;
    this.shape[at] = shape;
    this.seconds[at] = shapes.seconds;
    this.form[at] = shapes.form;
    this.width[at] = to - from;
    this.column[at] = shapes.end - from;
    this.numbers[at] = line;
    this.starts[at] = this.end + from - this.from;
    return shape >= 0;
  }

  /** Copies what was taken: before the memory's bytes move. */
  copy(memory: Uint8Array): void {
    if (this.from < 0) return;
    const size = this.to - this.from;
    if (this.end + size > this.bytes.length) {
      const larger = new Uint8Array(2 * this.bytes.length + size);
      larger.set(this.bytes.subarray(0, this.end));
      this.bytes = larger;
    }
    this.bytes.set(memory.subarray(this.from, this.to), this.end);
    this.end += size;
    this.from = -1;
  }

  private grow(): void {
    const wider = <T extends Int32Array | Float64Array>(column: T, into: T): T => {
      into.set(column);
      return into;
    };
    const size = 2 * this.shape.length;
    this.shape = wider(this.shape, new Int32Array(size));
    this.seconds = wider(this.seconds, new Float64Array(size));
    this.form = wider(this.form, new Int32Array(size));
    this.width = wider(this.width, new Int32Array(size));
    this.column = wider(this.column, new Int32Array(size));
    this.starts = wider(this.starts, new Int32Array(size));
    this.numbers = wider(this.numbers, new Float64Array(size));
  }

  /** The line taken last is the head of a longer one. */
  cutLast(): void {
    const last = this.count - 1;
    this.cut.set(last, 1);
    if (this.shape[last] !== -1) this.shapeless++;
    this.shape[last] = -1;
  }

  /** Number of a line in its input. */
  lineOf(index: number): number {
    return this.numbers[index] ?? 0;
  }

  /** A line as it stood. */
  textOf(index: number): string {
    const from = this.starts[index] ?? 0;
    return decoder.decode(this.bytes.subarray(from, from + (this.width[index] ?? 0)));
  }

  get lines(): readonly RawLine[] {
    this.made ??= this.pick(() => true);
    return this.made;
  }

  /** The lines that are asked for. */
  pick(wanted: (index: number) => boolean): RawLine[] {
    const out: RawLine[] = [];
    for (let i = 0; i < this.count; i++)
      if (wanted(i)) out.push({ line: this.lineOf(i), text: this.textOf(i), cutBytes: this.cut.get(i) ?? 0 });
    return out;
  }
}
