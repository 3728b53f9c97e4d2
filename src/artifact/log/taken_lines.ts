// The lines of a window as bytes, with the shape of each (line_shapes.ts): strings are made of those only that somebody reads.
import type { LineShapes } from "./line_shapes.ts";
import type { RawLine } from "./raw_lines.ts";

const decoder = new TextDecoder("utf-8");

export class TakenLines {
  readonly shapes: LineShapes;
  /** Of {@link shapes} when the window began: numbers of another one mean nothing now. */
  readonly generation: number;
  /** For each line: its shape, or -1; its seconds since boot, or NaN; its transport; its width in bytes, and without carriage returns. */
  readonly shape: number[] = [];
  readonly seconds: number[] = [];
  readonly form: number[] = [];
  readonly width: number[] = [];
  readonly column: number[] = [];
  /** Lines without a shape. */
  shapeless = 0;
  private readonly starts: number[] = [];
  private bytes = new Uint8Array(1 << 15);
  private end = 0;
  private readonly numbers: number[] = [];
  private readonly cut = new Map<number, number>();
  private made: readonly RawLine[] | undefined;

  constructor(shapes: LineShapes) {
    this.shapes = shapes;
    this.generation = shapes.generation;
  }

  get count(): number {
    return this.shape.length;
  }

  /** Takes the line in memory[from, to); true when its shape is known, so that no table begins with it. */
  take(memory: Uint8Array, from: number, to: number, line: number, cutBytes: number): boolean {
    const { shapes } = this;
    const size = to - from;
    if (this.end + size > this.bytes.length) {
      const larger = new Uint8Array(2 * this.bytes.length + size);
      larger.set(this.bytes.subarray(0, this.end));
      this.bytes = larger;
    }
    this.bytes.set(memory.subarray(from, to), this.end);
    this.starts.push(this.end);
    this.end += size;
    shapes.read(memory, from, to);
    const shape = cutBytes > 0 ? -1 : shapes.shape;
    if (cutBytes > 0) this.cut.set(this.count, cutBytes);
    if (shape < 0) this.shapeless++;
    this.shape.push(shape);
    this.seconds.push(shapes.seconds);
    this.form.push(shapes.form);
    this.width.push(size);
    this.column.push(shapes.end - from);
    this.numbers.push(line);
    return shape >= 0;
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
