/** When the two samples of a `skblab collect` archive were taken (collect/samples.txt): seconds since boot, each at the end of its step. */
export interface SampleTimes {
  readonly kind: "sample times";
  /** Start of the collection, end of the first sample, end of the second: seconds of uptime and of idle processors, as printed. */
  readonly uptimes: readonly (readonly [seconds: number, text: string])[];
}
