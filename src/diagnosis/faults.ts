// What kind of fault a report tells of, and what follows from that: the cause in one sentence, how bad it is, and whether memory was
// corrupted. The class of the fault decides. "Corrupted" needs a sign that was seen: a poison value, an address that is none, a damaged
// list, a sanitizer's or the slab's own words.
import { has } from "../kernel/facts/functions/known.ts";
import { fragmentReaders, freelistReaders, pointersInside } from "../kernel/facts/functions/page_lives.ts";
import type { Oops, SanitizerReport } from "../kernel/readings/oops.ts";
import { lostBug } from "../kernel/readings/oops.ts";
import { registersPart } from "../kernel/readings/register_extent.ts";
import type { Case } from "./case.ts";
import { dmaComplaint } from "./dma_debug.ts";
import type { Fault } from "./fault.ts";
import type { Severity } from "./finding.ts";
import { isPageHeader, knownCheck, mayBeCorruption } from "./known_checks.ts";
import { lockup, rcuStall } from "./lockups.ts";
import { panicReason, panicSaid } from "./panics.ts";
import { isHelper, isPlumbing } from "./plumbing.ts";
import type { FaultPointer } from "./pointers.ts";
import { namePointer, pointerOf } from "./pointers.ts";
import { poolBelowZero } from "./pool_below_zero.ts";
import { sleep } from "./sleeping.ts";

/** The function in which it stopped. */
export const faultAt = (o: Oops): string | undefined => o.at?.function ?? o.registers?.at?.function;

const stopped =
  "Act on it: the task, or the whole machine, stopped there. Nothing in the report shows that memory was overwritten.";
const corrupted = "Serious: memory was corrupted. What happens later on this machine cannot be trusted.";
const wentOn = "The kernel continued, but something it relies on does not hold.";

const noShortage = "This is not a shortage of memory";

/** The verdict where what would have shown damaged memory, or the contrary, is lost. */
const open = (fault: Fault, lacks: string): Fault => ({
  ...fault,
  severity: "unknown",
  memory: "not said",
  consequence: `The text does not say whether memory is sound: it lacks ${lacks}.`,
});

/** The module in which it stopped, and whether it came with the kernel, as the list of modules marks it. */
export function faultModule(o: Oops): { readonly name: string; readonly foreign: boolean } | undefined {
  const name = o.at?.module ?? o.registers?.at?.module;
  if (name === undefined) return undefined;
  const flags = new RegExp(`(?:^|\\s)${name.replace(/[^\w-]/g, "")}\\(([A-Z+-]*)\\)`).exec(o.modules ?? "")?.[1];
  return { name, foreign: /[OPE]/.test(flags ?? "") };
}

function placeOf(o: Oops): string {
  const name = faultAt(o);
  const module = faultModule(o);
  const source = o.source === undefined ? undefined : `${o.source.file}:${o.source.line}`;
  if (name === undefined) return source ?? "a function that the text does not name";
  if (module === undefined) return name;
  return `${name} of the ${module.foreign ? "out-of-tree " : ""}module ${module.name}`;
}

/**
 * Who called the function in which it stopped, as the link register tells. A function that has made calls of its own leaves the return from
 * the last of them there: so only a helper that calls nothing is believed, or a link that the stack shows as well.
 */
export function callerByLink(o: Oops): string | undefined {
  const link = o.link?.function;
  const at = faultAt(o);
  if (link === undefined || at === undefined || link === at) return undefined;
  const shown = (o.trace?.items ?? []).flatMap((i) => (i.kind === "frame" ? [i.function] : [])).slice(0, 4);
  const leaf = (isHelper(at) || isPlumbing(at)) && !isHelper(link);
  return leaf || shown.includes(link) ? link : undefined;
}

const calledFrom = (o: Oops): string => {
  const caller = callerByLink(o);
  return caller === undefined ? "" : `, called from ${caller},`;
};

/** The verdict on a fault. */
export function faultOf(c: Case, o: Oops): Fault {
  return sanitized(o) ?? byMessage(o) ?? byClass(c, o);
}

function byClass(c: Case, o: Oops): Fault {
  const place = placeOf(o);
  switch (o.class) {
    case "warning":
      return warning(c, o, place);
    case "sanitizer":
      return open(
        {
          key: "sanitizer",
          title: "Sanitizer's report",
          cause:
            "A sanitizer caught an invalid access; its first line, which says what kind and where, is not in the text.",
          severity: "act",
          consequence: stopped,
          memory: "not said",
          reason: `${noShortage}: a wrong access was caught.`,
        },
        "the end of its first line",
      );
    case "bug":
    case "invalid opcode":
      return assertion(o, place);
    case "panic":
      return panic(o);
    case "lockup":
      return lockup(c, o, place);
    case "rcu stall":
      return rcuStall(c, o, faultAt(o));
    case "sleep":
      return sleep(c, o);
    case "split lock":
      return {
        key: "split lock",
        title: "Split lock",
        cause: `A locked instruction in ${place} touched two cache lines, and split lock detection stopped it: the counter is not aligned (in a packet: skb_shared_info at the end of the buffer).`,
        severity: "act",
        consequence: `${stopped} The pointer was good; the buffer's size or start is not aligned to a cache line.`,
        memory: "none",
        reason: `${noShortage}: an alignment check (#AC) of a locked instruction.`,
      };
    case "divide error":
      return {
        key: "divide error",
        title: "Divide error",
        cause: `${place} divided by zero, or the result was too large.`,
        severity: "act",
        consequence: stopped,
        memory: "none",
        reason: `${noShortage}: a division failed.`,
      };
    case "machine check":
      return {
        key: "machine check",
        title: "Machine check",
        cause: "The hardware reported an error.",
        severity: "act",
        consequence: "Act on it: look at memory, power and cooling before any software.",
        memory: "none",
        reason: `${noShortage}: the hardware reported an error.`,
      };
    case "double fault":
      return {
        key: "double fault",
        title: "Double fault",
        cause: `A fault in ${place} could not be handled: usually the kernel stack overflowed, or the stack pointer was wrong.`,
        severity: "act",
        consequence: stopped,
        memory: "not said",
        reason: `${noShortage} of pages: a kernel stack is of fixed size.`,
      };
    default:
      return pointed(c, o, place);
  }
}

/** Where the message says what was found, and the place alone does not. */
const saysByMessage = /^lib\/(?:refcount|list_debug)\.c$/;

function warning(c: Case, o: Oops, place: string): Fault {
  const said = o.message === undefined ? "" : ` It says: "${o.message}".`;
  if (c.around.afterPanic === true)
    return {
      key: "warning after panic",
      title: "Warning after the panic",
      cause: `A check in ${place} failed after the machine had panicked: the other CPUs are stopped by then, and such checks fail for that alone. Look at the panic.${said}`,
      severity: "watch",
      consequence: "It says nothing of its own; the panic before it does.",
      memory: "none",
      reason: `${noShortage}: a check failed while the machine was being stopped.`,
    };
  const fault: Fault = {
    key: "warning",
    title: "Kernel warning",
    cause: `A check in ${place} failed; the kernel went on.${said}`,
    severity: "watch",
    consequence: wentOn,
    memory: "none",
    reason: `${noShortage}: a check inside the kernel failed, and it went on.`,
  };
  if (o.message !== undefined) return fault;
  if (o.source === undefined) return open(fault, "the end of its first line, which names the check");
  return saysByMessage.test(o.source.file) ? open(fault, "the message of the check") : fault;
}

function assertion(o: Oops, place: string): Fault {
  const known = knownCheck(faultAt(o), o.source, o.message);
  const where = o.source === undefined || place.includes(o.source.file) ? "" : ` (${o.source.file}:${o.source.line})`;
  const own =
    o.class === "bug"
      ? `${place}${where} stopped on a check of its own (BUG).`
      : `${place} executed an invalid instruction: usually the end of a BUG() whose own line is missing.`;
  const severity = known?.severity ?? "act";
  const fault: Fault = {
    key: known?.key ?? "assertion",
    title: known?.doubleFree === true ? "Double free" : "Kernel assertion",
    cause: known === undefined ? own : `${own} ${known.meaning}`,
    severity,
    consequence: severity === "corruption" ? corrupted : stopped,
    memory: severity === "corruption" ? "corruption" : "none",
    reason: `${noShortage}: one of the kernel's own checks fired. It compared a value and followed no bad pointer.`,
  };
  // skb_panic() ends in a BUG() of its own, wherever that stands.
  if (known !== undefined) return fault;
  if (o.source === undefined) return open(fault, "the line that names the check (kernel BUG at FILE:LINE)");
  if (o.message === undefined && isPageHeader(o.source))
    return open(fault, 'the line that names the check of the page ("page dumped because")');
  return faultAt(o) === undefined && mayBeCorruption(o.source)
    ? open(fault, "the line that names the function (RIP, pc, NIP)")
    : fault;
}

function panic(o: Oops): Fault {
  const said = panicSaid(o.headline);
  const place = faultAt(o) === undefined ? "" : ` (in ${faultAt(o)})`;
  const about: Readonly<Record<typeof said.memory, string>> = {
    shortage: "It is a shortage of memory, by the kernel's own words.",
    corruption: `${noShortage}: memory was written over.`,
    none: `${noShortage}, and the reason that the kernel gives says nothing of damaged memory.`,
    "not said": "The reason that the kernel gives does not say what memory has to do with it.",
  };
  return {
    key: `panic:${said.key}`,
    title: "Kernel panic",
    cause: `The kernel stopped the machine: ${said.meaning}${place}. Its words: "${panicReason(o.headline)}".`,
    severity: said.severity,
    consequence:
      said.severity === "corruption"
        ? corrupted
        : said.severity === "harmless"
          ? "Nothing is wrong: the machine was stopped on purpose."
          : said.severity === "unknown"
            ? `Act on it: the machine went down. ${said.key === "other" ? "The reason does not say" : "The lines before it would say"} whether memory is sound.`
            : "Act on it: the machine went down.",
    memory: said.memory,
    reason: about[said.memory],
  };
}

/** A message of a WARN or BUG that is a verdict by itself. */
function byMessage(o: Oops): Fault | undefined {
  const text = o.message;
  if (text === undefined) return undefined;
  const quoted = `The kernel's words: "${text}".`;
  if (/^refcount_t: .{0,40}(?:leaking memory|saturated;)/.test(text))
    return {
      key: "refcount leak",
      title: "Reference count saturated",
      cause: `A reference count was raised beyond its limit, or dropped when it must not be: the object will never be freed. ${quoted}`,
      severity: "act",
      consequence: "Act on it: the object leaks, and the code that miscounts is still running.",
      memory: "none",
      reason: `${noShortage}: a reference count went wrong.`,
    };
  if (text.startsWith("refcount_t:")) {
    const fault: Fault = {
      key: "refcount",
      title: "Reference count went wrong",
      cause: `A reference was dropped once too often, or taken after the object had been freed. ${quoted}`,
      severity: "corruption",
      consequence: "Serious: the object may be freed while somebody still uses it.",
      memory: "corruption",
      reason: `${noShortage}: a reference was dropped that nobody held.`,
    };
    return text.includes("use-after-free")
      ? fault
      : open({ ...fault, cause: `A reference count went wrong. ${quoted}` }, "the end of the message");
  }
  if (/list_(?:add|del) corruption|list_add double add/.test(text)) {
    const twice = /LIST_POISON|double add|dead0000000001[012]|0010010[0-9]/.test(text);
    return {
      key: "list damaged",
      title: "Damaged list",
      cause: `A list was damaged${twice ? ": an entry was added or removed twice" : ": its neighbors do not point back to an entry"}. ${quoted}`,
      severity: "corruption",
      consequence: corrupted,
      memory: "corruption",
      reason: `${noShortage}: a list's pointers do not match each other.`,
    };
  }
  if (/NETDEV WATCHDOG/.test(text))
    return {
      key: `watchdog:${/: (\S{1,16}) \(/.exec(text)?.[1] ?? ""}`,
      title: "Transmit queue stopped",
      cause: `A transmit queue made no progress and the driver was told to reset it. ${quoted}`,
      severity: "watch",
      consequence: "The interface stands still until its driver has reset it; the kernel went on.",
      memory: "none",
      reason: `${noShortage} by itself: the hardware, its interrupt or its driver did not finish what was queued to it.`,
    };
  if (/^Negative\(-\d+\) inflight packet-pages/.test(text))
    return {
      key: "pool below zero",
      title: "Page pool's count below zero",
      cause: `A page_pool got more pages back than it had given out: a page came back twice, or came to a pool that is not its own (page_pool_inflight(), net/core/page_pool.c). ${quoted}`,
      ...poolBelowZero,
      reason: `${noShortage}: a pool's own count went wrong.`,
    };
  if (text.includes("DMA-API: ")) {
    const { meaning, cause, ...said } = dmaComplaint(text, undefined);
    return {
      ...said,
      cause: `${cause} ${meaning}`,
      memory: "none",
      reason: `${noShortage}: a check of DMA mappings failed.`,
    };
  }
  return undefined;
}

const sanitizerNames: readonly (readonly [form: RegExp, title: string, what: string, severity: Severity])[] = [
  [/null-ptr-deref/, "NULL pointer", "used a NULL pointer", "act"],
  [/user-memory-access|wild-memory-access/, "Wild pointer", "used a wild pointer", "corruption"],
  [/uninit/, "Uninitialized value", "used an uninitialized value", "act"],
  [
    /infoleak/,
    "Uninitialized bytes given away",
    "passed on uninitialized bytes: old contents of kernel memory can be read outside the kernel",
    "act",
  ],
  [/invalid-access/, "Wrong tag", "touched memory that was freed, or that belongs to another object", "corruption"],
  [
    /double-free|invalid-free|invalid free/,
    "Invalid free",
    "freed an object that was already free, or something that is not an object",
    "corruption",
  ],
  [/use-after-free/, "Use after free", "used memory that had been freed", "corruption"],
  [/out-of-bounds/, "Out of bounds", "touched memory outside of its object", "corruption"],
  [/memory corruption/, "Out of bounds", "wrote outside of an object, found when it was freed", "corruption"],
];

/** What is freed wrongly, or found overwritten, was changed; of another access its own line says whether it wrote. */
const isWritten = (access: SanitizerReport["access"], bug: string): boolean =>
  access === "write" ||
  access === "free" ||
  (access === undefined && /free$|memory corruption/.test(bug) && !/use-after-free/.test(bug));

const readOrNotSaid = (access: SanitizerReport["access"]): string =>
  access === "read"
    ? "Serious: memory was read that was not the reader's. The report does not say whether it is written as well."
    : "Serious: memory was used that was not its user's. The text does not say whether it was read or written: the line of the access is missing.";

const nearNull = (address: string | undefined): boolean =>
  address !== undefined && ["null", "almost null"].includes(namePointer(address, 64).kind);

function sanitized(o: Oops): Fault | undefined {
  const s = o.sanitizer;
  if (s === undefined) return undefined;
  if (s.bug === lostBug)
    return {
      key: `${s.tool}:headless`,
      title: `${s.tool} report without its head`,
      cause: `${s.tool} caught an invalid access to an object; its headline, which says what kind and where, is not in the text.`,
      severity: "corruption",
      // The line of the access stands before what is left.
      consequence: readOrNotSaid(undefined),
      memory: "corruption",
      reason: `${noShortage}: a wrong access was caught.`,
    };
  // What lies just above zero is a member of a null pointer, beyond the first page as well.
  const near = /user-memory-access/.test(s.bug);
  const bug = near && nearNull(s.address) ? "null-ptr-deref" : s.bug;
  const [, title, what, severity] = sanitizerNames.find(([form]) => form.test(bug)) ?? [
    /./,
    s.bug,
    `was reported for ${s.bug}`,
    "corruption" as const,
  ];
  const inFunction = / in ([\w.$]+)/.exec(o.headline)?.[1] ?? faultAt(o) ?? "Somebody";
  const object = s.cache === undefined ? "" : ` The object is of the cache ${s.cache}.`;
  const fault: Fault = {
    key: `${s.tool}:${s.bug}`,
    title: `${title} (${s.tool})`,
    cause: `${inFunction} ${what}: ${s.tool} saw it at the moment it happened (${s.bug}).${object}`,
    severity,
    consequence:
      severity === "corruption"
        ? isWritten(s.access, bug)
          ? corrupted
          : readOrNotSaid(s.access)
        : /infoleak|uninit/.test(s.bug)
          ? "Act on it: the kernel went on, and nothing was overwritten."
          : stopped,
    memory: severity === "corruption" ? "corruption" : "none",
    reason: `${noShortage}: a wrong access was caught.`,
  };
  return near && s.address === undefined ? open(fault, "the address that was used") : fault;
}

/** Registers of a general protection fault without an address that hold what no pointer may hold. */
function poisonInRegisters(o: Oops): FaultPointer | undefined {
  if (o.class !== "general protection" || o.registers === undefined) return undefined;
  for (const [name, value] of Object.entries(o.registers.values)) {
    if (!/^[0-9a-f]{16}$/i.test(value) || !/^R/.test(name)) continue;
    const said = namePointer(value, 64);
    if (said.kind === "slab poison" || said.kind === "list poison")
      return { value, said, base: { name, value, offset: 0 } };
  }
  return undefined;
}

/** The bad pointer of a fault, from its address or, where a general protection fault prints none, from a register that holds poison. */
export const badPointer = (o: Oops): FaultPointer | undefined => pointerOf(o) ?? poisonInRegisters(o);

const offsetOf = (p: FaultPointer | undefined): string => {
  const at = /offset (\d+(?: to \d+)?)/.exec(p?.said.sentence ?? "")?.[1];
  return at === undefined ? "" : ` at offset ${at}`;
};

/**
 * True when the kernel went to fetch an instruction where none is: x86 says so in the error code (bit 4, arch/x86/include/asm/trap_pf.h),
 * elsewhere the program counter is the address that faulted.
 */
function jumped(o: Oops): boolean {
  if (/\bOops: 00[13][0-9a-f]\b/.test(`${o.headline} ${o.oops ?? ""}`)) return true;
  const pc = o.at?.function === undefined ? (o.at?.address ?? o.registers?.values.PC) : undefined;
  return pc !== undefined && o.address !== undefined && BigInt(`0x${pc}`) === BigInt(`0x${o.address}`);
}

function jump(c: Case, o: Oops, isNull: boolean): Fault {
  const by = c.stack.frames.find((f) => f.reliable)?.function ?? callerByLink(o) ?? o.link?.function;
  const from = by === undefined ? "A function" : `${by}, or a function that it called,`;
  return {
    key: isNull ? "null call" : "wild call",
    title: isNull ? "NULL function pointer" : "Jump to no code",
    cause: isNull
      ? `${from} called a function pointer that was NULL: an operation that was never set, or already cleared.`
      : `${from} called a function at ${o.address === undefined ? "an address" : `0x${o.address}`} where no code may run: the function pointer was stale or wrong.`,
    severity: "act",
    consequence: isNull ? stopped : `${stopped} Nor does it show the contrary.`,
    memory: isNull ? "none" : "not said",
    reason: `${noShortage}: a function pointer led nowhere.`,
  };
}

/** arm64 and riscv say so themselves when the kernel touched a process's memory outside of the functions made for it. */
const userTouched = /access to user memory (?:without|outside) uaccess routines/;

function pointed(c: Case, o: Oops, place: string): Fault {
  if (userTouched.test(o.headline))
    return {
      key: "user access",
      title: "User memory touched",
      cause: `${place} accessed user memory without the functions made for it (copy_to_user(), put_user() and the like). The address itself may be valid.`,
      severity: "act",
      consequence: stopped,
      memory: "none",
      reason: `${noShortage}: the kernel may not touch a process's memory in that way.`,
    };
  const p = badPointer(o);
  const kind = p?.said.kind ?? (o.class === "null dereference" ? "null" : undefined);
  if (jumped(o)) return jump(c, o, kind === "null" || kind === "almost null");
  const who = `${place}${calledFrom(o)}`;
  const reason = `${noShortage}: a pointer was used that pointed to no memory.`;
  if (p !== undefined && (kind === "null" || kind === "almost null") && mayBeNext(p, o))
    return {
      key: "list or null",
      title: "Bad pointer",
      cause: `${who} used 0x${p.value.replace(/^0+(?=.)/, "")}: a pointer of the free list that was overwritten, or a member of a NULL pointer. The report does not say which.`,
      severity: "act",
      consequence: `${stopped} Nor does it show the contrary.`,
      memory: "not said",
      reason,
    };
  if (kind === "null" || kind === "almost null")
    return {
      key: "null pointer",
      title: "NULL pointer",
      cause: `${who} used a NULL pointer${offsetOf(p)}: it was never set, already cleared, or its failure not checked.`,
      severity: "act",
      consequence: stopped,
      memory: "none",
      reason,
    };
  if (kind === "error")
    return {
      key: "error pointer",
      title: "Error used as pointer",
      cause: `${who} used an error code, or a NULL pointer minus a member's offset, as a pointer.`,
      severity: "act",
      consequence: stopped,
      memory: "none",
      reason,
    };
  if (kind === undefined || kind === "other") {
    const fault: Fault = {
      key: "bad pointer",
      title: "Kernel fault",
      cause:
        kind === undefined
          ? `${who} faulted${o.class === "general protection" ? ": usually on a pointer that is not a valid address" : ""}; the text does not give the address.`
          : `${who} used a kernel address that is not mapped: freed, unmapped, or wrong. The report does not say which.`,
      severity: "act",
      consequence: `${stopped} Nor does it show the contrary.`,
      memory: "not said",
      reason,
    };
    const lacks = kind === "other" ? undefined : lostPointer(o);
    return lacks === undefined ? fault : open(fault, lacks);
  }
  if (p !== undefined && mayBeMember(p))
    return open(
      {
        key: "far pointer",
        title: "Bad pointer",
        cause: `${who} used 0x${p.value.replace(/^0+/, "")}, which is not a kernel address: an overwritten pointer, or an element far beyond a NULL pointer.`,
        severity: "act",
        consequence: stopped,
        memory: "not said",
        reason,
      },
      "the registers, which tell one from the other",
    );
  if ((kind === "non-canonical" || kind === "user") && !followsKept(o)) {
    const fault: Fault = {
      key: "wild pointer",
      title: "Wild pointer",
      cause: `${who} used ${p?.said.sentence ?? ""}: the pointer was overwritten, never set, or read from a word that is not a pointer. The report does not say which.`,
      severity: "act",
      consequence: `${stopped} Nor does it show the contrary.`,
      memory: "not said",
      reason,
    };
    // Whose pointer it was is told by where the kernel stood; a helper follows what its caller gave it.
    const at = faultAt(o);
    if (at === undefined) return open(fault, "the line that says where it stopped");
    return isHelper(at) && callerByLink(o) === undefined ? open(fault, `the function that called ${at}`) : fault;
  }
  return {
    key: "wild pointer",
    title: "Wild pointer",
    cause: `${who} used a wild pointer: ${p?.said.sentence ?? ""}.`,
    severity: "corruption",
    consequence: corrupted,
    memory: "corruption",
    reason:
      "This is neither fragmentation nor a shortage: memory was used that did not hold what it should. That is corruption.",
  };
}

/** It stopped in code that follows pointers which are kept inside memory of others, or in a helper that such code called. */
const followsKept = (o: Oops): boolean =>
  has(pointersInside, faultAt(o) ?? "") === true || has(fragmentReaders, callerByLink(o) ?? "") === true;

/** The free list's next object is read where the allocator stands: a small number there may have been written over it by whoever freed it. */
export const mayBeNext = (p: FaultPointer, o: Oops): boolean =>
  p.base === undefined && BigInt(`0x${p.value}`) > 0n && has(freelistReaders, faultAt(o) ?? "") === true;

/** No structure of the kernel and no table is so large that a member of a null pointer could lie beyond. */
const farthestMember = 1n << 24n;

/** A small address that no register is known to have held may be a far member, or an element, of a null pointer. */
const mayBeMember = (p: FaultPointer): boolean =>
  p.base === undefined &&
  (p.said.kind === "user" || p.said.kind === "single bit") &&
  BigInt(`0x${p.value}`) < farthestMember;

/** What would have told the pointer of a fault without an address; undefined where all registers are there and none holds what no pointer may hold. */
function lostPointer(o: Oops): string | undefined {
  if (o.class !== "general protection" && o.class !== "stack segment") return "the line with the address that was used";
  const registers = registersPart(o.registers);
  return "lacks" in registers ? registers.lacks : undefined;
}
