// The indexed Job is checked against the schema that Kubernetes publishes (fixtures/kubernetes/job.schema.json), as strictly as `kubectl apply
// --validate=strict`: unknown fields are errors. What it runs in a pod is run here, with the pod's index in the environment.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import { isLong } from "../../base/size.testkit.ts";
import { main, smallSweep } from "../process.testkit.ts";

const root = join(import.meta.dirname, "../../..");
const manifest = readFileSync(join(root, "packaging/kubernetes/skblab-parts.yaml"), "utf8");
const folder = mkdtempSync(join(tmpdir(), "skblab-kubernetes-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}
const published = JSON.parse(readFileSync(join(root, "fixtures/kubernetes/job.schema.json"), "utf8")) as {
  readonly definitions: Readonly<Record<string, Schema>>;
};

/** What is wrong with a value, with the path to it. */
function faults(value: unknown, schema: Schema, path: string): string[] {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace("#/definitions/", "");
    const own = published.definitions[name];
    if (own === undefined) throw new Error(`no definition of ${name}`);
    // Quantities are strings that YAML may take for numbers.
    if (name.endsWith(".Quantity")) return ["string", "number"].includes(typeof value) ? [] : [`${path}: no quantity`];
    return faults(value, own, path);
  }
  if (schema.format === "int-or-string") return ["string", "number"].includes(typeof value) ? [] : [`${path}: neither`];
  switch (schema.type) {
    case "array":
      return Array.isArray(value)
        ? value.flatMap((v, i) => faults(v, schema.items ?? {}, `${path}[${i}]`))
        : [`${path}: no list`];
    case "string":
    case "boolean":
      return typeof value === schema.type ? [] : [`${path}: no ${schema.type}`];
    case "integer":
      return Number.isInteger(value) ? [] : [`${path}: no integer`];
    case "number":
      return typeof value === "number" ? [] : [`${path}: no number`];
    default:
      return fieldFaults(value, schema, path);
  }
}

function fieldFaults(value: unknown, schema: Schema, path: string): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${path}: no object`];
  const missing = (schema.required ?? []).filter((r) => !(r in value)).map((r) => `${path}.${r}: missing`);
  return [
    ...missing,
    ...Object.entries(value).flatMap(([key, v]) => {
      const own = schema.properties?.[key] ?? schema.additionalProperties;
      return own === undefined ? [`${path}.${key}: unknown`] : faults(v, own, `${path}.${key}`);
    }),
  ];
}

const job = (text: string): string[] => faults(parse(text), { $ref: "#/definitions/io.k8s.api.batch.v1.Job" }, "job");

test("the manifest is a Job by the published schema, and a misspelt field, a wrong type or a lost field would be seen", () => {
  expect(job(manifest)).toEqual([]);
  expect(job(manifest.replace("completionMode", "completionsMode"))).toEqual(["job.spec.completionsMode: unknown"]);
  expect(job(manifest.replace("completions: 16", "completions: sixteen"))).toEqual([
    "job.spec.completions: no integer",
  ]);
  expect(job(manifest.replace(/ {12}claimName: .*\n/, ""))).not.toEqual([]);
});

test("it is indexed, as many parts are read as there are completions, and the image and its node are the Containerfile's", () => {
  const { spec } = parse(manifest) as Manifest;
  const [container] = spec.template.spec.containers;
  expect([spec.completionMode, spec.completions]).toEqual(["Indexed", spec.parallelism]);
  expect(container?.args[0]).toContain(`/${spec.completions}\``);
  const file = readFileSync(join(root, "packaging/Containerfile"), "utf8");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  expect([container?.image, file.includes("/app")]).toEqual([`skblab:${version}`, true]);
});

test.runIf(isLong)(
  "what the pods run, run here, for a fleet and for a sweep: the parts join to what one run says",
  () => {
    const [logs, sweep] = [join(folder, "logs"), join(folder, "sweep.yaml")];
    for (let h = 0; h < 3; h++) {
      mkdirSync(join(logs, `web${h}`), { recursive: true });
      copyFileSync(join(root, "fixtures/logs/e1000_refill_6.1.txt"), join(logs, `web${h}/dmesg.txt`));
    }
    writeFileSync(sweep, smallSweep);
    const { spec } = parse(manifest) as Manifest;
    const [script = "", ...words] = spec.template.spec.containers[0]?.args ?? [];
    expect(words).toEqual(["fleet", "/data/logs"]);
    const skblab = (...command: string[]): string =>
      execFileSync(process.execPath, [main, ...command, "--format", "json"], { encoding: "utf8", stdio: "pipe" });
    const joined = (...command: string[]): string => {
      const out = join(folder, `results of ${command[0]}`);
      const own = script
        .replaceAll("/data/results", out)
        .replaceAll("/app/dist/cli/main.js", main)
        .replace(`/${spec.completions}\``, "/2`");
      for (const index of [0, 1])
        execFileSync(process.execPath, ["-e", own, ...command], {
          env: { ...process.env, JOB_COMPLETION_INDEX: String(index) },
          stdio: "pipe",
        });
      return skblab("merge", out);
    };
    expect(joined("fleet", logs)).toBe(skblab("fleet", logs));
    expect(joined("experiment", sweep)).toBe(skblab("experiment", sweep));
  },
);

interface Manifest {
  readonly spec: {
    readonly completions: number;
    readonly parallelism: number;
    readonly completionMode: string;
    readonly template: {
      readonly spec: { readonly containers: readonly { readonly image: string; readonly args: readonly string[] }[] };
    };
  };
}
