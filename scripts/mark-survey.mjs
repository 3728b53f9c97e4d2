// Looks up, in trees of the kernel's source, what tells on which side of a date a tree lies: words and short expressions (name-survey/marks.mjs), values
// of the gfp mask, members of structs. Facts and figures only. The answer is fixtures/kernel_names/{marks,gfp,members}.txt.
//
//   npm run build && node scripts/mark-survey.mjs RELEASE=PLACE…      places as in name-survey.mjs
import { join } from "node:path";
import { readFile } from "./name-survey/definitions.mjs";
import { gfpValues, wordsOfStruct } from "./name-survey/headers.mjs";
import { marks } from "./name-survey/marks.mjs";
import { tablesOf } from "./name-survey/tables.mjs";
import { readTar } from "./name-survey/tar.mjs";
import { opened } from "./name-survey/trees.mjs";

const root = join(import.meta.dirname, "..");
const { structDeclarations } = await import(join(root, "dist/kernel/facts/structs.js"));
const { parseFields } = await import(join(root, "dist/kernel/layout/notation.js"));

const rooms = [
  "include/linux",
  "include/uapi/linux",
  "kernel/dma",
  "include/net",
  "include/trace/events",
  "mm",
  "net/core",
  "lib",
];
const gfpFile = /^include\/linux\/gfp(_types)?\.h$/;
const structFile = /^include\/(linux|net)\/(skbuff|mm_types|bvec|types|list|llist|rbtree|time|ktime)\.h$/;

/** Every member that some release has of a struct. */
const membersOf = (declared) => {
  const names = new Set();
  const walk = (fields) => {
    for (const f of fields) {
      if (typeof f.name === "string" && f.name !== "") names.add(f.name);
      for (const inner of Object.values(f)) if (Array.isArray(inner)) walk(inner.filter((x) => typeof x === "object"));
      if (typeof f.type === "object" && f.type !== null)
        for (const inner of Object.values(f.type))
          if (Array.isArray(inner)) walk(inner.filter((x) => typeof x === "object"));
    }
  };
  for (const { value } of declared) walk(parseFields(value));
  return names;
};
const tags = Object.entries(structDeclarations).map(([tag, declared]) => [tag, membersOf(declared)]);

/** Numbers of kernel-page-flags.h: `KPF_BUDDY 10`. */
const pageFlagsFile = /^include\/(uapi\/)?linux\/kernel-page-flags\.h$/;

/** Files whose functions stand in reports about packets' memory. */
const reportedFile =
  /^(mm\/(slub|slab|slab_common|page_alloc|swap|usercopy)\.c|net\/core\/(skbuff|page_pool|dev|sock|datagram)\.c|include\/linux\/(skbuff|mm|page_ref|page-flags|refcount)\.h|lib\/(refcount|list_debug|dma-debug)\.c|kernel\/dma\/debug\.c)$/;

async function survey(place) {
  const found = new Set();
  const members = new Set();
  const headers = [];
  const kpf = new Set();
  const places = new Set();
  await readTar(
    opened(place, rooms),
    (name) => {
      const path = name.replace(/^\.?\/?(linux-source-[^/]+\/)?/, "");
      return /\.[ch]$/.test(path) && rooms.some((r) => path.startsWith(`${r}/`)) ? path : undefined;
    },
    (path, text) => {
      for (const [name, file, mark] of marks) if (file.test(path) && mark.test(text)) found.add(name);
      if (gfpFile.test(path)) headers.push(text);
      if (reportedFile.test(path))
        for (const { name, body } of readFile(path, text))
          if (body !== undefined && /^[a-z_]\w+$/.test(name)) places.add(`${path} ${name}`);
      if (pageFlagsFile.test(path))
        for (const [, name, number] of text.matchAll(/^#define KPF_(\w+)\s+(\d+)\s/gm)) kpf.add(`${name} ${number}`);
      if (structFile.test(path))
        for (const [tag, names] of tags) {
          const words = wordsOfStruct(text, tag);
          if (words === undefined) continue;
          members.add(tag);
          for (const name of names) if (words.has(name)) members.add(`${tag} ${name}`);
        }
    },
  );
  return { marks: found, gfp: gfpValues(headers), members, kpf, places };
}

const all = [];
for (const one of process.argv.slice(2)) {
  const at = one.indexOf("=");
  const found = await survey(one.slice(at + 1));
  console.error(
    `${one.slice(0, at)}: ${found.marks.size} marks, ${Object.keys(found.gfp).length} values, ${found.members.size} members`,
  );
  all.push({ release: one.slice(0, at), ...found });
}

const { inTrees, write } = tablesOf(all, join(root, "fixtures/kernel_names"));
write(
  "marks",
  "marks of scripts/name-survey/marks.mjs",
  inTrees((t) => t.marks),
);
write(
  "gfp",
  "values of include/linux/gfp.h without options",
  inTrees((t) => Object.entries(t.gfp).map(([n, v]) => `${n} 0x${v.toString(16)}`)),
);
write(
  "members",
  "structs, and their members",
  inTrees((t) => t.members),
);
write(
  "kpageflags",
  "numbers of kernel-page-flags.h",
  inTrees((t) => t.kpf),
);
/** A function of a quarter of the trees, or of the newest: what a few had for a while is left out. */
const often = (row) => {
  const mask = BigInt(`0x${row.split(" ")[0]}`);
  return mask.toString(2).replaceAll("0", "").length * 4 >= all.length || mask >> BigInt(all.length - 1) !== 0n;
};
write("places", "a file, and a function of it", inTrees((t) => t.places).filter(often));
