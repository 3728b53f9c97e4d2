// Of a text that holds nothing of a kernel's it is said so; of one that does it is not.
import { describe, expect, test } from "vitest";
import { sourceOf } from "../base/byte_source.ts";
import { createCollector } from "../diagnosis/collect.ts";
import { diagnose } from "../diagnosis/diagnose.ts";
import type { Diagnosis } from "../diagnosis/finding.ts";
import { emptySentence, forbiddenSentence, foreignSentence, gather } from "./gather.ts";
import { isRemains } from "./log/remains.ts";

async function notes(text: string, named = true): Promise<string[]> {
  const gathered = await gather([{ source: sourceOf("x.txt", text), named }], {});
  return gathered.notes.map((n) => n.sentence);
}

describe("a text without a word of a kernel's", () => {
  test.each([
    ["prose", "Dear all,\nthe meeting is at ten.\nBring your own coffee.\n"],
    ["source code", "int main(void)\n{\n\treturn 0;\n}\n"],
    ["a table of something else", "name;age;town\nada;36;london\nalan;41;wilmslow\n"],
  ])("%s is said to be foreign", async (_, text) => {
    expect(await notes(text)).toEqual([foreignSentence]);
  });
  test("it is said of a file that was named, not of whatever a folder or a tar holds", async () => {
    expect(await notes("Dear all,\nthe meeting is at ten.\n", false)).toEqual([]);
  });
});

describe("a kernel's text is not foreign", () => {
  test.each([
    ["stamps of dmesg", "[    0.000000] Linux version 6.1.0 (gcc)\n[    0.100000] Memory: 1024K\n"],
    ["a report without stamps", "swapper: page allocation failure. order:1, mode:0x4020\nCall Trace:\n"],
    ["a table of /proc", "Node 0, zone   Normal     10     5     1     0     0     0     0     0     0     0     0 \n"],
    ["settings", "vm.min_free_kbytes = 11495\n"],
  ])("%s", async (_, text) => {
    expect(await notes(text)).not.toContain(foreignSentence);
  });
});

test("an empty file and a dmesg that was refused have sentences of their own", async () => {
  expect(await notes("")).toEqual([emptySentence]);
  expect(await notes("dmesg: read kernel buffer failed: Operation not permitted\n")).toEqual([forbiddenSentence]);
});

describe("the rest of a report without its beginning is no text without trouble", () => {
  const diagnosed = async (text: string): Promise<Diagnosis> => {
    const collector = createCollector();
    const gathered = await gather([{ source: sourceOf("x.txt", text), named: true }], { onWindow: collector.onWindow });
    return diagnose(collector.finish(gathered));
  };
  const sentencesOf = (d: Diagnosis): string[] => (d.inputs[0]?.notes ?? []).map((n) => n.sentence);
  const rest = async (text: string): Promise<string[]> => sentencesOf(await diagnosed(text));
  const frames = "[    2.1]  net_rx_action+0x26f/0x390\n[    2.1]  __do_softirq+0xf5/0x280\n";
  test.each([
    ["frames with a stamp", frames, /frames of a call trace/],
    [
      "frames of ARM without one",
      "[<80684590>] (skb_release_data) from [<80683aac>] (kfree_skb+0x24/0x60)\n[<80683aac>] (kfree_skb) from [<80698020>] (validate_xmit_skb+0x20c/0x2cc)\n",
      /frames of a call trace/,
    ],
    [
      "registers",
      "[    8.0] RIP: 0010:rcu_note_context_switch+0x462/0x4a0\n[    8.0] RSP: 0018:ffffad63c25bee18 EFLAGS: 00010086\n[    8.0] RAX: 0000000000000000 RBX: ffff97006ea31f00 RCX: 0000000000000027\n",
      /registers of a fault/,
    ],
    [
      "the crash utility's bt without its summary",
      "#11 [ffff8801b9a43c08] tg3_tx at ffffffffa01c9c61 [tg3]\n#12 [ffff8801b9a43c78] tg3_poll_work at ffffffffa01d0b12 [tg3]\n",
      /frames of a call trace/,
    ],
    [
      "rows of the OOM killer's table",
      "[161775.410289] [   2786]     0  2786      326      224    16384        0             0 dropbear\n[161775.427423] [   2856]     0  2856      735      248    16384        0             0 ntpd\n",
      /table of tasks/,
    ],
    [
      "a process line over a stack that was cut",
      "[    2.1] CPU: 0 PID: 3153 Comm: agent Tainted: G      D W     3.13.0-55-generic #94\n[    2.1] Call Trac\n",
      /the process line of a report/,
    ],
  ])("%s", async (_, text, what) => {
    const said = (await rest(text)).filter(isRemains);
    expect(said).toEqual([expect.stringMatching(what)]);
    expect(await rest(text)).not.toContain(foreignSentence);
  });
  test.each([
    [
      "a fault's registers and the end of its panic",
      "RIP: 0010:skb_release_data+0x9a/0x1f0\nRSP: 0018:ffffc90000003e20 EFLAGS: 00010246\nCR2: 0000000000000008\n---[ end Kernel panic - not syncing: Fatal exception in interrupt ]---\n",
      /registers of a fault/,
    ],
    ["its place alone", "RIP: 0010:skb_release_data+0x9a/0x1f0\n", /the place of a fault, and no line before/],
    ["its end alone", "---[ end trace 8e6bd2d2a9a2f0a7 ]---\n", /the last line of a report/],
    [
      "ARM's registers",
      "pc : [<c05a1b2c>]    lr : [<c05a1c2c>]    psr: 60000013\nsp : c0a01e88  ip : 00000000  fp : c0a01e9c\n",
      /registers of a fault/,
    ],
    [
      "what SLUB prints behind its first lines",
      "Redzone ffff888003c40000: bb bb bb bb bb bb bb bb                          ........\nObject ffff888003c40008: 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b  kkkkkkkkkkkkkkkk\n",
      /rows of SLUB's dump/,
    ],
    [
      "what SLUB did",
      "FIX skbuff_head_cache: Restoring Poison 0xffff888003c40008-0xffff888003c40008=0x6b\n",
      /what SLUB did about a damaged object/,
    ],
  ])("%s is no sign that there was nothing, stamped or not", async (_, text, what) => {
    for (const log of [text, text.replace(/^/gm, "[  100.123456] ").replace(/\[ {2}100\.123456\] $/, "")]) {
      const said = (await rest(log)).filter(isRemains);
      expect(said, log).toEqual([expect.stringMatching(what)]);
    }
  });
  test("a whole report has no such note, nor has one line that looks like a frame", async () => {
    const whole = `swapper: page allocation failure. order:1, mode:0x4020\nPid: 0, comm: swapper Not tainted 2.6.32\nCall Trace:\n${frames}`;
    expect((await rest(whole)).some(isRemains)).toBe(false);
    expect((await rest("[    2.1] eth0: link up\n[    2.1] reached foo+0x10/0x20\n")).some(isRemains)).toBe(false);
  });
  test("nor has a report whose first line a terminal broke in the words by which it is searched for", async () => {
    const lines = [
      "general protection fault: 0000 [#1] SMP",
      "  e1000_alloc_rx_buffers+0x12/0x340 [e1000]",
      "  e1000_clean_rx_irq_and_more_words+0x12/0x340 [e1000]",
      "  net_rx_action_with_a_name_of_more_words+0x1/0x2",
    ];
    const broken = lines.flatMap((l) =>
      `Nov 20 20:35:16 web1.example.org kernel: [12345.678901] ${l}`.match(/.{1,70}/g),
    );
    const found = await diagnosed(`${broken.join("\n")}\n`);
    expect(found.incidents.map((i) => i.kind)).toEqual(["oops"]);
    expect(sentencesOf(found).some(isRemains)).toBe(false);
  });
});
