// Every test reads stacks as the command line does, also behind one that gave another index: files of tests share a process.
import { giveFunctionIndex } from "../kernel/facts/functions/index.ts";
import { functionIndexFile } from "./function_index.ts";

giveFunctionIndex(functionIndexFile);
