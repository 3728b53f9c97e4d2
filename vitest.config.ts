import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files that take longest, longest first: begun last they would be waited for alone. */
const longest = [
  "src/cli/packaging.test.ts",
  "src/prove/agreement.test.ts",
  "src/cli/web.test.ts",
  "src/cli/web_case.test.ts",
  "src/cli/web_ways.test.ts",
  "src/cli/examples.test.ts",
  "src/scenario/cases/cases.test.ts",
  "src/verify/skb.test.ts",
  "src/image/mutated.test.ts",
  "src/cli/bad_inputs.test.ts",
  "src/cli/documented.test.ts",
  "src/cli/fleet/kubernetes.test.ts",
  "src/explore/lltx.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = longest.findIndex((name) => moduleId.endsWith(name));
      return at < 0 ? longest.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "src/**/*.fuzz.ts"],
    setupFiles: ["src/cli/function_index.testkit.ts"],
    // They guard against what never ends: a machine that is busy with other things must not fail a test.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: "forks",
    // A process takes file after file: what they import is loaded once, and warm. Who changes what a process has in common puts it back.
    isolate: false,
    // Node loads the modules itself: vite's runner makes a call of each use of an import, and sends each file from process to process.
    experimental: { viteModuleRunner: false, nodeLoader: false },
    execArgv: ["--import", join(import.meta.dirname, "scripts/tests/typescript.mjs")],
    // One more than the cores that are promised: tests of the page wait for Chromium, others for processes.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
  },
});
