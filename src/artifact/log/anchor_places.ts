// Where the search takes hold of each anchor (base/bytes_search.ts placesOf()): working it out takes longer than a small log. The build writes
// this file anew with the places of its anchors (scripts/build-places.mjs); without a build they are worked out at the first scan.

/** Two base-36 digits for the place and one for the bucket of each anchor; undefined where nobody has worked them out. */
export const anchorPlaces: string | undefined = undefined;
