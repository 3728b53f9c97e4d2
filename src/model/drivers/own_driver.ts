// A driver that somebody wrote, between him and the machine: what it throws is told as his, with the line; what it answers is looked at;
// a poll that goes on and on while nothing arrives ends with a sentence.
import { type AuthorsFile, authorsFault } from "../../base/authors_fault.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { Driver } from "../net/path/netdevice.ts";
import type { DriverMaker, Guard, SettingSpec } from "./driver.ts";
import { defaultOf } from "./driver.ts";

export interface OwnDriverOptions extends AuthorsFile {
  /** Runs a stretch of the machine, and ends it when the driver does not come back: throws `late`, called with nothing. */
  readonly guard?: (call: () => unknown, late: () => BadInput) => unknown;
}

/** Packets that polls may claim beyond those that came and went: one that is never done claims its whole budget each time. */
const excessMost = 100_000;
const required = ["open", "stop", "changeMtu", "startXmit", "poll", "frameArrived", "ringFill"] as const;

/** Why something that a file exports is no driver, as a sentence; undefined when it is one. */
export function driverProblem(x: unknown): string | undefined {
  if (typeof x !== "object" || x === null) return "it does not export a driver";
  const maker: Partial<Record<keyof DriverMaker, unknown>> = x;
  if (typeof maker.name !== "string" || maker.name === "") return "its driver has no `name`";
  if (typeof maker.features !== "number") return `${maker.name} has no \`features\`: a number, 0 for none`;
  if (typeof maker.make !== "function") return `${maker.name} has no \`make(parts, host, settings)\``;
  const { settings, queuesMost } = maker;
  if (queuesMost !== undefined && typeof queuesMost !== "number")
    return `\`queuesMost\` of ${maker.name} is not a number`;
  if (settings === undefined) return undefined;
  if (typeof settings !== "object" || settings === null) return `the \`settings\` of ${maker.name} are not an object`;
  for (const [name, spec] of Object.entries(settings))
    if (!isSpec(spec))
      return `setting ${name} of ${maker.name} must be { does, otherwise, least, most }, { does, otherwise: true or false }, { does, words } or { does, mask }`;
  return undefined;
}

function isSpec(spec: unknown): spec is SettingSpec {
  if (typeof spec !== "object" || spec === null) return false;
  const { does, otherwise, least, most, words, mask }: Record<string, unknown> = { ...spec };
  if (typeof does !== "string") return false;
  if (Array.isArray(words)) return words.length > 0 && words.every((w) => typeof w === "string");
  return (
    typeof mask === "string" ||
    typeof otherwise === "boolean" ||
    (typeof otherwise === "number" && typeof least === "number" && typeof most === "number" && least <= most)
  );
}

/** The driver as the machine takes it. BadInput, with the file and where it is known the line, for whatever goes wrong in it. */
export function ownDriver(maker: DriverMaker, options: OwnDriverOptions): DriverMaker {
  const { file, guard } = options;
  /** Which function of the driver runs. */
  let inside = "make()";
  const late = (): BadInput =>
    new BadInput(`${inside} does not come back.`, { file }, "Look for a loop in it that has no end.");
  const told = <T>(name: string, call: () => T): T => {
    const outer = inside;
    inside = name;
    try {
      const result = call();
      inside = outer;
      return result;
    } catch (error) {
      throw authorsFault(error, name, options);
    }
  };
  const guarded: Guard | undefined =
    guard === undefined
      ? undefined
      : (call) => {
          guard(call, late);
        };
  /** What is called from outside the machine's clock, and seldom. */
  const seldom: Told = (name, call) => {
    const result: ReturnType<typeof call>[] = [];
    const run = (): void => void result.push(told(name, call));
    if (guarded === undefined) run();
    else guarded(run);
    return result[0] as ReturnType<typeof call>;
  };
  return {
    ...maker,
    ...(guarded === undefined ? {} : { guard: guarded }),
    make(parts, host, settings) {
      const driver = seldom("make()", () => maker.make(parts, host, settings));
      const missing = required.find((name) => typeof driver?.[name] !== "function");
      if (missing !== undefined) throw new BadInput(`make() gives a driver without ${missing}().`, { file });
      return watched(driver, file, told, seldom);
    },
  };
}

type Told = <T>(name: string, call: () => T) => T;

function watched(driver: Driver, file: string, told: Told, seldom: Told): Driver {
  /** Packets that polls said they handled, less the frames that came and the packets that were to go. */
  let excess = 0;
  const wrong = (name: string, gave: unknown, must: string): BadInput =>
    new BadInput(
      `${name} gave ${typeof gave === "string" ? JSON.stringify(gave) : String(gave)}; it must give ${must}.`,
      { file },
    );
  const poll = (budget: number): number => {
    const work: unknown = told("poll()", () => driver.poll(budget));
    if (typeof work !== "number" || !Number.isInteger(work) || work < 0 || work > budget)
      throw wrong("poll()", work, `the packets it handled, 0 .. ${budget}`);
    excess += work;
    if (excess > excessMost)
      throw new BadInput(
        `poll() said by now that it handled ${excess} packets more than came and went.`,
        { file },
        "It must give the packets it handled, and so less than the budget when it is done.",
      );
    return work;
  };
  return {
    // What it offers beside the contract stays as it is, bound to it.
    ...driver,
    name: driver.name ?? file,
    counters: driver.counters ?? {},
    open() {
      const up: unknown = seldom("open()", () => driver.open());
      if (typeof up !== "boolean") throw wrong("open()", up, "true, or false when it got no memory");
      return up;
    },
    stop: () => seldom("stop()", () => driver.stop()),
    changeMtu(mtu) {
      const said: unknown = seldom("changeMtu()", () => driver.changeMtu(mtu));
      if (typeof said !== "string") throw wrong("changeMtu()", said, '"ok", "no memory", or why the MTU cannot be');
      return said;
    },
    startXmit(skb) {
      excess--;
      const rc: unknown = told("startXmit()", () => driver.startXmit(skb));
      if (typeof rc !== "number") throw wrong("startXmit()", rc, "netdevTx.ok or netdevTx.busy");
      return rc;
    },
    poll,
    frameArrived(frame) {
      excess--;
      told("frameArrived()", () => driver.frameArrived(frame));
    },
    ringFill: () => told("ringFill()", () => driver.ringFill()),
    ...(driver.draw === undefined
      ? {}
      : { draw: (slots?: number) => told("draw()", () => driver.draw?.(slots) ?? "") }),
    ...(driver.setRxMode === undefined
      ? {}
      : { setRxMode: (multicasts?: number) => seldom("setRxMode()", () => driver.setRxMode?.(multicasts)) }),
  };
}

/** Settings with what each does and takes, in one line: `tg3: rx_ring (receive ring, descriptors; 200), …` */
export function settingsText(driver: DriverMaker): string {
  const each = Object.entries(driver.settings ?? {}).map(
    ([name, spec]) => `${name} (${spec.does}; ${"words" in spec ? spec.words.join(" | ") : defaultOf(spec)})`,
  );
  return `${driver.name}: ${each.join(", ")}.`;
}
