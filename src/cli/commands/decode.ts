// skblab decode: what a number from a kernel log means, in one release or in every era where it makes sense.
import { BadInput } from "../../base/bad_input.ts";
import { namedRelease } from "../../kernel/release.ts";
import { answerGfp, answerPageFlags, parseFlagsWord, parseGfp, parsePfn } from "../../report/decode.ts";
import type { CommandSpec } from "../command.ts";

interface Options {
  readonly kernel?: string;
  readonly pfn?: string;
}

export const command: CommandSpec = {
  name: "decode",
  examples: [
    { line: "skblab decode gfp 0x4020 --kernel 2.6.24", does: "the flags of a mask in one release" },
    { line: "skblab decode gfp 0x820", does: "every kernel era in which the mask makes sense, the likely one first" },
    { line: "skblab decode gfp 'GFP_ATOMIC|__GFP_COMP' --kernel 4.9", does: "the value of names in one release" },
    {
      line: "skblab decode page-flags 0x44000 --kernel 2.6.29 --pfn 0x80db",
      does: "page flags, and what the page frame number rules out",
    },
  ],
  configure(cmd, io) {
    cmd
      .argument("<what>", "gfp or page-flags")
      .argument("<value>", "the number as the kernel printed it, in hex; for gfp also names")
      .option("--kernel <release>", "the release it comes from, for example 2.6.24 or 6.1-arm64")
      .option("--pfn <number>", "page-flags: the page frame number, in hex")
      .action(async (what: string, value: string, options: Options) => {
        const release = options.kernel === undefined ? undefined : namedRelease(options.kernel);
        if (what === "gfp") {
          if (options.pfn !== undefined) throw new BadInput("--pfn goes with page-flags, not with a gfp mask.");
          return io.answer({ ...answerGfp(parseGfp(value, release?.version), release), exit: 0 });
        }
        if (what === "page-flags") {
          return io.answer({
            ...answerPageFlags(
              parseFlagsWord(value),
              release,
              options.pfn === undefined ? undefined : parsePfn(options.pfn),
            ),
            exit: 0,
          });
        }
        throw new BadInput(`"${what}" cannot be decoded.`, undefined, "Ask for gfp or page-flags.");
      });
  },
};
