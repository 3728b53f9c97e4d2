// The case of drivers that lock for themselves: every interleaving of every scheme.
import { lltxTable, readVariants } from "../../explore/stories/lltx.ts";
import type { Claim } from "./case.ts";
import { judgeIf, withKnobs } from "./case.ts";
import { choiceKnob } from "./knobs.ts";

/** One world, or the three of the table. */
const worldOptions = (text: string): { cpus?: number; ring?: number } => {
  const [, cpus, ring] = /^(\d)x(\d)$/.exec(text) ?? [];
  return cpus === undefined ? {} : { cpus: Number(cpus), ring: Number(ring) };
};

const lltxKnobs = {
  world: choiceKnob("CPUs x ring slots; the first choice is the table of the command line", "2x1, 2x2 and 3x1", [
    "2x1, 2x2 and 3x1",
    "2x1",
    "2x2",
    "3x1",
    "3x2",
  ]),
  without: choiceKnob("what is left out in every world", "nothing", [
    "nothing",
    "no-xmit-lock",
    "no-stopped-check",
    "no-recheck",
    "no-barrier",
    "no-wake-lock",
    "no-requeue-kick",
  ]),
};

export const lltx = withKnobs(lltxKnobs, {
  id: "lltx",
  seed: "003",
  story:
    "Since 2.6.9 a driver may declare that it does its own locking when it transmits. Then a driver is seen to be asked to transmit although it has stopped its queue: two CPUs were on the way at once. A first patch silences the message, which could hide real errors; a second changes the locking of every driver and brings deadlocks; a third leaves the locking alone and tells the harmless race from a real error.",
  question: "Which locking makes NETIF_F_LLTX safe?",
  run: "Every interleaving of two and three CPUs that transmit on one device, for each locking scheme; each world is searched completely.",
  wouldChange:
    "A driver that never stops its queue, or one whose transmit routine takes no lock that its caller may hold.",
  answer(progress, set) {
    const { rows } = lltxTable({
      ...worldOptions(set.world),
      ...(set.without === "nothing" ? {} : { without: readVariants([set.without]) }),
      progress: (scheme, world, _states, done) => progress(done, `${scheme}, ${world}`),
    });
    const row = (id: string): (typeof rows)[number] | undefined => rows.find((r) => r.id === id);
    const steps = (shown: { readonly steps: number } | null | undefined): number => shown?.steps ?? 0;
    const shortest = (does: string, shown: { readonly steps: number } | null | undefined): string =>
      shown == null ? `never ${does}` : `${does} after ${shown.steps}${does === "races" ? " steps" : ""}`;
    const safe = rows.filter(
      (r) =>
        r.complete && r.deadlock === null && r.ruleBroken === null && r.lostWakeup === null && r.messageHidden === null,
    );
    const claim = (
      id: string,
      text: string,
      scheme: string,
      column: "race" | "deadlock" | "ruleBroken" | "messageHidden",
    ): Claim => {
      const r = row(scheme);
      return {
        id,
        claim: text,
        answer: r?.[column] != null ? "yes" : judgeIf(r?.complete === true, false),
        measured: {
          shortestScheduleSteps: steps(r?.[column]),
          schedule: r?.[column]?.schedule ?? "none",
          states: r?.states ?? 0,
        },
      };
    };
    return {
      id: "lltx",
      answer: `Free of deadlocks, broken rules, lost wakeups and hidden errors: ${safe.map((r) => r.id).join(", ") || "none"}. The original scheme ${shortest("races", row("original")?.race)}; the lock with interrupts off ${shortest("deadlocks", row("irq-xmit-lock")?.deadlock)}.`,
      claims: [
        claim(
          "original-races",
          "With the original LLTX, a transmit can arrive while the queue is stopped.",
          "original",
          "race",
        ),
        claim(
          "irq-lock-deadlocks",
          "xmit_lock with interrupts off can deadlock with a driver that takes its lock again.",
          "irq-xmit-lock",
          "deadlock",
        ),
        claim(
          "irq-lock-kfree",
          "dev_kfree_skb is called where it is not allowed under xmit_lock with interrupts off.",
          "irq-xmit-lock",
          "ruleBroken",
        ),
        claim("silencing-hides", "Silencing the message alone hides a real error.", "silenced", "messageHidden"),
        claim("final-hides", "The final scheme hides a real error too.", "final", "messageHidden"),
        claim("final-deadlocks", "The final scheme can deadlock.", "final", "deadlock"),
      ],
      picture: {
        title: "states searched",
        unit: "",
        bars: rows.map((r) => ({ label: r.id, value: r.states })),
      },
    };
  },
});
