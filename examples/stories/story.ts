// A driver author's transmit path, told to skblab: run  skblab explore examples/stories/story.ts
// The driver has a ring of one descriptor, stops its queue when that is used, and is woken by its interrupt. Is it right?
// Nothing here needs a type annotation: inside defineStory all types are inferred, so the file runs on every Node.
import { add, defineStory, enter, joined, test, testAndClear, to, wait, write } from "skblab";

export const story = defineStory("my driver", (s) => {
  const used = s.cell("used"); // descriptors in the ring: 0 or 1
  const stopped = s.cell("stopped");
  const sent = s.cell("sent", 2);

  // The network stack: two packets, one after the other, as long as the queue runs.
  s.task({
    name: "xmit",
    context: "process",
    cpu: 0,
    start: "start_xmit",
    args: [2],
    sections: {
      *start_xmit(left) {
        yield wait(stopped, "==", 0, "core:dev_queue_xmit");
        yield joined(add(used, 1, "mydrv.c:start_xmit"));
        yield add(sent, 1);
        // The ring is full now. Stop, and look again: the interrupt may have come in between.
        if ((yield test(used, ">=", 1, "mydrv.c:tx_avail")) === 1) {
          yield write(stopped, 1, "mydrv.c:netif_stop_queue");
          // Take out these two lines and run again: the wake-up is lost.
          if ((yield test(used, "<", 1, "mydrv.c:look again")) === 1) yield write(stopped, 0, "mydrv.c:netif_start_queue");
        }
        return left > 1 ? to("start_xmit", left - 1) : to("");
      },
    },
  });

  // The completion, on another CPU.
  s.task({
    name: "irq",
    context: "hardirq",
    cpu: 1,
    start: "clean",
    sections: {
      *clean() {
        yield enter(used, ">=", 1, "mydrv.c:interrupt");
        yield add(used, -1, "mydrv.c:clean_tx");
        if ((yield test(stopped, "!=", 0, "mydrv.c:netif_queue_stopped")) === 1)
          yield testAndClear(stopped, "mydrv.c:netif_wake_queue");
        return to("clean");
      },
    },
  });
});
