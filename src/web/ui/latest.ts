// Answers for something that a hand changes faster than the worker can answer: one question is under way, and then only the latest is asked.
import { useEffect, useRef, useState } from "preact/hooks";

/** Asks anew when one of `inputs` has changed. Until the answer is there the one before stays; an error is told until the next answer. */
export function useLatest<O>(
  ask: () => Promise<O>,
  inputs: readonly unknown[],
): readonly [answer: O | undefined, error: unknown] {
  const [answer, setAnswer] = useState<O>();
  const [error, setError] = useState<unknown>();
  const wanted = useRef(ask);
  const busy = useRef(false);
  useEffect(() => {
    wanted.current = ask;
    if (!busy.current) void answerAll();
  }, [...inputs]);
  const answerAll = async (): Promise<void> => {
    busy.current = true;
    for (let asked: unknown; asked !== wanted.current; ) {
      const latest = wanted.current;
      asked = latest;
      try {
        const got = await latest();
        setAnswer(() => got);
        setError(undefined);
      } catch (e) {
        setError(e);
      }
    }
    busy.current = false;
  };
  return [answer, error];
}
