// An RPC client over TCP that writes pages, as NFS does: a header is copied into the stream, the pages go by reference, the call is written
// again when no reply came in time, and after the reply its pages belong to the caller again. net/sunrpc/xprt.c, xprtsock.c, clnt.c, 3.2.
//
//   call ──▶ [header][page][page]… ──▶ socket ··· reply ──▶ onReply: the pages are done with, says RPC
//     └─ timeout: [header][page][page]… once more            but the socket may hold them still: onFree says when not
//
// Frames carry no bytes here, so whose reply comes next is a list that both ends share (`replies`). Not here: reconnecting, more than
// one connection, authentication, the server (whoever made the other end has it).
import type { Clock } from "../../sync/clock.ts";
import type { ConnectionUser, Tcp } from "./tcp.ts";

/** How the stack tells that it is done with pages. Left out: nobody is told. */
export interface PageHold {
  /** A counted callback for each page, or one for all pages of a message. */
  readonly perPage: boolean;
  /** Where it hangs: on fragments (frag_destructors.ts), or on packets (ubuf_info.ts). */
  readonly as: "destructor" | "ubuf";
  /** One with a reference, ours. */
  create(done: () => void): number;
  release(id: number): void;
}

export interface RpcOptions {
  readonly headerBytes?: number;
  readonly replyBytes?: number;
  /** Until a call is written again; doubles each time. */
  readonly timeoutNanos: number;
  readonly hold?: PageHold;
  /** A message begins at this byte of the stream. */
  onMessage(call: number, startByte: number, bytes: number): void;
  onReply(call: number): void;
  /** The reply is there and, as far as anybody is told, nothing of the call is in the stack. */
  onFree(call: number): void;
}

export interface RpcClient {
  /** Writes pages; they stay the caller's. The call's number. */
  call(pfns: readonly number[]): number;
  /** Calls in the order in which their replies will come: the server's end appends. */
  readonly replies: number[];
  /** Calls without a reply, and calls whose pages are not free. */
  pending(): number;
  held(): number;
  /** Messages written beyond the first of each call. */
  sentAgain(): number;
}

interface Call {
  readonly pfns: readonly number[];
  copies: number;
  replied: boolean;
  freed: boolean;
  /** Counted callbacks that have not run, and messages not wholly written. */
  holds: number;
  writing: number;
}

interface Message {
  readonly call: number;
  /** Bytes of it that are in the stream. */
  done: number;
  /** Callbacks of its pages, one or one a page; 0 where there is none yet. */
  readonly holds: number[];
}

/** `connect` opens the connection for the user it is given. */
export function createRpcClient(
  tcp: Tcp,
  clock: Clock,
  connect: (user: ConnectionUser) => number,
  options: RpcOptions,
): RpcClient {
  const { headerBytes = 128, replyBytes = 128, timeoutNanos, hold } = options;
  const pageBytes = 4096;
  const calls: Call[] = [];
  const queue: Message[] = [];
  const replies: number[] = [];
  let stream = 0;
  let unread = 0;
  let pending = 0;
  let held = 0;
  let again = 0;

  const maybeFree = (id: number): void => {
    const call = calls[id]!;
    if (!call.replied || call.freed || call.writing > 0 || call.holds > 0) return;
    call.freed = true;
    held--;
    options.onFree(id);
  };

  const create = (id: number): number => {
    if (hold === undefined) return 0;
    calls[id]!.holds++;
    return hold.create(() => {
      calls[id]!.holds--;
      maybeFree(id);
    });
  };

  /** Writes on at the front message; false when the socket took nothing more. */
  const writeOn = (message: Message): boolean => {
    const { pfns } = calls[message.call]!;
    const all = headerBytes + pfns.length * pageBytes;
    while (message.done < all) {
      let took: number;
      if (message.done < headerBytes) took = tcp.sendmsg(connection, headerBytes - message.done);
      else {
        const at = message.done - headerBytes;
        const page = Math.floor(at / pageBytes);
        const slot = hold?.perPage === true ? page : 0;
        message.holds[slot] ??= create(message.call);
        const id = message.holds[slot] ?? 0;
        const offset = at % pageBytes;
        took = tcp.sendpage(connection, pfns[page]!, offset, pageBytes - offset, {
          [hold?.as ?? "destructor"]: id,
        });
      }
      if (took === 0) return false;
      if (message.done === 0) {
        // Only now: while a full socket took nothing of it, it could still be dropped.
        options.onMessage(message.call, stream, all);
        stream += all;
      }
      message.done += took;
    }
    return true;
  };

  let pumping = false;
  const pump = (): void => {
    if (pumping) return;
    pumping = true;
    for (let message = queue[0]; message !== undefined; message = queue[0]) {
      const call = calls[message.call]!;
      if (message.done === 0 && call.replied) {
        // Answered before this copy began: xprt_request_dequeue_transmit().
        queue.shift();
        call.writing--;
        maybeFree(message.call);
        continue;
      }
      if (!writeOn(message)) break;
      queue.shift();
      call.writing--;
      for (const id of message.holds) if (id !== 0) hold?.release(id);
      maybeFree(message.call);
    }
    pumping = false;
  };

  const enqueue = (id: number): void => {
    const call = calls[id]!;
    call.copies++;
    call.writing++;
    queue.push({ call: id, done: 0, holds: [] });
    clock.after(timeoutNanos * 2 ** (call.copies - 1), timer, id, call.copies);
    pump();
  };

  /** xprt_timer(): a message that is still being written is not written twice. */
  const timer = clock.handler((id, copy) => {
    const call = calls[id]!;
    if (call.replied || call.copies !== copy) return;
    if (call.writing > 0) {
      clock.after(timeoutNanos, timer, id, copy);
      return;
    }
    again++;
    enqueue(id);
  });

  const answered = (id: number): void => {
    const call = calls[id]!;
    if (call.replied) return;
    call.replied = true;
    pending--;
    options.onReply(id);
    maybeFree(id);
  };

  const connection = connect({
    writable: pump,
    readable(c) {
      unread += tcp.recv(c, 1 << 30);
      for (; unread >= replyBytes && replies.length > 0; unread -= replyBytes) answered(replies.shift() as number);
    },
  });

  return {
    replies,
    call(pfns) {
      const id = calls.push({ pfns, copies: 0, replied: false, freed: false, holds: 0, writing: 0 }) - 1;
      pending++;
      held++;
      enqueue(id);
      return id;
    },
    pending: () => pending,
    held: () => held,
    sentAgain: () => again,
  };
}
