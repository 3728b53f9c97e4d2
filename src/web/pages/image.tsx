// Image: a memory image (kdump, virsh dump, qemu) read in this page: who holds packets and pool pages, what is broken, each page as a point.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, Cancelled } from "../tasks/client.ts";
import type { ImageOutput } from "../tasks/image_task.ts";
import { DocumentView } from "../ui/document_view.tsx";
import { AnswerExports } from "../ui/exports.tsx";
import { MapView, useMapWindow } from "../ui/map_view.tsx";
import { Empty, ErrorBox } from "../ui/parts.tsx";

export function ImagePage(): JSX.Element {
  const [output, setOutput] = useState<ImageOutput>();
  const [error, setError] = useState<unknown>();
  const [over, setOver] = useState(false);
  const failed = (e: unknown): void => {
    if (!(e instanceof Cancelled)) setError(e);
  };
  const read = (files: readonly File[]): void => {
    if (files.length === 0) return;
    setError(undefined);
    setOutput(undefined);
    ask("image", { files: files.map((f) => ({ name: f.name, blob: f })) }, "Reading the image").then(setOutput, failed);
  };
  const search = (): void => {
    setError(undefined);
    ask("imageSearch", {}, "Searching all memory").then(setOutput, failed);
  };
  return (
    <>
      <h1>Memory image</h1>
      <section
        class={over ? "drop over" : "drop"}
        aria-label="Memory image"
        onDragOver={(e) => {
          e.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(e) => {
          e.preventDefault();
          e.stopPropagation();
          setOver(false);
          read([...(e.dataTransfer?.files ?? [])]);
        }}
      >
        <p>
          Drop a memory image here: a kdump <code>vmcore</code>, <code>virsh dump --memory-only</code>, qemu's{" "}
          <code>dump-guest-memory</code>; all parts of a split one together. It is read where it lies and goes nowhere.
        </p>
        <label class="button">
          Choose files
          <input
            type="file"
            multiple
            class="hidden"
            onChange={(e) => {
              read([...(e.currentTarget.files ?? [])]);
              e.currentTarget.value = "";
            }}
          />
        </label>
      </section>
      <ErrorBox error={error} />
      {output === undefined ? (
        <Empty>
          No image has been read yet. On the host of a guest: <code>virsh dump --memory-only GUEST FILE</code>
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
