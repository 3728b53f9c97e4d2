// The page over HTTP: loopback only, its own files only, no request to anywhere; and what a command has to tell the page as it happens.
import { readdirSync, readFileSync } from "node:fs";
import type { Server } from "node:http";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { BadInput } from "../base/bad_input.ts";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** JSON texts by path, written when they are asked for; undefined: not there yet. */
export type Feeds = Readonly<Record<string, () => string | undefined>>;

export interface PageServer {
  /** `http://127.0.0.1:8400/`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the built page at a loopback address (port 0 takes a free one), and `feeds` beside it; the page is told that there are some. */
export async function servePage(host: string, port: number, feeds: Feeds = {}): Promise<PageServer> {
  const files = loadFiles(new URL("../web/", import.meta.url).pathname, Object.keys(feeds).length > 0);
  const server = createServer((request, response) => {
    // A page of another origin can reach this port through a name it owns: only our own names are answered.
    const asked = (request.headers.host ?? "").replace(/:\d+$/, "");
    if (!/^(127(\.\d{1,3}){3}|localhost|\[::1\])$/.test(asked))
      return refuse(421, "This server answers to 127.0.0.1 and localhost only.");
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "Only GET.");
    const path = (request.url ?? "/").split(/[?#]/, 1)[0] ?? "/";
    const feed = Object.hasOwn(feeds, path) ? feeds[path] : undefined;
    if (feed !== undefined) {
      const text = feed();
      if (text === undefined) return refuse(404, "It is not there yet.");
      return send(200, types[".json"] as string, Buffer.from(text), nothing);
    }
    const file = files.get(path === "/" ? "/index.html" : path);
    if (file === undefined) return refuse(404, "There is no such file.");
    send(200, file.type, file.data, file.policy);

    function send(status: number, type: string, data: Buffer, policy: string): void {
      response.writeHead(status, {
        ...headers,
        "content-security-policy": policy,
        "content-type": type,
        "content-length": data.length,
      });
      response.end(request.method === "HEAD" ? undefined : data);
    }
    function refuse(status: number, sentence: string): void {
      send(status, "text/plain; charset=utf-8", Buffer.from(`${sentence}\n`), nothing);
    }
  });
  server.headersTimeout = 5000;
  await listen(server, host, port);
  const address = server.address();
  const shown = host.includes(":") ? `[${host}]` : host;
  return {
    url: `http://${shown}:${typeof address === "object" && address !== null ? address.port : port}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Resolves when the server listens; BadInput where the port is taken. */
export function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new BadInput(`Port ${port} is taken.`, undefined, "Choose another, or leave it out.")
          : error,
      ),
    );
    server.listen(port, host, resolve);
  });
}

const nothing = "default-src 'none'; frame-ancestors 'none'";

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
function loadFiles(folder: string, live: boolean): Map<string, Served> {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile())
      .map((e) => join(e.parentPath, e.name).slice(folder.length));
  } catch {
    throw new BadInput("The web page was not built.", { file: folder }, "Run npm run build.");
  }
  const read = (name: string): Buffer => {
    const data = readFileSync(join(folder, name));
    return live && name === "index.html"
      ? Buffer.from(data.toString("utf8").replace("<html", "<html data-live"))
      : data;
  };
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
