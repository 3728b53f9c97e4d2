// A driver held to the rules of memory: model/driver_check.ts at every MTU it takes, on one release.
import { BadInput, wholeGiven } from "../base/bad_input.ts";
import { formatRelease, namedRelease } from "../kernel/release.ts";
import type { DriverCheck } from "../model/driver_check.ts";
import { checkDriver } from "../model/driver_check.ts";
import type { DriverMaker, DriverSettings } from "../model/drivers/driver.ts";
import { driverNamed, drivers } from "../model/drivers/drivers.ts";
import { createMachine } from "../model/machine.ts";

export interface VerifyDriverOptions {
  /** Name of a driver of the model, or your own. */
  readonly driver: string | DriverMaker;
  /** Like "6.1-x86_64". */
  readonly kernel: string;
  /** Bytes; those that the driver refuses are told in `refused`. */
  readonly mtus: readonly number[];
  readonly settings?: DriverSettings;
  /** Queue pairs of the card, over as many CPUs; 1 when left out. */
  readonly queues?: number;
  readonly progress?: (done: number, of: number, mtu: number) => void;
}

export interface DriverVerdict {
  readonly driver: string;
  readonly kernel: string;
  readonly queues: number;
  /** Nothing leaked, nothing was touched by two owners, the kernel said nothing, and it recovered, at every MTU. */
  readonly sound: boolean;
  readonly checks: readonly DriverCheck[];
  /** MTUs that the driver does not take, with what it says. */
  readonly refused: readonly { readonly mtu: number; readonly because: string }[];
}

/** Names of the drivers there are. */
export const driverNames: readonly string[] = drivers.map((d) => d.name);

/** BadInput for a driver or release that does not exist, numbers that no card has, or a driver that takes none of the MTUs. */
export function verifyDriver(options: VerifyDriverOptions): DriverVerdict {
  const maker = typeof options.driver === "string" ? driverNamed(options.driver) : options.driver;
  const release = namedRelease(options.kernel);
  const { settings = {}, queues = 1 } = options;
  for (const mtu of options.mtus) wholeGiven("An MTU", mtu, 1, 65_535);
  const checks: DriverCheck[] = [];
  const refused: { mtu: number; because: string }[] = [];
  for (const mtu of options.mtus) {
    const { devices } = createMachine({
      release,
      memoryMb: 64,
      nics: [{ driver: maker, settings, queues }],
      cpus: queues,
    });
    const said = devices[0]?.driver.changeMtu(mtu) ?? "";
    if (said !== "ok") {
      refused.push({ mtu, because: said });
      continue;
    }
    checks.push(
      checkDriver({
        driver: maker,
        release,
        mtu,
        settings,
        queues,
        progress: (done, of) => options.progress?.(done, of, mtu),
      }),
    );
  }
  if (checks.length === 0)
    throw new BadInput(
      `${maker.name} takes none of the MTUs ${options.mtus.join(", ")}: ${refused[0]?.because ?? "none was given"}.`,
    );
  return {
    driver: maker.name,
    kernel: formatRelease(release),
    queues,
    sound: checks.every(
      (c) => c.leaks.length + c.faults.length + c.complaints.length === 0 && c.recovered && c.received + c.taken > 0,
    ),
    checks,
    refused,
  };
}
