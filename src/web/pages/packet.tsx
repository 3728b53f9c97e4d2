// Packet: an skb taken apart and stepped through operations; struct layouts as bytes, before and after a change.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { PacketOp, PacketStep } from "../../lab/packet_lab.ts";
import { ownerPaths, packetOps, packetSlots, packetStories } from "../../lab/packet_lab.ts";
import type { CaseFile } from "../store/case_file.ts";
import { choose, inputsOf, useInputs } from "../store/case_file.ts";
import { useKept } from "../store/kept.ts";
import { ask } from "../tasks/client.ts";
import type { LayoutOutput, PlayedPackets } from "../tasks/packet_task.ts";
import { BeforeAfter, ByteGrid } from "../ui/byte_grid.tsx";
import { DocumentView } from "../ui/document_view.tsx";
import type { Slotted } from "../ui/packet_strips.tsx";
import { PacketStrips } from "../ui/packet_strips.tsx";
import { Answer, Empty, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery, setView } from "../ui/route.ts";

export function PacketPage(): JSX.Element {
  return (
    <>
      <h1>A packet taken apart</h1>
      <PacketLab />
      <Layouts />
    </>
  );
}

/** The steps in the address: `alloc 0 1500,put 0 100`. */
const stepsText = (steps: readonly PacketStep[]): string => steps.map((s) => `${s.op} ${s.slot} ${s.n}`).join(",");
function readSteps(text: string | undefined): PacketStep[] {
  if (text === undefined || text === "") return [];
  return text.split(",").flatMap((part) => {
    const [op, slot, n] = part.split(" ");
    return packetOps.some((o) => o.op === op) ? [{ op: op as PacketOp, slot: Number(slot), n: Number(n) }] : [];
  });
}

/** What a step did: what such a call is for, what it gave back, and which numbers of which packet it changed. */
function sentenceOf(now: PlayedPackets["steps"][number], before: PlayedPackets["steps"][number] | undefined): string {
  const op = packetOps.find((o) => o.op === now.step.op);
  const changes = now.fault === undefined ? changesBetween(before?.slots ?? [], now.slots) : [];
  return `${callOf(now.step)} ${op?.does}: ${now.outcome}.${changes.length === 0 ? "" : ` ${changes.join(". ")}.`}`;
}

/** The way of everybody who had the buffer, side by side; a step opens it. */
function Owners({
  steps,
  at,
  onStep,
}: {
  steps: PlayedPackets["steps"];
  at: number;
  onStep: (at: number) => void;
}): JSX.Element {
  return (
    <div class="owners">
      {ownerPaths(steps, at).map((owner) => (
        <section key={owner.slot} aria-label={`Path of slot ${owner.slot}`}>
          <h3>Path of slot {owner.slot}</h3>
          <ul>
            {owner.steps.map((n) => (
              <li key={n}>
                <button type="button" class="place" onClick={() => onStep(n - 1)}>
                  step {n}
                </button>{" "}
                {callOf(steps[n - 1]?.step)}
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

/** `skb_put(400) on slot 0`. */
const callOf = (step: PacketStep | undefined): string => {
  if (step === undefined) return "";
  const op = packetOps.find((o) => o.op === step.op);
  return `${(op?.says ?? step.op).replace(/\(.*\)$/, `(${op?.number === "" ? "" : step.n})`)} on slot ${step.slot}`;
};

const watched = ["data", "tail", "end", "len", "dataLen", "truesize", "users"] as const;
const spelled: Readonly<Partial<Record<(typeof watched)[number], string>>> = { dataLen: "data_len" };

/** `Slot 0: data 0 to 64, tail 0 to 64`: packets that were there before and after. */
function changesBetween(before: readonly Slotted[], after: readonly Slotted[]): readonly string[] {
  return after.flatMap(({ slot, picture: p }) => {
    const was = before.find((b) => b.slot === slot)?.picture;
    if (was === undefined) return [];
    const refs = [was.dataref & 0xffff, p.dataref & 0xffff] as const;
    const moved = [
      ...watched.flatMap((k) => (was[k] === p[k] ? [] : [`${spelled[k] ?? k} ${was[k]} to ${p[k]}`])),
      ...(was.head === p.head
        ? refs[0] === refs[1]
          ? []
          : [`dataref ${refs[0]} to ${refs[1]}`]
        : ["a head of its own"]),
      ...(was.frags.length === p.frags.length ? [] : [`fragments ${was.frags.length} to ${p.frags.length}`]),
    ];
    return moved.length === 0 ? [] : [`Slot ${slot}: ${moved.join(", ")}`];
  });
}

/** Packets that a fault concerns and that are gone: as they were last. */
function ghostsOf(steps: PlayedPackets["steps"], at: number): readonly Slotted[] {
  const { slot } = steps[at]?.step ?? { slot: -1 };
  if (steps[at]?.slots.some((s) => s.slot === slot)) return [];
  for (let i = at - 1; i >= 0; i--) {
    const found = steps[i]?.slots.find((s) => s.slot === slot);
    if (found !== undefined) return [found];
  }
  return [];
}

function PacketLab(): JSX.Element {
  const { query } = route.value;
  const storyAsked = packetStories.find((s) => s.id === query.story) ?? packetStories[0];
  const steps = readSteps(query.steps ?? stepsText(storyAsked?.steps ?? []));
  const asked = Number(query.at ?? 0);
  const at = Math.max(0, Math.min(Number.isSafeInteger(asked) ? asked : 0, steps.length - 1));
  const [played, setPlayed] = useKept<PlayedPackets | undefined>("packet.played", undefined);
  const [error, setError] = useKept<unknown>("packet.error", undefined);
  const [op, setOp] = useState<PacketOp>("alloc");
  const [slot, setSlot] = useState(0);
  const [n, setN] = useState(1500);
  const text = stepsText(steps);
  useEffect(() => {
    // An answer to steps that are no longer shown is thrown away.
    let current = true;
    setError(undefined);
    ask("packet", steps, "Playing").then(
      (answer) => current && setPlayed(answer),
      (e) => current && setError(e),
    );
    return () => {
      current = false;
    };
  }, [text]);
  const change = (next: readonly PacketStep[]): void =>
    setQuery({ steps: stepsText(next), at: String(next.length - 1) });
  /** A story is told from its beginning. */
  const tell = (next: readonly PacketStep[]): void => setView({ steps: stepsText(next), at: "0" });
  const go = (to: number): void => setQuery({ steps: text, at: String(Math.max(0, Math.min(steps.length - 1, to))) });
  const now = played?.steps[at];
  return (
    <section
      aria-label="Packets step by step"
      onKeyDown={(e) => {
        if (e.target instanceof HTMLInputElement || e.target instanceof HTMLSelectElement) return;
        if (e.key === "ArrowDown" || e.key === "ArrowRight") go(at + 1);
        else if (e.key === "ArrowUp" || e.key === "ArrowLeft") go(at - 1);
        else return;
        e.preventDefault();
      }}
    >
      <div class="form">
        <label>
          Story
          <select
            value={packetStories.find((s) => stepsText(s.steps) === text)?.id ?? ""}
            onChange={(e) => {
              const story = packetStories.find((s) => s.id === e.currentTarget.value);
              if (story !== undefined) tell(story.steps);
            }}
          >
            <option value="">steps of your own</option>
            {packetStories.map((s) => (
              <option key={s.id} value={s.id}>
                {s.title}
              </option>
            ))}
          </select>
        </label>
      </div>
      <div class="bar">
        <button type="button" disabled={at === 0} onClick={() => go(at - 1)}>
          Back
        </button>
        <span>
          step {steps.length === 0 ? 0 : at + 1} of {steps.length}
        </span>
        <button type="button" disabled={at >= steps.length - 1} onClick={() => go(at + 1)}>
          Next
        </button>
        <span class="keys">or the arrow keys</span>
      </div>
      <div class="stepper">
        <div aria-live="polite">
          {now === undefined ? (
            <Empty>No step yet; choose a story, or add a first step.</Empty>
          ) : (
            <>
              <h2>
                After step {at + 1}: {packetOps.find((o) => o.op === now.step.op)?.says}
              </h2>
              <p class="outcome">{sentenceOf(now, played?.steps[at - 1])}</p>
              {now.fault === undefined ? null : (
                <div class="error" role="alert">
                  <p class="tone-bad">
                    {now.fault.kind}: {now.fault.sentence}
                  </p>
                  <pre tabIndex={0}>{now.fault.history.join("\n")}</pre>
                  <Owners steps={played?.steps ?? []} at={at} onStep={go} />
                </div>
              )}
              {now.slots.length === 0 && now.fault === undefined ? <p class="empty">No packet is alive.</p> : null}
              <PacketStrips
                slots={now.slots}
                before={played?.steps[at - 1]?.slots ?? []}
                ghosts={now.fault === undefined ? [] : ghostsOf(played?.steps ?? [], at)}
                title={`Packets after step ${at + 1}`}
              />
            </>
          )}
        </div>
        <div>
          <h2>Steps</h2>
          <ol class="steps">
            {steps.map((s, i) => (
              <li key={`${i}`}>
                <button
                  type="button"
                  aria-current={i === at ? "step" : undefined}
                  class={played?.steps[i]?.fault === undefined ? undefined : "found"}
                  onClick={() => go(i)}
                >
                  {(packetOps.find((o) => o.op === s.op)?.says ?? s.op).replace(/\(.*$/, "")} slot {s.slot}{" "}
                  {packetOps.find((o) => o.op === s.op)?.number === "" ? "" : s.n}
                </button>
              </li>
            ))}
          </ol>
          <form
            class="form"
            onSubmit={(e) => {
              e.preventDefault();
              change([...steps, { op, slot, n }]);
            }}
          >
            <label>
              Operation
              <select value={op} onChange={(e) => setOp(e.currentTarget.value as PacketOp)}>
                {packetOps.map((o) => (
                  <option key={o.op} value={o.op}>
                    {o.says}
                  </option>
                ))}
              </select>
            </label>
            <label>
              Slot
              <input
                type="number"
                min={0}
                max={packetSlots - 1}
                value={slot}
                onInput={(e) => setSlot(Number(e.currentTarget.value))}
              />
            </label>
            <label>
              Number
              <input type="number" min={0} max={65536} value={n} onInput={(e) => setN(Number(e.currentTarget.value))} />
            </label>
            <button type="submit">Add</button>
            <button type="button" disabled={steps.length === 0} onClick={() => change(steps.slice(0, -1))}>
              Remove the last step
            </button>
          </form>
          <ErrorBox error={error} />
        </div>
      </div>
    </section>
  );
}

const kernels = [
  "2.6.24-x86_64",
  "2.6.31-ppc32",
  "3.2-x86_64",
  "4.19-x86_64",
  "5.10-x86_64",
  "6.1-x86_64",
  "6.12-x86_64",
  "7.2-x86_64",
];
const structs = ["sk_buff", "skb_shared_info", "skb_frag_t", "page"];

function Layouts(): JSX.Element {
  const { query } = route.value;
  const release = query.kernel ?? "3.2-x86_64";
  const struct = query.struct ?? "skb_shared_info";
  const [btf] = inputsOf("packet").slice(-1);
  // The question of 2011 is asked of its kernel; a kernel of one's own is first shown as it is.
  const editOf = (file: CaseFile | undefined): string =>
    query.edit ?? (file === undefined ? "skb_frag_struct:+void *destructor" : "");
  const edit = editOf(btf);
  const [output, setOutput] = useKept<LayoutOutput | undefined>("layout.output", undefined);
  const [error, setError] = useKept<unknown>("layout.error", undefined);
  const run = async (file: CaseFile | undefined): Promise<void> => {
    setError(undefined);
    try {
      setOutput(
        await ask(
          "layout",
          {
            release,
            struct,
            edit: editOf(file),
            btf: file === undefined ? undefined : { name: file.name, blob: file.blob },
          },
          "Laying out",
        ),
      );
    } catch (e) {
      // What was shown before is no answer to this question.
      setOutput(undefined);
      setError(e);
    }
  };
  useInputs("packet", ([file]) => {
    if (file !== undefined || query.shown === "yes") void run(file);
  });
  useEffect(() => {
    if (query.shown === "yes" && output === undefined) void run(btf);
  }, []);
  return (
    <section aria-label="Struct layouts">
      <h2>Struct layouts, and what a field moves</h2>
      <form
        class="form"
        onSubmit={(e) => {
          e.preventDefault();
          setQuery({ shown: "yes" });
          void run(btf);
        }}
      >
        <label>
          Kernel
          <select value={release} onChange={(e) => setQuery({ kernel: e.currentTarget.value })}>
            {[...new Set([...kernels, release])].map((k) => (
              <option key={k}>{k}</option>
            ))}
          </select>
        </label>
        <label>
          Struct
          <input list="structs" value={struct} onChange={(e) => setQuery({ struct: e.currentTarget.value })} />
        </label>
        <datalist id="structs">
          {(output?.names ?? structs).map((s) => (
            <option key={s} value={s} />
          ))}
        </datalist>
        <label>
          What if (STRUCT:+TYPE NAME or STRUCT:-FIELD)
          <input
            size={36}
            value={edit}
            onChange={(e) => setQuery({ edit: e.currentTarget.value === "" ? " " : e.currentTarget.value })}
          />
        </label>
        <button type="submit" class="primary">
          Show
        </button>
      </form>
      <p>
        {btf === undefined
          ? "Or give your own kernel's types: /sys/kernel/btf/vmlinux, a vmlinuz, or a module. "
          : `The structs are those of ${btf.name}; the kernel above decides its allocator. `}
        {btf === undefined ? null : (
          <button
            type="button"
            onClick={() => {
              choose("packet", []);
              void run(undefined);
            }}
          >
            Without this file
          </button>
        )}
      </p>
      <ErrorBox error={error} />
      {output === undefined ? (
        <Empty>Nothing shown yet.</Empty>
      ) : (
        <>
          {output.changes.map((c) => (
            <BeforeAfter key={c.after.name} before={c.before} after={c.after} />
          ))}
          {output.changes.some((c) => c.after.name === output.layout.name) ? null : <ByteGrid layout={output.layout} />}
          {output.whatIf === undefined ? null : <DocumentView document={output.whatIf.document} />}
          <Answer shown={output.shown} name={`layout of ${output.layout.name}`} />
        </>
      )}
    </section>
  );
}
