// skblab layout: where the fields of a struct lie, in a release or in the user's own kernel, and what a change would move.
import { existsSync } from "node:fs";
import { BadInput } from "../../base/bad_input.ts";
import { cacheLineBytes } from "../../kernel/facts/slab.ts";
import { declaredStructs, structSource } from "../../kernel/facts/structs.ts";
import { compareLayouts, findMembers } from "../../kernel/layout/compare.ts";
import type { StructLayout, StructSource } from "../../kernel/layout/layout.ts";
import { memberNames, memberOf, nearestNames } from "../../kernel/layout/layout.ts";
import type { Release } from "../../kernel/release.ts";
import { formatRelease, namedRelease } from "../../kernel/release.ts";
import { parseEdit, unknownStruct, whatIf } from "../../lab/layout_what_if.ts";
import type { LayoutView } from "../../report/layout.ts";
import {
  layoutDocument,
  layoutJson,
  memberDocument,
  namesDocument,
  whatIfDocument,
  whatIfJson,
} from "../../report/layout.ts";
import {
  differenceDocument,
  differenceJson,
  foundDocument,
  foundJson,
  sizesDocument,
} from "../../report/layout_compare.ts";
import { paholeText } from "../../report/layout_pahole.ts";
import type { CommandSpec, Io } from "../command.ts";
import { readKernelAt } from "../input/kernel_file.ts";
import { excludes, goesWith, refuse } from "../modes.ts";

interface Options {
  readonly kernel?: string;
  readonly btf?: string;
  readonly btfBase?: string;
  readonly config?: readonly string[];
  readonly whatIf?: readonly string[];
  readonly cpus?: string;
  readonly allocator?: string;
  readonly frames?: string;
  readonly against?: string;
  readonly all?: boolean;
  readonly member?: string;
  readonly type?: string;
  readonly pahole?: boolean;
}

const ownKernel = "/sys/kernel/btf/vmlinux";
/** Structs that a list shows when no name is given, if they exist. */
const packetStructs = [
  "sk_buff",
  "sk_buff_fclones",
  "skb_shared_info",
  "skb_frag_t",
  "page",
  "slab",
  "folio",
  "page_pool",
  "page_frag_cache",
  "napi_struct",
  "net_device",
  "sock",
  "tcp_sock",
  "zone",
  "per_cpu_pages",
  "kmem_cache",
];

/** Ways to ask that exclude each other; a member and its type may be asked for together. */
const ways = ["--member", "--type", "--what-if", "--against", "--pahole"];

const repeat = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

export const command: CommandSpec = {
  name: "layout",
  examples: [
    { line: "skblab layout skb_shared_info --kernel 3.2-x86_64", does: "offsets, holes and cache lines in a release" },
    {
      line: "skblab layout sk_buff --kernel 6.1 --config NETWORK_SECMARK=n",
      does: "with a kernel option set differently",
    },
    { line: `skblab layout --btf ${ownKernel} sk_buff`, does: "the structs of the running kernel, from its own BTF" },
    { line: "skblab layout --btf /boot/vmlinuz-$(uname -r) sk_buff.cb", does: "one member, out of a kernel image" },
    {
      line: "skblab layout sk_buff --kernel 5.10 --against 6.12",
      does: "what moved, came and went between two kernels",
    },
    {
      line: `skblab layout --btf ${ownKernel} --type 'struct page *'`,
      does: "every member of a type (or --member NAME)",
    },
    { line: "skblab layout sk_buff --kernel 6.1 --pahole", does: "as pahole prints it, cache line by cache line" },
    {
      line: `skblab layout --btf ${ownKernel} --what-if 'skb_shared_info:+u32 mine'`,
      does: "the same for your own kernel (its slab rules are those of --kernel, 6.1 if left out)",
    },
    {
      line: "skblab layout --kernel 3.2-i386 --what-if 'skb_frag_struct:+void *destructor'",
      does: "what a new field moves: sizes, kmalloc buckets, waste, orders",
    },
  ],
  configure(cmd, io) {
    cmd
      .argument(
        "[struct]",
        "a struct, or a member as sk_buff.cb; without it: the structs of packet memory and their sizes",
      )
      .option("--kernel <release>", "a release with its architecture: 3.2-i386, 2.6.32-ppc32, 6.1")
      .option("--btf <file>", "raw BTF, vmlinux, vmlinuz or a module")
      .option("--btf-base <file>", "for a module: the BTF of its kernel")
      .option("--config <option>", "NAME=y or NAME=n for declared structs; may be repeated", repeat)
      .option("--against <kernel>", "compare with another release, or a file with BTF")
      .option("--all", "with --against: also members that are the same")
      .option("--member <name>", "members of that name in all structs; * for any letters")
      .option("--type <type>", "members of that type in all structs: 'struct page *', or a word of it")
      .option("--pahole", "as pahole prints it")
      .option("--what-if <edit>", "STRUCT:+TYPE NAME [after FIELD] or STRUCT:-FIELD; may be repeated", repeat)
      .option("--cpus <n>", "what-if: CPUs that SLUB counts", "4")
      .option("--allocator <name>", "what-if: slab or slub")
      .option("--frames <sizes>", "what-if: frame sizes, such as 64,1500,9000")
      .action(async (struct: string | undefined, options: Options) => {
        goesWith(cmd, ["--cpus", "--allocator", "--frames"], "--what-if");
        goesWith(cmd, ["--all"], "--against");
        goesWith(cmd, ["--btf-base"], "--btf");
        for (const one of [["--member", "--type"], ["--what-if"], ["--against"], ["--pahole"]])
          for (const name of one)
            excludes(
              cmd,
              name,
              ways.filter((other) => !one.includes(other)),
            );
        if (struct === undefined || struct.includes(".")) refuse(cmd, ["--pahole"], "prints a struct as a whole");
        if (options.whatIf !== undefined) return answerWhatIf(struct, options, io);
        const { source, view } = await open(options);
        if (options.member !== undefined || options.type !== undefined) return search(struct, source, options, io);
        if (options.against !== undefined) return compare(struct, source, options.against, options, io);
        if (struct === undefined) return listStructs(source, io);
        return show(struct, source, view, io, options.pahole === true);
      });
  },
};

interface Opened {
  readonly source: StructSource;
  view(struct: string): LayoutView;
}

async function open(options: Options): Promise<Opened> {
  if (options.btf !== undefined && options.kernel !== undefined)
    throw new BadInput("--kernel and --btf both say where structs come from.", undefined, "Give one of them.");
  const btf = options.btf ?? (options.kernel === undefined && existsSync(ownKernel) ? ownKernel : undefined);
  if (btf !== undefined) return openBtf(btf, options);
  if (options.kernel === undefined)
    throw new BadInput("Which kernel?", undefined, "Say --kernel 6.1-x86_64, or --btf with a file.");
  const release = namedRelease(options.kernel);
  const source = declaredStructs(release, parseConfig(options.config));
  return {
    source,
    view: (struct) => {
      const read = structSource(struct, release);
      return {
        cacheLine: cacheLineBytes[release.arch],
        origin: `${formatRelease(release)}, as declared in ${read?.source ?? "our facts"}`,
        ...(read?.newest === true
          ? {
              caution: `This is the newest declaration that skblab has; ${formatRelease(release)} may differ. --btf shows a real kernel.`,
            }
          : {}),
      };
    },
  };
}

async function openBtf(file: string, options: Options): Promise<Opened> {
  if (options.config !== undefined)
    throw new BadInput(
      "--config changes declared structs; BTF is as the kernel was built.",
      undefined,
      "Leave it out.",
    );
  const base = options.btfBase === undefined ? moduleBase(file) : options.btfBase;
  const below = base === undefined ? undefined : await readKernelAt(base);
  const source = await readKernelAt(file, below);
  return { source, view: () => ({ cacheLine: 64, origin: `${file}, BTF` }) };
}

/** The BTF of a module that the running kernel has loaded lies beside its base. */
const moduleBase = (file: string): string | undefined =>
  file.startsWith("/sys/kernel/btf/") && file !== ownKernel && existsSync(ownKernel) ? ownKernel : undefined;

function parseConfig(texts: readonly string[] | undefined): ReadonlyMap<string, boolean> {
  return new Map(
    (texts ?? []).map((text) => {
      const match = /^(?:CONFIG_)?([A-Z0-9_]+)=([ymn])$/.exec(text);
      if (match === null) throw new BadInput(`"${text}" is not an option.`, undefined, "Write NETWORK_SECMARK=n.");
      return [match[1] as string, match[2] !== "n"] as const;
    }),
  );
}

async function listStructs(source: StructSource, io: Io): Promise<void> {
  const names = source.names();
  const known = packetStructs.filter((name) => source.layout(name) !== undefined);
  await io.answer({
    document: namesDocument(source, known, names.length),
    json: {
      schema: "skblab.layout-list/1",
      from: source.name,
      structs: Object.fromEntries(known.map((name) => [name, source.layout(name)?.sizeBytes])),
    },
    exit: 0,
  });
}

/** Members that a search shows at most. */
const foundMost = 200;

async function search(struct: string | undefined, source: StructSource, options: Options, io: Io): Promise<void> {
  if (struct !== undefined)
    throw new BadInput("--member and --type look into all structs.", undefined, "Leave the struct's name out.");
  const { member, type } = options;
  const wanted = { ...(member === undefined ? {} : { member }), ...(type === undefined ? {} : { type }) };
  const answer = findMembers(source, wanted, foundMost);
  await io.answer({
    document: foundDocument(wanted, answer, source.name),
    json: foundJson(wanted, answer.found, answer.total, source.name),
    exit: answer.total === 0 ? 1 : 0,
  });
}

/** A release, or a file with BTF. */
async function otherKernel(text: string, options: Options): Promise<StructSource> {
  const { config, ...rest } = options;
  if (existsSync(text)) return (await openBtf(text, rest)).source;
  return declaredStructs(namedRelease(text), parseConfig(config));
}

async function compare(
  struct: string | undefined,
  before: StructSource,
  against: string,
  options: Options,
  io: Io,
): Promise<void> {
  const after = await otherKernel(against, options);
  const [was, now] = [before.name, after.name];
  if (struct === undefined) {
    const rows = packetStructs
      .map((name) => [name, before.layout(name)?.sizeBytes, after.layout(name)?.sizeBytes] as const)
      .filter(([, b, a]) => b !== undefined || a !== undefined);
    return io.answer({
      document: sizesDocument(rows, was, now),
      json: {
        schema: "skblab.layout-sizes/1",
        before: was,
        after: now,
        structs: rows.map(([name, beforeBytes, afterBytes]) => ({
          struct: name,
          beforeBytes: beforeBytes ?? null,
          afterBytes: afterBytes ?? null,
        })),
      },
      exit: 0,
    });
  }
  const of = (source: StructSource): StructLayout => {
    const layout = source.layout(struct);
    if (layout === undefined) throw unknownStruct(struct, source.names(), source.name);
    return layout;
  };
  const difference = compareLayouts(of(before), of(after));
  await io.answer({
    document: differenceDocument(difference, was, now, options.all === true),
    json: differenceJson(difference, was, now),
    exit: 0,
  });
}

async function show(text: string, source: StructSource, view: Opened["view"], io: Io, pahole: boolean): Promise<void> {
  const [struct = "", ...path] = text.split(".");
  const layout = source.layout(struct);
  if (layout === undefined) throw unknownStruct(struct, source.names(), source.name);
  if (path.length === 0)
    return io.answer({
      document: pahole
        ? [{ kind: "code", text: paholeText(layout, view(struct).cacheLine) }]
        : layoutDocument(layout, view(struct)),
      json: layoutJson(layout, view(struct).origin),
      exit: 0,
    });
  const field = path.join(".");
  const member = memberOf(layout, field);
  if (member === undefined) throw unknownMember(layout, field);
  const json = {
    schema: "skblab.layout-member/1",
    from: view(struct).origin,
    struct: layout.name,
    member: field,
    type: member.type,
    offsetBits: member.offsetBits,
    sizeBytes: member.sizeBytes,
    bits: member.bits ?? null,
  };
  return io.answer({ document: memberDocument(layout, field, member, view(struct)), json, exit: 0 });
}

function unknownMember(layout: StructLayout, field: string): BadInput {
  const near = nearestNames(field.split(".").at(-1) ?? field, memberNames(layout));
  return new BadInput(
    `${layout.kind} ${layout.name} has no member ${field}.`,
    undefined,
    near.length === 0 ? `skblab layout ${layout.name} shows all.` : `Did you mean ${near.join(", ")}?`,
  );
}

async function answerWhatIf(struct: string | undefined, options: Options, io: Io): Promise<void> {
  if (struct !== undefined)
    throw new BadInput("--what-if names its struct itself.", undefined, "Leave the other name out.");
  // With BTF the release says only by which rules its slab allocator works.
  const release: Release = namedRelease(options.kernel ?? "6.1-x86_64");
  const opened = options.btf === undefined ? undefined : await openBtf(options.btf, options);
  const answer = whatIf(release, {
    ...(opened === undefined ? {} : { source: opened.source }),
    edits: (options.whatIf ?? []).map(parseEdit),
    options: parseConfig(options.config),
    cpus: whole(options.cpus ?? "4", "--cpus", 1, 65536),
    ...(options.allocator === undefined ? {} : { allocator: parseAllocator(options.allocator) }),
    ...(options.frames === undefined
      ? {}
      : { frames: options.frames.split(",").map((f) => whole(f, "--frames", 1, 1 << 20)) }),
  });
  await io.answer({ document: whatIfDocument(answer), json: whatIfJson(answer), exit: 0 });
}

function parseAllocator(text: string): "slab" | "slub" {
  if (text === "slab" || text === "slub") return text;
  throw new BadInput(`"${text}" is not an allocator.`, undefined, "Say slab or slub.");
}

function whole(text: string, name: string, least: number, most: number): number {
  const n = /^\s*\d{1,9}\s*$/.test(text) ? Number(text) : Number.NaN;
  if (!(n >= least && n <= most))
    throw new BadInput(`"${text}" is not a number for ${name}.`, undefined, `It goes from ${least} to ${most}.`);
  return n;
}
