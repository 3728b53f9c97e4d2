// Which side of the network asked, by its innermost telling frame, and what becomes of a slot of the ring (rules/direction.ts).
import { expect, test } from "vitest";
import { allocFailure, answerIn, bySlab, bySoftirq, only, refilling, sending } from "./report.testkit.ts";

test.each([
  ["refill", refilling, "yes", /refilling a receive ring.*e1000_alloc_rx_buffers/],
  [
    "receive",
    [
      "new_slab+0x1/0x2",
      "___slab_alloc+0x1/0x2",
      "kmem_cache_alloc+0x1/0x2",
      "sk_prot_alloc+0x1/0x2",
      "sk_clone_lock+0x1/0x2",
      "inet_csk_clone_lock+0x1/0x2",
      "tcp_create_openreq_child+0x1/0x2",
      "tcp_v4_syn_recv_sock+0x1/0x2",
      "tcp_check_req+0x1/0x2",
      "tcp_v4_rcv+0x1/0x2",
      "ip_local_deliver+0x1/0x2",
      "ip_rcv+0x1/0x2",
      "__netif_receive_skb+0x1/0x2",
      ...bySoftirq,
    ],
    "yes",
    /receiving: handling a packet that has arrived \(sk_clone_lock\)/,
  ],
  ["transmit", sending, "yes", /transmitting.*tcp_stream_alloc_skb/],
  [
    "neither",
    [
      "new_slab+0x1/0x2",
      "___slab_alloc+0x1/0x2",
      "__kmem_cache_alloc_node+0x1/0x2",
      "__kmalloc+0x1/0x2",
      "load_elf_binary+0x1/0x2",
      "bprm_execve+0x1/0x2",
      "do_execveat_common+0x1/0x2",
      "__x64_sys_execve+0x1/0x2",
      "do_syscall_64+0x2f/0x50",
      "entry_SYSCALL_64_after_hwframe+0x4b/0xb5",
    ],
    "no",
    /not a network path/,
  ],
])("%s", async (_, frames, answer, says) => {
  const found = await answerIn(allocFailure({ frames }), "direction");
  expect(found).toMatchObject({ answer });
  expect(found?.claim).toMatch(says);
});

test("an acknowledgement that is sent while receiving is transmit: the innermost wins", async () => {
  const frames = [
    ...bySlab,
    "__alloc_skb+0x1/0x2",
    "__tcp_send_ack.part.0+0x1/0x2",
    "tcp_rcv_established+0x1/0x2",
    "tcp_v4_rcv+0x1/0x2",
    "ip_local_deliver+0x1/0x2",
    "ip_rcv+0x1/0x2",
    "__netif_receive_skb+0x1/0x2",
    ...bySoftirq,
  ];
  expect((await only(allocFailure({ frames }))).direction).toBe("tx");
});

test("a stack that stops inside the allocator does not say, and neither does none", async () => {
  const cut = allocFailure({ frames: bySlab, memInfo: [] });
  expect(await answerIn(cut, "direction")).toMatchObject({
    answer: "unknown",
    advice: [{ change: { kind: "evidence" } }],
  });
  const bare = allocFailure({ memInfo: [] }).split("\n").slice(0, 2).join("\n");
  expect(await answerIn(bare, "direction")).toMatchObject({
    answer: "unknown",
    claim: "The report does not say who asked: its call trace is missing.",
  });
});

test("a slot of a known driver's ring is not lost, and the counter to watch is named; of an unknown driver nothing is said", async () => {
  const of = (...frames: string[]): string =>
    allocFailure({ frames: ["__netdev_alloc_skb+0x1/0x2", ...frames, ...bySoftirq] });
  const known = await answerIn(
    of("tg3_alloc_rx_skb+0x12/0x34 [tg3]", "tg3_rx+0x1/0x2 [tg3]", "tg3_poll+0x1/0x2 [tg3]"),
    "ring.slot_lost",
  );
  expect(known).toMatchObject({ answer: "no", clears: "a ring slot lost for good" });
  expect(known?.advice[0]?.command).toContain("ethtool -S");
  expect(
    await answerIn(of("foo_alloc_rx_buffers+0x12/0x34 [foo]", "foo_poll+0x1/0x2 [foo]"), "ring.slot_lost"),
  ).toBeUndefined();
});
