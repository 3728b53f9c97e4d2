// Reads back what `skblab fleet --format json` printed. The file may be anybody's: whatever is not of that form is refused with a sentence.
import { z } from "zod";
import { severities } from "../diagnosis/finding.ts";
import type { FleetAnswer } from "../fleet/fleet.ts";
import { diagnosisSchema } from "./diagnosis_schema.ts";

const incident = diagnosisSchema.shape.incidents.element;
const counted = z.array(z.object({ name: z.string(), hosts: z.number() }));
const pair = z.tuple([z.number(), z.number()]);
const when = z.string().nullable();

const cause = z.object({
  id: z.string(),
  title: z.string(),
  severity: z.enum(severities),
  kind: z.string(),
  hosts: z.number(),
  incidents: z.number(),
  first: when,
  last: when,
  perDay: z.number().nullable(),
  trend: z.enum(["rising", "falling", "steady", "unknown"]),
  releases: counted,
  drivers: counted,
  example: z.object({ host: z.string(), input: z.string(), line: z.number(), diagnosis: incident.nullable() }),
  separators: z.array(z.object({ factor: z.string(), split: z.string(), having: pair, others: pair, p: z.number() })),
  outliers: z.array(z.string()),
});

export const fleetAnswer = z.object({
  schema: z.literal("skblab.fleet/1"),
  hosts: z.number(),
  hostsWithTrouble: z.number(),
  hostsUnread: z.number(),
  inputs: z.number(),
  causes: z.array(cause),
  notes: z.array(z.string()),
});

/** The answer in the text, or a sentence about what is wrong with it. */
export function readFleetAnswer(text: string): FleetAnswer | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "This is not JSON. Open what skblab fleet --format json has printed.";
  }
  const read = fleetAnswer.safeParse(value);
  if (read.success) return read.data as FleetAnswer;
  const [fault] = read.error.issues;
  return `This is not an answer of skblab fleet: ${fault?.path.join(".") ?? "it"}: ${fault?.message ?? "has another form"}.`;
}
