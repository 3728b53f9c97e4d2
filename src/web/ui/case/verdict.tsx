// The verdict line: one plain sentence, how bad, what to do now with a command to copy, and the usual suspects that are ruled out.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Advice, DiagnosedIncident } from "../../../diagnosis/finding.ts";
import { capital } from "../../../diagnosis/words.ts";
import { inertLine } from "../../../report/escape.ts";
import { Glossed } from "../glossary.tsx";
import { firstAction, howBad, ruledOut, severityWord } from "./case_view.ts";
import { warms } from "./hot.ts";

export function Verdict({
  incident,
  advice,
}: {
  incident: DiagnosedIncident;
  /** As measured where it was tested. */
  advice: readonly Advice[];
}): JSX.Element {
  const now = firstAction(advice);
  const cleared = ruledOut(incident);
  const seen = new Set<string>();
  return (
    <section class={`verdict ${incident.severity}`} aria-label="Verdict">
      <p class="sentence">
        <span class="badge">{severityWord[incident.severity]}</span>
        <strong>
          <Glossed text={incident.cause} seen={seen} />
        </strong>
      </p>
      <p class="how-bad">{inertLine(howBad(incident))}</p>
      {now === undefined ? null : (
        <p class="now">
          <span class="label">Do now</span> {inertLine(capital(now.action))}.{" "}
          {now.command === undefined ? null : <Command command={now.command} />}
        </p>
      )}
      {cleared.length === 0 ? null : (
        <p class="cleared">
          <span class="label">Ruled out</span>{" "}
          {cleared.map(({ suspect, finding }) => (
            <a
              key={finding.id}
              href={`#claim-${finding.id}`}
              class="suspect"
              {...warms({ kind: "claim", id: finding.id })}
              onClick={(e) => {
                e.preventDefault();
                document.getElementById(`claim-${finding.id}`)?.scrollIntoView({ block: "center" });
              }}
            >
              {suspect}
            </a>
          ))}
        </p>
      )}
    </section>
  );
}

/** A command as it is typed, with Copy. */
export function Command({ command }: { command: string }): JSX.Element {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(command);
    } catch {
      // A page from file:// has no clipboard of that kind.
      const area = document.createElement("textarea");
      area.value = command;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <span class="command">
      <code>{inertLine(command)}</code>
      <button type="button" aria-label={`Copy: ${inertLine(command)}`} onClick={() => void copy()}>
        {copied ? "Copied" : "Copy"}
      </button>
    </span>
  );
}
