// The sentences of net/core/page_pool.c in a kernel log; their forms by release are in the comments.
import type { PoolWarning, WarningKind } from "./shape.ts";

const forms: readonly { readonly kind: WarningKind; readonly form: RegExp }[] = [
  // 5.3: "… 7 inflight 60 sec"; 6.8: "… : id 5, 7 inflight 60 sec"
  { kind: "stalled", form: /stalled pool shutdown:?\s*(?:id (?<id>\d+),\s*)?(?<n>-?\d+) inflight (?<sec>\d+) sec/ },
  { kind: "create failed", form: /page_pool_create(?:_percpu)?\(\) gave up with errno (?<n>-?\d+)/ },
  { kind: "negative inflight", form: /Negative\((?<n>-?\d+)\) inflight packet-pages/ },
  { kind: "refcnt violation", form: /page_pool_empty_ring\(\) page_pool refcnt (?<n>-?\d+) violation/ },
];

const stamp = /^(?:<\d+>)?\s*\[\s*(\d+\.\d+)\]/;

/** Warnings in the order of the log, and the time of its last stamped line. */
export function readConsole(
  input: string,
  lines: readonly string[],
): { warnings: PoolWarning[]; logEnd: { at: number; line: number } | undefined } {
  const warnings: PoolWarning[] = [];
  let logEnd: { at: number; line: number } | undefined;
  lines.forEach((text, i) => {
    const at = stamp.exec(text)?.[1];
    if (at !== undefined) logEnd = { at: Number(at), line: i + 1 };
    if (!/page_pool|inflight|stalled pool/.test(text)) return;
    for (const { kind, form } of forms) {
      const groups = form.exec(text)?.groups;
      if (groups === undefined) continue;
      warnings.push({
        input,
        line: i + 1,
        kind,
        number: Number(groups.n),
        text,
        ...(at === undefined ? {} : { at: Number(at) }),
        ...(groups.id === undefined ? {} : { poolId: Number(groups.id) }),
        ...(groups.sec === undefined ? {} : { stalledSeconds: Number(groups.sec) }),
      });
    }
  });
  return { warnings, logEnd };
}
