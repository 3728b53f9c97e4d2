// Bits without a fixed place: an enum gives each name the next bit if its configuration option is on, so the same bit has several names.

/** A name that takes the next free bit when `option` is set. */
export interface FloatingBit {
  readonly name: string;
  readonly option: string;
}

/** For the first, second, … bit after the fixed ones: the names that can stand there, over all settings of the options. */
export function floatingPlaces(bits: readonly FloatingBit[]): string[][] {
  const options = [...new Set(bits.map((b) => b.option))];
  const places = bits.map(() => new Set<string>());
  for (let setting = 0; setting < 2 ** options.length; setting++) {
    const on = bits.filter((b) => (setting >> options.indexOf(b.option)) & 1);
    for (const [i, b] of on.entries()) places[i]?.add(b.name);
  }
  return places.map((p) => [...p]);
}
