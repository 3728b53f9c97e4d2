// Lines of a part of a report that say something, wherever in it they stand.
import type { Case } from "../case.ts";
import { quote } from "../case.ts";
import type { Quote } from "../finding.ts";

/** Every line of a part whose text is wanted. */
export const linesWith = (
  c: Case,
  part: Parameters<typeof quote>[1],
  wanted: (text: string) => boolean,
): readonly Quote[] => quote(c, part, Number.POSITIVE_INFINITY).filter((q) => wanted(q.text));
