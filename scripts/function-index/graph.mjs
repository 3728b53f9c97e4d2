// From the references of a kernel's network modules to what is known of each function: its role, the roles it can be reached from,
// the memory it reaches, and whether it fills receive rings.
import { completes, delivers, memory, roleByPrototype, rolesByTable } from "./roles.mjs";

/** Bits of the entry kinds; the order is that of src/kernel/facts/functions/roles.ts. */
export const reachBits = [
  "poll",
  "interrupt",
  "transmit",
  "setup",
  "teardown",
  "worker",
  "timeout",
  "send",
  "take",
  "receive",
];
const reachOf = {
  poll: "poll",
  interrupt: "interrupt",
  tasklet: "interrupt",
  timer: "interrupt",
  completion: "interrupt",
  transmit: "transmit",
  open: "setup",
  mtu: "setup",
  ethtool: "setup",
  configure: "setup",
  probe: "setup",
  power: "setup",
  init: "setup",
  netlink: "setup",
  stop: "teardown",
  remove: "teardown",
  exit: "teardown",
  worker: "worker",
  timeout: "timeout",
  send: "send",
  take: "take",
  receive: "receive",
};
export const memoryBits = ["slab", "skb", "rxSkb", "frag", "pool", "pages", "dma", "vmalloc"];
export const doesBits = ["delivers", "completes", "refills"];

const bit = (list, name) => 1 << list.indexOf(name);
const addressTaken = (node) => node.taken;

/**
 * @param {{ name: string, directory: string, module: object, prototypes: Map<string, string> }[]} modules
 * @param {(module: string, name: string) => string | undefined} knownRole where a kernel has no types in its modules: another kernel's role
 */
export function functionsOf(modules, tables, knownRole) {
  const nodes = new Map();
  const exported = new Map();
  for (const m of modules)
    for (const f of m.module.functions) {
      const node = {
        name: f.name,
        module: m.name,
        calls: new Set(),
        refers: new Set(),
        memory: 0,
        does: 0,
        taken: false,
        role: undefined,
        reach: 0,
      };
      nodes.set(f, node);
      if (f.global) exported.set(f.name, exported.has(f.name) && exported.get(f.name)?.module !== m.name ? null : node);
    }
  const nodeOf = (ref) =>
    ref.function === undefined ? (exported.get(ref.outside) ?? undefined) : nodes.get(ref.function);
  const tableRoles = new Map();
  for (const m of modules) {
    for (const r of m.module.references) {
      const from = r.from === undefined ? undefined : nodes.get(r.from);
      const to = nodeOf(r);
      if (r.kind === "call" && from !== undefined) {
        if (to !== undefined) from.calls.add(to);
        else if (r.outside !== undefined) note(from, r.outside);
      } else if (to !== undefined) {
        to.taken = true;
        if (from !== undefined) from.refers.add(to);
      }
    }
    for (const [key, role] of rolesByTable(m.module, tables)) {
      const node = typeof key === "string" ? exported.get(key) : nodes.get(key);
      if (node !== undefined && node !== null) tableRoles.set(node, role);
    }
  }
  for (const m of modules)
    for (const f of m.module.functions) {
      const node = nodes.get(f);
      node.role =
        tableRoles.get(node) ??
        (f.name === "init_module" ? "init" : f.name === "cleanup_module" ? "exit" : undefined) ??
        (addressTaken(node) ? roleByPrototype(m.prototypes.get(bare(f.name)), f.name) : undefined) ??
        (m.prototypes.size === 0 ? knownRole(m.name, f.name) : undefined);
    }
  const all = [...nodes.values()];
  for (const node of all) if (node.role !== undefined) flood(node, bit(reachBits, reachOf[node.role]));
  upwards(all);
  for (const node of all) if (refills(node)) node.does |= bit(doesBits, "refills");
  return all;
}

const bare = (name) => name.replace(/\.(isra|constprop|part|cold)(\.\d+)?/g, "");

function note(node, outside) {
  for (const [kind, form] of Object.entries(memory)) if (form.test(outside)) node.memory |= bit(memoryBits, kind);
  if (delivers.test(outside)) node.does |= bit(doesBits, "delivers");
  if (completes.test(outside)) node.does |= bit(doesBits, "completes");
}

/** Every function that can be reached from `start`. A callback is reached from where it is registered only by its setup. */
function flood(start, mask) {
  const open = [start];
  while (open.length > 0) {
    const node = open.pop();
    if ((node.reach & mask) === mask) continue;
    node.reach |= mask;
    for (const to of node.calls) if (to.role === undefined) open.push(to);
    // An operation without a role of its own that is put somewhere by a setup is called by it, or later by the poll it stands for.
    if (mask === bit(reachBits, "setup")) for (const to of node.refers) if (to.role === undefined) open.push(to);
  }
}

/** Memory and deeds of what is called belong to the caller as well. */
function upwards(all) {
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of all)
      for (const to of node.calls) {
        const more = node.memory | to.memory;
        const does = node.does | to.does;
        if (more === node.memory && does === node.does) continue;
        node.memory = more;
        node.does = does;
        changed = true;
      }
  }
}

/** Buffers for packets that have not arrived: made both when the interface is set up and when packets come in, and by no transmit. */
function refills(node) {
  const has = (name) => (node.reach & bit(reachBits, name)) !== 0;
  const buffers = ["rxSkb", "frag", "pool", "pages"].some((kind) => (node.memory & bit(memoryBits, kind)) !== 0);
  const plain = ["skb", "slab"].some((kind) => (node.memory & bit(memoryBits, kind)) !== 0);
  if (node.role !== undefined || has("transmit") || has("send")) return false;
  const made = has("setup") || has("worker") || has("timeout");
  const arriving = has("poll") || has("interrupt");
  if (buffers && node.taken && has("setup") && !arriving && named.test(node.name)) return true;
  if ((node.does & bit(doesBits, "delivers")) !== 0) return false;
  return made && arriving && (buffers || (plain && named.test(node.name)));
}
/** Where calls go by pointers, or the memory is anybody's, the name must say it too. */
const named = /fill|alloc.*rx|rx.*alloc|rx.*buf|post.*rx|rx.*post|rx_submit/;
