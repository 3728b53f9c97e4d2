// The frame of every picture: a title, the drawing, its words for a screen reader, and its exports as SVG and PNG.
import type { ComponentChildren, JSX } from "preact";
import { useRef } from "preact/hooks";
import { inertLine } from "../../report/escape.ts";
import { PictureExports, standalone } from "./exports.tsx";

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
  return (
    <figure class="picture">
      <figcaption>
        <span>{inertLine(title)}</span>
        <PictureExports
          title={title}
          picture={() => (svg.current === null ? undefined : standalone(svg.current, title, width, height))}
        />
      </figcaption>
      <div class="canvas" tabIndex={0} role="group" aria-label={`Picture: ${inertLine(title)}`}>
        <svg ref={svg} viewBox={`0 0 ${width} ${height}`} role={role} aria-label={inertLine(says)} class="drawn">
          {children}
        </svg>
      </div>
      {below}
    </figure>
  );
}
