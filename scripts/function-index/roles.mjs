// The role of a function: who calls it when nobody in the drivers does. Prototypes tell most of them; what a table of operations tells
// by the place of a pointer in it is told by the offsets of the structs. Names of roles are those of src/kernel/facts/functions/roles.ts.

/** Prototype to role; for functions whose address is taken. */
const prototypes = [
  [/^int \(struct napi_struct \*, int\)$/, "poll"],
  [/^(netdev_tx_t|enum netdev_tx|int) \(struct sk_buff \*, struct net_device \*\)$/, "transmit"],
  [/^void \(struct ieee80211_hw \*, struct ieee80211_tx_control \*, struct sk_buff \*\)$/, "transmit"],
  [/^(irqreturn_t|enum irqreturn) \(int, void \*\)$/, "interrupt"],
  [/^void \(struct (work_struct|vhost_work|kthread_work) \*\)$/, "worker"],
  [/^void \(struct timer_list \*\)$|^enum hrtimer_restart \(struct hrtimer \*\)$/, "timer"],
  [/^void \(struct tasklet_struct \*\)$/, "tasklet"],
  [/^void \(struct urb \*\)$/, "completion"],
  [/^void \(struct virtqueue \*\)$/, "completion"],
  [/^void \(struct usb_ep \*, struct usb_request \*\)$/, "completion"],
  [/^rx_handler_result_t \(struct sk_buff \*\*\)$|^enum rx_handler_result \(struct sk_buff \*\*\)$/, "receive"],
  [/^int \(struct sk_buff \*, struct net_device \*, struct packet_type \*, struct net_device \*\)$/, "receive"],
  [
    /^int \(struct (pci_dev|usb_interface|sdio_func|hv_device|xenbus_device|auxiliary_device) \*, const struct \w+ \*\)$/,
    "probe",
  ],
  [
    /^int \(struct (platform_device|virtio_device|mdio_device|phy_device|spi_device|i2c_client|fsl_mc_device|of_device) \*(, const struct \w+ \*)?\)$/,
    "probe",
  ],
  [/^int \(struct usbnet \*, struct usb_interface \*\)$/, "probe"],
  [/^void \(struct (pci_dev|platform_device|usb_interface|sdio_func|virtio_device|auxiliary_device) \*\)$/, "remove"],
  [/^int \(struct device \*\)$/, "power"],
  [/^\S.* \(struct net_device \*, (const )?struct (kernel_)?ethtool_\w+ \*.*\)$/, "ethtool"],
  [/^int \(struct (socket|sock) \*, struct msghdr \*, (size_t|unsigned long)\)$/, "send"],
  [/^int \(struct (socket|sock) \*, struct msghdr \*, (size_t|unsigned long), int(, int \*)*\)$/, "take"],
  [/^int \(struct sk_buff \*, struct (genl_info|netlink_callback) \*\)$/, "netlink"],
  [/^int \(struct sk_buff \*, struct nlmsghdr \*, struct netlink_ext_ack \*\)$/, "netlink"],
  [/^int \(struct net \*, struct net_device \*, struct nlattr \*\*, struct nlattr \*\*.*\)$/, "netlink"],
  [/^ssize_t \(struct device \*, struct device_attribute \*, .*\)$/, "configure"],
  [/^int \(struct notifier_block \*, unsigned long, void \*\)$/, "configure"],
];

/** Members of struct net_device_ops to roles; the others configure. */
const netDeviceOps = {
  ndo_start_xmit: "transmit",
  ndo_xdp_xmit: "transmit",
  ndo_select_queue: "transmit",
  ndo_features_check: "transmit",
  ndo_open: "open",
  ndo_init: "open",
  ndo_stop: "stop",
  ndo_uninit: "stop",
  ndo_change_mtu: "mtu",
  ndo_tx_timeout: "timeout",
  ndo_poll_controller: "poll",
};
const wifiOps = {
  tx: "transmit",
  wake_tx_queue: "transmit",
  start: "open",
  stop: "stop",
  reconfig_complete: "configure",
};

/**
 * The tables of operations that are known by their size and by what a kernel's BTF says of their members.
 * @param {{ layout(name: string): { sizeBytes: number, members: readonly { name: string, offsetBits: number }[] } | undefined }} btf
 */
export function tablesOf(btf) {
  const table = (struct, roleOf, proof) => {
    const layout = btf.layout(struct);
    if (layout === undefined) return [];
    const members = new Map(layout.members.map((m) => [m.offsetBits / 8, m.name]));
    return [{ struct, size: layout.sizeBytes, members, roleOf, proof }];
  };
  return [
    ...table("net_device_ops", (m) => netDeviceOps[m] ?? "configure", ["ndo_start_xmit"]),
    ...table("ethtool_ops", () => "ethtool", [
      "get_drvinfo",
      "get_link_ksettings",
      "get_link",
      "get_strings",
      "get_ringparam",
    ]),
    ...table("ieee80211_ops", (m) => wifiOps[m] ?? "configure", ["start", "stop", "config", "add_interface"]),
  ];
}

/** Roles by the tables that hold a function; a table is known by its size and by members that any of its kind has. */
export function rolesByTable(module, tables) {
  const roles = new Map();
  const pointers = module.references.filter(
    (r) => r.kind === "table" && (r.function !== undefined || r.outside !== undefined),
  );
  for (const o of module.objects)
    for (const t of tables) {
      if (o.size !== t.size) continue;
      const held = pointers
        .filter((p) => p.data === o.section && p.at >= o.at && p.at < o.at + o.size)
        .map((p) => ({ ...p, member: t.members.get(p.at - o.at) }));
      if (held.some((p) => p.member === undefined) || !held.some((p) => t.proof.includes(p.member))) continue;
      for (const p of held) {
        const role = t.roleOf(p.member);
        const key = p.function ?? p.outside;
        if (!roles.has(key) || roles.get(key) === "configure") roles.set(key, role);
      }
    }
  return roles;
}

/** The role that a prototype tells; the name decides where one prototype stands for two opposites. */
export function roleByPrototype(prototype, name) {
  if (prototype === undefined) return undefined;
  const role = prototypes.find(([form]) => form.test(prototype))?.[1];
  if (role === "probe" && /remove|exit|shutdown|disconnect|uninit/.test(name)) return "remove";
  return role;
}

/** What the functions of the kernel's own text give or take, by their names. */
export const memory = {
  slab: /^_*(devm_)?(kmalloc|kzalloc|kcalloc|krealloc|kmemdup|kvmalloc|kvzalloc|kvrealloc|kmem_cache_alloc|kmem_cache_zalloc)/,
  skb: /^(__alloc_skb|alloc_skb|sock_alloc_send|sock_wmalloc|skb_copy|skb_clone|pskb_expand_head|__pskb_copy|__pskb_pull_tail|skb_realloc_headroom|skb_expand_head|skb_cow|__ieee80211_.*skb|nlmsg_new|genlmsg_new)/,
  rxSkb: /^_*(netdev_alloc_skb|napi_alloc_skb|dev_alloc_skb|napi_get_frags)/,
  frag: /^_*(page_frag_alloc|page_frag_refill|napi_alloc_frag|netdev_alloc_frag|skb_page_frag_refill|sk_page_frag_refill)/,
  pool: /^_*(page_pool_alloc|page_pool_dev_alloc|page_pool_get_page)/,
  pages: /^_*(alloc_pages|get_free_pages?|get_zeroed_page|folio_alloc|alloc_page)/,
  dma: /^(dmam?_alloc_|dma_pool_alloc|pci_alloc_consistent|usb_alloc_coherent|dma_alloc)/,
  vmalloc: /^_*(vmalloc|vzalloc|vcalloc)/,
};
/** Hands a packet up. */
export const delivers =
  /^(napi_gro_|netif_receive_skb|netif_rx|gro_cells_receive|eth_type_trans|ieee80211_rx|cfg80211_rx|__netif_rx)/;
/** Frees a packet that was sent. */
export const completes =
  /^(napi_consume_skb|__dev_kfree_skb_|dev_kfree_skb_|dql_completed|ieee80211_tx_status|ieee80211_free_txskb)/;

/** Every role; the packed file numbers them in this order. */
export const roleNames = [
  "",
  "poll",
  "interrupt",
  "tasklet",
  "timer",
  "completion",
  "transmit",
  "open",
  "stop",
  "mtu",
  "ethtool",
  "configure",
  "probe",
  "remove",
  "power",
  "init",
  "exit",
  "netlink",
  "worker",
  "timeout",
  "send",
  "take",
  "receive",
];
