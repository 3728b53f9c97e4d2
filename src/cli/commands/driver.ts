// skblab driver: a driver of the model, or one that somebody wrote, held to the rules of memory.
import { BadInput } from "../../base/bad_input.ts";
import { driverDocument } from "../../report/driver.ts";
import { driverNames, type VerifyDriverOptions, verifyDriver } from "../../verify/driver.ts";
import { isAuthorFile } from "../author_file.ts";
import type { CommandSpec, Io } from "../command.ts";
import { loadDriver } from "../own_drivers.ts";

type DriverSettings = NonNullable<VerifyDriverOptions["settings"]>;

interface Options {
  readonly kernel: string;
  readonly mtu?: readonly number[];
  readonly queues: number;
  readonly set?: DriverSettings;
}

export const command: CommandSpec = {
  name: "driver",
  examples: [
    { line: "skblab driver examples/drivers/mynic.mjs", does: "tests a driver of your own" },
    { line: "skblab driver ringnic --queues 2 --set buffers=page_pool", does: "two queue pairs, each with a pool" },
    { line: "skblab driver tg3 --kernel 2.6.24-x86_64 --mtu 1500,9000", does: "a driver of the model, on its release" },
  ],
  configure(cmd, io) {
    cmd
      .argument("<driver>", `${driverNames.join(", ")}; or a file (.mjs, .ts, .js) that exports \`driver\``)
      .option("--kernel <release>", "the release it runs on", "6.1-x86_64")
      .option(
        "--mtu <list>",
        "MTUs to try, separated by commas (default: 1500, 4000 and 9000, where the driver takes them)",
        mtus,
      )
      .option("--queues <n>", "queue pairs of the card, over as many CPUs", queuePairs, 1)
      .option("--set <name=value>", "a setting of the driver; may be repeated", setting)
      .action((driver: string, options: Options) => check(driver, options, io));
  },
};

function mtus(text: string): readonly number[] {
  const all = text.split(",").map(Number);
  if (!/^\d+(,\d+)*$/.test(text) || all.some((n) => n < 68 || n > 65_521))
    throw new BadInput(`--mtu is "${text}"; it must be numbers from 68 to 65521, separated by commas.`);
  return all;
}

function queuePairs(text: string): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < 1 || n > 64)
    throw new BadInput(`--queues is "${text}"; it must be a whole number from 1 to 64.`);
  return n;
}

function setting(text: string, before: DriverSettings = {}): DriverSettings {
  const at = text.indexOf("=");
  if (at < 1) throw new BadInput(`--set is "${text}"; it must be a name, = and a value.`);
  const value = text.slice(at + 1);
  const read = /^\d{1,15}$/.test(value)
    ? Number(value)
    : value === "true" || value === "false"
      ? value === "true"
      : value;
  return { ...before, [text.slice(0, at)]: read };
}

async function check(name: string, options: Options, io: Io): Promise<void> {
  if (!driverNames.includes(name) && !isAuthorFile(name))
    throw new BadInput(
      `There is no driver "${name}" here.`,
      undefined,
      `Drivers: ${driverNames.join(", ")}; or a file that ends in .mjs, .ts or .js.`,
    );
  const driver = driverNames.includes(name) ? name : await loadDriver(name);
  const verdict = verifyDriver({
    driver,
    kernel: options.kernel,
    mtus: options.mtu ?? [1500, 4000, 9000],
    queues: options.queues,
    settings: options.set ?? {},
    progress: (done, of, mtu) => io.progress("refusing", Math.min(1, done / Math.max(1, of)), `MTU ${mtu}`),
  });
  io.progress("refusing", 1);
  await io.answer({
    document: driverDocument(verdict),
    json: { schema: "skblab.driver/1", ...verdict },
    exit: verdict.sound ? 0 : 1,
  });
}
