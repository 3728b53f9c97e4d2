// The frame of every picture: a title, the drawing, its words for a screen reader, and its exports as SVG and PNG.
import type { ComponentChildren, JSX } from "preact";
import { useRef } from "preact/hooks";
import { inertLine } from "../../report/escape.ts";
import { download, slug } from "./download.ts";

export function Picture({
  title,
  width,
  height,
  says,
  role = "img",
  children,
  below,
}: {
  title: string;
  width: number;
  height: number;
  /** The picture in words. */
  says: string;
  role?: "img" | "group";
  children: ComponentChildren;
  below?: ComponentChildren;
}): JSX.Element {
  const svg = useRef<SVGSVGElement>(null);
  const name = slug(title);
  const save = async (kind: "SVG" | "PNG"): Promise<void> => {
    if (svg.current !== null) await savePicture(svg.current, width, height, name, kind);
  };
  return (
    <figure class="picture">
      <figcaption>
        <span>{inertLine(title)}</span>
        <span class="tools">
          {(["SVG", "PNG"] as const).map((kind) => (
            <button
              key={kind}
              type="button"
              aria-label={`${kind} of ${inertLine(title)}`}
              onClick={() => void save(kind)}
            >
              {kind}
            </button>
          ))}
        </span>
      </figcaption>
      <svg ref={svg} viewBox={`0 0 ${width} ${height}`} role={role} aria-label={inertLine(says)} class="drawn">
        {children}
      </svg>
      {below}
    </figure>
  );
}

/** A drawing of the page as a file. */
export async function savePicture(
  svg: SVGSVGElement,
  width: number,
  height: number,
  name: string,
  kind: "SVG" | "PNG",
): Promise<void> {
  const text = standalone(svg, width, height);
  if (kind === "SVG") download(`${name}.svg`, "image/svg+xml", text);
  else download(`${name}.png`, "image/png", await rasterize(text, width, height));
}

const copied = ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size", "font-weight", "font-family"];

/** The drawing as a file of its own: what the style sheet gave is written onto each element. */
function standalone(svg: SVGSVGElement, width: number, height: number): string {
  const copy = svg.cloneNode(true) as SVGSVGElement;
  const from = svg.querySelectorAll<SVGElement>("*");
  copy.querySelectorAll<SVGElement>("*").forEach((element, i) => {
    const style = getComputedStyle(from[i]!);
    for (const name of copied) element.setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "style"]) element.removeAttribute(name);
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", String(width));
  copy.setAttribute("height", String(height));
  copy.removeAttribute("class");
  const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  back.setAttribute("width", "100%");
  back.setAttribute("height", "100%");
  back.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  copy.prepend(back);
  return new XMLSerializer().serializeToString(copy);
}

async function rasterize(svg: string, width: number, height: number): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = width * 2;
  canvas.height = height * 2;
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob === null ? reject(new Error("The picture could not be made.")) : resolve(blob))),
  );
}
