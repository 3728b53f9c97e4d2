// Page pools by the counters that a driver adds to `ethtool -S`: judged where `skblab pools` judges them.
import { readPools } from "../../artifact/page_pool/read.ts";
import type { StateFinding } from "../finding.ts";
import { judgePools } from "../pools.ts";
import type { PoolPattern } from "../pools_verdict.ts";
import type { MachineFiles, StateFile } from "./files.ts";

const severities: Readonly<Partial<Record<PoolPattern, StateFinding["severity"]>>> = {
  leak: "act",
  "kernel bug": "act",
  "bad parameters": "watch",
  "slow consumer": "watch",
  "small ring": "watch",
  "shared pages": "watch",
  "wrong node": "watch",
};

export function poolFindings(files: MachineFiles): StateFinding[] {
  const counted = files
    .each("ethtool -S")
    .filter((f) => f.reading.counters.some(([n]) => /pp_(?:alloc|recycle)_/.test(n)));
  // Each interface is judged by itself; pools of the netdev family have numbers of their own, and one dump may follow the other.
  const dumps = files.each("page pools");
  return [...counted.map((f): readonly StateFile[] => [f]), ...(dumps.length === 0 ? [] : [dumps])].flatMap(judged);
}

function judged(own: readonly StateFile[]): StateFinding[] {
  const readings = own.map((f) => readPools(f.input, f.lines.map((l) => l.text).join("\n")));
  return judgePools(readings).map((v) => ({
    id: "state.pool",
    claim: `Page pool ${v.subject} of ${own[0]?.input ?? ""}: ${v.summary}`,
    severity: severities[v.pattern] ?? "harmless",
    evidence: v.reasons
      .flatMap((r) => r.evidence)
      .slice(0, 4)
      .map((e) => {
        const file = own.find((f) => f.input === e.input) ?? own[0];
        return { ...e, text: e.text.slice(0, 200), line: file?.lines[e.line - 1]?.line ?? e.line };
      }),
    advice: v.next.map((action) => ({
      change: { kind: "evidence" },
      action: action.replace(/\.$/, ""),
      changes: "what this look leaves open",
      costs: "nothing",
    })),
  }));
}
