// A row an incident for other tools, written as the rows come: NDJSON, CSV, Parquet. Memory holds one group of rows, however many there are.
import { ByteWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import { BadInput } from "../../base/bad_input.ts";
import { nameOf } from "../../fleet/fingerprint.ts";
import type { HostRecord } from "../../fleet/host_record.ts";
import { csvLine } from "../../report/exports/tables.ts";
import type { Output } from "../output.ts";
import { openOutput } from "../output.ts";

type Cell = string | number | null;
type Row = Readonly<Record<string, Cell>>;

/** The columns of every form. What is not known is null (NDJSON, Parquet) or empty (CSV); a host's several releases or drivers stand in one cell. */
const columns = [
  ["host", "STRING"],
  ["cause", "STRING"],
  ["title", "STRING"],
  ["kind", "STRING"],
  ["severity", "STRING"],
  ["count", "INT64"],
  ["first", "TIMESTAMP"],
  ["last", "TIMESTAMP"],
  ["release", "STRING"],
  ["driver", "STRING"],
  ["input", "STRING"],
  ["line", "INT64"],
  ["host_releases", "STRING"],
  ["host_drivers", "STRING"],
  ["memory_mb", "INT64"],
  ["min_free_kbytes", "INT64"],
  ["mtu", "INT64"],
] as const;

export interface Exporter {
  add(record: HostRecord): void;
  end(): void;
  /** Gives up: nothing stands at the file's place. */
  discard(): void;
}

export function openExport(path: string): Exporter {
  const form = /\.(ndjson|csv|parquet)$/i.exec(path)?.[1]?.toLowerCase();
  if (form === undefined) throw new BadInput(`--export writes .csv, .parquet or .ndjson files, not "${path}".`);
  const output = openOutput(path);
  const rows =
    form === "ndjson"
      ? { add: (row: Row) => output.write(`${JSON.stringify(row)}\n`), end: () => undefined }
      : form === "csv"
        ? csvRows(output)
        : parquetRows(output);
  return {
    add(record) {
      for (const row of rowsOf(record)) rows.add(row);
    },
    end() {
      rows.end();
      output.commit();
    },
    discard: () => output.discard(),
  };
}

/** A row an incident, with the columns above. */
export function rowsOf({ host, facts, incidents }: HostRecord): Row[] {
  const fact = (name: string): Cell => {
    const value = facts[name];
    return value === undefined ? null : typeof value === "number" ? value : value.join(" ");
  };
  return incidents.map((i) => ({
    host,
    cause: nameOf(i.print),
    title: i.title,
    kind: i.print[0] ?? null,
    severity: i.severity,
    count: i.count,
    first: i.first,
    last: i.last,
    release: i.release,
    driver: i.driver,
    input: i.input,
    line: i.line,
    host_releases: fact("release"),
    host_drivers: fact("driver"),
    memory_mb: fact("memory_mb"),
    min_free_kbytes: fact("min_free_kbytes"),
    mtu: fact("mtu"),
  }));
}

interface Rows {
  add(row: Row): void;
  end(): void;
}

function csvRows(output: Output): Rows {
  output.write(csvLine(columns.map(([name]) => name)));
  return { add: (row) => output.write(csvLine(columns.map(([name]) => row[name] ?? ""))), end: () => undefined };
}

/** Rows of one group; a group is written when it is full. */
const groupRows = 20_000;

function parquetRows(output: Output): Rows {
  const sink = new Sink(output);
  const schema = schemaFromColumnData({
    columnData: columns.map(([name, type]) => ({ name, type, data: [], nullable: true })),
  });
  const writer = new ParquetWriter({ writer: sink, schema, createdBy: "skblab" });
  let rows: Row[] = [];
  const group = (): void => {
    const columnData = columns.map(([name, type]) => ({
      name,
      data: rows.map((r) => parquetCell(r[name] ?? null, type)),
    }));
    void writer.write({ columnData, rowGroupSize: groupRows });
    sink.flush();
    rows = [];
  };
  return {
    add(row) {
      rows.push(row);
      if (rows.length >= groupRows) group();
    },
    end() {
      group();
      void writer.finish();
    },
  };
}

const parquetCell = (value: Cell, type: (typeof columns)[number][1]): unknown =>
  value === null
    ? null
    : type === "INT64"
      ? BigInt(Math.round(Number(value)))
      : type === "TIMESTAMP"
        ? new Date(value)
        : String(value);

class Sink extends ByteWriter {
  private readonly output: Output;

  constructor(output: Output) {
    super();
    this.output = output;
  }

  flush(): void {
    this.output.write(new Uint8Array(this.buffer, 0, this.index).slice());
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }
}
