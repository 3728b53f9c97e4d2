// What a kernel picks for its page allocator. A changed statement is a part of its own, named by what it does; a changed number stands in the rules.
import type { MmRules, RuleChoices } from "./rules.ts";

export interface MmParts {
  /** The numbers and named choices, for a policy and configuration. */
  rules(choices?: RuleChoices): MmRules;
}
