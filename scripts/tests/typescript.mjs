// Node loads the project's TypeScript as it stands: given to a process of tests by --import.
import { register } from "node:module";

register("./typescript_hooks.mjs", import.meta.url);
