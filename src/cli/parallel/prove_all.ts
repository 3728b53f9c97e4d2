// What `diagnose --prove` loads when there is something to prove: proofs and the threads that run them, together, so that the build makes one file of
// them (scripts/build-command.mjs).
export { proveAllWith } from "../../prove/prove.ts";
export { openPool } from "./pool.ts";
