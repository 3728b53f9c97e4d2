// ethtool -k, -g and -i, old versions and new (ethtool.c, 2.6.x to 6.x). Values may have prose glued behind them in pasted text.
import type {
  EthtoolDriver,
  EthtoolFeature,
  EthtoolFeatures,
  EthtoolRings,
  RingSetting,
} from "../../kernel/readings/ethtool.ts";
import type { LogNote } from "../../kernel/readings/log_line.ts";
import type { TextReader } from "../reader.ts";
import { asText, skipped } from "../reader.ts";

const featuresHead = /^(Offload parameters|Features) for ([^\s:]+):\s*$/;
const feature = /^(\s*)([a-z][\w -]*?): (on|off)(?: \[([^\]]*)\])?(\W.*)?$/;

export const ethtoolFeatures: TextReader<EthtoolFeatures> = {
  kind: "ethtool -k",
  title: "ethtool -k",
  starts: (text) => featuresHead.test(text),
  continues: (text) => feature.test(text) || /^Cannot get .*(?:settings|flags|offload)/.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const features: EthtoolFeature[] = [];
    let [device, heading] = ["", "Features" as EthtoolFeatures["heading"]];
    for (const source of lines) {
      const head = featuresHead.exec(source.text);
      const match = feature.exec(source.text);
      if (head !== null) [heading, device] = [head[1] as EthtoolFeatures["heading"], head[2]!];
      else if (match === null) notes.push(skipped(source, this.title));
      else {
        const tail = match[5]?.trim() ?? "";
        if (tail !== "")
          notes.push({
            line: source.line,
            sentence: `Line ${source.line}: "${tail.slice(0, 60)}" after ${match[2]} was skipped.`,
          });
        features.push({
          name: match[2]!,
          on: match[3] === "on",
          ...(match[4] === undefined ? {} : { remark: match[4] }),
          nested: match[1] !== "",
        });
      }
    }
    return { reading: { kind: "ethtool -k", device, heading, features }, notes };
  },
  print: ({ heading, device, features }) =>
    asText([
      `${heading} for ${device}:`,
      ...features.map(
        (f) =>
          `${f.nested ? "\t" : ""}${f.name}: ${f.on ? "on" : "off"}${f.remark === undefined ? "" : ` [${f.remark}]`}`,
      ),
    ]),
};

const ringsHead = /^Ring parameters for ([^\s:]+):\s*$/;
const ringPart = /^(?:Pre-set maximums|Current hardware settings):\s*$/;
const ring = /^((?:RX|TX|CQE|TCP)[\w -]*):\s*(\S+)\s*$/;

export const ethtoolRings: TextReader<EthtoolRings> = {
  kind: "ethtool -g",
  title: "ethtool -g",
  starts: (text) => ringsHead.test(text),
  continues: (text) => text === "" || ringPart.test(text) || ring.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const maximums: RingSetting[] = [];
    const current: RingSetting[] = [];
    let device = "";
    let part = maximums;
    for (const source of lines) {
      const { text } = source;
      const match = ring.exec(text);
      if (ringsHead.test(text)) device = ringsHead.exec(text)![1]!;
      else if (ringPart.test(text)) part = text.startsWith("Pre") ? maximums : current;
      else if (match !== null) {
        const value = match[2]!;
        part.push({ name: match[1]!, ...(/^\d+$/.test(value) ? { value: Number(value) } : {}), text: value });
      } else if (text !== "") notes.push(skipped(source, this.title));
    }
    return { reading: { kind: "ethtool -g", device, maximums, current }, notes };
  },
  print({ device, maximums, current }) {
    const rows = (list: readonly RingSetting[]): string[] =>
      list.map((s) => `${s.name}:${s.name.length < 7 ? "\t\t" : "\t"}${s.text}`);
    return asText([
      `Ring parameters for ${device}:`,
      "Pre-set maximums:",
      ...rows(maximums),
      "Current hardware settings:",
      ...rows(current),
    ]);
  },
};

const driverField =
  /^(driver|version|firmware-version|expansion-rom-version|bus-info|supports-(?:statistics|test|eeprom-access|register-dump|priv-flags)):(?: (.*))?$/;

export const ethtoolDriver: TextReader<EthtoolDriver> = {
  kind: "ethtool -i",
  title: "ethtool -i",
  starts: (text, next) => /^driver: \S+$/.test(text) && (next === undefined || driverField.test(next)),
  continues: (text) => driverField.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const fields: (readonly [string, string])[] = [];
    for (const source of lines) {
      const match = driverField.exec(source.text);
      if (match === null) notes.push(skipped(source, this.title));
      else fields.push([match[1]!, match[2] ?? ""]);
    }
    return { reading: { kind: "ethtool -i", fields }, notes };
  },
  print: ({ fields }) => asText(fields.map(([name, value]) => `${name}: ${value}`)),
};
