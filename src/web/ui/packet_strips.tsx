// Packets as strips of memory: one strip to scale for each buffer, above it a card for each sk_buff that points into it, so that a clone is two cards on
// one strip. Numbers that the last step changed are marked. At a fault what was there before is drawn as a ghost.
import type { JSX } from "preact";
import type { FragPicture, SkbPicture } from "../../kernel/skb_picture.ts";
import { formatNumber } from "../../report/text.ts";
import { Picture } from "./figure.tsx";

export interface Slotted {
  readonly slot: number;
  readonly picture: SkbPicture;
}

const width = 900;
const left = 90;
const cardHeight = 58;
const stripHeight = 30;

/** The packets after a step; `before` are those after the step before it, `ghosts` those that a fault has outlived. */
export function PacketStrips({
  slots,
  before,
  ghosts,
  title,
}: {
  slots: readonly Slotted[];
  before: readonly Slotted[];
  ghosts: readonly Slotted[];
  title: string;
}): JSX.Element | null {
  const all = [...slots.map((s) => ({ ...s, ghost: false })), ...ghosts.map((s) => ({ ...s, ghost: true }))];
  if (all.length === 0) return null;
  const heads = [...new Set(all.map((s) => s.picture.head))];
  const pages = pagesOf(all.map((s) => s.picture));
  const scale = Math.max(...all.map((s) => s.picture.end), ...pages.map((p) => p.to), 1);
  const x = (bytes: number): number => left + (bytes / scale) * (width - left - 90);
  let y = 0;
  const drawn: JSX.Element[] = [];
  for (const head of heads) {
    const own = all.filter((s) => s.picture.head === head);
    const top = y + own.length * (cardHeight + 6);
    const first = own[0]?.picture;
    if (first === undefined) continue;
    own.forEach((s, i) => {
      drawn.push(
        <Card
          key={`card ${head} ${s.slot} ${s.ghost}`}
          slotted={s}
          ghost={s.ghost}
          was={before.find((b) => b.slot === s.slot)?.picture}
          y={y + i * (cardHeight + 6)}
          strip={top}
          x={x}
        />,
      );
    });
    const ghost = own.every((s) => s.ghost);
    const refs = first.dataref & 0xffff;
    const was = before.find((b) => b.picture.head === head)?.picture;
    drawn.push(
      <g key={`strip ${head}`} class={ghost ? "ghost" : undefined}>
        <text x={left - 8} y={top + 14} text-anchor="end" class="name">
          head {head}
        </text>
        <text x={left - 8} y={top + 28} text-anchor="end">
          {first.headFrag ? "page_frag" : "kmalloc"}
        </text>
        <rect class="strip" x={x(0)} y={top} width={x(first.end) - x(0)} height={stripHeight} />
        {own.map((s) => (
          <rect
            key={s.slot}
            class="used"
            x={x(s.picture.data)}
            y={top + 3}
            width={Math.max(1, x(s.picture.tail) - x(s.picture.data))}
            height={stripHeight - 6}
          >
            <title>{`data of slot ${s.slot}: ${s.picture.tail - s.picture.data} bytes`}</title>
          </rect>
        ))}
        <rect class="shinfo" x={x(first.end)} y={top} width="78" height={stripHeight} />
        <text x={x(first.end) + 39} y={top + 13} text-anchor="middle">
          shared_info
        </text>
        <text
          x={x(first.end) + 39}
          y={top + 26}
          text-anchor="middle"
          class={was !== undefined && (was.dataref & 0xffff) !== refs ? "ticked" : undefined}
        >
          dataref {refs}
        </text>
      </g>,
    );
    y = top + stripHeight + 26;
  }
  for (const page of pages) {
    const was = pagesOf(before.map((s) => s.picture)).find((p) => p.pfn === page.pfn);
    drawn.push(
      <g key={`page ${page.pfn}`}>
        <text x={left - 8} y={y + 14} text-anchor="end" class="name">
          pfn {page.pfn}
        </text>
        <text
          x={left - 8}
          y={y + 28}
          text-anchor="end"
          class={was !== undefined && was.count !== page.count ? "ticked" : undefined}
        >
          count {page.count}
        </text>
        <rect class="strip" x={x(0)} y={y} width={x(page.to) - x(0)} height={stripHeight} />
        {page.frags.map((f, i) => (
          <rect
            key={`${i}`}
            class="used"
            x={x(f.offset)}
            y={y + 3}
            width={Math.max(1, x(f.offset + f.size) - x(f.offset))}
            height={stripHeight - 6}
          >
            <title>{`fragment: ${f.size} bytes from ${f.offset}`}</title>
          </rect>
        ))}
      </g>,
    );
    y += stripHeight + 16;
  }
  return (
    <Picture title={title} width={width} height={y + 4} says={`${title}: ${all.map(wordsOf).join("; ")}`}>
      {drawn}
    </Picture>
  );
}

const wordsOf = ({ slot, picture: p, ghost }: Slotted & { readonly ghost: boolean }): string =>
  `slot ${slot}${ghost ? ", freed before" : ""}: sk_buff ${p.skb} in head ${p.head}, data ${p.data}, tail ${p.tail}, end ${p.end}, len ${p.len}, users ${p.users}, dataref ${p.dataref & 0xffff}, ${p.frags.length} fragments`;

interface StripPage {
  readonly pfn: number;
  readonly count: number;
  readonly to: number;
  readonly frags: readonly FragPicture[];
}

function pagesOf(pictures: readonly SkbPicture[]): readonly StripPage[] {
  const pages = new Map<number, StripPage>();
  const visit = (p: SkbPicture): void => {
    for (const f of p.frags) {
      const own = pages.get(f.pfn) ?? { pfn: f.pfn, count: f.count, to: 0, frags: [] };
      pages.set(f.pfn, { ...own, to: Math.max(own.to, f.offset + f.size, 4096), frags: [...own.frags, f] });
    }
    p.fragList.forEach(visit);
  };
  pictures.forEach(visit);
  return [...pages.values()];
}

type Mark = readonly ["head" | "data" | "tail" | "end", number];

/** Pointers to one place share a label; labels that would run into the one before stand a line lower. */
function labelled(marks: readonly Mark[], x: (bytes: number) => number) {
  const labels: { readonly names: Mark[0][]; readonly at: number; low: boolean }[] = [];
  for (const [name, at] of marks) {
    const same = labels.find((l) => l.at === at);
    if (same !== undefined) same.names.push(name);
    else labels.push({ names: [name], at, low: false });
  }
  const wide = (l: (typeof labels)[number]): number => 7 * (l.names.join(", ").length + formatNumber(l.at).length + 2);
  const free = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const label of labels.sort((a, b) => a.at - b.at)) {
    label.low = x(label.at) < (free[0] as number);
    free[label.low ? 1 : 0] = x(label.at) + wide(label);
  }
  return labels;
}

function Card({
  slotted: { slot, picture: p },
  ghost,
  was,
  y,
  strip,
  x,
}: {
  slotted: Slotted;
  ghost: boolean;
  was: SkbPicture | undefined;
  y: number;
  /** Where the strip begins, below the cards. */
  strip: number;
  x: (bytes: number) => number;
}): JSX.Element {
  const marks = [
    ["head", 0],
    ["data", p.data],
    ["tail", p.tail],
    ["end", p.end],
  ] as const;
  const ticked = (name: "users" | "len" | "truesize"): string | undefined =>
    was !== undefined && was[name] !== p[name] ? "ticked" : undefined;
  const labels = labelled(marks, x);
  return (
    <g class={ghost ? "ghost" : undefined}>
      <rect class="card" x="0" y={y} width={width} height={cardHeight} rx="5" />
      <text x="8" y={y + 17} class="name">
        slot {slot}
      </text>
      <text x={left} y={y + 17}>
        <tspan class="name">sk_buff {p.skb}</tspan>
        <tspan dx="12" class={ticked("users")}>
          users {p.users}
        </tspan>
        <tspan dx="12" class={ticked("len")}>
          len {formatNumber(p.len)}
        </tspan>
        <tspan dx="12">data_len {formatNumber(p.dataLen)}</tspan>
        <tspan dx="12" class={ticked("truesize")}>
          truesize {formatNumber(p.truesize)}
        </tspan>
        {p.cloned ? <tspan dx="12">cloned</tspan> : null}
        {p.fclone === 2 ? <tspan dx="12">fclone</tspan> : null}
        {ghost ? <tspan dx="12">freed before this step</tspan> : null}
      </text>
      {labels.map(({ names, at, low }) => {
        const changed = was !== undefined && names.some((n) => n !== "head" && was[n] !== at);
        return (
          <g key={names.join()}>
            <line class="pointer" x1={x(at)} x2={x(at)} y1={y + cardHeight - 6} y2={strip} />
            <text x={x(at) + 3} y={y + (low ? 52 : 36)} class={changed ? "ticked" : undefined}>
              {names.join(", ")} {formatNumber(at)}
            </text>
          </g>
        );
      })}
    </g>
  );
}
