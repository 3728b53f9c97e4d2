// What a receive buffer of each driver takes, at every MTU that the card has and on every release that was read: kept in fixtures/answers/buffers.json,
// as the MTUs at which something changes, and to the byte at some. A number of a driver that is put right shows there which MTUs and releases it was
// wrong for.
//   ANSWERS=write npx vitest run src/kernel/facts/drivers/buffers.test.ts    writes it anew
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { drivers } from "./all.ts";
import type { BufferRequest, DriverFacts, RxMachine, RxRule } from "./driver.ts";

const kept = join(import.meta.dirname, "../../../../fixtures/answers/buffers.json");
/** The machines of most reports: x86_64, and pages of 64 KiB. */
const machines: Readonly<Record<string, RxMachine>> = {
  "4 KiB": { pageSize: 4096, cacheLine: 64, netSkbPad: 64, netIpAlign: 0, sharedInfo: 320 },
  "64 KiB": { pageSize: 65_536, cacheLine: 128, netSkbPad: 128, netIpAlign: 0, sharedInfo: 384 },
};

/** Every number that drivers compute with is another here: none can be taken for another, or left out. */
const oldBoard: RxMachine = { pageSize: 4096, cacheLine: 32, netSkbPad: 16, netIpAlign: 2, sharedInfo: 340 };

/** A standard frame with its pads just fits half a page beside shared info, or one byte does not. */
const justFits: readonly RxMachine[] = [192, 193].map((netSkbPad) => ({
  pageSize: 4096,
  cacheLine: 64,
  netSkbPad,
  netIpAlign: 0,
  sharedInfo: 320,
}));

/** Pages of just 8 KiB, as of no architecture that these drivers are built for and as their sources compare with (PAGE_SIZE < 8192). */
const eightKb: RxMachine = { pageSize: 8192, cacheLine: 64, netSkbPad: 64, netIpAlign: 0, sharedInfo: 320 };

/** Of a size the power of two that holds it: a step is where a larger object or block is wanted. */
const room = (bytes: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, bytes)));
const piece = ({ call, order, holds, count }: BufferRequest, size: string): string =>
  `${count === undefined ? "" : `${count} x `}${call} ${size}${order === undefined ? "" : ` order ${order}`} (${holds})`;
const said = (pieces: readonly BufferRequest[]): string =>
  pieces.map((p) => piece(p, `up to ${room(p.bytes)}`)).join(" + ");
const exactly = (pieces: readonly BufferRequest[]): string => pieces.map((p) => piece(p, `of ${p.bytes}`)).join(" + ");

function* linesOf({ name, rx, mtuMax = 9216 }: DriverFacts): Generator<string> {
  for (const { since, value } of rx) {
    yield `${name} since ${since.join(".")}, pads of 192 and 193: ${justFits.map((at) => exactly(value.buffers(1500, at))).join("; ")}`;
    const mtus = [68, 1500, 1504, 4000, mtuMax].filter((m) => m <= mtuMax);
    const sizes = new Map(mtus.map((mtu) => [mtu, exactly(value.buffers(mtu, oldBoard))]));
    yield `${name} since ${since.join(".")}, to the byte: ${mtus.map((m, i) => (i > 0 && sizes.get(m) === sizes.get(mtus[i - 1] as number) ? `${m} as before` : `${m} ${sizes.get(m)}`)).join("; ")}`;
    const others = value.others === undefined ? "" : `; others: ${exactly(value.others(eightKb))}`;
    yield `${name} since ${since.join(".")}, pages of 8 KiB, MTU 1500 and ${mtuMax}: ${[1500, mtuMax].map((mtu) => exactly(value.buffers(mtu, eightKb))).join("; ")}${others}`;
    for (const [page, at] of Object.entries(machines)) {
      const head = `${name} since ${since.join(".")}, pages of ${page}`;
      yield* stepsOf(head, mtuMax, value, at);
      if (value.others !== undefined)
        yield `${head}, others: ${said(value.others(at))}; to the byte: ${exactly(value.others(oldBoard))}`;
      if (value.cure?.buffers !== undefined)
        yield `${head}, set otherwise, MTU 1500 and ${mtuMax}: ${exactly(value.cure.buffers(1500, oldBoard))}; ${exactly(value.cure.buffers(mtuMax, at))}`;
    }
  }
}

function* stepsOf(head: string, mtuMax: number, rule: RxRule, at: RxMachine): Generator<string> {
  let last = "";
  for (let mtu = 68; mtu <= mtuMax; mtu++) {
    const now = said(rule.buffers(mtu, at));
    if (now !== last) yield `${head}, MTU ${mtu}: ${now}`;
    last = now;
  }
}

test("what a buffer takes changes at these MTUs, release by release", () => {
  const lines = drivers.flatMap((d) => [...linesOf(d)]);
  if (process.env.ANSWERS === "write") {
    mkdirSync(join(kept, ".."), { recursive: true });
    writeFileSync(kept, `${JSON.stringify(lines, null, 1)}\n`);
  }
  expect(lines).toEqual(JSON.parse(readFileSync(kept, "utf8")));
  expect(lines.length).toBeGreaterThan(200);
});
