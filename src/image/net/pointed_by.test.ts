// Whose memory holds a pointer to a page: the names that a driver itself has for its rings, out of the split BTF in the image.
import { expect, test } from "vitest";
import { oracleMemory, whyNoOracle } from "../image.testkit.ts";
import { readImage } from "../image.ts";
import { readModules } from "../modules.ts";
import { namesOfPointed } from "./pointed_by.ts";

test.skipIf(whyNoOracle() !== undefined)(
  "an e1000's ring and its array of buffers are found and named from the device",
  () => {
    const { kernel, net } = readImage(oracleMemory("6.1-net"), { pointers: false });
    const { space, types } = kernel;
    const card = net.devices.find((d) => d.name === "eth0");
    if (card === undefined) throw new Error("the image has no eth0");
    // netdev_priv() of 6.1: behind struct net_device, aligned to 32 bytes.
    const own = card.address + BigInt(Math.ceil(types.struct("net_device").sizeBytes / 32) * 32);
    const ring = space.u64(own + types.struct("e1000_adapter").at("rx_ring"));
    // The array comes from vmalloc(): what is known of it is the frame.
    const buffers = space.translate(space.u64(ring + types.struct("e1000_rx_ring").at("buffer_info"))) as number;
    const frame = kernel.pageOffset + BigInt(buffers);
    const names = namesOfPointed(kernel, readModules(kernel), net.devices, new Set([ring, frame, frame + 4096n * 77n]));
    expect(names.get(ring)).toBe("eth0: e1000_adapter.rx_ring");
    expect(names.get(frame)).toBe("eth0: e1000_adapter.rx_ring->buffer_info");
    expect(names.size).toBe(2);
  },
);
