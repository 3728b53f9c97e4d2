// What a source tree tells: in which file of the network a function is defined, and which option builds a module.
import { readFileSync } from "node:fs";
import { basename, dirname, relative } from "node:path";
import { filesBelow } from "./packages.mjs";

const definition =
  /^(?!#|\s|\/|static_assert|EXPORT_|module_|DEFINE_|DECLARE_|MODULE_)[A-Za-z_][\w\s*]*?\b(\w+)\([^;]*$/gm;

/** Function name to the file of net/ that defines it; of several the first. */
export function definitions(tree) {
  const places = new Map();
  for (const file of filesBelow(`${tree}/net`)) {
    if (!file.endsWith(".c")) continue;
    for (const [, name] of readFileSync(file, "utf8").matchAll(definition))
      if (!places.has(name)) places.set(name, relative(tree, file));
  }
  return places;
}

/** `directory/module` to the Kconfig option that builds it, without CONFIG_. */
export function options(tree) {
  const found = new Map();
  for (const file of filesBelow(tree)) {
    if (basename(file) !== "Makefile" && basename(file) !== "Kbuild") continue;
    const text = readFileSync(file, "utf8").replaceAll("\\\n", " ");
    for (const [, option, objects] of text.matchAll(/^obj-\$\(CONFIG_(\w+)\)\s*[+:]?=\s*(.*)$/gm))
      for (const object of objects.split(/\s+/))
        if (object.endsWith(".o"))
          found.set(`${relative(tree, dirname(file))}/${object.slice(0, -2).replaceAll("-", "_")}`, option);
  }
  return found;
}
