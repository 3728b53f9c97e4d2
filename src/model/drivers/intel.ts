// What e1000 and e1000e share: 256 descriptors of which one stays free, refilled sixteen at a time and at the end of each poll; and how the
// device goes up, down and to another MTU. drivers/net/ethernet/intel/e1000 and e1000e, 6.1.
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { mtuRefusal } from "./driver_life.ts";
import type { RxRing } from "./rx_ring.ts";

/** E1000_RX_BUFFER_WRITE: slots dealt with before some are posted again. */
const rxBufferWrite = 16;
/** copybreak's default: packets up to so many bytes are copied, and their buffer stays. */
export const copybreakDefault = 256;
/** Frame check sequence. */
export const fcsBytes = 4;

/**
 * Posts buffers in up to `count` slots from `use` on; slots that still have theirs are only posted again. Stops at the first slot that
 * gets none: `make` gives 0 for no memory.
 */
export function refill(ring: RxRing, count: number, make: (slot: number) => number): void {
  for (let left = count; left > 0; left--) {
    if (ring.buffer[ring.use] === 0) {
      const buffer = make(ring.use);
      if (buffer === 0) return;
      ring.set(ring.use, buffer);
    }
    ring.use = ring.use + 1 === ring.size ? 0 : ring.use + 1;
  }
}

/**
 * One poll's receiving: `one` deals with the frame at ring.clean and gives how many slots it used up, or 0 when it has to be tried again
 * for lack of memory. `post(n)` refills.
 */
export function receivePoll(
  ring: RxRing,
  budget: number,
  one: (frame: number) => number,
  post: (n: number) => void,
): number {
  let work = 0;
  let cleaned = 0;
  while (work < budget) {
    const frame = ring.frame[ring.clean]!;
    if (frame === 0) break;
    const slots = one(frame);
    if (slots === 0) {
      ring.leave();
      break;
    }
    work++;
    cleaned += slots;
    if (cleaned >= rxBufferWrite) {
      post(cleaned);
      cleaned = 0;
    }
  }
  const unused = ring.unused();
  if (unused > 0) post(unused);
  return work;
}

/** What the two drivers do differently on the way up and down. */
export interface IntelSteps {
  readonly mtu: { readonly least: number; readonly most: number };
  /** Where rings are filled from: at open, and when the MTU changes. */
  readonly callers: { readonly open: string; readonly changeMtu: string };
  /** Memory of the rings themselves; false when there is none, and then nothing is held. */
  takeRings(): boolean;
  giveRings(): void;
  /** e1000_configure(): filter and buffers; false when this release has no buffers for the MTU. */
  configure(caller: string): boolean;
  /** e1000_down(): every buffer and packet is given back, the rings stay. */
  down(): void;
}

/** e1000_open, e1000_close and e1000_change_mtu, which differ between the two drivers only in names. `running` tells if packets may come. */
export function intelLife(
  host: DriverHost,
  steps: IntelSteps,
): Pick<Driver, "open" | "stop" | "changeMtu"> & { running(): boolean } {
  let running = false;
  const down = (): void => {
    running = false;
    steps.down();
  };
  return {
    running: () => running,
    open() {
      if (!steps.takeRings()) return false;
      running = steps.configure(steps.callers.open);
      return true;
    },
    stop() {
      down();
      steps.giveRings();
    },
    changeMtu(mtu) {
      const refusal = mtuRefusal(mtu, steps.mtu.least, steps.mtu.most);
      if (refusal !== undefined) return refusal;
      const was = running;
      if (was) down();
      host.device().mtu = mtu;
      if (was) running = steps.configure(steps.callers.changeMtu);
      return "ok";
    },
  };
}
