// The programs of examples/ run as their first lines say, against the built package.

import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { isLong, oneIn } from "../base/size.testkit.ts";
import { runAuthors } from "./author_file.ts";
import { runMain } from "./main.testkit.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const node = (...args: readonly string[]) =>
  spawnSync(process.execPath, [...args], { cwd: root, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });

test("examples/library/explain.mjs prints the findings of the log that comes with skblab", () => {
  const out = execFileSync(process.execPath, ["examples/library/explain.mjs"], { cwd: root, encoding: "utf8" });
  expect(out).toMatch(/1 x Bad page state of pfn 0x80db/);
  expect(out).toMatch(/bad_page\.double_free: yes \(line 1, 2, 3\)/);
});

test("examples/library/machine.mjs: a ring of jumbo frames takes blocks of order 3 on 2.6.24 and single pages on 6.1", () => {
  const [old, now] = execFileSync(process.execPath, ["examples/library/machine.mjs"], { cwd: root, encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes("asked for"));
  expect(old).toMatch(/255 of order 3/);
  expect(now).toMatch(/asked for \d+ of order 0$/);
});

const cli = join(process.env["SKBLAB_DIST"] ?? join(root, "dist"), "cli/main.js");

test("a driver's file runs in a scenario, and in the threads of an experiment, from wherever the scenario lies", () => {
  const run = node(cli, "run", "examples/drivers/mynic.yaml", "--format", "json");
  expect(JSON.parse(run.stdout).runs[0].result.devices[0]).toMatchObject({ driver: "mynic", mtu: 9000, up: true });
  if (!isLong) return;
  const dir = mkdtempSync(join(tmpdir(), "skblab-"));
  copyFileSync(join(root, "examples/drivers/mynic.mjs"), join(dir, "mynic.mjs"));
  const experiment = `kind: experiment
seeds: 2
base: { kind: machine, memoryMb: 64, millis: 2, nics: [ { driver: ringnic } ] }
metrics: [goodputMbit, ringDrops]
compare:
  - { name: plain, set: { nics.0.settings: { rx_ring: 64 } } }
  - { name: mine, set: { nics.0.driver: ./mynic.mjs, nics.0.settings: { rx_ring: 64 } } }
`;
  writeFileSync(join(dir, "e.yaml"), experiment);
  const compared = node(cli, "experiment", join(dir, "e.yaml"), "--format", "json", "--jobs", "2");
  expect(compared.stderr).not.toContain("fault");
  const [plain, mine] = JSON.parse(compared.stdout).result.rows;
  expect(mine.metrics.goodputMbit.median.estimate).toBe(plain.metrics.goodputMbit.median.estimate);
  writeFileSync(
    join(dir, "mynic.mjs"),
    `${readFileSync(join(dir, "mynic.mjs"), "utf8").replace("rx.arrived()", "rx.arive()")}`,
  );
  const broken = node(cli, "experiment", join(dir, "e.yaml"), "--jobs", "2");
  expect(broken.stderr).toMatch(/mynic\.mjs:\d+:\d+: poll\(\) threw TypeError: rx\.arive is not a function\./);
  expect(broken.status).toBe(2);
});

describe("what goes wrong in an author's file is told as the author's, with its line", () => {
  const story = readFileSync(join(root, "examples/stories/story.ts"), "utf8");
  const wait = "yield wait(stopped";
  const wrong: readonly (readonly [why: string, text: string, said: RegExp])[] = [
    [
      "throws",
      story.replace(wait, `null.x; ${wait}`),
      /s\.mjs:20:14: the story threw TypeError: Cannot read properties of null/,
    ],
    [
      "does not come back",
      story.replace(wait, `for (;;); ${wait}`),
      /s\.mjs: the story does not come back: it was stopped after 10 s\./,
    ],
    [
      "announces for ever",
      story.replace(wait, `for (;;) yield write(used, 1); ${wait}`),
      /s\.mjs: Story my driver, task xmit: .*still no end\. Wait/,
    ],
    [
      "names a comparison that is none",
      story.replace('"==", 0', '"=", 0'),
      /s\.mjs:20:15: wait\(\): compare is "="; it must be/,
    ],
    [
      "throws as it is loaded",
      story.replace("(s) => {", "(s) => { null.x;"),
      /s\.mjs:6:\d+: It cannot be loaded: Cannot read/,
    ],
    [
      "cannot be parsed",
      story.replace(wait, `let a = ; ${wait}`),
      /s\.mjs:20: It cannot be loaded: Unexpected token ';'/,
    ],
  ];
  // The ten seconds are waited for in the long run; below they are a fifth of one.
  test.each(oneIn(3, wrong).filter(([why]) => isLong || why !== "does not come back"))(
    "a story that %s",
    (_why, text, said) => {
      expect(text).not.toBe(story);
      const file = join(mkdtempSync(join(tmpdir(), "skblab-")), "s.mjs");
      writeFileSync(file, text);
      const run = node(cli, "explore", file);
      expect(run.stderr).toMatch(said);
      expect(run.status).toBe(2);
    },
  );
});

test("a story that does not come back is stopped, however long that is waited for", () => {
  const endless = (): never => {
    for (;;);
  };
  expect(() => runAuthors("s.mjs", "the story", endless, 200)).toThrow(
    "the story does not come back: it was stopped after 0.2 s.",
  );
});

describe("skblab driver", () => {
  test("finds the example sound", () => {
    const sound = node(cli, "driver", "examples/drivers/mynic.mjs", "--mtu", "1500", "--format", "json");
    expect(JSON.parse(sound.stdout)).toMatchObject({ schema: "skblab.driver/1", driver: "mynic", sound: true });
    expect(sound.status).toBe(0);
    if (!isLong) return;
    const story = node(cli, "explore", "examples/drivers/mynic.mjs", "--format", "json");
    expect(JSON.parse(story.stdout)).toMatchObject({ complete: true, findings: [] });
  });

  test.runIf(isLong)("finds the leak when the line is taken out that the file names", () => {
    const text = readFileSync(join(root, "examples/drivers/mynic.mjs"), "utf8");
    const broken = text.replace(/mynic\.stop\(\); \/\/ take this line out.*/, "");
    expect(broken).not.toBe(text);
    const file = join(mkdtempSync(join(tmpdir(), "skblab-")), "broken.mjs");
    writeFileSync(file, broken);
    const leaky = node(cli, "driver", file, "--mtu", "1500");
    expect(leaky.stdout).toMatch(/Not sound: \d+ of \d+ lives left memory behind/);
    expect(leaky.stdout).toMatch(/for\s+mynic_alloc_rx\s+<\s+mynic_open\s+was\s+refused/);
    expect(leaky.status).toBe(1);
  });

  test.each([
    [["nope"], /There is no driver "nope" here\. Drivers: ringnic, /],
    [["nope.mjs"], /nope\.mjs: There is no such file/],
    [["tidy.ts", "--mtu", "9"], /--mtu is "9"/],
    [["ibm_emac", "--kernel", "2.6.29-ppc32", "--mtu", "65000"], /ibm_emac takes none of the MTUs 65000/],
  ])("says what is wrong with %j, exit 2", async (args, sentence) => {
    const { err, exit } = await runMain(["driver", ...args]);
    expect(err).toMatch(sentence);
    expect(exit).toBe(2);
  });
  // Here TypeScript can be loaded: the program itself is asked.
  test("says that a file is no driver, exit 2", () => {
    const run = node(cli, "driver", "examples/library/../../vitest.config.ts");
    expect(run.stderr).toMatch(/vitest\.config\.ts: /);
    expect(run.status).toBe(2);
  });
});
