// One test per kind of damage that real reports carry; the shapes are those of public reports and of the log captures.
import { describe, expect, test } from "vitest";
import type { LogLine } from "../../kernel/readings/log_line.ts";
import { repairNotes, repairText, repairWindow } from "./lines.ts";

const texts = (input: string): string[] => repairText(input).map((l) => l.text);
const only = (input: string): LogLine => repairText(input)[0] as LogLine;

describe("prefixes", () => {
  const message = "swapper: page allocation failure. order:1, mode:0x4020";
  const prefixes: readonly (readonly [string, Partial<LogLine>])[] = [
    ["", {}],
    ["[4262686.822339] ", { seconds: 4262686.822339 }],
    ["<4>[    0.000000] ", { seconds: 0, level: 4 }],
    ["[   12.345678][  T123] ", { seconds: 12.345678, caller: "T123" }],
    ["[   12.345678] [    C1] ", { seconds: 12.345678, caller: "C1" }],
    ["[  +0.000004] ", { deltaSeconds: 0.000004 }],
    ["[   12.345678 <    0.000004>] ", { seconds: 12.345678, deltaSeconds: 0.000004 }],
    ["[Fri Nov 20 20:35:16 2026] ", { wallClock: "Fri Nov 20 20:35:16 2026" }],
    ["[ven. nov. 20 20:35:16 2026] ", { wallClock: "ven. nov. 20 20:35:16 2026" }],
    ["[Пт ноя 20 20:35:16 2026] ", { wallClock: "Пт ноя 20 20:35:16 2026" }],
    ["[Nov20 20:35] ", { wallClock: "Nov20 20:35" }],
    ["Jun 25 03:14:07 web1 kernel: ", { wallClock: "Jun 25 03:14:07", host: "web1" }],
    ["Jun  5 03:14:07 web1 kernel: [  100.5000] ", { wallClock: "Jun  5 03:14:07", host: "web1", seconds: 100.5 }],
    ["Jun 25 03:14:07.123456 web1.example.org kernel: ", { wallClock: "Jun 25 03:14:07.123456" }],
    ["juin 25 03:14:07 web1 kernel: ", { wallClock: "juin 25 03:14:07" }],
    [
      "2026-11-20T20:35:16.123456+00:00 h kernel: [ 1.000000] ",
      { wallClock: "2026-11-20T20:35:16.123456+00:00", host: "h", seconds: 1 },
    ],
    ["2026-11-20T20:35:16,123456+00:00 ", { wallClock: "2026-11-20T20:35:16,123456+00:00" }],
    ["2009-10-28 02:33:35 h kernel: ", { wallClock: "2009-10-28 02:33:35", host: "h" }],
    ["<4>1 2026-11-20T20:35:16Z h kernel - - - ", { level: 4, host: "h" }],
    ["[   12.345678] web1 kernel: ", { seconds: 12.345678, host: "web1" }],
    ["Sat Nov 20 20:35:16 2026 kern.warn kernel: [  123.456789] ", { level: 4, seconds: 123.456789 }],
    ["11-20 20:35:16.123     0     0 W kernel  : ", { wallClock: "11-20 20:35:16.123" }],
    ["kern  :warn  : [   12.345678] ", { level: 4, seconds: 12.345678 }],
    ["6,339,5140900,-;", { level: 6, seconds: 5.1409 }],
    ["4,339,5140900,-,caller=T1;", { level: 4, seconds: 5.1409, caller: "T1" }],
    ["<4>[  12.345678] (2)[123:kworker/2:1]", { level: 4, caller: "C2" }],
    ["[  12.345678] [0: swapper/0: 0] ", { seconds: 12.345678, caller: "C0" }],
    ["kernel: ", {}],
    ["> > ", { repairs: ["unquoted"] }],
    [">> Jun 25 03:14:07 web1 kernel: [   1.000000] ", { seconds: 1, repairs: ["unquoted"] }],
  ];
  test.each(prefixes)("%j is taken off and understood", (prefix, expected) => {
    const line = only(prefix + message);
    expect(line.text).toBe(message);
    expect(line).toMatchObject(expected);
    expect(line.raw).toBe(prefix + message);
  });

  test("inner blanks and stack addresses are not prefixes", () => {
    expect(texts("[    2.029129]  bad_page.cold+0x65/0x94")).toEqual([" bad_page.cold+0x65/0x94"]);
    expect(texts("[ce871980] [c0006bc0] show_stack+0x44/0x16c")).toEqual([
      "[ce871980] [c0006bc0] show_stack+0x44/0x16c",
    ]);
    expect(texts("[<ffffffff802555f9>] __alloc_pages+0x2e2/0x2fb")).toEqual([
      "[<ffffffff802555f9>] __alloc_pages+0x2e2/0x2fb",
    ]);
  });

  test("a line of another daemon keeps its name, so that nobody takes it for the kernel's", () => {
    expect(texts("Jun 25 03:14:07 web1 sshd[12]: Out of memory")).toEqual([
      "Jun 25 03:14:07 web1 sshd[12]: Out of memory",
    ]);
  });
});

describe("JSON envelopes", () => {
  test("journalctl -o json: message, clocks, priority and host", () => {
    const line = {
      __REALTIME_TIMESTAMP: "1700000000000000",
      _SOURCE_MONOTONIC_TIMESTAMP: "5140900",
      PRIORITY: "4",
      _HOSTNAME: "h",
      MESSAGE: "Oops: 0002",
    };
    expect(only(JSON.stringify(line))).toMatchObject({
      text: "Oops: 0002",
      seconds: 5.1409,
      level: 4,
      host: "h",
      wallClock: "2023-11-14T22:13:20.000Z",
    });
    expect(texts(JSON.stringify({ MESSAGE: [79, 111, 112, 115, 255] }))).toEqual(["Oops\ufffd"]);
  });
  test("Docker's json-file, with the kernel's own prefix inside", () => {
    const line = JSON.stringify({
      log: "[    1.000000] Oops: 0002\n",
      stream: "stdout",
      time: "2026-11-20T20:35:16.1Z",
    });
    expect(only(line)).toMatchObject({ text: "Oops: 0002", seconds: 1, wallClock: "2026-11-20T20:35:16.1Z" });
  });
  test("a message of several lines, and what only looks like JSON", () => {
    expect(texts(JSON.stringify({ message: "one\ntwo" }))).toEqual(["one", "two"]);
    expect(texts('{"message": broken}')).toEqual(['{"message": broken}']);
    expect(texts('{"other": "x"}')).toEqual(['{"other": "x"}']);
  });
});

describe("damage inside a line", () => {
  test("a times sign for the x of 0x, as blogs print it", () => {
    expect(only("[<ffffffff804f2ebb>] __netdev_alloc_skb+0×29/0×43")).toMatchObject({
      text: "[<ffffffff804f2ebb>] __netdev_alloc_skb+0x29/0x43",
      repairs: ["times sign"],
    });
    expect(texts("order:1, mode:0×4020")).toEqual(["order:1, mode:0x4020"]);
    expect(texts("a 3×4 matrix")).toEqual(["a 3×4 matrix"]);
  });
  test("carriage returns, NULs, colours", () => {
    expect(texts("one\r\ntwo\r\n")).toEqual(["one", "two"]);
    expect(only("pa\u0000ge")).toMatchObject({ text: "page", repairs: ["nul bytes"] });
    expect(only("\u001b[32m[    1.000000] \u001b[0m\u001b[33mOops\u001b[0m: 0002")).toMatchObject({
      text: "Oops: 0002",
      seconds: 1,
    });
  });
  test("rsyslog's #012 and #011: one record becomes its lines, which keep its time", () => {
    const lines = repairText("Jun 25 03:14:07 h kernel: [  5.000000] Mem-Info:#012active_anon:1#011x#012 free:2");
    expect(lines.map((l) => l.text)).toEqual(["Mem-Info:", "active_anon:1\tx", " free:2"]);
    expect(lines.map((l) => [l.line, l.seconds])).toEqual([
      [1, 5],
      [1, 5],
      [1, 5],
    ]);
  });
  test("a line that begins with a digit after #012, among others", () => {
    expect(texts("a#012b#01212345 pages RAM")).toEqual(["a", "b#01212345 pages RAM"]);
    expect(texts("a#012b#012c#01212345 pages RAM")).toEqual(["a", "b", "c", "12345 pages RAM"]);
  });
  test("a number after # is not an escape", () => {
    expect(texts("see bug #0123 and #01")).toEqual(["see bug #0123 and #01"]);
  });
  test("two records on one line are separated", () => {
    expect(texts("[    1.000000] one[    1.000001] two")).toEqual(["one", "two"]);
    expect(texts("<4>[    1.000000] one<4>[    1.000001] two")).toEqual(["one", "two"]);
    expect(repairText("x\n[    1.000000] one [    1.000002] two")[2]).toMatchObject({
      line: 2,
      seconds: 1.000002,
      text: "two",
    });
  });
  test("prose that a blog glued to a frame or a value is separated", () => {
    expect(texts("[<ffffffff8020a8db>] cpu_idle+0x6f/0×96To summarize, the driver")).toEqual([
      "[<ffffffff8020a8db>] cpu_idle+0x6f/0x96",
      "To summarize, the driver",
    ]);
    expect(texts("vm.min_free_kbytes = 11495TCP Segmentation Offload")).toEqual([
      "vm.min_free_kbytes = 11495",
      "TCP Segmentation Offload",
    ]);
  });
});

describe("broken lines", () => {
  test("a list of modules broken within a name", () => {
    expect(texts("Modules linked in: veth nf_nat_\nipv4 uio pf\n_ring(OE) fuse\nbridge")).toEqual([
      "Modules linked in: veth nf_nat_ipv4 uio pf_ring(OE) fuse bridge",
    ]);
  });
  test("KERN_CONT pieces of a buddy line, each with its own timestamp (4.9)", () => {
    const input = ["Node 0 DMA: ", "1*4kB ", "(U) ", "0*8kB ", "2*16kB ", "(UM) ", "= 36kB"];
    const lines = repairText(input.map((t, i) => `[  100.00000${i}] ${t}`).join("\n"));
    expect(lines.map((l) => l.text)).toEqual(["Node 0 DMA: 1*4kB (U) 0*8kB 2*16kB (UM) = 36kB"]);
    expect(lines[0]).toMatchObject({ line: 1, repairs: ["continued"] });
  });
  test("KERN_CONT pieces of lowmem_reserve and of the first line", () => {
    expect(
      texts("[1.000000] lowmem_reserve[]:\n[1.000001]  0\n[1.000002]  95\n[1.000003] Node 0 DMA: 1*4kB = 4kB"),
    ).toEqual(["lowmem_reserve[]: 0 95", "Node 0 DMA: 1*4kB = 4kB"]);
    expect(
      texts(
        "[1.000000] swapper/0: \n[1.000001] page allocation failure: order:0\n[1.000002] , mode:0x2084020\n[1.000003] (GFP_ATOMIC)",
      ),
    ).toEqual(["swapper/0: page allocation failure: order:0, mode:0x2084020(GFP_ATOMIC)"]);
  });
  test("a mail's wrapped lines are joined where both halves say so", () => {
    expect(
      texts(
        "> page:c03d2b60 flags:00044000 count:0 mapcount:0 mapping:(null)\n> index:3718\n> Call Trace:\n" +
          "> Unable to handle kernel paging request for data at address\n> 0x0004009c\n" +
          "> GPR00: 00000060 cd779b50 ce8883f0 00040000 00000020 c001220c\n> 00000001\n> 00000014\n> GPR08: 00000002",
      ),
    ).toEqual([
      "page:c03d2b60 flags:00044000 count:0 mapcount:0 mapping:(null) index:3718",
      "Call Trace:",
      "Unable to handle kernel paging request for data at address 0x0004009c",
      "GPR00: 00000060 cd779b50 ce8883f0 00040000 00000020 c001220c 00000001 00000014",
      "GPR08: 00000002",
    ]);
  });
  test("a zone line that a mailer wrapped", () => {
    expect(
      texts(
        "> DMA free:3836kB min:184kB low:228kB high:272kB active:0kB\n> inactive:0kB present:15360kB\n> lowmem_reserve[]: 0 95",
      ),
    ).toEqual([
      "DMA free:3836kB min:184kB low:228kB high:272kB active:0kB inactive:0kB present:15360kB",
      "lowmem_reserve[]: 0 95",
    ]);
  });
  test("a terminal of 80 columns that wraps: lines without a stamp go on the full line above", () => {
    const long = `[    1.000000] ${"x".repeat(65)}`;
    expect(texts(`${long}\nyyy\n[    1.000001] z\n[    1.000002] z\n[    1.000003] z`)[0]).toBe(`${"x".repeat(65)}yyy`);
  });
  test("sentences of a mail are not joined", () => {
    expect(texts("Hi John,\n\n> I have a custom board\n> and dma's it to")).toEqual([
      "Hi John,",
      "",
      "I have a custom board",
      "and dma's it to",
    ]);
  });
});

describe("two CPUs at once", () => {
  test("first lines that ran into each other are sorted apart", () => {
    const lines = repairText(
      "swapper/8: \nswapper/6: \npage allocation failure: order:0page allocation failure: order:1, mode:0x20\n, mode:0x4020\nx",
    );
    expect(lines.map((l) => l.text)).toEqual([
      "swapper/8: page allocation failure: order:0, mode:0x20",
      "swapper/6: page allocation failure: order:1, mode:0x4020",
      "x",
    ]);
    expect(lines[0]?.repairs).toContain("deinterleaved");
  });
  test("reports of two printk callers become two windows", () => {
    const raw = [
      "[1.000000][  T1] a: page allocation failure: order:0",
      "[1.000000][  C1] b: page allocation failure: order:1",
    ];
    for (let i = 0; i < 5; i++) raw.push(`[1.00000${i}][  ${i % 2 ? "T1" : "C1"}]  f${i}+0x1/0x2`);
    raw.push("[1.000009][  C1] Mem-Info:", "[1.000009][  T1] Mem-Info:");
    const { windows } = repairWindow({
      lines: raw.map((text, i) => ({ line: i + 1, text, cutBytes: 0 })),
      anchors: [1, 2, 8, 9].map((line) => ({ name: "x", line })),
      cut: false,
    });
    expect(windows.map((w) => w.lines.map((l) => l.caller))).toEqual([Array(4).fill("T1"), Array(5).fill("C1")]);
    expect(windows.map((w) => w.anchors.map((a) => a.line))).toEqual([
      [1, 9],
      [2, 8],
    ]);
  });
});

test("lines that end at column 80 are marked, and a note says what may be missing", () => {
  const lines = Array.from({ length: 4 }, (_, i) => ({
    line: i + 7,
    text: `[    1.00000${i}] `.padEnd(80, "x"),
    cutBytes: 0,
  }));
  const { notes } = repairWindow({ lines, anchors: [], cut: false });
  expect(notes).toEqual([{ line: 7, sentence: expect.stringMatching(/^Lines 7 to 10: .*last column/) }]);
});

test("two reports that begin at once, and no caller ids to sort them by: a note says that they may be mixed", () => {
  const raw = [
    "a: page allocation failure: order:0, mode:0x20",
    "b: page allocation failure: order:0, mode:0x20",
    "Call Trace:",
  ];
  const { notes } = repairWindow({
    lines: raw.map((text, i) => ({ line: i + 5, text, cutBytes: 0 })),
    anchors: [],
    cut: false,
  });
  expect(notes).toEqual([{ line: 6, sentence: expect.stringMatching(/^Lines 5 and 6: two reports begin at once/) }]);
});

test("notes name the lines, one for each run of the same repair", () => {
  const lines = repairText(["> a", "> b", ...Array(20).fill("c"), "> d"].join("\n"));
  expect(repairNotes(lines).map((n) => n.sentence)).toEqual([
    "Lines 1 to 2: mail quoting was removed.",
    "Line 23: mail quoting was removed.",
  ]);
});

test("hostile lines cost no more than their length", () => {
  for (const hostile of ["[1.000000] ", "> ", "1*4kB ", " 0", "a:b ", "#012", "(U) ", "<4>[1.000000]"]) {
    const many = hostile.repeat(20_000);
    expect(repairText(`Node 0 DMA: ${many}\n${many}\nlowmem_reserve[]:${many}!\n${many}!`).length).toBeGreaterThan(0);
  }
});

test("a counter inside a prefix that is filled up with blanks is transport on lines with more digits too", () => {
  const kernel = [
    "swapper: page allocation failure. order:1, mode:0x20",
    "Pid: 0, comm: swapper Not tainted 2.6.24 #1",
    "Call Trace:",
    ...Array.from(
      { length: 30 },
      (_, i) => ` [<ffffffff804f2eb${(i % 10).toString()}>] ? some_function_${i}+0x29/0x43`,
    ),
  ];
  const counted = kernel.map((l, i) => `console-log ${String(i + 1).padStart(6)} | ${l}`);
  expect(texts(counted.join("\n"))).toEqual(kernel);
});

test("a quote behind every line of a report of SLUB is transport", () => {
  const kernel = [
    "SLUB: Unable to allocate memory on node -1, gfp=0x820(GFP_ATOMIC)",
    "  cache: skbuff_head_cache, object size: 232, buffer size: 256, default order: 0, min order: 0",
    "  node 0: slabs: 20931, objs: 334896, free: 0",
  ];
  expect(texts(kernel.map((l) => `* \`${l}\``).join("\n"))).toEqual(kernel);
});

describe("a transport within a transport", () => {
  const report = [
    "swapper: page allocation failure: order:0, mode:0x20",
    "CPU: 1 PID: 0 Comm: swapper/1 Not tainted 4.1.15 #1",
    "Call Trace:",
    " dump_stack+0x45/0x56",
    "Mem-Info:",
  ];
  const console = (i: number): string => `console-log ${String(i + 1).padStart(6)} | `;

  test("quotes, indents and stamps inside a prefix come off", () => {
    const inner = [
      (l: string) => `> ${l}`,
      (l: string) => `    ${l}`,
      (l: string, i: number) => `[  500.00000${i}] ${l}`,
    ];
    for (const form of inner) expect(texts(report.map((l, i) => console(i) + form(l, i)).join("\n"))).toEqual(report);
  });

  test("a line that has only the outer prefix is read too, and names no host of its own", () => {
    const lines = report.map((l, i) => `Jan 29 01:42:1${i} host1 kernel: [  17.41971${i}] ${l}`);
    const read = repairText(
      ["Linux version 3.6.11+ (b@h) #1", ...lines].map((l) => `[03:16:40] relay kernel: ${l}`).join("\n"),
    );
    expect(read.map((l) => l.text)).toEqual(["Linux version 3.6.11+ (b@h) #1", ...report]);
    expect(read.map((l) => l.host)).toEqual([undefined, ...report.map(() => "host1")]);
  });

  test("a console's clock is no vendor's CPU", () => {
    const [line] = repairText("[03:16:40] swapper: page allocation failure: order:0, mode:0x20");
    expect(line).toMatchObject({ wallClock: "03:16:40", text: report[0] });
    expect(line).not.toHaveProperty("caller");
  });
});

describe("lines that were broken behind a prefix", () => {
  const long = [
    "kworker/u16:4: page allocation failure: order:3, mode:0xc020, nodemask=(null),cpuset=/,mems_allowed=0",
    "CPU: 7 PID: 25531 Comm: kworker/u16:4 Kdump: loaded Tainted: G           OE     5.10.0-19-amd64 #1 Debian 5.10.149-2",
    "Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.11.1 04/01/2014 and then some more of it",
    "Call Trace:",
    "Mem-Info:",
    "active_anon:3120 inactive_anon:612345 isolated_anon:0 active_file:81234 inactive_file:120345 isolated_file:32",
  ].map((l) => `Nov 20 20:35:16 web1 kernel: ${l}`);
  const whole = long.map((l) => l.slice("Nov 20 20:35:16 web1 kernel: ".length));

  test("by a terminal in the midst of a word", () => {
    const broken = long.flatMap((l) => l.match(/.{1,76}/g) ?? []);
    expect(texts(broken.join("\n"))).toEqual(whole);
  });

  test("by a mailer at blanks", () => {
    const broken = long.flatMap((l) => {
      const at = l.length > 76 ? l.lastIndexOf(" ", 76) : -1;
      return at < 0 ? [l] : [l.slice(0, at), l.slice(at + 1)];
    });
    expect(texts(broken.join("\n")).map((t) => t.replace(/ +/g, " "))).toEqual(whole.map((t) => t.replace(/ +/g, " ")));
  });

  test("a program's line below a full one goes on nothing", () => {
    const cron = "Nov 20 20:35:17 web1 CRON[9]: (root) CMD (run-parts)";
    expect(texts([...long.slice(0, 3), cron, ...long.slice(3)].join("\n"))).toEqual([
      ...whole.slice(0, 3),
      cron,
      ...whole.slice(3),
    ]);
  });
});

test.each([
  ["server-sent events", 'data: {"MESSAGE":"Mem-Info:","_TRANSPORT":"kernel"}', ["Mem-Info:"]],
  [
    "a syslog without line ends",
    "Oct 27 18:00:02 c kernel: Mem-info: Oct 27 18:00:02 c kernel: DMA per-cpu:",
    ["Mem-info:", "DMA per-cpu:"],
  ],
  [
    "forwarded records as a stream",
    "<4>2026-11-30T03:04:01+00:00 n kernel: [    1.066196] Mem-Info:<4>2026-11-30T03:04:01+00:00 n kernel: [    1.066199] Call Trace:",
    ["Mem-Info:", "Call Trace:"],
  ],
  ["parted offsets", "PC is at test_and_set_bit + 0x18/0x38", ["PC is at test_and_set_bit+0x18/0x38"]],
  [
    "the crash utility's summary",
    '       PANIC: "kernel BUG at net/core/skbuff.c:107!"',
    ["kernel BUG at net/core/skbuff.c:107!"],
  ],
])("%s", (_, text, lines) => {
  expect(texts(text)).toEqual(lines);
});
