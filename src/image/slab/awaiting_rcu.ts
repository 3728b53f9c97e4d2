// Objects that kfree_rcu() has put into a sheaf which now waits for the end of a grace period. The sheaf is off its CPU and on no list of
// the cache; the callback queues of RCU lead to it (mm/slub.c and kernel/rcu/tree.h of 7.2). Until the period ends they are allocated.
import { ifThere } from "../address_space.ts";
import { type Kernel, perCpu } from "../kernel.ts";
import { chainOrProblem, walkChain } from "../lists.ts";

/** Functions that RCU calls with a sheaf: it goes back to its node, or is emptied. */
const callbacks = ["rcu_free_sheaf", "rcu_free_sheaf_nobarn"];
const mostObjects = 4096;

/** Objects by the address of their cache; undefined for a kernel without such sheaves. Callbacks that run at this moment are on no queue. */
export function objectsAwaitingRcu(kernel: Kernel): ReadonlyMap<bigint, readonly bigint[]> | undefined {
  const { space, types, symbols } = kernel;
  const functions = new Set(callbacks.flatMap((name) => symbols.address(name) ?? []));
  const sheaf = types.find("slab_sheaf");
  const inSheaf = sheaf?.find("rcu_head");
  const head = types.find("callback_head");
  const base = symbols.address("rcu_data");
  const data = types.find("rcu_data");
  const queues = ["cblist.head", "nocb_bypass.head"].flatMap((name) => data?.find(name) ?? []);
  if (functions.size === 0 || sheaf === undefined || inSheaf === undefined || head === undefined || base === undefined)
    return undefined;
  const out = new Map<bigint, bigint[]>();
  for (const cpu of kernel.possibleCpus)
    for (const queue of queues) {
      const first = ifThere(() => space.u64(perCpu(kernel, base, cpu) + queue.at)) ?? 0n;
      for (const entry of chainOrProblem(() => walkChain(kernel, first, head.at("next"))).entries)
        ifThere(() => {
          if (!functions.has(space.u64(entry + head.at("func")))) return;
          const at = entry - inSheaf.at;
          const cache = space.u64(at + sheaf.at("cache"));
          const own = out.get(cache) ?? [];
          const count = Math.min(space.u32(at + sheaf.at("size")), mostObjects);
          for (let i = 0; i < count; i++) own.push(space.u64(at + sheaf.at("objects") + BigInt(i * 8)));
          out.set(cache, own);
        });
    }
  return out;
}
