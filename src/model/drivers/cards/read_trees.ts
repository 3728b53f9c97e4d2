// Whose sources the cards of this folder were written from: linux-source-6.1 (6.1.192) and linux-source-6.12 (6.12.117).
import type { Release } from "../../../kernel/release.ts";
import { formatRelease } from "../../../kernel/release.ts";

const branches = ["6.1", "6.12"];

/** What a machine says of a card on another release. */
export const unreadRelease = (name: string, release: Release): string | undefined =>
  branches.includes(release.version.slice(0, 2).join("."))
    ? undefined
    : `${name} of ${formatRelease(release)}: it behaves here as that of 6.1.192 or 6.12.117, whose sources were read`;
