// A machine of one's own making: what a full receive ring of jumbo frames does to free memory, kernel by kernel.
// Run  node examples/library/machine.mjs
import { createMachine, observeBuddyinfo, parseRelease } from "skblab";

for (const kernel of ["2.6.24-x86_64", "6.1-x86_64"]) {
  const asked = new Map(); // order -> requests
  const machine = createMachine({
    release: parseRelease(kernel),
    memoryMb: 256,
    nics: [{ driver: "e1000", mtu: 9000 }],
  });
  machine.journal.listen(
    (_kind, _nanos, _cpu, _pfn, order) => asked.set(order, (asked.get(order) ?? 0) + 1),
    "mm_page_alloc",
  );
  const [card] = machine.devices;
  const up = machine.up(card);
  const orders = [...asked].sort(([a], [b]) => a - b).map(([order, n]) => `${n} of order ${order}`);
  console.log(`${kernel}: up ${up}, ring ${JSON.stringify(card.driver.ringFill())}, asked for ${orders.join(", ")}`);
  for (const zone of observeBuddyinfo(machine.memory).zones) console.log(`  ${JSON.stringify(zone)}`);
}
