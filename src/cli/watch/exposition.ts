// Metrics over HTTP, on the loopback interface only: no other machine may ask, and no page of another origin (the Host is checked).
import type { Server } from "node:http";
import { createServer } from "node:http";
import type { Registry, RegistryContentType } from "prom-client";
import { BadInput } from "../../base/bad_input.ts";
import type { History } from "../../live/history.ts";
import type { WatchCounts } from "../../live/openmetrics.ts";
import { metricFamilies } from "../../live/openmetrics.ts";
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
      `${text} is not an address of this machine's loopback interface.`,
      undefined,
      "Write 127.0.0.1:PORT; a proxy or an SSH tunnel carries it further.",
    );
  return { host: (m[1] as string).replace(/[[\]]/g, ""), port };
}

export type MetricsForm = "openmetrics" | "text";

const contentTypes: Readonly<Record<MetricsForm, string>> = {
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
  text: "text/plain; version=0.0.4; charset=utf-8",
};

/**
 * Metrics as text by Prometheus' client library: OpenMetrics, or the older format that node_exporter reads from files. A registry of its own each time:
 * a series that is no longer there must not be told again.
 */
export async function metricsText(
  history: History,
  counts: WatchCounts,
  form: MetricsForm = "openmetrics",
): Promise<string> {
  const { default: client } = await import("prom-client");
  if (form === "text") return written(new client.Registry());
  const registry = new client.Registry<"application/openmetrics-text; version=1.0.0; charset=utf-8">();
  registry.setContentType(client.Registry.OPENMETRICS_CONTENT_TYPE);
  return written(registry);

  async function written<T extends RegistryContentType>(registry: Registry<T>): Promise<string> {
    const registers = [registry as unknown as Registry];
    for (const f of metricFamilies(history, counts)) {
      const labelNames = Object.keys(f.points[0]?.[0] ?? {});
      if (f.type === "gauge") {
        const gauge = new client.Gauge({ name: f.name, help: f.help, labelNames, registers });
        for (const [labels, value] of f.points) gauge.set({ ...labels }, value);
      } else {
        const counter = new client.Counter({ name: `${f.name}_total`, help: f.help, labelNames, registers });
        for (const [labels, value] of f.points) counter.inc({ ...labels }, value);
      }
    }
    return registry.metrics();
  }
}

/**
 * Serves `text()` at /metrics until it is closed; resolves when it listens. OpenMetrics is for who asks for it, as Prometheus does; everybody else
 * gets the older format, as from other exporters.
 */
export async function serveMetrics(address: Address, text: (form: MetricsForm) => Promise<string>): Promise<Server> {
  const server = createServer((request, response) => {
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    if (!/^(127(\.\d{1,3}){3}|\[::1\]|localhost)$/.test(host)) response.writeHead(403).end("Only for this machine.\n");
    else if (request.method !== "GET" || request.url?.split("?")[0] !== "/metrics")
      response.writeHead(404).end("Ask for /metrics.\n");
    else {
      const form = /application\/openmetrics-text/.test(request.headers.accept ?? "") ? "openmetrics" : "text";
      void text(form).then(
        (body) => response.writeHead(200, { "content-type": contentTypes[form] }).end(body),
        (error: Error) => response.writeHead(500).end(`${error.message}\n`),
      );
    }
  });
  server.headersTimeout = 5000;
  await listen(server, address.host, address.port);
  return server;
}
