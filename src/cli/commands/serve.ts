// `skblab serve`: the laboratory in a browser, on this machine only.
import { spawn } from "node:child_process";
import { BadInput } from "../../base/bad_input.ts";
import type { CommandSpec, Io } from "../command.ts";
import { servePage } from "../page_server.ts";

export const command: CommandSpec = {
  name: "serve",
  raw: true,
  examples: [
    { line: "skblab serve", does: "open the laboratory in the browser; nothing leaves this machine" },
    { line: "skblab serve --port 8400 --no-open", does: "only print the address" },
  ],
  configure(cmd, io) {
    cmd.option("--port <n>", "port on 127.0.0.1; 0 takes a free one", "0");
    cmd.option("--no-open", "do not start a browser");
    cmd.action(() => serve(cmd.opts<{ port: string; open: boolean }>(), io));
  },
};

async function serve(options: { readonly port: string; readonly open: boolean }, io: Io): Promise<void> {
  const port = Number(options.port);
  if (!/^\d{1,5}$/.test(options.port) || port > 65535)
    throw new BadInput(`--port takes a number from 0 to 65535, not "${options.port}".`);
  const server = await servePage("127.0.0.1", port);
  await io.write(`${server.url}\n`);
  io.note("Ctrl-C ends it.");
  if (options.open) openBrowser(server.url);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  await server.close();
}

function openBrowser(url: string): void {
  const program = process.platform === "darwin" ? "open" : process.platform === "win32" ? "explorer" : "xdg-open";
  const child = spawn(program, [url], { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}
