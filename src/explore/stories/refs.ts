// page_pool_destroy() on one CPU against recycling from another (net/core/page_pool.c). Fixed in 6.16 by commit 271683bb2cf3
// ("page_pool: Fix use-after-free in page_pool_recycle_in_ring"): destroy takes the producer lock once before it frees the pool.
//
//   CPU 0  destroy:  empty the ring, count what is out, [producer lock], free the pool when nothing is
//   CPU n  recycle:  producer lock, put the page into the ring, unlock      the page may be counted home before the unlock
import {
  add,
  addAndRead,
  type Cell,
  type Code,
  fail,
  type Goto,
  joined,
  lock,
  read,
  step,
  test,
  to,
  unlock,
  write,
} from "../../model/sync/effect.ts";
import { defineStory, type Story } from "../story.ts";

/** After an effect that was joined: the pool must still be there. */
function* alive(freed: Cell, what: string): Code {
  if ((yield test(freed, "!=", 0)) === 1) yield fail(`${what} touches the pool after it was freed`);
}

/** `fixed`: with the producer lock taken by destroy. `pages`: each on its way home on a CPU of its own. */
export function pagePoolStory(fixed: boolean, pages = 2): Story {
  return defineStory(fixed ? "page_pool" : "page_pool-before-6.16", (s) => {
    const producer = s.lock("producer_lock");
    const ring = s.cell("ring", 1);
    const out = s.cell("inflight", pages, pages);
    const freed = s.cell("freed");
    s.task({
      name: "destroy",
      context: "process",
      cpu: 0,
      start: "release",
      sections: {
        // page_pool_release(), called again by the delayed work as long as pages are out.
        *release(): Code<Goto> {
          const n = yield joined(read(ring, "page_pool.c:page_pool_scrub"));
          yield joined(write(ring, 0));
          yield add(out, -n);
          const inflight = yield read(out, "page_pool.c:page_pool_inflight");
          if (fixed) {
            yield lock(producer, "page_pool.c:page_pool_release");
            yield unlock(producer, "page_pool.c:page_pool_release");
          }
          if (inflight > 0) {
            yield step("page_pool.c:release_retry");
            return to("release");
          }
          yield write(freed, 1, "page_pool.c:__page_pool_destroy");
          return to("");
        },
      },
    });
    for (let page = 0; page < pages; page++)
      s.task({
        name: `recycle${page}`,
        context: "softirq",
        cpu: page + 1,
        start: "put",
        sections: {
          // The last free page may bring the count to zero: it must be the last touch of the pool.
          *put(): Code {
            yield lock(producer, "page_pool.c:recycle_in_ring");
            const before = yield joined(test(ring, ">=", 1, "ptr_ring.h:__ptr_ring_produce"));
            if (before === 0) yield joined(write(ring, 1));
            yield* alive(freed, "__ptr_ring_produce()");
            yield joined(unlock(producer, "ptr_ring.h:unlock"));
            yield* alive(freed, "spin_unlock(&ring->producer_lock)");
            if (before === 0) return;
            yield joined(add(out, -1, "page_pool.c:page_pool_return_page"));
            yield* alive(freed, "page_pool_return_page()");
          },
        },
      });
    s.atEnd({ finding: "leak", text: "the pool is never freed", when: [{ on: freed, compare: "==", value: 0 }] });
  });
}

/** kfree_skb() of one skb from several CPUs: skb_unref() in include/linux/skbuff.h, as of 4.13 and later. `atomic` false: a plain
 * decrement, the canary. */
export function skbRefsStory(atomic: boolean, cpus = 3): Story {
  return defineStory(atomic ? "skb_refs" : "skb_refs-plain", (s) => {
    const users = s.cell("users", cpus, cpus);
    const freed = s.cell("freed", cpus);
    for (let cpu = 0; cpu < cpus; cpu++)
      s.task({
        name: `kfree${cpu}`,
        context: "softirq",
        cpu,
        start: "kfree_skb",
        sections: {
          *kfree_skb(): Code {
            const seen = yield joined(read(users, "skbuff.h:skb_unref"));
            yield* alive(freed, "refcount_read(&skb->users)");
            // Who sees 1 is alone and needs no atomic operation.
            if (seen > 1) {
              if (atomic) {
                const left = yield joined(addAndRead(users, -1, "skbuff.h:refcount_dec_and_test"));
                yield* alive(freed, "refcount_dec_and_test(&skb->users)");
                if (left > 0) return;
              } else {
                yield write(users, seen - 1, "skbuff.h:users--");
                return;
              }
            }
            const times = yield addAndRead(freed, 1, "skbuff.c:__kfree_skb");
            if (times > 1) yield fail("the skb is freed twice");
          },
        },
      });
    s.atEnd({ finding: "leak", text: "nobody freed the skb", when: [{ on: freed, compare: "==", value: 0 }] });
  });
}

/** Two clones of one packet freed on two CPUs while a third copies the header to write to it: skb_cloned(), pskb_expand_head() and
 * skb_release_data() (net/core/skbuff.c). `atomic` false: dataref read and written apart. */
export function skbCloneStory(atomic: boolean): Story {
  return defineStory(atomic ? "skb_clone" : "skb_clone-plain", (s) => {
    const dataref = s.cell("dataref", 3, 3);
    const freed = s.cell("data_freed", 3);
    const releaseData = function* (): Code {
      if (atomic) {
        const left = yield joined(addAndRead(dataref, -1, "skbuff.c:skb_release_data"));
        yield* alive(freed, "atomic_sub_return(dataref)");
        if (left > 0) return;
      } else {
        const seen = yield read(dataref, "skbuff.c:skb_release_data");
        yield write(dataref, Math.max(seen - 1, 0), "skbuff.c:skb_release_data");
        if (seen > 1) return;
      }
      if ((yield addAndRead(freed, 1, "skbuff.c:skb_free_head")) > 1)
        yield fail("the data of the packet is freed twice");
    };
    for (let cpu = 0; cpu < 2; cpu++)
      s.task({ name: `kfree${cpu}`, context: "softirq", cpu, start: "free", sections: { free: () => releaseData() } });
    s.task({
      name: "writer",
      context: "softirq",
      cpu: 2,
      start: "skb_cow",
      sections: {
        *skb_cow(): Code {
          const shared = yield joined(test(dataref, "!=", 1, "skbuff.h:skb_cloned"));
          yield* alive(freed, "skb_cloned()");
          if (shared === 1) {
            yield step("skbuff.c:pskb_expand_head copies");
            yield* releaseData();
            return;
          }
          yield joined(step("writes the header"));
          if ((yield test(dataref, ">=", 2)) === 1) yield fail("a header is written that another clone can see");
          yield* releaseData();
        },
      },
    });
    s.atEnd({ finding: "leak", text: "nobody freed the data", when: [{ on: freed, compare: "==", value: 0 }] });
  });
}
