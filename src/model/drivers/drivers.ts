// Every driver of the model: one line each. Beside them stand those that somebody gave, under a name of their own.
import { BadInput } from "../../base/bad_input.ts";
import { cards } from "./cards/makers.ts";
import type { DriverMaker } from "./driver.ts";
import { e1000 } from "./e1000.ts";
import { e1000e } from "./e1000e.ts";
import { ibmEmac } from "./ibm_emac.ts";
import { mvneta } from "./mvneta.ts";
import { driverProblem } from "./own_driver.ts";
import { ringnic } from "./ringnic.ts";
import { tg3 } from "./tg3.ts";
import { virtioNet } from "./virtio_net.ts";

export const drivers: readonly DriverMaker[] = [ringnic, e1000, e1000e, virtioNet, tg3, ibmEmac, mvneta, ...cards];

const given = new Map<string, DriverMaker>();

/**
 * From now on `driver: NAME` in a scenario, or a card of that driver, is this one; a second driver under a name takes its place. BadInput for what is
 * no driver.
 */
export function giveDriver(name: string, maker: DriverMaker): void {
  const problem = name === "" ? "a driver is given without a name" : driverProblem(maker);
  if (problem !== undefined) throw new BadInput(`giveDriver(): ${problem}.`);
  given.set(name, maker);
}

/** The driver of that name: one that was given, or one of the model. */
export const findDriver = (name: string): DriverMaker | undefined =>
  given.get(name) ?? drivers.find((d) => d.name === name);

/** The driver of that name; BadInput with the names there are. */
export function driverNamed(name: string): DriverMaker {
  const found = findDriver(name);
  if (found === undefined)
    throw new BadInput(
      `There is no driver "${name}" here.`,
      undefined,
      `Drivers: ${[...drivers.map((d) => d.name), ...given.keys()].join(", ")}; or a file of your own, such as ./mynic.mjs.`,
    );
  return found;
}
