// Lines that repair (lines.ts) and the tables' readers leave as they are, whatever stands round them: with their stamps off they are what the
// kernel printed. report_sieve.ts may leave such a line out of a stretch without changing what is made of the others.
import { tableStarter } from "../embedded.ts";
import { losesEnd } from "./incidents/torn.ts";
import { frameStart, isKernelLine, kernelStart, rankOf } from "./known_words.ts";
import { splitGlued } from "./lines.ts";
import { stripPrefix } from "./prefix.ts";
import { endsInTransport } from "./transport.ts";

/** What a plain line is to those who judge a stretch as a whole. */
export interface PlainLine {
  /** Its place in a report (known_words.ts). */
  readonly rank: number;
  /** Only the kernel's own lines begin so: where there is one, nothing is learned from frames alone. */
  readonly kernel: boolean;
  /** A frame behind a number: where no kernel line is, what stands before it would be taken for transport. */
  readonly framed: boolean;
  /** As the widest of its stretch it would lose its end where others of its width are cut. */
  readonly losesEnd: boolean;
  /** Blanks at its end. */
  readonly blanks: number;
  /** Its mask is trusted only as long as a wider line stands in the stretch. */
  readonly masked: boolean;
}

const wholeFailure = /page allocation failure[:.] order:\d/g;

/** `text` is a line with its stamps off; undefined where repair or a table's reader may do something with it. */
export function plainLine(text: string): PlainLine | undefined {
  if (/[&`{]|^[>|]|#01|=3D|\[ {0,4}\d{1,8}\.\d{6}\] /.test(text)) return undefined;
  const stripped = stripPrefix(`[    1.000000] ${text}`);
  if (stripped.text !== text || Object.keys(stripped).length !== 2) return undefined;
  if (splitGlued(text).length !== 1) return undefined;
  if (text.includes("page allocation failure")) {
    // Pieces of first lines are sorted (interleaved.ts).
    if ((text.match(wholeFailure)?.length ?? 0) !== 1 || !/mode:0x/.test(text)) return undefined;
  } else if (/^,? ?mode:0x/.test(text)) return undefined;
  const kernel = isKernelLine(text);
  if (endsInTransport(text) || (!kernel && kernelStart(text) > 0)) return undefined;
  // A table may begin here, or a setting stand.
  if (tableStarter(text.trimStart()) !== undefined || tableStarter(text) !== undefined) return undefined;
  const at = frameStart(text);
  return {
    rank: rankOf(text),
    kernel,
    framed: at > 0 && /\d/.test(text.slice(0, at)),
    losesEnd: losesEnd(text),
    blanks: text.length - text.trimEnd().length,
    masked: /mode:|gfp_mask=/.test(text),
  };
}
