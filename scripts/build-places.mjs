// After tsc: works out once where the search for anchors takes hold of each, so that no start does.
import { writeFileSync } from "node:fs";
import { anchors } from "../dist/artifact/log/anchors.js";
import { utf8 } from "../dist/base/bytes.js";
import { placesOf } from "../dist/base/bytes_search.js";

const places = placesOf(anchors.map((a) => utf8(a.text)));
const text = places.map(([end, bucket]) => `${end.toString(36).padStart(2, "0")}${bucket}`).join("");
writeFileSync("dist/artifact/log/anchor_places.js", `export const anchorPlaces = "${text}";\n`);
