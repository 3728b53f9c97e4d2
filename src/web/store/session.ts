// What a reload finds again. Small inputs stay in the tab's own session store, which ends with the tab; all of them, of any size, stay in this
// browser (IndexedDB) only where the person said so, until "forget". Where the browser allows neither, a reload begins anew.
import type { TakingPage } from "../tasks/identify_task.ts";

/** An input as it is kept. */
export interface Stored {
  readonly name: string;
  readonly blob: Blob;
  /** The page that it was made for, where it is no input of a person's: only that one looks at it. */
  readonly only?: TakingPage | undefined;
  /** Its number in the case, once it has one. */
  readonly id?: number | undefined;
}

const sessionKey = "skblab.case";
const consentKey = "skblab.keep";
const sessionBytesMax = 1 << 20;

const quietly = <T>(work: () => T, otherwise: T): T => {
  try {
    return work();
  } catch {
    return otherwise;
  }
};

/** The person has said that inputs may stay in this browser. */
export const consented = (): boolean => quietly(() => localStorage.getItem(consentKey) === "yes", false);

type Text = Omit<Stored, "blob"> & { readonly data: string };

const toBase64 = async (blob: Blob): Promise<string> => {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
};

/** Keeps the inputs for a reload; which of them are too large for the tab's store is answered (none, where the browser keeps all). */
export async function keepForReload(files: readonly Stored[]): Promise<readonly string[]> {
  if (consented()) {
    await quietlyAsync(() =>
      inStore("readwrite", (store) => {
        store.clear();
        return store.put([...files], "files");
      }),
    );
    return [];
  }
  let room = sessionBytesMax;
  const small = files.filter((f) => {
    const fits = f.blob.size <= room;
    if (fits) room -= f.blob.size;
    return fits;
  });
  const texts = await Promise.all(
    small.map(async ({ name, only, id, blob }): Promise<Text> => ({ name, only, id, data: await toBase64(blob) })),
  );
  const written = quietly(() => {
    sessionStorage.setItem(sessionKey, JSON.stringify(texts));
    return true;
  }, false);
  return written ? files.filter((f) => !small.includes(f)).map((f) => f.name) : files.map((f) => f.name);
}

/** What was kept, in its order. */
export async function restored(): Promise<readonly Stored[]> {
  if (consented())
    return (await quietlyAsync(() => inStore<Stored[] | undefined>("readonly", (store) => store.get("files")))) ?? [];
  const texts = quietly(() => JSON.parse(sessionStorage.getItem(sessionKey) ?? "[]") as Text[], []);
  return texts.map(({ data, ...file }) => ({
    ...file,
    blob: new Blob([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))]),
  }));
}

/** Says that inputs may stay in this browser, or may no longer; the latter takes away what stayed. */
export async function setConsent(yes: boolean, files: readonly Stored[]): Promise<void> {
  quietly(() => (yes ? localStorage.setItem(consentKey, "yes") : localStorage.removeItem(consentKey)), undefined);
  if (!yes) await quietlyAsync(() => inStore("readwrite", (store) => store.clear()));
  quietly(() => sessionStorage.removeItem(sessionKey), undefined);
  await keepForReload(files);
}

/** Takes away everything that was kept anywhere, and the consent with it. */
export async function forgetStored(): Promise<void> {
  await setConsent(false, []);
  quietly(() => sessionStorage.removeItem(sessionKey), undefined);
}

async function quietlyAsync<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest): Promise<T> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("skblab", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("case");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const db = opening.result;
      const request = work(db.transaction("case", mode).objectStore("case"));
      request.onsuccess = () => {
        db.close();
        resolve(request.result as T);
      };
      request.onerror = () => {
        db.close();
        reject(request.error);
      };
    };
  });
}
