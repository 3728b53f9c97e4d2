// Control groups' LRU lists and objects that wait for RCU, put into a made-up kernel whose structs are laid out by a seed.
import { describe, expect, test } from "vitest";
import { openKernel } from "./kernel.ts";
import { array, int, type Shapes, struct, word } from "./made_up.testkit.ts";
import { readLru } from "./mm/lru.ts";
import { objectsAwaitingRcu } from "./slab/awaiting_rcu.ts";
import { type TinyBuilder, tinyKernel, tinyMemory } from "./tiny.testkit.ts";

const shapes: Shapes = {
  cgroup_subsys_state: {
    free: [
      ["cgroup", word],
      ["sibling", struct("list_head")],
      ["children", struct("list_head")],
    ],
  },
  kernfs_node: {
    free: [
      ["__parent", word],
      ["name", word],
    ],
  },
  cgroup: { free: [["kn", word]] },
  lruvec: { free: [["lists", array(struct("list_head"), 5)]] },
  mem_cgroup_per_node: {
    free: [
      ["memcg", word],
      ["lruvec", struct("lruvec")],
    ],
  },
  mem_cgroup: {
    free: [
      ["css", struct("cgroup_subsys_state")],
      ["id", word],
    ],
    ends: [["nodeinfo", array(word, 1)]],
  },
  callback_head: {
    fixed: [
      ["next", word],
      ["func", word],
    ],
  },
  slab_sheaf: {
    free: [
      ["barn_list", struct("list_head")],
      ["rcu_head", struct("callback_head")],
      ["cache", word],
      ["size", int(4)],
      ["objects", array(word, 4)],
    ],
  },
  rcu_segcblist: {
    free: [
      ["head", word],
      ["len", word],
    ],
  },
  rcu_cblist: {
    free: [
      ["head", word],
      ["len", word],
    ],
  },
  rcu_data: {
    free: [
      ["cblist", struct("rcu_segcblist")],
      ["nocb_bypass", struct("rcu_cblist")],
    ],
  },
};

interface Group {
  readonly path: string;
  readonly pfns: readonly number[];
}

/** Groups by path, each with two pages on its second list: /, /a, /a/b, /c. */
function groups(b: TinyBuilder): Group[] {
  const l = b.layouts;
  const css = l.off("mem_cgroup", "css");
  const children = css + l.off("cgroup_subsys_state", "children");
  const sibling = css + l.off("cgroup_subsys_state", "sibling");
  let page = 400;
  const out: Group[] = [];
  const make = (name: string, parent: bigint, path: string): { at: number; kn: bigint } => {
    const kn = b.direct(b.make("kernfs_node", { name: b.text(name), __parent: parent }));
    const at = b.make("mem_cgroup", {});
    const cgroup = b.direct(b.make("cgroup", { kn }));
    b.set(at + css, "cgroup_subsys_state", "cgroup", cgroup);
    const perNode = b.make("mem_cgroup_per_node", {});
    b.set(at, "mem_cgroup", "nodeinfo", b.direct(perNode));
    const lruvec = perNode + l.off("mem_cgroup_per_node", "lruvec");
    const pfns = [page++, page++];
    for (let i = 0; i < 5; i++)
      b.ring(
        b.direct(lruvec + l.off("lruvec", "lists") + i * 16),
        i === 1 ? pfns.map((pfn) => b.pageVa(pfn) + BigInt(l.off("page", "lru"))) : [],
      );
    out.push({ path, pfns });
    return { at, kn };
  };
  const [root, a, c] = [make("", 0n, "/")].flatMap((r) => [r, make("a", r.kn, "/a"), make("c", r.kn, "/c")]);
  if (root === undefined || a === undefined || c === undefined) throw new Error("unreachable");
  const inside = make("b", a.kn, "/a/b");
  for (const [parent, own] of [
    [root, [a, c]],
    [a, [inside]],
    [c, []],
    [inside, []],
  ] as const)
    b.ring(
      b.direct(parent.at + children),
      own.map((g) => b.direct(g.at + sibling)),
    );
  const variable = b.alloc(8);
  b.put64(variable, b.direct(root.at));
  b.symbol("root_mem_cgroup", variable);
  return out;
}

describe.each([1, 2, 3])("layout %i", (seed) => {
  test("the LRU lists of every control group are walked, each under its path", () => {
    let put: Group[] = [];
    const tiny = tinyKernel(seed, {
      shapes,
      put(b) {
        put = groups(b);
      },
    });
    const found = readLru(openKernel(tinyMemory(tiny)));
    const full = found.filter((f) => f.pfns.length > 0);
    expect(full.map((f) => ({ path: f.group?.path ?? "/", pfns: f.pfns }))).toEqual(
      ["/", "/a", "/c", "/a/b"].map((path) => put.find((g) => g.path === path)),
    );
    expect(full.every((f) => f.of.kind === "list" && f.of.list === 1)).toBe(true);
    // Empty lists are told of the root only, as the kernel's own test prints them.
    expect(found.filter((f) => f.pfns.length === 0).every((f) => f.group === undefined)).toBe(true);
  });

  test("sheaves in RCU's queues are told by the function that waits for them; other callbacks are none", () => {
    const objects = [0x1000n, 0x2000n, 0x3000n].map((o) => 0xffff888000000000n + o);
    const cache = 0xffff888000012340n;
    const tiny = tinyKernel(seed, {
      shapes,
      put(b) {
        const functions = ["rcu_free_sheaf", "rcu_free_sheaf_nobarn", "file_free_rcu"].map((name) => {
          const at = b.alloc(16);
          b.symbol(name, at);
          return 0xffffffff80000000n + BigInt(at);
        });
        const head = b.layouts.off("slab_sheaf", "rcu_head");
        const sheaf = (func: number, next: bigint, own: readonly bigint[]): bigint => {
          const at = b.make("slab_sheaf", { cache, size: own.length });
          for (const [i, o] of own.entries()) b.put64(at + b.layouts.off("slab_sheaf", "objects") + i * 8, o);
          b.set(at + head, "callback_head", "func", functions[func] as bigint);
          b.set(at + head, "callback_head", "next", next);
          return b.direct(at + head);
        };
        const data = b.make("rcu_data", {});
        const chain = sheaf(0, sheaf(2, sheaf(1, 0n, objects.slice(1, 2)), [1n]), objects.slice(0, 1));
        b.set(data + b.layouts.off("rcu_data", "cblist"), "rcu_segcblist", "head", chain);
        b.set(data + b.layouts.off("rcu_data", "nocb_bypass"), "rcu_cblist", "head", sheaf(0, 0n, objects.slice(2)));
        // Per-CPU offset is 0 in this kernel, so that the symbol is the place itself.
        b.symbol("rcu_data", data);
      },
    });
    expect(objectsAwaitingRcu(openKernel(tinyMemory(tiny)))).toEqual(new Map([[cache, objects]]));
  });

  test("a kernel without such sheaves has no answer, not an empty one", () => {
    expect(objectsAwaitingRcu(openKernel(tinyMemory(tinyKernel(seed))))).toBeUndefined();
  });
});
