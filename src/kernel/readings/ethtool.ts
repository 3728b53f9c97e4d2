// What ethtool(8) prints about a device: -k offloads, -g ring sizes, -i driver, -S counters.

export interface EthtoolFeature {
  /** As printed: `tcp-segmentation-offload`, in old versions `tcp segmentation offload`. */
  readonly name: string;
  readonly on: boolean;
  /** What stands behind it in brackets: fixed, requested on, not requested. */
  readonly remark?: string;
  /** True for a line that is indented below another. */
  readonly nested: boolean;
}

export interface EthtoolFeatures {
  readonly kind: "ethtool -k";
  readonly device: string;
  /** `Offload parameters` (before ethtool 3.x) or `Features`. */
  readonly heading: "Offload parameters" | "Features";
  readonly features: readonly EthtoolFeature[];
}

export interface RingSetting {
  /** RX, RX Mini, RX Jumbo, TX, RX Buf Len, ... */
  readonly name: string;
  /** Descriptors or bytes; undefined for n/a and words (see `text`). */
  readonly value?: number;
  readonly text: string;
}

export interface EthtoolRings {
  readonly kind: "ethtool -g";
  readonly device: string;
  readonly maximums: readonly RingSetting[];
  readonly current: readonly RingSetting[];
}

/** Queues: RX, TX, Other, Combined. */
export interface EthtoolChannels {
  readonly kind: "ethtool -l";
  readonly device: string;
  readonly maximums: readonly RingSetting[];
  readonly current: readonly RingSetting[];
}

export interface EthtoolDriver {
  readonly kind: "ethtool -i";
  /** driver, version, firmware-version, bus-info, ... in order. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

/** Counters of the driver, by its own names; the text does not say which device. */
export interface EthtoolStatistics {
  readonly kind: "ethtool -S";
  readonly counters: readonly (readonly [name: string, value: number])[];
}

/** Names of features that have changed: the one that today's ethtool prints. */
export function featureName(printed: string): string {
  const name = printed.trim().toLowerCase().replace(/[ _]/g, "-");
  return name === "rx-checksum" ? "rx-checksumming" : name === "tx-checksum" ? "tx-checksumming" : name;
}
