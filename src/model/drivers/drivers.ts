// Every driver of the model: one line each.
import { BadInput } from "../../base/bad_input.ts";
import type { DriverMaker } from "./driver.ts";
import { e1000 } from "./e1000.ts";
import { e1000e } from "./e1000e.ts";
import { ibmEmac } from "./ibm_emac.ts";
import { mvneta } from "./mvneta.ts";
import { ringnic } from "./ringnic.ts";
import { tg3 } from "./tg3.ts";
import { virtioNet } from "./virtio_net.ts";

export const drivers: readonly DriverMaker[] = [ringnic, e1000, e1000e, virtioNet, tg3, ibmEmac, mvneta];

/** The driver of that name; BadInput with the names there are. */
export function driverNamed(name: string): DriverMaker {
  const found = drivers.find((d) => d.name === name);
  if (found === undefined)
    throw new BadInput(
      `There is no driver "${name}" here.`,
      undefined,
      `Drivers: ${drivers.map((d) => d.name).join(", ")}.`,
    );
  return found;
}
