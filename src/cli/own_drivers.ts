// Drivers that somebody wrote: a file is loaded, its driver held to the contract and given to the model under a name; a loop in it that has
// no end is stopped after a while.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { DriverMaker } from "../scenario/own_drivers.ts";
import { driverFilesIn, driverFilesOf, driverOfFile, nameDriver } from "../scenario/own_drivers.ts";
import type { Scenario } from "../scenario/read.ts";
import { readScenario } from "../scenario/read.ts";
import { loadAuthorFile, patienceMillis, stoppedAfter } from "./author_file.ts";
import { wholeText } from "./input/whole.ts";

/** The driver that a file exports as `driver`; BadInput when it is none. */
export async function loadDriver(file: string, millis = patienceMillis): Promise<DriverMaker> {
  const { driver } = await loadAuthorFile(file, "");
  return driverOfFile(driver, { file, url: pathToFileURL(resolve(file)).href, guard: stoppedAfter(millis) });
}

/** Loads the drivers' files that settings name, each under its path. */
export async function loadDriversOf(settings: unknown): Promise<readonly DriverMaker[]> {
  const loaded: DriverMaker[] = [];
  for (const file of driverFilesOf(settings)) {
    const maker = await loadDriver(file);
    nameDriver(file, maker);
    loaded.push(maker);
  }
  return loaded;
}

/** A scenario with the drivers that it names by file, which lie where the scenario's own path leads: `./mynic.mjs` beside it. */
export async function openScenario(
  file: string,
  kinds: Parameters<typeof readScenario>[2],
): Promise<Scenario & { readonly drivers: readonly DriverMaker[] }> {
  const text = wholeText(file);
  const pathOf = (driver: string): string => (file === "-" ? driver : join(dirname(file), driver));
  const drivers = await loadDriversOf(driverFilesIn(text).map((driver) => ({ driver: pathOf(driver) })));
  return { ...readScenario(file, text, kinds, pathOf), drivers };
}

/** What stands in the drivers' files of settings: results of one text are not those of another. */
export function driverDigests(settings: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    driverFilesOf(settings).map((file) => [
      file,
      createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 16),
    ]),
  );
}
