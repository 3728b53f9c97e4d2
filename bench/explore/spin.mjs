// States per second beside spin, on the same story: skblab writes the Promela model, spin compiles it to C, both search it to its end
// with 128-bit states (spin: its own state vector), in turn, in one run. The number of states must be the same.
// Usage: node bench/explore/spin.mjs [runs]      needs spin and cc; run `npm run build` first
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promelaText } from "../../dist/explore/promela.js";
import { search } from "../../dist/explore/search.js";
import { lltxProgram, worldOf } from "../../dist/explore/stories/lltx.js";
import { schemes } from "../../dist/explore/stories/transmit.js";
import { inTemporaryFolder, median, result } from "../harness.mjs";

const runs = Number(process.argv[2] ?? 3);

await inTemporaryFolder((dir) => {
  const sh = (command, args) =>
    execFileSync(command, args, { cwd: dir, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  function spinFor(program, name) {
    writeFileSync(join(dir, `${name}.pml`), promelaText(program));
    sh("spin", ["-a", `${name}.pml`]);
    sh("cc", ["-O3", "-DSAFETY", "-DNOREDUCE", "-w", "-o", name, "pan.c"]);
    return () => {
      const text = sh(join(dir, name), ["-m500000", "-E"]);
      return {
        states: Number(/(\d+) states, stored/.exec(text)[1]),
        transitions: Number(/(\d+) transitions/.exec(text)[1]),
        seconds: Number(/elapsed time ([\d.]+)/.exec(text)[1]),
      };
    };
  }

  console.log("Same number of states (2 CPUs, ring 1):");
  for (const s of schemes) {
    const p = lltxProgram(s.id, worldOf(2, 1));
    const theirs = spinFor(p, `small_${s.id.replace(/\W/g, "_")}`)().states;
    const ours = search(p, { livelock: false }).states;
    console.log(`  ${s.id.padEnd(14)} ${ours} / ${theirs} ${ours === theirs ? "equal" : "DIFFER"}`);
    if (ours !== theirs) process.exitCode = 1;
  }
  for (const [id, ring] of [
    ["plain", 3],
    ["plain", 1],
    ["modern", 1],
  ]) {
    const p = lltxProgram(id, worldOf(4, ring));
    const pan = spinFor(p, `big_${id}_${ring}`);
    const ratios = [];
    const ourRates = [];
    const panRates = [];
    let states = 0;
    for (let i = 0; i < runs; i++) {
      const theirs = pan();
      const start = performance.now();
      const ours = search(p, { livelock: false, states: 30e6 });
      const seconds = (performance.now() - start) / 1000;
      if (ours.states !== theirs.states || !ours.complete)
        throw new Error(`${id}: ${ours.states} states, spin ${theirs.states}`);
      states = ours.states;
      ourRates.push(ours.states / seconds);
      panRates.push(theirs.states / theirs.seconds);
      ratios.push(theirs.seconds / seconds);
    }
    console.log(
      `lltx ${id}, 4 CPUs, ring ${ring}: ${states.toLocaleString("en-US")} states, ${p.bits} of 127 bits; skblab ${(median(ourRates) / 1e6).toFixed(2)} M/s, spin ${(median(panRates) / 1e6).toFixed(2)} M/s; ratio ${median(ratios).toFixed(2)} (median of ${runs} pairs, ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
    );
    result(`${id}, 4 CPUs, ring ${ring}: states a second, spin = 1`, median(ratios), { aim: 2, over: true });
  }
});
