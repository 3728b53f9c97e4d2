// What a kernel picks for its page allocator. A changed statement is a part of its own, named by what it does; a changed number or a single
// choice stands in the rules.
import type { AccountPart } from "./account/account.ts";
import type { FallbackPart } from "./fallback/fallback.ts";
import type { HighatomicPart } from "./highatomic/highatomic.ts";
import type { PcpPart } from "./pcp/pcp.ts";
import type { MmRules, RuleChoices } from "./rules.ts";

export interface MmParts {
  /** The numbers and named choices, for a policy and configuration. */
  rules(choices?: RuleChoices): MmRules;
  /** When free pages are counted. */
  readonly account: AccountPart;
  /** What a CPU keeps for itself. */
  readonly pcp: PcpPart;
  /** What happens when a type's lists are empty. */
  readonly fallback: FallbackPart;
  /** What is set apart for high-order atomic requests. */
  readonly highatomic: HighatomicPart;
}
