// Image: a memory image (kdump, virsh dump, qemu) read in this page: who holds packets and pool pages, what is broken, each page as a point.
import type { JSX } from "preact";
import { useInputs } from "../store/case_file.ts";
import { useKept } from "../store/kept.ts";
import { ask, askEach, Cancelled } from "../tasks/client.ts";
import type { ImageOutput } from "../tasks/image_task.ts";
import { DocumentView } from "../ui/document_view.tsx";
import { AnswerExports } from "../ui/exports.tsx";
import { MapView, useMapWindow } from "../ui/map_view.tsx";
import { Empty, ErrorBox } from "../ui/parts.tsx";

/** Each keeps some blocks of the image in memory. */
const mostWorkers = 8;

export function ImagePage(): JSX.Element {
  const [output, setOutput] = useKept<ImageOutput | undefined>("image.output", undefined);
  const [error, setError] = useKept<unknown>("image.error", undefined);
  const failed = (e: unknown): void => {
    if (!(e instanceof Cancelled)) setError(e);
  };
  useInputs("image", (files) => {
    setError(undefined);
    setOutput(undefined);
    if (files.length === 0) return;
    const given = files.map(({ name, blob }) => ({ name, blob }));
    ask("image", { files: given }, "Reading the image", { replaces: true }).then(setOutput, failed);
  });
  const search = async (): Promise<void> => {
    setError(undefined);
    try {
      const parts = await ask("imagePlan", { workers: Math.min(navigator.hardwareConcurrency, mostWorkers) });
      const hits = (await askEach("imageSearch", parts, "Searching all memory")).flat();
      setOutput(await ask("imageFound", { hits }, "Explaining what points to pages"));
    } catch (e) {
      failed(e);
    }
  };
  return (
    <>
      <h1>Memory image</h1>
      <ErrorBox error={error} />
      {output === undefined ? (
        <Empty>
          No image has been read yet: a kdump <code>vmcore</code>, <code>virsh dump --memory-only</code>, qemu's{" "}
          <code>dump-guest-memory</code>; all parts of a split one together. It is read where it lies. On the host of a
          guest: <code>virsh dump --memory-only GUEST FILE</code>
        </Empty>
      ) : (
        <Answer output={output} search={search} />
      )}
    </>
  );
}

function Answer({ output, search }: { output: ImageOutput; search: () => void }): JSX.Element {
  const window = useMapWindow(output.map.width);
  return (
    <section class="answer" aria-label="Answer: memory image">
      <AnswerExports shown={output.shown} name="image" />
      <MapView
        map={output.map}
        name="memory image"
        window={window}
        blankMeans="no struct page"
        describe={(pfn) => ask("imagePage", { pfn }, "")}
      />
      {output.open === 0 ? null : (
        <p>
          No packet explains {output.open} pages of page pools.{" "}
          <button type="button" class="primary" onClick={search}>
            Search all memory for pointers to them
          </button>
        </p>
      )}
      <DocumentView document={output.shown.document} />
    </section>
  );
}
