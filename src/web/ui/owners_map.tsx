// Who owns physical memory, from a page_owner dump that the worker has read: the map, the owner of the page that is pointed at, and what pins the
// block that was chosen (`block=<pfn>` in the address).
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { LevelledMap } from "../../analysis/map_levels.ts";
import type { TiledMap } from "../../analysis/map_tiles.ts";
import { ask } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { MapView, useMapWindow } from "./map_view.tsx";
import { Answer, ErrorBox } from "./parts.tsx";
import { route, setQuery } from "./route.ts";

export function OwnersMap({
  map,
  order,
  windowKey = "window",
  word,
  onKind,
}: {
  map: LevelledMap & TiledMap;
  order: number;
  /** Where in the address it is told what part is looked at. */
  windowKey?: string;
  word?: string;
  onKind?: (label: string) => void;
}): JSX.Element {
  const seen = useMapWindow(map.width, windowKey);
  const { block } = route.value.query;
  const pfn = block === undefined ? Number.NaN : Number(block);
  const [shown, setShown] = useState<Shown>();
  const [error, setError] = useState<unknown>();
  const known = Number.isSafeInteger(pfn) && pfn >= 0;
  useEffect(() => {
    setError(undefined);
    setShown(undefined);
    if (!known) return;
    let stale = false;
    ask("block", { pfn, order }, "Looking at the block").then(
      (answer) => stale || setShown(answer),
      (e) => stale || setError(e),
    );
    return () => {
      stale = true;
    };
  }, [map, pfn, order]);
  const size = 2 ** order;
  return (
    <>
      <p>
        What pins a block? Choose a page: by click, or with Enter for the page in the middle; blocks are of order{" "}
        {order}.
      </p>
      <MapView
        map={map}
        name="Owners of physical memory"
        window={seen}
        blockOrder={order}
        blankMeans="not listed: free, or handed out before page_owner started"
        marked={known ? { first: Math.floor(pfn / size) * size, count: size } : undefined}
        describe={ownerOf}
        {...(word === undefined ? {} : { word })}
        {...(onKind === undefined ? {} : { onKind })}
        onPick={(chosen) => setQuery({ block: String(chosen) })}
      />
      <ErrorBox error={error} />
      {shown === undefined ? null : <Answer shown={shown} name={`block at ${pfn}`} />}
    </>
  );
}

async function ownerOf(pfn: number): Promise<string> {
  const page = await ask("ownerPage", { pfn });
  if (!page.listed) return "";
  const types = page.type === "" ? "" : `${page.type} page in a ${page.blockType} block, `;
  return `${types}order ${page.order}, ${page.stack.slice(0, 12).join(" < ")}`;
}
