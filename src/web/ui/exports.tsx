// How anything on a page becomes a file: tables as CSV and JSON, pictures as SVG and PNG, answers as JSON, Markdown and text. Every page uses these.
import type { ComponentChildren, JSX } from "preact";
import { inertLine } from "../../report/escape.ts";
import { renderMarkdown } from "../../report/markdown.ts";
import { renderText } from "../../report/text.ts";
import type { Shown } from "../tasks/protocol.ts";
import { download, slug } from "./download.ts";
import type { TableData } from "./table_files.ts";
import { csvOf, recordsOf } from "./table_files.ts";

/** A picture as an SVG file of its own. */
export interface PictureData {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
}

function Tools({ of, children }: { of: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class="tools" role="group" aria-label={`Save ${inertLine(of)}`}>
      {children}
    </div>
  );
}

function Save({ as, of, save }: { as: string; of: string; save: () => void }): JSX.Element {
  return (
    <button type="button" class="save" aria-label={`${as} of ${inertLine(of)}`} onClick={save}>
      {as}
    </button>
  );
}

export function TableExports({
  table,
  children,
}: {
  table: () => TableData;
  children?: ComponentChildren;
}): JSX.Element {
  const { title } = table();
  const name = slug(title);
  return (
    <Tools of={title}>
      {children}
      <Save as="CSV" of={title} save={() => download(`${name}.csv`, "text/csv", csvOf(table()))} />
      <Save
        as="JSON"
        of={title}
        save={() => download(`${name}.json`, "application/json", JSON.stringify(recordsOf(table()), null, 2))}
      />
    </Tools>
  );
}

export function PictureExports({
  title,
  picture,
}: {
  title: string;
  picture: () => PictureData | undefined;
}): JSX.Element {
  const save = async (kind: "SVG" | "PNG"): Promise<void> => {
    const data = picture();
    if (data === undefined) return;
    if (kind === "SVG") download(`${slug(title)}.svg`, "image/svg+xml", data.svg);
    else download(`${slug(title)}.png`, "image/png", await rasterize(data));
  };
  return (
    <Tools of={title}>
      <Save as="SVG" of={title} save={() => void save("SVG")} />
      <Save as="PNG" of={title} save={() => void save("PNG")} />
    </Tools>
  );
}

/** An answer as the command line gives it: the same JSON, the same text. */
export function AnswerExports({
  shown,
  name,
  children,
}: {
  shown: Shown;
  name: string;
  children?: ComponentChildren;
}): JSX.Element {
  const file = slug(name);
  const text = (): string => renderText(shown.document, { colour: false, width: 100 });
  return (
    <div class="tools answer-tools" role="group" aria-label={`Save the answer: ${inertLine(name)}`}>
      {children}
      <button
        type="button"
        onClick={() => download(`${file}.json`, "application/json", JSON.stringify(shown.json, null, 2))}
      >
        JSON
      </button>
      <button type="button" onClick={() => download(`${file}.md`, "text/markdown", renderMarkdown(shown.document))}>
        Markdown
      </button>
      <button type="button" onClick={() => download(`${file}.txt`, "text/plain", text())}>
        Text
      </button>
    </div>
  );
}

/** A drawing that came as text, with the size that it gives itself. */
export function pictureOf(svg: string): PictureData {
  const box = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  const [, , width = 800, height = 400] = (box.getAttribute("viewBox") ?? "").split(/[\s,]+/).map(Number);
  const size = (name: string, other: number): number => Number.parseFloat(box.getAttribute(name) ?? "") || other;
  return { svg, width: size("width", width), height: size("height", height) };
}

const copied = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-weight", "font-family"];

/** A drawing of the page as a file of its own: what the style sheet gave is written onto each element. */
export function standalone(svg: SVGSVGElement, title: string, width: number, height: number): PictureData {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const from = svg.querySelectorAll<SVGElement>("*");
  copy.querySelectorAll<SVGElement>("*").forEach((element, i) => {
    const style = getComputedStyle(from[i]!);
    for (const name of copied) element.setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "style"]) element.removeAttribute(name);
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  // Away from the page a picture must say itself what it shows.
  const head = 28;
  const tall = height + head;
  copy.setAttribute("viewBox", `0 ${-head} ${width} ${tall}`);
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(tall));
  const named = document.createElementNS("http://www.w3.org/2000/svg", "text");
  const page = getComputedStyle(document.body);
  for (const [name, value] of [
    ["x", "4"],
    ["y", String(14 - head)],
    ["font-size", "13px"],
    ["font-weight", "600"],
    ["font-family", page.fontFamily],
    ["fill", page.color],
  ] as const)
    named.setAttribute(name, value);
  named.textContent = inertLine(title);
  copy.prepend(named);
  copy.removeAttribute("class");
  copy.removeAttribute("style");
  const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  back.setAttribute("y", String(-head));
  back.setAttribute("width", "100%");
  back.setAttribute("height", "100%");
  back.setAttribute("fill", page.backgroundColor);
  copy.prepend(back);
  return { svg: new XMLSerializer().serializeToString(copy), width, height: tall };
}

/** Twice the size, for sharp text; less where a canvas would be too large. */
async function rasterize({ svg, width, height }: PictureData): Promise<Blob> {
  const scale = Math.min(2, 16_000 / Math.max(width, height));
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob === null ? reject(new Error("The picture could not be made.")) : resolve(blob))),
  );
}
