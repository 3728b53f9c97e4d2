// Whose sources the cards of model/drivers/cards were written from: linux-source-5.10 (5.10.223), -6.1 (6.1.192), -6.12 (6.12.117), -7.2 (7.2.12), -7.3 (7.3.4).
import type { Release } from "../../kernel/release.ts";
import { atLeast, formatRelease } from "../../kernel/release.ts";

const trees = [
  { branch: [5, 10], read: "5.10.223" },
  { branch: [6, 1], read: "6.1.192" },
  { branch: [6, 12], read: "6.12.117" },
  { branch: [7, 2], read: "7.2.12" },
  { branch: [7, 3], read: "7.3.4" },
] as const;

/** What a machine says of a card on a release whose source was not read: between two of them it goes by dates that history tells. */
export function unreadRelease(name: string, release: Release): string | undefined {
  const [major, minor] = release.version;
  if (trees.some(({ branch }) => branch[0] === major && branch[1] === minor)) return undefined;
  const before = trees.filter(({ branch }) => atLeast(release, branch)).at(-1);
  const after = trees.find(({ branch }) => !atLeast(release, branch));
  const between =
    before === undefined
      ? `as that of ${trees[0].read}, the oldest whose source was read`
      : after === undefined
        ? `as that of ${before.read}, the newest whose source was read`
        : `between those of ${before.read} and ${after.read}, whose sources were read, by the dates of changes`;
  return `${name} of ${formatRelease(release)}: it behaves here ${between}`;
}
