// The names that the tables of kernel/facts have, taken from the tables themselves.
import { join } from "node:path";

const facts = join(import.meta.dirname, "../../dist/kernel/facts");
const from = (file) => import(join(facts, file));
const { knownFunctions } = await from("functions/known.js");
const { drivers } = await from("drivers/all.js");
const { ethtoolNames, tcpExtNames } = await from("drivers/ethtool_names.js");
const { ownCaches } = await from("own_caches.js");
const allocators = await from("call_chains/allocators.js");
const contexts = await from("call_chains/contexts.js");

/** Every "a < b" of a module, however deep. */
function* chainsIn(value) {
  if (typeof value === "string" && (/ < /.test(value) || /^[a-z_][\w.]*$/.test(value))) yield value;
  else if (typeof value === "object" && value !== null)
    for (const [key, inner] of Object.entries(value)) if (key !== "source") yield* chainsIn(inner);
}
const chains = [...chainsIn({ ...allocators }), ...chainsIn({ ...contexts })];

/** A name as it is on a stack, without what the compiler put behind it. */
const bare = (name) => name.replace(/\.(?:constprop|part|isra)\.\d+$/, "");
const symbols = drivers.flatMap((d) => d.symbols);

export const wholeNames = new Set([
  ...knownFunctions.map((row) => row.fn),
  ...symbols.map((s) => s.name),
  ...ownCaches.flatMap((c) => c.frames).map((f) => f.replace("*", "")),
  ...chains.flatMap((c) => c.split(" < ")).map(bare),
]);
export const beginnings = [
  ...new Set([
    ...knownFunctions.filter((row) => row.prefix === true).map((row) => row.fn),
    ...symbols.filter((s) => s.prefix === true).map((s) => s.name),
    ...ownCaches
      .flatMap((c) => c.frames)
      .filter((f) => f.endsWith("*"))
      .map((f) => f.slice(0, -1)),
  ]),
];

/** A printed name and what of it may stand in the source: `rx_queue_0_drops` is put together from pieces there. */
const pieces = (printed) => {
  const words = printed.split("_");
  return words.flatMap((_, i) => words.slice(i).map((_, j) => words.slice(i, i + j + 1).join("_")));
};
/** What a driver's format has in front of a queue's number: `rx_queue_` of `rx_queue_%u_%s`. */
const formats = (name) => name.match(/^\D+(?=\d)/g) ?? [];
const wordsOf = (names) =>
  new Set(names.flatMap((n) => n.match(/\w+/g) ?? []).flatMap((n) => [...pieces(n), ...formats(n)]));
const printed = (name) => (ethtoolNames[name] ?? []).flatMap((f) => f.value.map(([name]) => name));

/** Where drivers lie that are called otherwise than their files. */
const places = {
  ibm_emac: "ibm_newemac|emac",
  bnxt_en: "bnxt",
  hv_netvsc: "hyperv",
  bcmgenet: "genet",
  "dpaa2-eth": "dpaa2",
  thunderx: "thunder",
  fec: "fec_main",
  mlx5: "mlx5/core",
  "xen-netfront": "xen-netfront",
  be2net: "benet",
};
const filesOf = (d) =>
  new RegExp(
    `^drivers/.*/(?:${places[d.name] ?? [d.name, ...d.modules].map((m) => m.replace(/[-_]/g, "[-_]")).join("|")})[\\w-]*(?:/|\\.[ch]$)`,
  );

/** By driver: the files that name its counters, and the words. */
export const counterFiles = new Map([
  ...drivers.map((d) => [
    d.name,
    {
      files: filesOf(d),
      words: wordsOf([
        ...printed(d.name),
        ...d.modules.flatMap(printed),
        ...d.failure.flatMap((f) => (f.value.counter === undefined ? [] : [f.value.counter])),
      ]),
    },
  ]),
  ["page_pool", { files: /^net\/core\/page_pool/, words: wordsOf(printed("mvneta")) }],
  ["TcpExt", { files: /^net\/ipv4\/proc\.c$/, words: new Set(tcpExtNames.map(([n]) => n)) }],
]);
