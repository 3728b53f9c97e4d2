// RPC clients of a scenario's machine: calls that write pages by reference over TCP, as NFS does, again when no reply came in time. The same
// pages are written over and over, so a page that is still in a send queue when its call is answered will leave with other bytes in it.
import type { Machine } from "../model/machine.ts";
import type { Inet } from "../model/net/path/inet.ts";
import type { NetDevice } from "../model/net/path/netdevice.ts";
import type { RpcClient } from "../model/net/tcp/sunrpc.ts";
import { createRpcClient } from "../model/net/tcp/sunrpc.ts";
import { segmentHeaders } from "../model/net/tcp/tcp.ts";
import type { MachineSettings } from "./machine_settings.ts";
import type { Wires } from "./machine_wires.ts";

/** One entry of `rpc`. */
export interface RpcResult {
  readonly nic: string;
  readonly calls: number;
  readonly answered: number;
  /** Messages written beyond the first of each call. */
  readonly sentAgain: number;
  /** Calls whose pages the stack still held when the reply made them the client's again. */
  readonly reusedWhileHeld: number;
  /** From call to reply, milliseconds; 0 without a reply. */
  readonly meanMillis: number;
}

export interface RpcApplication {
  start(device: NetDevice): void;
  result(): RpcResult;
}

const headerBytes = 128;

export function createRpc(
  machine: Machine,
  inet: Inet,
  wires: Wires,
  r: MachineSettings["rpc"][number],
  flows: () => { flowIn: number; flowOut: number },
): RpcApplication {
  const { clock, cpus, pages, skbs } = machine;
  const { gfp } = skbs.config;
  const begun: number[] = [];
  const buffers: (readonly number[] | undefined)[] = [];
  const spare: number[][] = [];
  let answered = 0;
  let held = 0;
  let waited = 0;
  let client: RpcClient | undefined;

  /** A call's pages: null when there is no memory for them. */
  const take = (): number[] | undefined => {
    const had = spare.pop();
    if (had !== undefined) return had;
    const made: number[] = [];
    while (made.length < r.pages) {
      const pfn = pages.allocPages(gfp.kernel, 0);
      if (pfn < 0) {
        for (const p of made) pages.freePages(p, 0);
        return undefined;
      }
      made.push(pfn);
    }
    return made;
  };

  const callMore = cpus.register(() => {
    while (client !== undefined && client.pending() < r.inFlight) {
      const mine = take();
      if (mine === undefined) {
        cpus.work(0, 10e6, callMore);
        return;
      }
      begun.push(clock.now());
      buffers.push(mine);
      client.call(mine);
    }
  }, "rpc-client");

  return {
    start(device) {
      const { flowIn, flowOut } = flows();
      const peer = wires.peer(device);
      /** Messages in the order of the stream: which call, and the byte it ends at. */
      const messages: { readonly call: number; readonly to: number }[] = [];
      const made = createRpcClient(
        inet.tcp,
        clock,
        (user) => inet.connect(device, { flowIn, flowOut, sndbufBytes: r.sndbufKb * 1024, noDelay: true }, user),
        {
          headerBytes,
          replyBytes: headerBytes,
          timeoutNanos: r.timeoutMillis * 1e6,
          onMessage: (call, from, bytes) => void messages.push({ call, to: from + bytes }),
          onReply(call) {
            answered++;
            waited += clock.now() - begun[call]!;
            cpus.work(0, 0, callMore);
          },
          onFree(call) {
            const mine = buffers[call] as number[];
            if (mine.some((pfn) => pages.pageCount(pfn) > 1)) held++;
            buffers[call] = undefined;
            spare.push(mine);
          },
        },
      );
      client = made;
      const reply = clock.handler((call) => {
        made.replies.push(call);
        peer.send(remote, headerBytes);
      });
      const remote = peer.connect({
        flowIn: flowOut,
        flowOut: flowIn,
        mss: device.mtu - segmentHeaders,
        windowBytes: r.windowKb * 1024,
        onData(bytes) {
          // Every copy of a call is carried out and answered: this server has no reply cache.
          for (let next = messages[0]; next !== undefined && next.to <= bytes; next = messages[0]) {
            messages.shift();
            clock.after(r.serverMicros * 1000, reply, next.call);
          }
        },
      });
      cpus.work(0, 0, callMore);
    },
    result: () => ({
      nic: r.nic,
      calls: begun.length,
      answered,
      sentAgain: client?.sentAgain() ?? 0,
      reusedWhileHeld: held,
      meanMillis: answered === 0 ? 0 : waited / answered / 1e6,
    }),
  };
}
