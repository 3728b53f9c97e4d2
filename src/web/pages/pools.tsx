// Pools: what counters, netlink answers, traces and warnings say about a machine's page pools, as `skblab pools` says it.
import type { JSX } from "preact";
import { useInputs } from "../store/case_file.ts";
import { useKept } from "../store/kept.ts";
import { ask } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { Answer, Empty, ErrorBox } from "../ui/parts.tsx";

export function PoolsPage(): JSX.Element {
  const [shown, setShown] = useKept<Shown | undefined>("pools.shown", undefined);
  const [error, setError] = useKept<unknown>("pools.error", undefined);
  useInputs("pools", (files) => {
    setShown(undefined);
    setError(undefined);
    if (files.length === 0) return;
    ask("pools", { files: files.map(({ name, blob }) => ({ name, blob })) }, "Reading", { replaces: true }).then(
      setShown,
      setError,
    );
  });
  return (
    <>
      <h1>Who holds the pages of a pool?</h1>
      <ErrorBox error={error} />
      {shown === undefined ? (
        <Empty>
          No counters have been read yet. On the machine: <code>ethtool -S IFACE</code> (its <code>rx_pp_</code>{" "}
          counters), <code>ynl --family netdev --dump page-pool-get</code>, or the kernel log that warns of a stalled
          pool; several snapshots, the older first, say more.
        </Empty>
      ) : (
        <Answer shown={shown} name="page pools" />
      )}
    </>
  );
}
