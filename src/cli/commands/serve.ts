// `skblab serve`: the laboratory in a browser. Loopback only, its own files only, no request to anywhere.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import type { CommandSpec, Io } from "../command.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

export const command: CommandSpec = {
  name: "serve",
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
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new BadInput(`--port takes a number from 0 to 65535, not "${options.port}".`);
  const files = loadFiles(new URL("../../web/", import.meta.url).pathname);
  const server = createServer((request, response) => {
    // A page of another origin can reach this port through a name it owns: only our own names are answered.
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    if (host !== "127.0.0.1" && host !== "localhost" && host !== "[::1]")
      return refuse(421, "This server answers to 127.0.0.1 and localhost only.");
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "Only GET.");
    const path = new URL(request.url ?? "/", "http://x").pathname;
    const file = files.get(path === "/" ? "/index.html" : path);
    if (file === undefined) return refuse(404, "There is no such file.");
    response.writeHead(200, {
      ...headers,
      "content-security-policy": file.policy,
      "content-type": file.type,
      "content-length": file.data.length,
    });
    response.end(request.method === "HEAD" ? undefined : file.data);

    function refuse(status: number, sentence: string): void {
      response.writeHead(status, {
        ...headers,
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "content-type": "text/plain; charset=utf-8",
      });
      response.end(`${sentence}\n`);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new BadInput(`Port ${port} is taken.`, undefined, "Choose another with --port, or leave it out.")
          : error,
      ),
    );
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : port}/`;
  await io.write(`${url}\n`);
  io.note("Ctrl-C ends it.");
  if (options.open) openBrowser(url);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

const headers = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-frame-options": "DENY",
};

interface Served {
  readonly type: string;
  readonly data: Buffer;
  /** What the response may do; a worker is bound by the policy that its own file came with. */
  readonly policy: string;
}

/** All files of the page, read once: what is not in this table cannot be asked for. */
function loadFiles(folder: string): Map<string, Served> {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile())
      .map((e) => join(e.parentPath, e.name).slice(folder.length));
  } catch {
    throw new BadInput("The web page was not built.", { file: folder }, "Run npm run build.");
  }
  const read = (name: string): Buffer => readFileSync(join(folder, name));
  if (!names.includes("index.html"))
    throw new BadInput("The web page was not built.", { file: folder }, "Run npm run build.");
  const own = policyOf(read("index.html"));
  return new Map(
    names.map((n) => {
      const data = read(n);
      const policy = extname(n) === ".html" ? policyOf(data) : own;
      return [`/${n}`, { type: types[extname(n)] ?? "application/octet-stream", data, policy }];
    }),
  );
}

/** The policy that a page carries within itself, for the header, which can also forbid frames. */
function policyOf(html: Buffer): string {
  const text = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html.toString("utf8"))?.[1];
  return `${text ?? "default-src 'none'"}; frame-ancestors 'none'`;
}

function openBrowser(url: string): void {
  const program = process.platform === "darwin" ? "open" : process.platform === "win32" ? "explorer" : "xdg-open";
  const child = spawn(program, [url], { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}
