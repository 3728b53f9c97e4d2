// Struct layouts as bytes: a row is a cache line, fields in turn in two tones, holes marked; before and after a change one above the other, with
// every field that moved joined.
import type { JSX } from "preact";
import type { Member, StructLayout } from "../../kernel/layout/layout.ts";
import { Picture } from "./figure.tsx";

const cell = 14;
const perRow = 64;
const rowHeight = cell + 6;
const left = 42;
const width = perRow * cell + 44;
const gap = 56;

/** Bytes of one field within one row; `id` -1 is a hole. */
interface Run {
  readonly at: number;
  readonly length: number;
  readonly id: number;
}

interface Bytes {
  readonly names: readonly string[];
  readonly runs: readonly Run[];
  readonly rows: number;
  /** Byte at which each field of the outermost level begins, anonymous members opened. */
  readonly offsets: ReadonlyMap<string, number>;
}

function bytesOf(layout: StructLayout): Bytes {
  const owner = new Int32Array(layout.sizeBytes).fill(-1);
  const names: string[] = [];
  const offsets = new Map<string, number>();
  const visit = (members: readonly Member[]): void => {
    for (const m of members) {
      if (m.name === "" && m.members !== undefined) {
        visit(m.members);
        continue;
      }
      const id = names.push(m.name) - 1;
      const from = Math.floor(m.offsetBits / 8);
      const to = Math.ceil((m.offsetBits + (m.bits ?? m.sizeBytes * 8)) / 8);
      for (let b = from; b < to && b < owner.length; b++) owner[b] = id;
      offsets.set(m.name, from);
    }
  };
  visit(layout.members);
  const runs: Run[] = [];
  for (let b = 0; b < layout.sizeBytes; ) {
    let to = b + 1;
    while (to < layout.sizeBytes && owner[to] === owner[b] && to % perRow !== 0) to++;
    runs.push({ at: b, length: to - b, id: owner[b] ?? -1 });
    b = to;
  }
  return { names, runs, rows: Math.ceil(layout.sizeBytes / perRow), offsets };
}

const xOf = (byte: number): number => left + (byte % perRow) * cell;
const rowOf = (byte: number): number => Math.floor(byte / perRow) * rowHeight;

function Rows({ bytes, y, marked }: { bytes: Bytes; y: number; marked?: (name: string) => boolean }): JSX.Element {
  return (
    <>
      {bytes.runs.map((r) => {
        const name = r.id < 0 ? "hole" : (bytes.names[r.id] ?? "");
        const tone = r.id < 0 ? "hole" : r.id % 2 === 0 ? "even" : "odd";
        return (
          <g key={r.at}>
            <title>{`${r.at}: ${name}, ${r.length} bytes`}</title>
            <rect
              x={xOf(r.at)}
              y={y + rowOf(r.at)}
              width={r.length * cell - 1}
              height={cell + 3}
              class={r.id >= 0 && marked?.(name) === true ? `${tone} new-field` : tone}
            />
            {r.length * cell > name.length * 6.4 + 4 ? (
              <text class="byte-name" x={xOf(r.at) + 3} y={y + rowOf(r.at) + 12}>
                {name}
              </text>
            ) : null}
          </g>
        );
      })}
      {Array.from({ length: bytes.rows }, (_, i) => (
        <text key={`${i}`} x={left - 4} y={y + i * rowHeight + 12} text-anchor="end">
          {i * perRow}
        </text>
      ))}
    </>
  );
}

/** One cell a byte, 64 a row (a cache line). */
export function ByteGrid({ layout }: { layout: StructLayout }): JSX.Element {
  const bytes = bytesOf(layout);
  return (
    <Picture
      title={`${layout.name}: ${layout.sizeBytes} bytes, ${perRow} a row`}
      width={width}
      height={bytes.rows * rowHeight + 4}
      says={`Bytes of ${layout.name}; the table below has the same in words`}
    >
      <Rows bytes={bytes} y={0} />
    </Picture>
  );
}

/** The same struct before and after a change; a line joins both places of each field that moved. */
export function BeforeAfter({ before, after }: { before: StructLayout; after: StructLayout }): JSX.Element {
  const [was, is] = [bytesOf(before), bytesOf(after)];
  const moved = [...is.offsets].flatMap(([name, to]) => {
    const from = was.offsets.get(name);
    return from === undefined || from === to ? [] : [{ name, from, to }];
  });
  const added = [...is.offsets.keys()].filter((n) => !was.offsets.has(n));
  const gone = [...was.offsets.keys()].filter((n) => !is.offsets.has(n));
  const top = was.rows * rowHeight;
  const words = [
    `${before.sizeBytes} to ${after.sizeBytes} bytes`,
    ...(added.length === 0 ? [] : [`new: ${added.join(", ")}`]),
    ...(gone.length === 0 ? [] : [`gone: ${gone.join(", ")}`]),
    moved.length === 0
      ? "no other field moves"
      : `moved: ${moved.map((m) => `${m.name} ${m.from} to ${m.to}`).join(", ")}`,
  ];
  return (
    <Picture
      title={`${after.name}, before and after`}
      width={width}
      height={top + gap + is.rows * rowHeight + 4}
      says={words.join("; ")}
      below={<p class="note">{words.join("; ")}.</p>}
    >
      <Rows bytes={was} y={0} marked={(n) => gone.includes(n)} />
      <Rows bytes={is} y={top + gap} marked={(n) => added.includes(n)} />
      {moved.map((m) => (
        <line
          key={m.name}
          class="moved"
          x1={xOf(m.from) + cell / 2}
          y1={rowOf(m.from) + cell + 3}
          x2={xOf(m.to) + cell / 2}
          y2={top + gap + rowOf(m.to)}
        >
          <title>{`${m.name}: ${m.from} to ${m.to}`}</title>
        </line>
      ))}
    </Picture>
  );
}
