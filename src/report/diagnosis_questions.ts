// The question behind each finding, as a person would put it. Findings whose claim carries its own question have none here.

export interface Question {
  readonly text: string;
  /** What, who, where: the claim itself is the answer, a yes before it would be noise. */
  readonly open?: true;
}

const yesNo = (text: string): Question => ({ text });
const open = (text: string): Question => ({ text, open: true });

/** By finding id; a key that ends in a dot stands for every id that begins so. */
const questions: Readonly<Record<string, Question>> = {
  "wanted.request": open("What was asked for?"),
  "why.refused": open("Why was it refused?"),
  "why.free_unusable": yesNo("Was memory free that it could not use?"),
  "why.vmalloc": open("What failed?"),
  fragmentation: yesNo("Was it fragmentation?"),
  direction: yesNo("Is it the network's path?"),
  "ring.slot_lost": yesNo("Is a slot of the ring lost for good?"),
  "context.atomic_needlessly": yesNo("Did the caller ask atomically without need?"),
  "container.limit": yesNo("Was it a container's limit?"),
  "offload.tso": yesNo("Can TSO be the cause?"),
  "offload.gso": yesNo("Can GSO be the cause?"),
  "offload.sg": yesNo("Can scatter-gather be the cause?"),
  "offload.lro": yesNo("Can LRO be the cause?"),
  "offload.gro": yesNo("Can GRO be the cause?"),
  "mtu.order_zero": yesNo("Is there an MTU that keeps receive buffers within one page?"),
  "slab_debug.raised_order": yesNo("Did slab debugging raise the order?"),
  slab_holds: yesNo("Does one cache hold the machine's memory?"),
  slab_order: yesNo("Is it the slab that needs the block, and not the object?"),
  "min_free.default": yesNo("Is min_free_kbytes the kernel's own default?"),
  "bad_page.flags": yesNo("Are flags set on the page?"),
  "bad_page.double_free": yesNo("Was the memory freed twice?"),
  "bad_page.reason": yesNo("Is the kernel's reason known?"),
  "bad_page.overwritten": yesNo("Was the page's record written over?"),
  "bad_page.page_pool": yesNo("Does the page belong to a page_pool?"),
  "bad_page.struct_page": yesNo("Do pointer and page number agree?"),
  "bad_page.process_guilty": yesNo("Is the process that is named to blame?"),
  "bad_page.owner": yesNo("Is it known who had the page?"),
  "bad_page.whole_block": yesNo("Was it one block of several pages?"),
  "bad_page.packet_memory": yesNo("Is it packet memory?"),
  "oops.where": open("Where did it stop?"),
  "oops.message": open("What does it say?"),
  "oops.sanitizer": open("What did the sanitizer see?"),
  "oops.object_owner": yesNo("Is it known who had the object?"),
  "oops.pointer": yesNo("Is the bad pointer known?"),
  "oops.use_after_free": yesNo("Is it a use after free?"),
  "oops.packet_memory": yesNo("Is packet memory involved?"),
  "oops.first": yesNo("Is it the first fault?"),
  "oops.panic": yesNo("Did the machine go down?"),
  "skb_panic.bounds": open("By how much did it leave the buffer?"),
  "skb_panic.hashed": yesNo("Are its pointers hashed?"),
  "skb_panic.who": open("Who changed the packet?"),
  "skb_panic.dev": yesNo("Is the device known?"),
  "slab.use_after_free": yesNo("Is it a use after free?"),
  "slab.reference_dropped": yesNo("Was a reference dropped once too often?"),
  "slab.out_of_bounds": yesNo("Was it a write out of bounds?"),
  "slab.double_free": yesNo("Was it freed twice?"),
  "slab.broken": open("What is broken?"),
  "slab.owner": yesNo("Is it known who had the object?"),
  "slab.packet_memory": yesNo("Is it packet memory?"),
  "page_pool.stalled": open("What does it wait for?"),
  "page_pool.leak": yesNo("Is it a leak?"),
  "page_pool.together": yesNo("Are these the pools of one restart?"),
  "page_pool.draining": yesNo("Do pages come back?"),
  "oom.scope": yesNo("Was the machine out of memory?"),
  "oom.largest": open("Who used most?"),
  "oom.kernel_memory": yesNo("Was it the kernel's own memory?"),
  "oom.slabs": open("Which cache holds it?"),
  "oom.victim": open("Who was killed?"),
  "oom.panic": yesNo("Did the machine go down?"),
  "episode.together": open("What else happened then?"),
  "driver_line.beside": open("What does the driver say?"),
  "driver_line.meaning": open("What does it say?"),
  "driver_line.memory": yesNo("Is it about memory?"),
  "driver_line.size": yesNo("Does its size say what was wanted?"),
  "taint.first": yesNo("Is it the first corruption since boot?"),
  "taint.foreign": yesNo("Is foreign code loaded?"),
  "kernel.backport": yesNo("Is it a vendor's kernel with newer parts?"),
};

export const questionOf = (id: string): Question | undefined => questions[id];
