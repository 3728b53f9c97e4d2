// Every driver whose receive path is known by hand; the others are known by the index of functions only.

import { boards } from "./boards.ts";
import { clouds } from "./clouds.ts";
import type { DriverFacts } from "./driver.ts";
import { e1000 } from "./e1000.ts";
import { e1000e } from "./e1000e.ts";
import { bcmgenet, mvneta, r8169 } from "./embedded.ts";
import { hvNetvsc, xenNetfront } from "./hypervisors.ts";
import { ibmEmac } from "./ibm_emac.ts";
import { i40e, igb, ixgbe } from "./intel_pages.ts";
import { mlx5 } from "./mlx5.ts";
import { routers } from "./routers.ts";
import { servers } from "./servers.ts";
import { software } from "./software.ts";
import { tg3 } from "./tg3.ts";
import { asix, ax88179, cdcNcm, dm9601, lan78xx, r8152, smsc75xx, smsc95xx, usbnet } from "./usb.ts";
import { virtioNet } from "./virtio_net.ts";
import { wireless } from "./wireless.ts";

export const drivers: readonly DriverFacts[] = [
  tg3,
  ibmEmac,
  e1000,
  e1000e,
  igb,
  ixgbe,
  i40e,
  mlx5,
  virtioNet,
  xenNetfront,
  hvNetvsc,
  asix,
  ax88179,
  smsc95xx,
  smsc75xx,
  cdcNcm,
  dm9601,
  lan78xx,
  usbnet,
  r8152,
  mvneta,
  bcmgenet,
  r8169,
  ...servers,
  ...boards,
  ...wireless,
  ...clouds,
  ...routers,
  ...software,
];
