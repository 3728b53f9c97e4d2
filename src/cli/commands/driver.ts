// skblab driver: a driver of the model, or one that somebody wrote, held to the rules of memory.
import { BadInput } from "../../base/bad_input.ts";
import { driverDocument } from "../../report/driver.ts";
import { driverNames, verifyDriver } from "../../verify/driver.ts";
import { isAuthorFile } from "../author_file.ts";
import type { CommandSpec, Io } from "../command.ts";
import { loadDriver } from "../own_drivers.ts";

interface Options {
  readonly kernel: string;
  readonly mtu?: readonly number[];
}

export const command: CommandSpec = {
  name: "driver",
  examples: [
    { line: "skblab driver examples/drivers/mynic.mjs", does: "puts a driver of your own to the test" },
    { line: "skblab driver tg3 --kernel 2.6.24-x86_64 --mtu 1500,9000", does: "a driver of the model, on its release" },
  ],
  configure(cmd, io) {
    cmd
      .argument("<driver>", `${driverNames.join(", ")}; or a file (.mjs, .ts, .js) that exports \`driver\``)
      .option("--kernel <release>", "the release it runs on", "6.1-x86_64")
      .option("--mtu <list>", "MTUs to try, with commas (default: those of 1500, 4000 and 9000 that it takes)", mtus)
      .action((driver: string, options: Options) => check(driver, options, io));
  },
};

function mtus(text: string): readonly number[] {
  const all = text.split(",").map(Number);
  if (!/^\d+(,\d+)*$/.test(text) || all.some((n) => n < 68 || n > 65_521))
    throw new BadInput(`--mtu is "${text}"; it must be numbers 68 .. 65521 with commas between them.`);
  return all;
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
    progress: (done, of, mtu) => io.progress("refusing", Math.min(1, done / Math.max(1, of)), `MTU ${mtu}`),
  });
  io.progress("refusing", 1);
  await io.answer({
    document: driverDocument(verdict),
    json: { schema: "skblab.driver/1", ...verdict },
    exit: verdict.sound ? 0 : 1,
  });
}
