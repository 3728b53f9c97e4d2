// Processor time of each step of reading a memory image, and the memory it takes.
//   npm run build && node bench/image/phases.mjs IMAGE [nosearch]
import { openSync, readSync, statSync } from "node:fs";
import { openImage } from "../../dist/image/container/open.js";
import { readImage } from "../../dist/image/image.js";

const [file, nosearch] = process.argv.slice(2);
if (file === undefined) {
  console.error(
    "usage: node bench/image/phases.mjs IMAGE [nosearch]   (unpacked; bench/image/grow.mjs makes a large one)",
  );
  process.exit(2);
}
const fd = openSync(file, "r");
const source = { name: file, size: statSync(file).size, read: (at, into) => readSync(fd, into, 0, into.length, at) };
let step;
let before = process.cpuUsage();
const seconds = ({ user, system }) => ((user + system) / 1e6).toFixed(2);
const say = (what) => {
  if (what === step) return;
  if (step !== undefined) console.log(`${step.padEnd(32)}${seconds(process.cpuUsage(before)).padStart(8)} s`);
  step = what;
  before = process.cpuUsage();
};
const image = readImage(openImage([source]), { progress: say, pointers: nosearch === undefined });
say("end");
console.log(
  `${image.map.seen} struct pages, ${image.findings.list.length} findings, ${seconds(process.cpuUsage())} s in all, ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB at most`,
);
