// What is installed is pinned, checked, runs nothing while it is installed, and has its licence in the package.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const json = (name: string): unknown => JSON.parse(readFileSync(join(root, name), "utf8"));
interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
}
const { packages } = json("package-lock.json") as { readonly packages: Readonly<Record<string, Locked>> };
const locked = Object.entries(packages).filter(([path]) => path !== "");
const manifest = json("package.json") as Readonly<Record<"dependencies" | "devDependencies", Record<string, string>>>;

test("every version in package.json is exact", () => {
  const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version),
  );
  expect(loose).toEqual([]);
});

test("every package in the lock has its SHA-512", () => {
  expect(locked.length).toBeGreaterThan(20);
  expect(locked.filter(([, p]) => !p.integrity?.startsWith("sha512-"))).toEqual([]);
});

test("no production dependency runs a script when it is installed", () => {
  expect(locked.filter(([, p]) => p.dev !== true && p.hasInstallScript === true)).toEqual([]);
});

test("dist/licenses.txt has every production dependency with its text, and no licence that asks more than to be named", () => {
  const text = readFileSync(join(process.env["SKBLAB_DIST"] ?? join(root, "dist"), "licenses.txt"), "utf8");
  for (const name of Object.keys(manifest.dependencies))
    expect(text).toContain(`${name} ${packages[`node_modules/${name}`]?.version}: `);
  const heads = text.match(/^@?[a-z][\w./@-]* \d+\.\d+\.\d+: .+$/gm) ?? [];
  expect(heads.length).toBeGreaterThanOrEqual(Object.keys(manifest.dependencies).length + 3);
  for (const head of heads)
    expect(head).toMatch(/: (?:MIT|ISC|Apache-2\.0|BSD-[23]-Clause|0BSD|\(Apache-2\.0 AND BSD-3-Clause\))$/);
});
