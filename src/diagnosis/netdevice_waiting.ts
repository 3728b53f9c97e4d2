// "unregister_netdevice: waiting for eth0 to become free. Usage count = 2": what the count says, and who holds the device where the kernel's
// tracker of references printed it.
import type { DriverLine, ReferenceHolder } from "../kernel/readings/incident.ts";
import type { Advice, MessageSaid } from "./finding.ts";
import { count, listing } from "./words.ts";

const patient: Advice = {
  change: { kind: "evidence" },
  action: "See whether the count ever falls, and which sockets sit on unread data",
  changes: "tells a slow holder from a leak",
  costs: "nothing",
  command: "journalctl -k | grep unregister_netdevice; ss -tumpn | awk '$2 > 0'",
};
const track: Advice = {
  change: { kind: "code" },
  action: "Boot a kernel with CONFIG_NET_DEV_REFCNT_TRACKER (5.17 and later)",
  changes: "the holder's stack is printed with the line",
  costs: "memory and speed",
};

const mayHold =
  "Such references are held by packets that were never freed, routes, sockets or a namespace that is still in use; the line does not say by which.";

/**
 * netdev_wait_allrefs() of net/core/dev.c: 5.10.223 waits until the count is 0; 6.1.192, 6.12.117 and 7.2.12 wait until it is 1, which is the
 * device's own reference. A count of 0 or less is printed only where too many were dropped.
 */
function causeOf(device: string, usage: number | undefined): string {
  if (usage !== undefined && usage <= 0)
    return `${device} is being removed, and the count of its references is ${usage}: more were dropped than were taken, so the count the kernel waits for never comes.`;
  if (usage === undefined || usage === 1)
    return `${device} is being removed, and something still holds ${usage === 1 ? "a reference" : "references"} to it. ${mayHold}`;
  return `${device} is being removed and still has ${usage} references. ${mayHold} Up to 5.10 each of them is somebody's; in 6.1 and later one is the device's own.`;
}

/** Who takes references for others (include/linux/netdevice.h, net/core/dev.c, lib/ref_tracker.c of 6.12.117). */
const forOthers =
  /^(?:__?)?(?:netdev_(?:tracker_alloc|hold|get_by_(?:index|name)|put)|dev_(?:hold|get_by_(?:index|name))(?:_track)?|ref_tracker_alloc)(?:\.|$)/;

function holderWords({ functions, references }: ReferenceHolder): string | undefined {
  const own = functions.filter((f) => !forOthers.test(f));
  if (own[0] === undefined) return undefined;
  const from = own[1] === undefined ? "" : `, called by ${own[1]}`;
  return `${own[0]}${from}${references === undefined ? "" : ` (${count(references, "reference")})`}`;
}

/** What the line says. */
export function netdeviceWaiting(device: string, usage: number | undefined, { holders = [] }: DriverLine): MessageSaid {
  const named = holders.flatMap((h) => holderWords(h) ?? []);
  return {
    key: `netdevice waiting:${device}`,
    title: `${device} cannot be unregistered`,
    cause: causeOf(device, usage),
    meaning:
      named.length > 0
        ? `The kernel's tracker printed where references were taken that nobody has dropped: ${listing(named)}.`
        : usage !== undefined && usage <= 0
          ? "Somebody dropped a reference that was not theirs; the device could have been freed while it was still in use."
          : "Packets that are held (in a queue, an unread socket, a capture) keep the interface they came in by; a leaked packet keeps it forever.",
    severity: "act",
    consequence:
      "Act on it: the task that removes it waits; other changes of the network configuration, new containers among them, may have to wait too.",
    memory: "held",
    advice: named.length > 0 ? [patient] : usage !== undefined && usage <= 0 ? [track] : [patient, track],
  };
}
