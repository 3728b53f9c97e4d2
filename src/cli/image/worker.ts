// A thread that searches parts of an image for pointers: it opens the files itself, so that no memory is copied.
import { parentPort, workerData } from "node:worker_threads";
import { openImage } from "../../image/container/open.ts";
import { searchPointers } from "../../image/net/pointer_scan.ts";
import { openImageFiles } from "../input/image.ts";
import type { SearchJob } from "./search.ts";

const { files, live, plan } = workerData as SearchJob;
const { sources } = await openImageFiles(files);
const memory = openImage(sources, live);

parentPort?.on("message", ({ index, first, end }: { index: number; first: number; end: number }) => {
  parentPort?.postMessage({ index, hits: searchPointers(memory, plan, first, end) });
});
parentPort?.postMessage("ready");
