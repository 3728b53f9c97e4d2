// The one question that rules of many kinds answer: of a shortage whether it was fragmentation, of a fault that it was none.
import type { Questions } from "../question.ts";

export const ofFragmentation = {
  fragmentation: { question: "Was it fragmentation?", rank: 1, clears: "fragmentation" },
} as const satisfies Questions;
