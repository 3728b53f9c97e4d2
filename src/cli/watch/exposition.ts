// Metrics over HTTP, on the loopback interface only: no other machine may ask, and no page of another origin (the Host is checked).
import type { Server } from "node:http";
import { createServer } from "node:http";
import { BadInput } from "../../base/bad_input.ts";
import { listen } from "../page_server.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:9400`, `[::1]:9400` or `localhost:9400`. */
export function loopback(text: string): Address {
  const m = /^(127(?:\.\d{1,3}){3}|\[::1\]|localhost):(\d{1,5})$/.exec(text);
  const port = Number(m?.[2]);
  if (m === null || port > 65_535)
    throw new BadInput(
      `${text} is no address on this machine's loopback interface.`,
      undefined,
      "Write 127.0.0.1:PORT; a proxy or an SSH tunnel carries it further.",
    );
  return { host: (m[1] as string).replace(/[[\]]/g, ""), port };
}

/** Serves `text()` at /metrics until it is closed; resolves when it listens. */
export async function serveMetrics(address: Address, text: () => string): Promise<Server> {
  const server = createServer((request, response) => {
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    if (!/^(127(\.\d{1,3}){3}|\[::1\]|localhost)$/.test(host)) response.writeHead(403).end("Only for this machine.\n");
    else if (request.method !== "GET" || request.url?.split("?")[0] !== "/metrics")
      response.writeHead(404).end("Ask for /metrics.\n");
    else
      response
        .writeHead(200, { "content-type": "application/openmetrics-text; version=1.0.0; charset=utf-8" })
        .end(text());
  });
  server.headersTimeout = 5000;
  await listen(server, address.host, address.port);
  return server;
}
