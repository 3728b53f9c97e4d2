// The drivers: which is on a stack (seen.ts), and what is known of its receive path at a release.
import { factAt } from "../../release.ts";
import type { DriverFacts, RefillFailure, RxRule } from "./driver.ts";

export { drivers } from "./all.ts";
export type { DriverSeen, NetworkFrame, StackName } from "./seen.ts";
export {
  bareName,
  driverOfStack,
  foreignModule,
  isFunctionOf,
  isNetworkPlace,
  modulesOf,
  networkFrame,
  refillAsksFor,
  transmits,
} from "./seen.ts";

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
