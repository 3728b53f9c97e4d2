// The stacks of releases, against what reports and trees of those very releases name.
import { expect, test } from "vitest";
import { parseRelease } from "../../release.ts";
import { stackNames } from "./index.ts";

const written = (release: string, passed: readonly string[], task = "sender"): string => {
  const { irq, task: frames } = stackNames(parseRelease(release), {
    report: "failure",
    passed,
    caller: "",
    task,
    softirq: false,
    interrupt: false,
  });
  return [...irq, ...frames].join(" < ");
};

test("dump_stack_lvl is on stacks since 5.14: a report of 5.13.14 has dump_stack alone", () => {
  expect(written("5.13-x86_64", [])).toMatch(/^dump_stack < warn_alloc < __alloc_pages_slowpath/);
  expect(written("5.15-x86_64", [])).toMatch(/^dump_stack_lvl </);
  for (const arch of ["arm", "arm64", "ppc32"]) {
    expect(written(`5.10-${arch}`, [])).not.toMatch(/dump_stack_lvl/);
    expect(written(`5.15-${arch}`, [])).toMatch(/dump_stack_lvl/);
  }
});

test("a writer's page: by tcp_sendmsg itself until 3.6, by the process' fragment since 3.7, under the socket's lock since 4.14", () => {
  const page = (release: string) => written(release, ["sk_page_frag_refill"]);
  expect(page("3.6-x86_64")).not.toMatch(/sk_page_frag_refill/);
  expect(page("3.10-x86_64")).toMatch(/alloc_pages_current < sk_page_frag_refill < tcp_sendmsg /);
  expect(page("3.13-x86_64")).toMatch(/skb_page_frag_refill < sk_page_frag_refill < tcp_sendmsg /);
  expect(page("4.14-x86_64")).toMatch(/sk_page_frag_refill < tcp_sendmsg_locked < tcp_sendmsg /);
});

test("cutting a packet: tcp4_gso_segment only where the tree has it", () => {
  const cut = (release: string) => written(release, ["skb_segment"]);
  expect(cut("3.10-x86_64")).toMatch(/skb_segment < tcp_tso_segment < inet_gso_segment < skb_mac_gso_segment/);
  expect(cut("3.13-x86_64")).toMatch(/skb_segment < tcp_gso_segment < inet_gso_segment < skb_mac_gso_segment/);
  expect(cut("4.14-x86_64")).toMatch(/skb_segment < tcp_gso_segment < tcp4_gso_segment < inet_gso_segment/);
});

test("4.19 sends through __tcp_transmit_skb, and its system calls have the name of their convention", () => {
  expect(written("4.19-x86_64", ["tcp_transmit_skb"])).toMatch(/__tcp_transmit_skb .*__x64_sys_sendto < do_syscall_64/);
  expect(written("4.14-x86_64", ["sk_page_frag_refill"])).toMatch(/sys_sendto < entry_SYSCALL_64_fastpath$/);
});
