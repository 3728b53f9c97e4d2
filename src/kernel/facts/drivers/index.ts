// Every driver whose facts are known, and how one is recognised from the frames of a stack.
import { factAt } from "../../release.ts";
import type { DriverFacts, DriverSymbol, FrameRole, RefillFailure, RxRule } from "./driver.ts";
import { e1000 } from "./e1000.ts";
import { e1000e } from "./e1000e.ts";
import { bcmgenet, mvneta, r8169 } from "./embedded.ts";
import { hvNetvsc, xenNetfront } from "./hypervisors.ts";
import { ibmEmac } from "./ibm_emac.ts";
import { i40e, igb, ixgbe } from "./intel_pages.ts";
import { mlx5 } from "./mlx5.ts";
import { tg3 } from "./tg3.ts";
import { asix, ax88179, cdcNcm, r8152, smsc95xx, usbnet } from "./usb.ts";
import { virtioNet } from "./virtio_net.ts";

export const drivers: readonly DriverFacts[] = [
  tg3,
  ibmEmac,
  e1000,
  e1000e,
  igb,
  ixgbe,
  i40e,
  mlx5,
  virtioNet,
  xenNetfront,
  hvNetvsc,
  asix,
  ax88179,
  smsc95xx,
  cdcNcm,
  usbnet,
  r8152,
  mvneta,
  bcmgenet,
  r8169,
];

/** A frame as far as drivers need it. */
export interface StackName {
  readonly function: string;
  readonly module?: string | undefined;
  readonly reliable: boolean;
}

/** A driver seen in a stack: what its innermost telling frame does, and the index of that frame. */
export interface DriverSeen {
  readonly driver: DriverFacts;
  readonly role: FrameRole | undefined;
  readonly frame: number;
}

/** Compilers append `.constprop.0`, `.isra.3`, `.part.1`, `.cold`, `.clone.2`, `.cfi_jt` to a function's name. */
export const bareName = (name: string): string => name.replace(/(\.[a-z_]+(\.\d+)*)+$/, "");

function symbolOf(driver: DriverFacts, name: string): DriverSymbol | undefined {
  const bare = bareName(name);
  return (
    driver.symbols.find((s) => s.prefix !== true && s.name === bare) ??
    driver.symbols.find((s) => s.prefix === true && bare.startsWith(s.name))
  );
}

/**
 * The driver that a stack names, or undefined. A module tag decides; else a name no other driver defines; a shared name decides only
 * when nothing else does and it belongs to one driver alone here. Frames innermost first; unreliable ones count half.
 */
export function driverOfStack(frames: readonly StackName[]): DriverSeen | undefined {
  let best: DriverSeen | undefined;
  let bestScore = 0;
  let tied = false;
  for (const driver of drivers) {
    let score = 0;
    let seen: { symbol: DriverSymbol; frame: number } | undefined;
    frames.forEach((f, frame) => {
      const symbol = symbolOf(driver, f.function);
      const byModule = f.module !== undefined && driver.modules.includes(f.module);
      if (f.module !== undefined && !byModule && symbol !== undefined) return;
      if (symbol === undefined && !byModule) return;
      score += (byModule ? 16 : symbol?.shared === true ? 1 : 4) * (f.reliable ? 1 : 0.5);
      if (symbol?.role !== undefined && (seen === undefined || (seen.symbol.role === undefined && f.reliable)))
        seen = { symbol, frame };
      else if (seen === undefined && symbol !== undefined) seen = { symbol, frame };
    });
    if (score > bestScore && seen !== undefined) {
      best = { driver, role: seen.symbol.role, frame: seen.frame };
      bestScore = score;
      tied = false;
    } else if (score === bestScore && score > 0 && seen !== undefined) {
      if (driver.family !== undefined && best !== undefined && driver.family.includes(best.driver)) {
        best = { driver, role: seen.symbol.role, frame: seen.frame };
        tied = false;
      } else if (best?.driver.family?.includes(driver) !== true) tied = true;
    }
  }
  return tied ? undefined : best;
}

/** How the driver makes receive buffers at a release; undefined before it existed. */
export const rxRuleAt = (
  driver: DriverFacts,
  version: readonly number[],
): { rule: RxRule; source: string } | undefined => {
  const fact = factAt(driver.rx, version);
  return fact === undefined ? undefined : { rule: fact.value, source: fact.source };
};

/** What the driver does when a refill fails at a release. */
export const failureAt = (driver: DriverFacts, version: readonly number[]): RefillFailure | undefined =>
  factAt(driver.failure, version)?.value;
