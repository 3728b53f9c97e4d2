// The cases of fragment destructors: what the pointer costs, and the bug that it mends.
import { costDefaults, runFragDestructorCost } from "../../lab/frag_destructor_cost.ts";
import { nfsDefaults, runNfsRetransmit } from "../../lab/nfs_retransmit.ts";
import { judge, judgeIf, withKnobs } from "./case.ts";
import { choiceKnob, numberKnob } from "./knobs.ts";

type Room = { readonly bucket: number; readonly left: number } | undefined;
const roomText = (before: Room, after: Room): string =>
  before?.bucket === after?.bucket
    ? `the ${after?.bucket}-byte bucket has ${after?.left} bytes left instead of ${before?.left}`
    : `a head moves from the ${before?.bucket}-byte bucket (${before?.left} bytes left) to the ${after?.bucket}-byte bucket (${after?.left} left)`;

const roomIn = (bucket = 0, infoBytes = 0): number => Math.max(0, bucket - infoBytes);

/** What the author of the patch worked out: bytes of skb_shared_info before and after. */
const toldSizes: Readonly<
  Record<string, { readonly machine: string; readonly before: number; readonly after: number }>
> = {
  "3.2-x86_64": { machine: "amd64", before: 344, after: 488 },
  "3.2-i386": { machine: "i386", before: 188, after: 260 },
};

const fragDestructorsKnobs = {
  release: choiceKnob("kernel and machine", "3.2-x86_64", ["3.2-x86_64", "3.2-i386"]),
  frameBytes: numberKnob("length of every frame; 0 for the mix of eight sizes", "bytes", 0, 0, 1514),
  packets: numberKnob("packets alive at once", "", 1000, 10, 10_000),
  pressurePackets: numberKnob("packets allocated under pressure", "", 4000, 10, 20_000),
  freePercent: numberKnob("filled memory that is free again", "%", 5, 0, 50),
};

export const fragDestructors = withKnobs(fragDestructorsKnobs, {
  id: "frag-destructors",
  seed: "002",
  story:
    "Code that lends pages to the network stack needs to know when the stack has finished with them, retransmissions and clones included. A patch of 2011 gives each fragment of a packet a pointer for that. At a conference somebody recalls that packets once became slower because an allocation had outgrown its size class. The author works out that 168 spare bytes shrink to 24, lists other designs, and asks how to measure the cost.",
  question: "What does one pointer per fragment cost, and which design is the cheapest?",
  run: "The structs of 3.2 on x86_64 laid out under each design; heads allocated from that release's slab, 1000 packets alive at once, then 4000 allocated under pressure.",
  wouldChange:
    "A mix of frames whose heads fall into other kmalloc buckets; a 32-bit machine, where a pointer is half as large.",
  answer(progress, set) {
    const settings = {
      ...costDefaults,
      release: set.release,
      packets: set.packets,
      pressurePackets: set.pressurePackets,
      freeShare: set.freePercent / 100,
      ...(set.frameBytes === 0 ? {} : { frames: [{ bytes: set.frameBytes, weight: 1 }] }),
    };
    const designs = costDefaults.designs.flatMap((design, i) => {
      progress(i / costDefaults.designs.length, design);
      return runFragDestructorCost({ ...settings, designs: [design] }).designs;
    });
    const told = toldSizes[set.release] ?? toldSizes["3.2-x86_64"]!;
    const of = (name: string): (typeof designs)[number] | undefined => designs.find((d) => d.design === name);
    const none = of("none");
    const plain = of("plain-pointer");
    const perFrag = designs.filter((d) => d.design !== "none" && d.design !== "ubuf-per-skb");
    const cheapest = perFrag.reduce((a, b) => (b.memoryPerPacket < a.memoryPerPacket ? b : a));
    const worst = perFrag.reduce((a, b) => (b.memoryPerPacket > a.memoryPerPacket ? b : a));
    return {
      id: "frag-destructors",
      answer:
        `A pointer grows a fragment from ${none?.layout.fragBytes} to ${plain?.layout.fragBytes} bytes and the shared info from ${none?.layout.sharedInfoBytes} to ` +
        `${plain?.layout.sharedInfoBytes}; ${roomText(none?.room, plain?.room)}. Cheapest in memory: ${cheapest.design} (${cheapest.memoryPerPacket.toFixed(0)} bytes per packet); most expensive: ${worst.design} (${worst.memoryPerPacket.toFixed(0)}).`,
      claims: [
        {
          id: "shared-info-grows",
          claim: `One pointer per fragment grows skb_shared_info from ${told.before} to ${told.after} bytes on ${told.machine}.`,
          answer: judge(none?.layout.sharedInfoBytes === told.before && plain?.layout.sharedInfoBytes === told.after),
          measured: { before: none?.layout.sharedInfoBytes ?? 0, after: plain?.layout.sharedInfoBytes ?? 0 },
        },
        {
          id: "room-left",
          claim: `A small packet's headers still fit the ${none?.room.bucket}-byte bucket with a pointer per fragment (${roomIn(none?.room.bucket, plain?.layout.sharedInfoBytes)} bytes are enough).`,
          answer: judge(roomIn(none?.room.bucket, plain?.layout.sharedInfoBytes) >= 14 + 40),
          measured: {
            left: roomIn(none?.room.bucket, plain?.layout.sharedInfoBytes),
            leftBefore: none?.room.left ?? 0,
            ethernetIpTcp: 54,
          },
        },
        {
          id: "some-design-is-free",
          claim: "One of the per-fragment designs costs no more memory per packet than having none.",
          answer: judge(cheapest.memoryPerPacket <= (none?.memoryPerPacket ?? 0)),
          measured: {
            cheapestBytes: cheapest.memoryPerPacket,
            noneBytes: none?.memoryPerPacket ?? 0,
            design: cheapest.design,
          },
        },
      ],
      picture: {
        title:
          set.frameBytes === 0
            ? "memory per packet over the mix of frames"
            : `memory per packet of ${set.frameBytes} bytes`,
        unit: "bytes",
        bars: designs.map((d) => ({ label: d.design, value: Math.round(d.memoryPerPacket) })),
      },
    };
  },
});

const nfsRetransmitKnobs = {
  loss: choiceKnob("frames that the link loses, percent; one set of runs per rate", "0,1,2,5,10", [
    "0,1,2,5,10",
    "0",
    "0,1",
    "0,5",
    "0,10",
  ]),
  rpcTimeoutTicks: numberKnob("the client sends a call again after", "frame times", 90, 20, 2000),
  tcpTimeoutTicks: numberKnob("TCP retransmits after", "frame times", 60, 20, 2000),
  serverTicks: numberKnob("the server answers after", "frame times", 20, 1, 1000),
  pagesPerRpc: numberKnob("pages per call", "", 8, 1, 16),
  outstanding: numberKnob("calls in flight", "", 8, 1, 32),
  seeds: numberKnob("runs per rate", "", 20, 1, 100),
};

export const nfsRetransmit = withKnobs(nfsRetransmitKnobs, {
  id: "nfs-retransmit",
  seed: "002",
  story:
    "An NFS client sends the pages of a file by reference. A call times out and is sent again. Then the reply to the first copy arrives, and the client writes other data into the pages, while the second copy still waits in a queue. What goes over the wire is data that nobody meant to send. The patch that adds destructors to fragments comes with a fix for this bug.",
  question:
    "Does an RPC client corrupt files when it reuses pages that a retransmission still holds, and do destructors prevent it?",
  run: "An RPC client over a lossy link: 5 loss rates, 20 seeds each, four designs. Every page carries a tag that is read when its frame leaves.",
  wouldChange:
    "A client that copies its pages, or a link that loses nothing and never delays a reply beyond the RPC timeout.",
  answer(progress, set) {
    const { loss, ...numbers } = set;
    const lossRates = loss.split(",").map((percent) => Number(percent) / 100);
    const jobs = nfsDefaults.designs.flatMap((design) => lossRates.map((rate) => ({ design, rate })));
    const runs = jobs.map(({ design, rate }, i) => {
      progress(i / jobs.length, `${design}, ${rate * 100} % lost`);
      const result = runNfsRetransmit({ ...nfsDefaults, ...numbers, designs: [design], lossRates: [rate] });
      return { design, runs: result.designs[0]?.runs ?? [] };
    });
    const lossy = lossRates.some((rate) => rate > 0);
    const sum = (
      name: string,
      pick: "filesCorrupted" | "framesCorrupted" | "calls" | "callsSentAgain",
      onlyLossy?: boolean,
    ): number =>
      runs
        .filter((r) => r.design === name)
        .flatMap((r) => r.runs)
        .filter((r) => onlyLossy === undefined || r.lossRate > 0 === onlyLossy)
        .reduce((n, r) => n + r[pick], 0);
    const guarded = nfsDefaults.designs.filter((d) => d !== "none");
    const guardedCorrupted = guarded.reduce((n, d) => n + sum(d, "filesCorrupted") + sum(d, "framesCorrupted"), 0);
    return {
      id: "nfs-retransmit",
      // With losses the sentence counts what the first claim counts: the runs that lost something.
      answer:
        `${lossy ? "On a link that loses frames" : "On a link that loses nothing"}, without destructors ${sum("none", "framesCorrupted", lossy)} frames leave with other data and ` +
        `${sum("none", "filesCorrupted", lossy)} of ${sum("none", "calls", lossy)} calls end in a corrupted file; with any of the designs ${guardedCorrupted}.`,
      claims: [
        {
          id: "corrupts",
          claim: "Without a destructor, files on the server are corrupted when frames are lost.",
          answer: judgeIf(lossy, sum("none", "filesCorrupted", true) > 0),
          measured: {
            files: sum("none", "filesCorrupted", true),
            calls: sum("none", "calls", true),
            sentAgain: sum("none", "callsSentAgain", true),
          },
        },
        {
          id: "needs-loss",
          claim: "This also happens on a link that loses nothing.",
          answer: judgeIf(lossRates.includes(0), sum("none", "framesCorrupted", false) > 0),
          measured: {
            framesCorrupted: sum("none", "framesCorrupted", false),
            callsSentAgain: sum("none", "callsSentAgain", false),
          },
        },
        {
          id: "destructors-stop-it",
          claim: "Every destructor design prevents it.",
          answer: judgeIf(sum("none", "framesCorrupted") > 0, guardedCorrupted === 0),
          measured: Object.fromEntries(guarded.map((d) => [d, sum(d, "filesCorrupted")])),
        },
      ],
      picture: {
        title: "corrupted files",
        unit: "",
        bars: nfsDefaults.designs.map((d) => ({ label: d, value: sum(d, "filesCorrupted") })),
      },
    };
  },
});
