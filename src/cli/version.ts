// The package's own version, for --version and for what other programs are told of who wrote a file.
import { readFileSync } from "node:fs";

export const packageVersion = (): string =>
  (JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string }).version;
