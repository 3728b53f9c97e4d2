// ethtool -k, -g and -i, old versions and new (ethtool.c, 2.6.x to 6.x). Values may have prose glued behind them in pasted text.
import type {
  EthtoolChannels,
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

const ringPart = /^(?:Pre-set maximums|Current hardware settings):\s*$/;

type Settings = EthtoolRings | EthtoolChannels;

/** A table of two parts: what the hardware has, and what is set. `head` names the device in its first group, `row` a setting and its value. */
const settingsReader = <K extends Settings["kind"]>(
  kind: K,
  headWords: string,
  head: RegExp,
  row: RegExp,
): TextReader<Extract<Settings, { readonly kind: K }>> => ({
  kind,
  title: kind,
  starts: (text) => head.test(text),
  continues: (text) => text === "" || ringPart.test(text) || row.test(text),
  read(lines) {
    const notes: LogNote[] = [];
    const maximums: RingSetting[] = [];
    const current: RingSetting[] = [];
    let device = "";
    let part = maximums;
    for (const source of lines) {
      const { text } = source;
      const match = row.exec(text);
      if (head.test(text)) device = head.exec(text)![1]!;
      else if (ringPart.test(text)) part = text.startsWith("Pre") ? maximums : current;
      else if (match !== null) {
        const value = match[2]!;
        part.push({ name: match[1]!, ...(/^\d+$/.test(value) ? { value: Number(value) } : {}), text: value });
      } else if (text !== "") notes.push(skipped(source, this.title));
    }
    return {
      reading: { kind, device, maximums, current } as unknown as Extract<Settings, { readonly kind: K }>,
      notes,
    };
  },
  print({ device, maximums, current }) {
    const rows = (list: readonly RingSetting[]): string[] =>
      list.map((s) => `${s.name}:${s.name.length < 7 ? "\t\t" : "\t"}${s.text}`);
    return asText([
      `${headWords} for ${device}:`,
      "Pre-set maximums:",
      ...rows(maximums),
      "Current hardware settings:",
      ...rows(current),
    ]);
  },
});

export const ethtoolRings = settingsReader(
  "ethtool -g",
  "Ring parameters",
  /^Ring parameters for ([^\s:]+):\s*$/,
  /^((?:RX|TX|CQE|TCP)[\w -]*):\s*(\S+)\s*$/,
);

export const ethtoolChannels = settingsReader(
  "ethtool -l",
  "Channel parameters",
  /^Channel parameters for ([^\s:]+):\s*$/,
  /^(RX|TX|Other|Combined):\s*(\S+)\s*$/,
);

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
