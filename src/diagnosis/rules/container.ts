// The limit of a container, or of the machine? A per-cgroup cache in SLUB's lines says which.

import { none } from "../../kernel/readings/part.ts";
import { cgroupsPart } from "../../kernel/readings/slab_failure.ts";
import { quote } from "../case.ts";
import { missed, shown } from "../finding.ts";
import { defineQuestions } from "../question.ts";
import { defineRule } from "../rule.ts";

const { questions, no, yes } = defineQuestions({
  "container.limit": { question: "Was it a container's limit?", clears: "a container's limit" },
});

export const container = defineRule({
  id: "container",
  asks: "Did a container's limit refuse it, or the machine?",
  questions,
  kinds: ["alloc_failure", "slab_failure"],
  answer: (c) => {
    if (c.slab === undefined) return [];
    const evidence = [...quote(c, "slab", 1), ...quote(c, "cache", 1)];
    // A charge that a cgroup refuses is refused in silence (mm/memcontrol.c); this report is the page allocator's own.
    if (c.slab.memcg !== undefined && c.incident.kind === "alloc_failure")
      return [
        no(
          "container.limit",
          `The cache is the private copy of the cgroup "${c.slab.memcg}", but the page allocator itself refused the page: no container's limit makes it print such a report.`,
          shown(c.slab.memcg, [...quote(c, "headline", 1), ...evidence]),
        ),
      ];
    if (c.slab.memcg !== undefined)
      return [
        yes(
          "container.limit",
          `The cache is the private copy of the cgroup "${c.slab.memcg}": the memory is accounted to that container, so its limit can refuse what the machine still has, and then no page allocation failure is reported; none belongs to these lines.`,
          evidence,
          [
            {
              change: { kind: "limit" },
              action: "Raise the container's memory (or kernel memory) limit",
              changes: "its packets and sockets can get memory again",
              costs: "less memory for everything else on the machine",
              command:
                "cat /sys/fs/cgroup/memory/docker/CONTAINER/memory.kmem.failcnt; docker update --memory SIZE CONTAINER",
            },
          ],
        ),
      ];
    // Only the cache's line says whose it is.
    const noCgroup = none(cgroupsPart(c.slab), () => true);
    if (noCgroup === undefined) return [];
    return [
      no(
        "container.limit",
        `The cache ${c.slab.cache} is the machine's own, not a container's.`,
        missed(noCgroup, evidence),
      ),
    ];
  },
});
