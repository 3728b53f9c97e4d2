// The library: what a program may import from "skblab". Rooms add their public names here.
export { BadInput, type InputPlace } from "./base/bad_input.ts";
export { type Prng, prng } from "./base/prng.ts";
export { formatRelease, parseRelease, type Release } from "./kernel/release.ts";
export type { Block, Document } from "./report/document.ts";
export { renderMarkdown } from "./report/markdown.ts";
export { renderText } from "./report/text.ts";
