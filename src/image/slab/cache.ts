// What is known of a slab cache beside its slabs' contents.
export interface SlabCache {
  readonly name: string;
  readonly address: bigint;
  readonly size: number;
  readonly objectSize: number;
  /** Where in a free object the pointer to the next one stands. */
  readonly offset: number;
  readonly align: number;
  readonly flags: number;
  readonly objectsPerSlab: number;
  readonly order: number;
  /** Above 1 when caches of several users were merged into this one: its name tells one of them. */
  readonly refcount: number;
  readonly redLeftPad: number;
  readonly random: bigint | undefined;
  /** Heads of its slabs, by frame. */
  readonly slabs: readonly number[];
  readonly nodes: readonly NodeState[];
  readonly cpus: readonly CpuState[];
  /** Addresses of objects in sheaves; undefined where this kernel has none. */
  readonly sheafObjects: ReadonlySet<bigint> | undefined;
  /** Objects that wait in sheaves for the end of an RCU grace period: allocated until then, and freed after it. */
  readonly awaitingRcu: readonly bigint[];
}

export interface NodeState {
  readonly nrPartial: number;
  /** Frames of the slabs on the node's list. */
  readonly partial: readonly number[];
  /** Free objects in them, by their own counters. */
  readonly partialFree: number;
  /** Why the walk of that list ended before the list did, and whether at what is not in the image. */
  readonly problem: string | undefined;
  readonly isCut: boolean;
  readonly nrSlabs: number;
  readonly totalObjects: number;
}

export type CpuState =
  | {
      readonly kind: "slab";
      readonly cpu: number;
      /** -1 when the CPU has none. */
      readonly slab: number;
      readonly free: readonly bigint[];
      /** Where that list leads out of the CPU's slab. */
      readonly astray: bigint | undefined;
      readonly partialSlabs: number;
    }
  | {
      readonly kind: "sheaves";
      readonly cpu: number;
      readonly main: number;
      readonly spare: number;
      readonly rcuFree: number;
    };
