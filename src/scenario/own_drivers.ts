// Drivers of their own files in a scenario: where they are named, so that a face can load them and say which names they have from then on.
import { parseDocument } from "yaml";
import { BadInput } from "../base/bad_input.ts";
import type { DriverMaker } from "../model/drivers/driver.ts";
import { giveDriver } from "../model/drivers/drivers.ts";
import type { OwnDriverOptions } from "../model/drivers/own_driver.ts";
import { driverProblem, ownDriver, settingsText } from "../model/drivers/own_driver.ts";

export type { DriverMaker } from "../model/drivers/driver.ts";

const fileEnds = [".mjs", ".js", ".ts", ".mts"];

/** Whether a driver's name is that of a file. */
export const isDriverFile = (name: unknown): name is string =>
  typeof name === "string" && fileEnds.some((end) => name.endsWith(end));

/**
 * The same settings with every driver's file under the name that `to` gives it: `driver: FILE`, in an experiment also `nics.0.driver: FILE`
 * and the values of a sweep over such a path.
 */
export function renameDriverFiles(given: unknown, to: (file: string) => string): unknown {
  const walk = (value: unknown, named: boolean): unknown => {
    if (named && isDriverFile(value)) return to(value);
    if (Array.isArray(value)) return value.map((v) => walk(v, named));
    if (typeof value !== "object" || value === null) return value;
    const swept = "path" in value && isDriverPath(value.path);
    return Object.fromEntries(
      Object.entries(value).map(([key, v]) => [key, walk(v, isDriverPath(key) || (swept && key === "values"))]),
    );
  };
  return walk(given, false);
}

const isDriverPath = (key: unknown): boolean =>
  typeof key === "string" && (key === "driver" || key.endsWith(".driver"));

/** The files of drivers that settings name, each once. */
export function driverFilesOf(settings: unknown): readonly string[] {
  const files = new Set<string>();
  renameDriverFiles(settings, (file) => {
    files.add(file);
    return file;
  });
  return [...files];
}

/** The same of a scenario's text; what is no YAML names none, and is told when it is read. */
export function driverFilesIn(text: string): readonly string[] {
  const doc = parseDocument(text, { prettyErrors: false });
  return doc.errors.length > 0 ? [] : driverFilesOf(doc.toJS({ maxAliasCount: 100 }));
}

/** What the schema says of these drivers' settings. */
export const ownSettingsText = (own: readonly DriverMaker[]): string => own.map(settingsText).join(" ");

const isDriver = (exported: unknown): exported is DriverMaker => driverProblem(exported) === undefined;

/** What a file exports as its driver, held to the contract; BadInput when it is none. */
export function driverOfFile(exported: unknown, options: OwnDriverOptions): DriverMaker {
  if (isDriver(exported)) return ownDriver(exported, options);
  throw new BadInput(
    `${driverProblem(exported)}.`,
    { file: options.file },
    "Write: export const driver = { name, features, make(parts, host, settings) { … } }, as in examples/drivers/mynic.mjs.",
  );
}

/** `driver: NAME` is this one from now on. */
export const nameDriver = (name: string, driver: DriverMaker): void => giveDriver(name, driver);
