// The scenario kind of whole machines.
import type { ScenarioKind } from "./kind.ts";
import { checkMachine, checkMtus } from "./machine_check.ts";
import { machineMetrics, metricsOf } from "./machine_metrics.ts";
import type { MachineResult, Onlooker } from "./machine_run.ts";
import { runMachine } from "./machine_run.ts";
import type { MachineSettings } from "./machine_settings.ts";
import { machineSchema } from "./machine_settings.ts";

export const machineKind: ScenarioKind = {
  kind: "machine",
  summary: "a machine with network cards, traffic into it, and whatever else uses its memory",
  schema: machineSchema,
  check(settings) {
    checkMachine(settings as MachineSettings);
    checkMtus(settings as MachineSettings);
  },
  run: (settings) => runMachine(settings as MachineSettings),
  watch: (settings, onlooker: Onlooker) => runMachine(settings as MachineSettings, onlooker),
  shortest: { millis: 0.001, load: undefined, workloads: [], warmMillis: 0, sampleMillis: 1 },
  measure: (result) => metricsOf(result as MachineResult),
  metrics: machineMetrics,
};
