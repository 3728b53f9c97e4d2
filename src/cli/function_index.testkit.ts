// Every test reads stacks as the command line does.
import { giveFunctionIndexFile } from "./function_index.ts";

giveFunctionIndexFile();
