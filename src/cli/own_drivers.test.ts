import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { parseRelease } from "../kernel/release.ts";
import { checkDriver } from "../model/driver_check.ts";
import type { DriverMaker } from "../model/drivers/driver.ts";
import { giveDriver } from "../model/drivers/drivers.ts";
import { driverProblem, ownDriver } from "../model/drivers/own_driver.ts";
import { scenarioKinds } from "../scenario/kinds.ts";
import { runMachine } from "../scenario/machine_run.ts";
import { machineSchema } from "../scenario/machine_settings.ts";
import { driverFilesIn, renameDriverFiles } from "../scenario/own_drivers.ts";
import { readScenario } from "../scenario/read.ts";
import { stoppedAfter } from "./author_file.ts";

const mynic = join(import.meta.dirname, "../../examples/drivers/mynic.mjs");
const library = pathToFileURL(join(import.meta.dirname, "../index.ts")).href;
let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "own-driver-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

let written = 0;
/** The shipped example with a piece of it changed; the library is this very source. */
async function changed(from: string, to: string, millis = 30_000): Promise<DriverMaker> {
  const text = readFileSync(mynic, "utf8");
  expect(text).toContain(from);
  const file = join(dir, `nic${written++}.mjs`);
  writeFileSync(file, text.replace('from "skblab"', `from ${JSON.stringify(library)}`).replace(from, to));
  const url = pathToFileURL(file).href;
  const { driver }: { driver: unknown } = await import(/* @vite-ignore */ url);
  expect(driverProblem(driver)).toBeUndefined();
  return ownDriver(driver as DriverMaker, { file: "nic.mjs", url: file, guard: stoppedAfter(millis) });
}

const settings = (driver: string, more: object = {}) =>
  machineSchema.parse({
    release: "6.1-x86_64",
    memoryMb: 64,
    nics: [{ driver, settings: { rx_ring: 32 } }],
    millis: 5,
    ...more,
  });

/** What a run with that driver says of it. */
function faultOf(driver: DriverMaker): BadInput {
  giveDriver("nic.mjs", driver);
  try {
    runMachine(settings("nic.mjs"));
  } catch (error) {
    if (error instanceof BadInput) return error;
    throw error;
  }
  throw new Error("nothing was said");
}

describe("a driver of somebody's own in a machine", () => {
  test("runs in a scenario, and receives what the plain card of the model does", async () => {
    giveDriver("own.mjs", await changed("rx_dropped: 0", "rx_dropped: 0"));
    const [own, plain] = ["own.mjs", "ringnic"].map((driver) => runMachine(settings(driver)));
    expect(own?.received).toBe(plain?.received);
    expect(own?.received).toBeGreaterThan(50);
    expect(own?.devices[0]?.driver).toBe("mynic");
  });

  test("an exception is the author's: which function, which line", async () => {
    const wrong = "rx.buffer[slott]";
    const driver = await changed("rx.buffer[slot]", wrong);
    const line =
      readFileSync(join(dir, `nic${written - 1}.mjs`), "utf8")
        .split("\n")
        .findIndex((l) => l.includes(wrong)) + 1;
    const fault = faultOf(driver);
    expect(fault.message).toBe("poll() threw ReferenceError: slott is not defined.");
    expect(fault.place).toMatchObject({ file: "nic.mjs", line });
  });

  test("what the machine cannot do for a driver is told with the driver's line", async () => {
    const fault = faultOf(
      await changed(
        "frames.give(frame);\n            host",
        "frames.give(frame); frames.give(frame);\n            host",
      ),
    );
    expect(fault.message).toMatch(/^poll\(\) asked the machine for what cannot be: frame \d+ given back twice\.$/);
    expect(fault.place?.line).toBeGreaterThan(60);
  });

  test("a poll without an end is stopped with a sentence, in a run and in a check", async () => {
    const driver = await changed("let done = 0;", "let done = 0; for (;;);", 200);
    const fault = faultOf(driver);
    expect(fault.sentence()).toBe(
      "nic.mjs: poll() does not come back: it was stopped after 0.2 s. Look for a loop in it that has no end.",
    );
    expect(() => checkDriver({ driver, release: parseRelease("6.1-x86_64"), mtu: 1500 })).toThrow(
      /poll\(\) does not come back/,
    );
  });

  test("an interface that never comes up is stopped as well", async () => {
    expect(faultOf(await changed("bytes = host", "for (;;); bytes = host", 200)).message).toContain(
      "open() does not come back",
    );
  });

  test("a poll that is never done ends with a sentence; one that is done runs on", async () => {
    expect(faultOf(await changed("return done;", "return budget;", 5000)).message).toMatch(
      /handled 1000\d\d packets more than came and went/,
    );
  });

  test.each([
    ["return done;", "return;", /poll\(\) gave undefined; it must give the packets it handled, 0 \.\. 64/],
    ["return done;", "return done + 65;", /poll\(\) gave \d+; it must give/],
    ["return true;", "return 1;", /open\(\) gave 1; it must give true/],
    ["poll(budget) {", "pol(budget) {", /make\(\) gives a driver without poll\(\)/],
  ])("%s as %s", async (from, to, said) => {
    expect(faultOf(await changed(from, to)).message).toMatch(said);
  });

  test("a BUG of the kernel is a complaint, and the check counts it", async () => {
    const check = checkDriver({
      driver: await changed("frameBytes(frames, frame)", "99999", 5000),
      release: parseRelease("6.1-x86_64"),
      mtu: 1500,
    });
    expect(check.complaints.length).toBe(50);
    expect(check.complaints[0]).toMatchObject({ nth: 0, refused: "nothing" });
  });

  test("a driver that says what it takes is held to it; the message names place and setting", async () => {
    giveDriver("own.mjs", await changed("rx_dropped: 0", "rx_dropped: 0"));
    const text = "kind: machine\nnics:\n  - driver: own.mjs\n    settings: { rx_rings: 64 }\n";
    expect(() => readScenario("s.yaml", text, scenarioKinds)).toThrow("mynic has no such setting");
    const big = "kind: machine\nnics:\n  - driver: own.mjs\n    mtu: 9001\n";
    expect(() => readScenario("s.yaml", big, scenarioKinds)).toThrow(
      "own.mjs of 6.1-x86_64 refuses it: mtu 9001 is not between 68 and 9000",
    );
    expect(readScenario("s.yaml", big.replace("9001", "9000"), scenarioKinds).kind.kind).toBe("machine");
  });
});

describe("what a file must export", () => {
  const good = { name: "a", features: 0, make: () => undefined };
  test.each([
    [undefined, "it does not export a driver"],
    [{ ...good, name: 1 }, "its driver has no `name`"],
    [{ ...good, features: "sg" }, "a has no `features`: a number, 0 for none"],
    [{ ...good, make: 1 }, "a has no `make(parts, host, settings)`"],
    [{ ...good, settings: { x: { does: "x", otherwise: 1 } } }, /^setting x of a must be/],
    [
      { ...good, settings: { x: { does: "x", otherwise: 1, least: 0, most: 2 }, y: { does: "y", words: ["a"] } } },
      undefined,
    ],
    [good, undefined],
  ])("%j", (x, problem) => {
    if (problem instanceof RegExp) expect(driverProblem(x)).toMatch(problem);
    else expect(driverProblem(x)).toBe(problem);
  });
});

test("drivers' files are found wherever a scenario or an experiment names them, and nowhere else", () => {
  const text = [
    "kind: experiment",
    "question: is ./other.mjs better?",
    "base: { kind: machine, nics: [ { driver: ./a.mjs }, { driver: tg3 } ] }",
    "compare: [ { name: b.mjs, set: { nics.0.driver: b.mjs } }, { name: c, set: { nics.1.driver: c.ts } } ]",
    "sweep: [ { path: nics.0.driver, values: [ d.js, e1000 ] }, { path: nics.0.mtu, values: [ f.js ] } ]",
  ].join("\n");
  expect(driverFilesIn(text)).toEqual(["./a.mjs", "b.mjs", "c.ts", "d.js"]);
  expect(renameDriverFiles({ a: [{ driver: "x.mjs", name: "x.mjs" }] }, (f) => `dir/${f}`)).toEqual({
    a: [{ driver: "dir/x.mjs", name: "x.mjs" }],
  });
});
