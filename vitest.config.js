import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";
/** Files that take longest, longest first: begun last they would be waited for alone. */
const longest = [
    "src/cli/packaging.test.ts",
    "src/prove/agreement.test.ts",
    "src/cli/web_case.test.ts",
    "src/scenario/cases/cases.test.ts",
    "src/cli/web.test.ts",
    "src/verify/skb.test.ts",
    "src/cli/examples.test.ts",
    "src/image/mutated.test.ts",
    "src/cli/documented.test.ts",
    "src/cli/fleet/kubernetes.test.ts",
    "src/explore/lltx.test.ts",
];
class LongestFirst extends BaseSequencer {
    async sort(files) {
        const place = ({ moduleId }) => {
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
        testTimeout: 60_000,
        hookTimeout: 60_000,
        pool: "forks",
        // One more than the cores that are promised: tests of the page wait for Chromium, others for processes.
        maxWorkers: 3,
        sequence: { sequencer: LongestFirst },
    },
});
