// docs/reference.md is written from the code: npx vitest run src/cli/reference.test.ts --update renews it.
import { expect, test } from "vitest";
import { exitCodes } from "./exit_codes.ts";
import { referenceMarkdown } from "./reference.ts";
import { commands } from "./registry.ts";

test("the page is what the code says", async () => {
  await expect(await referenceMarkdown()).toMatchFileSnapshot("../../docs/reference.md");
});

test("it has every command with an option of its own, and every exit code", async () => {
  const text = await referenceMarkdown();
  for (const { name } of commands) {
    const part = text.split("\n### ").find((p) => p.startsWith(`skblab ${name}`));
    expect(part, name).toBeDefined();
    expect(part, name).toMatch(/\| \S*--/);
  }
  for (const [code] of exitCodes) expect(text).toMatch(new RegExp(`\\| ${code} \\|`));
});
