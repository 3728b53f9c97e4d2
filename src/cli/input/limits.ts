// How much of an archive is unpacked. Memory does not depend on these (everything streams); time does.

export interface InputLimits {
  /** Layers of compression and archives inside each other. */
  readonly depth: number;
  /** Bytes unpacked from one argument, over all layers. */
  readonly unpackedBytes: number;
  /** Unpacked over packed bytes of one layer ... */
  readonly ratio: number;
  /** ... asked for only after so many bytes. */
  readonly ratioAfterBytes: number;
  /** Files of one argument: members of an archive or files of a directory. */
  readonly files: number;
  /** Directories inside each other. */
  readonly directories: number;
}

/** A gigabyte of a real log packs at 5 to 50 to one; a file of zeros at 1000 (gzip) to 7000 (xz). */
export const inputLimits: InputLimits = {
  depth: 6,
  unpackedBytes: 64 * 2 ** 30,
  ratio: 250,
  ratioAfterBytes: 512 * 2 ** 20,
  files: 100_000,
  directories: 40,
};

/** What one argument has used up. */
export interface Budget {
  readonly limits: InputLimits;
  unpacked: number;
  files: number;
}
