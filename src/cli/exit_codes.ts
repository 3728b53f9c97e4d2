// What the exit codes mean: for the manual page, the reference, and whoever wonders. They are set where an answer is printed and in program.ts.

/** A code with its meaning. */
export const exitCodes: readonly (readonly [code: number, meaning: string])[] = [
  [0, "done"],
  [
    1,
    "a checking command found something: verify (the model differs), driver (a rule is broken), explore (a schedule goes wrong), pools (a leak or a stall), image (something is broken), layout (a search without a hit), diagnose --fail-on SEVERITY (an incident at least that bad)",
  ],
  [2, "usage, or input that cannot be read; one sentence says which"],
  [70, "a fault of skblab itself; the message says what to report"],
];
