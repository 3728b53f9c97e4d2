// The structs of packet memory as dated facts, in the notation of kernel/layout/notation.ts: sk_buff, skb_shared_info, skb_frag_t, page.
// Each entry was read in the release that its source names and holds until the next; what lies between two readings may differ in detail.
import { BadInput } from "../../base/bad_input.ts";
import { abiOf } from "../layout/abi.ts";
import type { Declarations } from "../layout/engine.ts";
import { layoutOf } from "../layout/engine.ts";
import type { StructLayout, StructSource } from "../layout/layout.ts";
import type { FieldDecl } from "../layout/notation.ts";
import { parseFields } from "../layout/notation.ts";
import type { Architecture, Fact, Release } from "../release.ts";
import { compareVersions, factAt, formatRelease } from "../release.ts";

const header = "include/linux/skbuff.h";
const types = "include/linux/mm_types.h";

/** Declared structs by tag name, in order of `since`. */
export const structDeclarations: Readonly<Record<string, readonly Fact<string>[]>> = {
  list_head: [{ since: [2, 6], value: "next:*list_head prev:*list_head", source: "include/linux/types.h" }],
  llist_node: [{ since: [3, 1], value: "next:*llist_node", source: "include/linux/llist.h" }],
  rb_node: [
    {
      since: [2, 6],
      value: "__rb_parent_color:ulong rb_right:*rb_node rb_left:*rb_node",
      source: "include/linux/rbtree.h",
    },
  ],
  callback_head: [{ since: [2, 6], value: "next:*callback_head func:*fn", source: "include/linux/types.h" }],
  timeval: [{ since: [2, 6], value: "tv_sec:long tv_usec:long", source: "include/linux/time.h, 2.6.9" }],
  skb_shared_hwtstamps: [
    { since: [2, 6, 30], value: "hwtstamp:ktime syststamp:ktime", source: `${header}, 2.6.32, 3.2, 3.13` },
    { since: [3, 17], value: "hwtstamp:ktime", source: `${header}, 4.19` },
    { since: [5, 17], value: "union{ hwtstamp:ktime netdev_data:ptr }", source: `${header}, 6.1` },
  ],
  skb_frag_struct: [
    { since: [2, 6], value: "page:*page page_offset:u16 size:u16", source: `${header}, 2.6.9` },
    {
      since: [2, 6, 17],
      value: "page:*page page_offset:u32 size:u32",
      source: `${header}, 2.6.24, 2.6.32 (the date was not read in a tagged tree)`,
    },
    {
      since: [3, 2],
      value: "page:struct{ p:*page } ?64( page_offset:u32 size:u32 ) ?32( page_offset:u16 size:u16 )",
      source: `${header}, 3.2, 4.19`,
    },
    {
      since: [5, 4],
      value: "bv_page:*page bv_len:uint bv_offset:uint",
      source: "include/linux/bvec.h struct bio_vec, 5.10.223, 6.1.192",
    },
    {
      since: [6, 9],
      value: "netmem:ulong len:uint offset:uint",
      source: `${header}, 6.12.117, 7.2.12 (the first release is from the history)`,
    },
  ],
  skb_shared_info: [
    {
      since: [2, 6],
      value: "dataref:atomic nr_frags:uint tso_size:ushort tso_segs:ushort frag_list:*sk_buff frags:skb_frag_t[18]",
      source: `${header}, 2.6.9`,
    },
    {
      since: [2, 6, 18],
      value:
        "dataref:atomic nr_frags:ushort gso_size:ushort gso_segs:ushort gso_type:ushort ip6_frag_id:be32 frag_list:*sk_buff frags:skb_frag_t[18]",
      source: `${header}, 2.6.24`,
    },
    {
      since: [2, 6, 28],
      value: `dataref:atomic nr_frags:ushort gso_size:ushort gso_segs:ushort gso_type:ushort ip6_frag_id:be32
        ?HAS_DMA( num_dma_maps:uint ) frag_list:*sk_buff frags:skb_frag_t[18] ?HAS_DMA( dma_maps:dma_addr[19] )`,
      source: `${header}, 2.6.29`,
    },
    {
      since: [2, 6, 30],
      value: `dataref:atomic nr_frags:ushort gso_size:ushort ?HAS_DMA( dma_head:dma_addr ) gso_segs:ushort gso_type:ushort
        ip6_frag_id:be32 tx_flags:u8 frag_list:*sk_buff hwtstamps:skb_shared_hwtstamps frags:skb_frag_t[18]
        ?HAS_DMA( dma_maps:dma_addr[18] ) destructor_arg:ptr`,
      source: `${header}, 2.6.32`,
    },
    {
      since: [2, 6, 34],
      value: `nr_frags:ushort gso_size:ushort gso_segs:ushort gso_type:ushort ip6_frag_id:be32 tx_flags:u8 frag_list:*sk_buff
        hwtstamps:skb_shared_hwtstamps dataref:atomic destructor_arg:ptr frags:skb_frag_t[18]`,
      source: `${header}, 3.2 (the date was not read in a tagged tree)`,
    },
    {
      since: [3, 3],
      value: `nr_frags:uchar tx_flags:u8 gso_size:ushort gso_segs:ushort gso_type:ushort frag_list:*sk_buff
        hwtstamps:skb_shared_hwtstamps ip6_frag_id:be32 dataref:atomic destructor_arg:ptr frags:skb_frag_t[17]`,
      source: `${header}, 3.13`,
    },
    {
      since: [4, 12],
      value: `__unused:u8 meta_len:u8 nr_frags:u8 tx_flags:u8 gso_size:ushort gso_segs:ushort frag_list:*sk_buff
        hwtstamps:skb_shared_hwtstamps gso_type:uint tskey:u32 dataref:atomic destructor_arg:ptr frags:skb_frag_t[17]`,
      source: `${header}, 4.19`,
    },
    {
      since: [5, 18],
      value: `flags:u8 meta_len:u8 nr_frags:u8 tx_flags:u8 gso_size:ushort gso_segs:ushort frag_list:*sk_buff
        hwtstamps:skb_shared_hwtstamps gso_type:uint tskey:u32 dataref:atomic xdp_frags_size:uint destructor_arg:ptr
        frags:skb_frag_t[17]`,
      source: `${header}, 6.1`,
    },
    {
      since: [6, 8],
      value: `flags:u8 meta_len:u8 nr_frags:u8 tx_flags:u8 gso_size:ushort gso_segs:ushort frag_list:*sk_buff
        union{ hwtstamps:skb_shared_hwtstamps xsk_meta:ptr } gso_type:uint tskey:u32 dataref:atomic xdp_frags_size:uint
        destructor_arg:ptr frags:skb_frag_t[17]`,
      source: `${header}, 6.12.117 (the first release is from the history)`,
    },
    {
      since: [6, 17],
      value: `flags:u8 meta_len:u8 nr_frags:u8 tx_flags:u8 gso_size:ushort gso_segs:ushort frag_list:*sk_buff
        union{ hwtstamps:skb_shared_hwtstamps xsk_meta:ptr } gso_type:uint tskey:u32 dataref:atomic
        union{ struct{ xdp_frags_size:u32 xdp_frags_truesize:u32 } destructor_arg:ptr } frags:skb_frag_t[17]`,
      source: `${header}, 7.2.12 (after 6.12; the first release was not read in a tagged tree)`,
    },
  ],
  sk_buff: [
    {
      since: [2, 6],
      value: `next:*sk_buff prev:*sk_buff list:*sk_buff_head sk:*sock stamp:timeval dev:*net_device input_dev:*net_device
        real_dev:*net_device h:union{ raw:*uchar } nh:union{ raw:*uchar } mac:union{ raw:*uchar } dst:*dst_entry sp:*sec_path
        cb:char[40] len:uint data_len:uint mac_len:uint csum:uint local_df:uchar cloned:uchar pkt_type:uchar ip_summed:uchar
        priority:u32 protocol:ushort security:ushort destructor:*fn
        ?NETFILTER( nfmark:ulong nfcache:u32 nfctinfo:u32 nfct:*nf_conntrack ?BRIDGE_NETFILTER( nf_bridge:*nf_bridge_info ) )
        ?NET_SCHED( tc_index:u32 ?NET_CLS_ACT( tc_verd:u32 tc_classid:u32 ) )
        truesize:uint users:atomic head:*uchar data:*uchar tail:*uchar end:*uchar`,
      source: `${header}, 2.6.9`,
    },
    {
      since: [2, 6, 22],
      value: `next:*sk_buff prev:*sk_buff sk:*sock tstamp:ktime dev:*net_device dst:*dst_entry sp:*sec_path cb:char[48]
        len:uint data_len:uint mac_len:u16 hdr_len:u16 union{ csum:wsum struct{ csum_start:u16 csum_offset:u16 } } priority:u32
        local_df:u8/1 cloned:u8/1 ip_summed:u8/2 nohdr:u8/1 nfctinfo:u8/3 pkt_type:u8/3 fclone:u8/2 ipvs_property:u8/1 nf_trace:u8/1
        protocol:be16 destructor:*fn ?NF_CONNTRACK( nfct:*nf_conntrack nfct_reasm:*sk_buff )
        ?BRIDGE_NETFILTER( nf_bridge:*nf_bridge_info ) iif:int ?NETDEVICES_MULTIQUEUE( queue_mapping:u16 )
        ?NET_SCHED( tc_index:u16 ?NET_CLS_ACT( tc_verd:u16 ) ) ?NET_DMA( dma_cookie:dma_cookie ) ?NETWORK_SECMARK( secmark:u32 )
        mark:u32 transport_header:sk_buff_data network_header:sk_buff_data mac_header:sk_buff_data tail:sk_buff_data
        end:sk_buff_data head:*uchar data:*uchar truesize:uint users:atomic`,
      source: `${header}, 2.6.24`,
    },
    {
      since: [2, 6, 27],
      value: `next:*sk_buff prev:*sk_buff sk:*sock tstamp:ktime dev:*net_device union{ dst:*dst_entry rtable:*rtable }
        ?XFRM( sp:*sec_path ) cb:char[48] len:uint data_len:uint mac_len:u16 hdr_len:u16
        union{ csum:wsum struct{ csum_start:u16 csum_offset:u16 } } priority:u32
        local_df:u8/1 cloned:u8/1 ip_summed:u8/2 nohdr:u8/1 nfctinfo:u8/3
        pkt_type:u8/3 fclone:u8/2 ipvs_property:u8/1 peeked:u8/1 nf_trace:u8/1 protocol:be16 destructor:*fn
        ?NF_CONNTRACK( nfct:*nf_conntrack nfct_reasm:*sk_buff ) ?BRIDGE_NETFILTER( nf_bridge:*nf_bridge_info ) iif:int
        queue_mapping:u16 ?NET_SCHED( tc_index:u16 ?NET_CLS_ACT( tc_verd:u16 ) ) ?IPV6_NDISC_NODETYPE( ndisc_nodetype:u8/2 )
        ?MAC80211( do_not_encrypt:u8/1 requeue:u8/1 ) ?NET_DMA( dma_cookie:dma_cookie ) ?NETWORK_SECMARK( secmark:u32 )
        mark:u32 vlan_tci:u16 transport_header:sk_buff_data network_header:sk_buff_data mac_header:sk_buff_data
        tail:sk_buff_data end:sk_buff_data head:*uchar data:*uchar truesize:uint users:atomic`,
      source: `${header}, 2.6.29`,
    },
    {
      since: [2, 6, 31],
      value: `next:*sk_buff prev:*sk_buff sk:*sock tstamp:ktime dev:*net_device _skb_dst:ulong ?XFRM( sp:*sec_path ) cb:char[48]
        len:uint data_len:uint mac_len:u16 hdr_len:u16 union{ csum:wsum struct{ csum_start:u16 csum_offset:u16 } } priority:u32
        local_df:u8/1 cloned:u8/1 ip_summed:u8/2 nohdr:u8/1 nfctinfo:u8/3
        pkt_type:u8/3 fclone:u8/2 ipvs_property:u8/1 peeked:u8/1 nf_trace:u8/1 protocol:be16/16 destructor:*fn
        ?NF_CONNTRACK( nfct:*nf_conntrack nfct_reasm:*sk_buff ) ?BRIDGE_NETFILTER( nf_bridge:*nf_bridge_info ) iif:int
        ?NET_SCHED( tc_index:u16 ?NET_CLS_ACT( tc_verd:u16 ) ) queue_mapping:u16/16 ?IPV6_NDISC_NODETYPE( ndisc_nodetype:u8/2 )
        ?NET_DMA( dma_cookie:dma_cookie ) ?NETWORK_SECMARK( secmark:u32 ) mark:u32 vlan_tci:u16
        transport_header:sk_buff_data network_header:sk_buff_data mac_header:sk_buff_data
        tail:sk_buff_data end:sk_buff_data head:*uchar data:*uchar truesize:uint users:atomic`,
      source: `${header}, 2.6.32`,
    },
    {
      since: [3, 0],
      value: `next:*sk_buff prev:*sk_buff tstamp:ktime sk:*sock dev:*net_device cb:char[48]!8 _skb_refdst:ulong ?XFRM( sp:*sec_path )
        len:uint data_len:uint mac_len:u16 hdr_len:u16 union{ csum:wsum struct{ csum_start:u16 csum_offset:u16 } } priority:u32
        local_df:u8/1 cloned:u8/1 ip_summed:u8/2 nohdr:u8/1 nfctinfo:u8/3
        pkt_type:u8/3 fclone:u8/2 ipvs_property:u8/1 peeked:u8/1 nf_trace:u8/1 protocol:be16 destructor:*fn
        ?NF_CONNTRACK( nfct:*nf_conntrack ?NF_DEFRAG( nfct_reasm:*sk_buff ) ) ?BRIDGE_NETFILTER( nf_bridge:*nf_bridge_info )
        skb_iif:int ?NET_SCHED( tc_index:u16 ?NET_CLS_ACT( tc_verd:u16 ) ) rxhash:u32 queue_mapping:u16
        ?IPV6_NDISC_NODETYPE( ndisc_nodetype:u8/2 ) ooo_okay:u8/1 l4_rxhash:u8/1
        ?NET_DMA( dma_cookie:dma_cookie ) ?NETWORK_SECMARK( secmark:u32 ) union{ mark:u32 dropcount:u32 } vlan_tci:u16
        transport_header:sk_buff_data network_header:sk_buff_data mac_header:sk_buff_data
        tail:sk_buff_data end:sk_buff_data head:*uchar data:*uchar truesize:uint users:atomic`,
      source: `${header}, 3.2`,
    },
    {
      since: [3, 11],
      value: `next:*sk_buff prev:*sk_buff tstamp:ktime sk:*sock dev:*net_device cb:char[48]!8 _skb_refdst:ulong ?XFRM( sp:*sec_path )
        len:uint data_len:uint mac_len:u16 hdr_len:u16 union{ csum:wsum struct{ csum_start:u16 csum_offset:u16 } } priority:u32
        local_df:u8/1 cloned:u8/1 ip_summed:u8/2 nohdr:u8/1 nfctinfo:u8/3
        pkt_type:u8/3 fclone:u8/2 ipvs_property:u8/1 peeked:u8/1 nf_trace:u8/1 protocol:be16 destructor:*fn
        ?NF_CONNTRACK( nfct:*nf_conntrack ) ?BRIDGE_NETFILTER( nf_bridge:*nf_bridge_info )
        skb_iif:int rxhash:u32 vlan_proto:be16 vlan_tci:u16 ?NET_SCHED( tc_index:u16 ?NET_CLS_ACT( tc_verd:u16 ) )
        queue_mapping:u16 ?IPV6_NDISC_NODETYPE( ndisc_nodetype:u8/2 ) pfmemalloc:u8/1 ooo_okay:u8/1 l4_rxhash:u8/1
        wifi_acked_valid:u8/1 wifi_acked:u8/1 no_fcs:u8/1 head_frag:u8/1 encapsulation:u8/1
        union{ napi_id:uint dma_cookie:dma_cookie } ?NETWORK_SECMARK( secmark:u32 )
        union{ mark:u32 dropcount:u32 reserved_tailroom:u32 } inner_protocol:be16 inner_transport_header:u16
        inner_network_header:u16 inner_mac_header:u16 transport_header:u16 network_header:u16 mac_header:u16
        tail:sk_buff_data end:sk_buff_data head:*uchar data:*uchar truesize:uint users:atomic`,
      source: `${header}, 3.13`,
    },
    {
      since: [4, 15],
      value: `union{ struct{ next:*sk_buff prev:*sk_buff union{ dev:*net_device dev_scratch:ulong } } rbnode:rb_node list:list_head }
        union{ sk:*sock ip_defrag_offset:int } union{ tstamp:ktime skb_mstamp:u64 } cb:char[48]!8
        union{ struct{ _skb_refdst:ulong destructor:*fn } tcp_tsorted_anchor:list_head } ?XFRM( sp:*sec_path )
        ?NF_CONNTRACK( _nfct:ulong ) ?BRIDGE_NETFILTER( nf_bridge:*nf_bridge_info )
        len:uint data_len:uint mac_len:u16 hdr_len:u16 queue_mapping:u16 __cloned_offset:u8[0]
        cloned:u8/1 nohdr:u8/1 fclone:u8/2 peeked:u8/1 head_frag:u8/1 xmit_more:u8/1 pfmemalloc:u8/1
        headers_start:u32[0] __pkt_type_offset:u8[0] pkt_type:u8/3 ignore_df:u8/1 nf_trace:u8/1 ip_summed:u8/2 ooo_okay:u8/1
        l4_hash:u8/1 sw_hash:u8/1 wifi_acked_valid:u8/1 wifi_acked:u8/1 no_fcs:u8/1 encapsulation:u8/1 encap_hdr_csum:u8/1
        csum_valid:u8/1 csum_complete_sw:u8/1 csum_level:u8/2 csum_not_inet:u8/1 dst_pending_confirm:u8/1
        ?IPV6_NDISC_NODETYPE( ndisc_nodetype:u8/2 ) ipvs_property:u8/1 inner_protocol_type:u8/1 remcsum_offload:u8/1
        ?NET_SWITCHDEV( offload_fwd_mark:u8/1 offload_mr_fwd_mark:u8/1 )
        ?NET_CLS_ACT( tc_skip_classify:u8/1 tc_at_ingress:u8/1 tc_redirected:u8/1 tc_from_ingress:u8/1 )
        ?TLS_DEVICE( decrypted:u8/1 ) ?NET_SCHED( tc_index:u16 )
        union{ csum:wsum struct{ csum_start:u16 csum_offset:u16 } } priority:u32 skb_iif:int hash:u32 vlan_proto:be16 vlan_tci:u16
        ?XPS( union{ napi_id:uint sender_cpu:uint } ) ?NETWORK_SECMARK( secmark:u32 ) union{ mark:u32 reserved_tailroom:u32 }
        union{ inner_protocol:be16 inner_ipproto:u8 } inner_transport_header:u16 inner_network_header:u16 inner_mac_header:u16
        protocol:be16 transport_header:u16 network_header:u16 mac_header:u16 headers_end:u32[0]
        tail:sk_buff_data end:sk_buff_data head:*uchar data:*uchar truesize:uint users:refcount`,
      source: `${header}, 4.19`,
    },
    {
      since: [5, 0],
      value: `union{ struct{ next:*sk_buff prev:*sk_buff union{ dev:*net_device dev_scratch:ulong } } rbnode:rb_node list:list_head }
        union{ sk:*sock ip_defrag_offset:int } union{ tstamp:ktime skb_mstamp_ns:u64 } cb:char[48]!8
        union{ struct{ _skb_refdst:ulong destructor:*fn } tcp_tsorted_anchor:list_head }
        ?NF_CONNTRACK( _nfct:ulong ) len:uint data_len:uint mac_len:u16 hdr_len:u16 queue_mapping:u16 __cloned_offset:u8[0]
        cloned:u8/1 nohdr:u8/1 fclone:u8/2 peeked:u8/1 head_frag:u8/1 pfmemalloc:u8/1
        ?SKB_EXTENSIONS( active_extensions:u8 ) headers_start:u32[0] __pkt_type_offset:u8[0]
        pkt_type:u8/3 ignore_df:u8/1 nf_trace:u8/1 ip_summed:u8/2 ooo_okay:u8/1
        l4_hash:u8/1 sw_hash:u8/1 wifi_acked_valid:u8/1 wifi_acked:u8/1 no_fcs:u8/1 encapsulation:u8/1 encap_hdr_csum:u8/1
        csum_valid:u8/1 __pkt_vlan_present_offset:u8[0] vlan_present:u8/1 csum_complete_sw:u8/1 csum_level:u8/2
        csum_not_inet:u8/1 dst_pending_confirm:u8/1 ?IPV6_NDISC_NODETYPE( ndisc_nodetype:u8/2 )
        ipvs_property:u8/1 inner_protocol_type:u8/1 remcsum_offload:u8/1
        ?NET_SWITCHDEV( offload_fwd_mark:u8/1 offload_l3_fwd_mark:u8/1 )
        ?NET_CLS_ACT( tc_skip_classify:u8/1 tc_at_ingress:u8/1 ) ?NET_REDIRECT( redirected:u8/1 from_ingress:u8/1 )
        ?TLS_DEVICE( decrypted:u8/1 ) scm_io_uring:u8/1 ?NET_SCHED( tc_index:u16 )
        union{ csum:wsum struct{ csum_start:u16 csum_offset:u16 } } priority:u32 skb_iif:int hash:u32 vlan_proto:be16 vlan_tci:u16
        ?XPS( union{ napi_id:uint sender_cpu:uint } ) ?NETWORK_SECMARK( secmark:u32 ) union{ mark:u32 reserved_tailroom:u32 }
        union{ inner_protocol:be16 inner_ipproto:u8 } inner_transport_header:u16 inner_network_header:u16 inner_mac_header:u16
        protocol:be16 transport_header:u16 network_header:u16 mac_header:u16 ?KCOV( kcov_handle:u64 ) headers_end:u32[0]
        tail:sk_buff_data end:sk_buff_data head:*uchar data:*uchar truesize:uint users:refcount
        ?SKB_EXTENSIONS( extensions:*skb_ext )`,
      source: `${header}, 5.10.223 (extensions came with 5.0; what else changed up to 5.10 is not dated here)`,
    },
    {
      since: [5, 18],
      value: `union{ struct{ next:*sk_buff prev:*sk_buff union{ dev:*net_device dev_scratch:ulong } } rbnode:rb_node list:list_head
        ll_node:llist_node } sk:*sock union{ tstamp:ktime skb_mstamp_ns:u64 } cb:char[48]!8
        union{ struct{ _skb_refdst:ulong destructor:*fn } tcp_tsorted_anchor:list_head ?NET_SOCK_MSG( _sk_redir:ulong ) }
        ?NF_CONNTRACK( _nfct:ulong ) len:uint data_len:uint mac_len:u16 hdr_len:u16 queue_mapping:u16 __cloned_offset:u8[0]
        cloned:u8/1 nohdr:u8/1 fclone:u8/2 peeked:u8/1 head_frag:u8/1 pfmemalloc:u8/1 pp_recycle:u8/1
        ?SKB_EXTENSIONS( active_extensions:u8 ) __pkt_type_offset:u8[0]
        pkt_type:u8/3 ignore_df:u8/1 nf_trace:u8/1 ip_summed:u8/2 ooo_okay:u8/1
        l4_hash:u8/1 sw_hash:u8/1 wifi_acked_valid:u8/1 wifi_acked:u8/1 no_fcs:u8/1 encapsulation:u8/1 encap_hdr_csum:u8/1
        csum_valid:u8/1 __pkt_vlan_present_offset:u8[0] vlan_present:u8/1 csum_complete_sw:u8/1 csum_level:u8/2
        dst_pending_confirm:u8/1 mono_delivery_time:u8/1 ?NET_CLS_ACT( tc_skip_classify:u8/1 tc_at_ingress:u8/1 )
        ?IPV6_NDISC_NODETYPE( ndisc_nodetype:u8/2 ) ipvs_property:u8/1 inner_protocol_type:u8/1 remcsum_offload:u8/1
        ?NET_SWITCHDEV( offload_fwd_mark:u8/1 offload_l3_fwd_mark:u8/1 ) redirected:u8/1 ?NET_REDIRECT( from_ingress:u8/1 )
        ?NETFILTER_SKIP_EGRESS( nf_skip_egress:u8/1 ) ?TLS_DEVICE( decrypted:u8/1 ) slow_gro:u8/1 csum_not_inet:u8/1
        scm_io_uring:u8/1 ?NET_SCHED( tc_index:u16 ) union{ csum:wsum struct{ csum_start:u16 csum_offset:u16 } } priority:u32
        skb_iif:int hash:u32 vlan_proto:be16 vlan_tci:u16 ?XPS( union{ napi_id:uint sender_cpu:uint } ) alloc_cpu:u16
        ?NETWORK_SECMARK( secmark:u32 ) union{ mark:u32 reserved_tailroom:u32 } union{ inner_protocol:be16 inner_ipproto:u8 }
        inner_transport_header:u16 inner_network_header:u16 inner_mac_header:u16 protocol:be16 transport_header:u16
        network_header:u16 mac_header:u16 ?KCOV( kcov_handle:u64 ) tail:sk_buff_data end:sk_buff_data head:*uchar data:*uchar
        truesize:uint users:refcount ?SKB_EXTENSIONS( extensions:*skb_ext )`,
      source: `${header}, 6.1.192`,
    },
    {
      since: [6, 4],
      value: `union{ struct{ next:*sk_buff prev:*sk_buff union{ dev:*net_device dev_scratch:ulong } } rbnode:rb_node list:list_head
        ll_node:llist_node } sk:*sock union{ tstamp:ktime skb_mstamp_ns:u64 } cb:char[48]!8
        union{ struct{ _skb_refdst:ulong destructor:*fn } tcp_tsorted_anchor:list_head ?NET_SOCK_MSG( _sk_redir:ulong ) }
        ?NF_CONNTRACK( _nfct:ulong ) len:uint data_len:uint mac_len:u16 hdr_len:u16 queue_mapping:u16 __cloned_offset:u8[0]
        cloned:u8/1 nohdr:u8/1 fclone:u8/2 peeked:u8/1 head_frag:u8/1 pfmemalloc:u8/1 pp_recycle:u8/1
        ?SKB_EXTENSIONS( active_extensions:u8 ) __pkt_type_offset:u8[0]
        pkt_type:u8/3 ignore_df:u8/1 dst_pending_confirm:u8/1 ip_summed:u8/2 ooo_okay:u8/1 __mono_tc_offset:u8[0]
        tstamp_type:u8/2 ?NET_XGRESS( tc_at_ingress:u8/1 tc_skip_classify:u8/1 ) remcsum_offload:u8/1 csum_complete_sw:u8/1
        csum_level:u8/2 inner_protocol_type:u8/1 l4_hash:u8/1 sw_hash:u8/1 ?WIRELESS( wifi_acked_valid:u8/1 wifi_acked:u8/1 )
        no_fcs:u8/1 encapsulation:u8/1 encap_hdr_csum:u8/1 csum_valid:u8/1 ?IPV6_NDISC_NODETYPE( ndisc_nodetype:u8/2 )
        ?IP_VS( ipvs_property:u8/1 ) ?NF_TABLES( nf_trace:u8/1 )
        ?NET_SWITCHDEV( offload_fwd_mark:u8/1 offload_l3_fwd_mark:u8/1 ) redirected:u8/1 ?NET_REDIRECT( from_ingress:u8/1 )
        ?NET_EGRESS( nf_skip_egress:u8/1 ) ?SKB_DECRYPTED( decrypted:u8/1 ) slow_gro:u8/1 ?IP_SCTP( csum_not_inet:u8/1 )
        unreadable:u8/1 tc_depth:u8/2 ?NET_SCHED( tc_index:u16 ) alloc_cpu:u16
        union{ csum:wsum struct{ csum_start:u16 csum_offset:u16 } } priority:u32 skb_iif:int hash:u32
        union{ vlan_all:u32 struct{ vlan_proto:be16 vlan_tci:u16 } } ?XPS( union{ napi_id:uint sender_cpu:uint } )
        ?NETWORK_SECMARK( secmark:u32 ) union{ mark:u32 reserved_tailroom:u32 } union{ inner_protocol:be16 inner_ipproto:u8 }
        inner_transport_header:u16 inner_network_header:u16 inner_mac_header:u16 protocol:be16 transport_header:u16
        network_header:u16 mac_header:u16 ?KCOV( kcov_handle:u64 ) tail:sk_buff_data end:sk_buff_data head:*uchar data:*uchar
        truesize:uint users:refcount ?SKB_EXTENSIONS( extensions:*skb_ext )`,
      source: `${header}, 6.12.117, 7.2.12 (the flags were put together anew in 6.4; what else changed up to 6.12 is not dated here)`,
    },
  ],
  page: [
    {
      since: [2, 6],
      value: `flags:ulong _count:atomic _mapcount:atomic private:ulong mapping:*address_space index:pgoff lru:list_head
        ?WANT_PAGE_VIRTUAL( virtual:ptr )`,
      source: "include/linux/mm.h, 2.6.9",
    },
    {
      since: [2, 6, 22],
      value: `flags:ulong _count:atomic union{ _mapcount:atomic inuse:uint }
        union{ struct{ private:ulong mapping:*address_space } slab:*kmem_cache first_page:*page }
        union{ index:pgoff freelist:ptr } lru:list_head ?WANT_PAGE_VIRTUAL( virtual:ptr )`,
      source: `${types}, 2.6.24`,
    },
    {
      since: [2, 6, 26],
      value: `flags:ulong _count:atomic union{ _mapcount:atomic struct{ inuse:u16 objects:u16 } }
        union{ struct{ private:ulong mapping:*address_space } slab:*kmem_cache first_page:*page }
        union{ index:pgoff freelist:ptr } lru:list_head ?WANT_PAGE_VIRTUAL( virtual:ptr )`,
      source: `${types}, 2.6.29, 2.6.32`,
    },
    {
      since: [3, 1],
      value: `?ALIGNED_PAGE( ?64( flags:ulong!16 ) ?32( flags:ulong!8 ) ) ?!ALIGNED_PAGE( flags:ulong ) mapping:*address_space
        struct{ union{ index:pgoff freelist:ptr }
          union{ counters:ulong struct{ union{ _mapcount:atomic struct{ inuse:uint/16 objects:uint/15 frozen:uint/1 } } _count:atomic } } }
        union{ lru:list_head struct{ next:*page ?64( pages:int pobjects:int ) ?32( pages:short pobjects:short ) } }
        union{ private:ulong slab:*kmem_cache first_page:*page } ?WANT_PAGE_VIRTUAL( virtual:ptr )`,
      source: `${types}, 3.2`,
    },
    {
      since: [4, 18],
      value: `?ALIGNED_PAGE( ?64( flags:ulong!16 ) ?32( flags:ulong!8 ) ) ?!ALIGNED_PAGE( flags:ulong )
        union{
          struct{ lru:list_head mapping:*address_space index:pgoff private:ulong }
          struct{ union{ slab_list:list_head struct{ next:*page ?64( pages:int pobjects:int ) ?32( pages:short pobjects:short ) } }
            slab_cache:*kmem_cache freelist:ptr union{ s_mem:ptr counters:ulong struct{ inuse:uint/16 objects:uint/15 frozen:uint/1 } } }
          struct{ compound_head:ulong compound_dtor:uchar compound_order:uchar compound_mapcount:atomic }
          struct{ _compound_pad_1:ulong _compound_pad_2:ulong deferred_list:list_head }
          rcu_head:callback_head
        }
        union{ _mapcount:atomic page_type:uint active:uint units:int } _refcount:atomic ?MEMCG( mem_cgroup:*mem_cgroup )
        ?WANT_PAGE_VIRTUAL( virtual:ptr )`,
      source: `${types}, 4.19 (without the members for page tables and device memory, which lie within)`,
    },
    {
      since: [5, 17],
      value: `?ALIGNED_PAGE( ?64( flags:ulong!16 ) ?32( flags:ulong!8 ) ) ?!ALIGNED_PAGE( flags:ulong )
        union{
          struct{ union{ lru:list_head struct{ __filler:ptr mlock_count:uint } buddy_list:list_head pcp_list:list_head }
            mapping:*address_space index:pgoff private:ulong }
          struct{ pp_magic:ulong pp:*page_pool _pp_mapping_pad:ulong dma_addr:ulong
            union{ dma_addr_upper:ulong pp_frag_count:atomic_long } }
          struct{ compound_head:ulong compound_dtor:uchar compound_order:uchar compound_mapcount:atomic compound_pincount:atomic
            ?64( compound_nr:uint _private_1:ulong ) }
          struct{ _compound_pad_1:ulong _compound_pad_2:ulong deferred_list:list_head }
          rcu_head:callback_head
        }
        union{ _mapcount:atomic page_type:uint } _refcount:atomic ?MEMCG( memcg_data:ulong ) ?WANT_PAGE_VIRTUAL( virtual:ptr )`,
      source: `${types}, 6.1.192 (without the members for page tables and device memory, which lie within)`,
    },
    {
      since: [6, 8],
      value: `?ALIGNED_PAGE( ?64( flags:ulong!16 ) ?32( flags:ulong!8 ) ) ?!ALIGNED_PAGE( flags:ulong )
        union{
          struct{ union{ lru:list_head struct{ __filler:ptr mlock_count:uint } buddy_list:list_head pcp_list:list_head }
            mapping:*address_space union{ index:pgoff share:ulong } private:ulong }
          struct{ pp_magic:ulong pp:*page_pool _pp_mapping_pad:ulong dma_addr:ulong pp_ref_count:atomic_long }
          struct{ compound_head:ulong }
          rcu_head:callback_head
        }
        union{ page_type:uint _mapcount:atomic } _refcount:atomic ?MEMCG( memcg_data:ulong ) ?WANT_PAGE_VIRTUAL( virtual:ptr )`,
      source: `${types}, 6.12.117 (without the members for device memory, which lie within; the first release is from the history)`,
    },
    {
      since: [7, 0],
      value: `?ALIGNED_PAGE( ?64( flags:ulong!16 ) ?32( flags:ulong!8 ) ) ?!ALIGNED_PAGE( flags:ulong )
        union{
          struct{ union{ lru:list_head buddy_list:list_head pcp_list:list_head pcp_llist:llist_node }
            mapping:*address_space union{ __folio_index:pgoff share:ulong } private:ulong }
          struct{ pp_magic:ulong pp:*page_pool _pp_mapping_pad:ulong dma_addr:ulong pp_ref_count:atomic_long }
          struct{ compound_info:ulong }
          rcu_head:callback_head
        }
        union{ page_type:uint _mapcount:atomic } _refcount:atomic ?MEMCG( memcg_data:ulong ) ?WANT_PAGE_VIRTUAL( virtual:ptr )`,
      source: `${types}, 7.2.12 (without the members for device memory, which lie within; after 6.12, not dated further)`,
    },
  ],
};

/** Typedefs that the facts use. */
const aliases: Readonly<Record<string, string>> = {
  skb_frag_t: "skb_frag_struct",
  skb_frag: "skb_frag_struct",
  bio_vec: "skb_frag_struct",
  rcu_head: "callback_head",
};

/** Options that a distribution's kernel has not; every other named option is on. */
const optionsOff: ReadonlySet<string> = new Set(["KCOV", "WANT_PAGE_VIRTUAL"]);
/** Architectures with CONFIG_HAVE_ALIGNED_STRUCT_PAGE. */
const alignedPage: ReadonlySet<Architecture> = new Set(["i386", "x86_64", "arm64", "s390x"]);

/** Every option that the declarations in force at a release mention, with its default for the architecture. */
function structOptions(release: Release): ReadonlyMap<string, boolean> {
  const found = new Map<string, boolean>();
  for (const facts of Object.values(structDeclarations)) {
    const text = factAt(facts, release.version)?.value ?? "";
    for (const [, name = ""] of text.matchAll(/\?!?([A-Z][A-Z0-9_]*)\(/g))
      found.set(name, defaultOption(name, release));
  }
  return found;
}

function defaultOption(name: string, release: Release): boolean {
  if (name === "64") return abiOf(release.arch).pointerBytes === 8;
  if (name === "32") return abiOf(release.arch).pointerBytes === 4;
  if (name === "ALIGNED_PAGE") return alignedPage.has(release.arch);
  return !optionsOff.has(name);
}

/** The declarations of a release with some options set otherwise. */
export function declarationsAt(release: Release, options: ReadonlyMap<string, boolean> = new Map()): Declarations {
  const known = structOptions(release);
  for (const name of options.keys())
    if (!known.has(name))
      throw new BadInput(
        `No struct of ${formatRelease(release)} depends on CONFIG_${name}.`,
        undefined,
        `Those that matter: ${[...known.keys()].sort().join(", ")}.`,
      );
  const parsed = new Map<string, readonly FieldDecl[] | undefined>();
  return {
    fields(name) {
      if (!parsed.has(name)) {
        const facts = Object.hasOwn(structDeclarations, name) ? structDeclarations[name] : undefined;
        const text = facts === undefined ? undefined : factAt(facts, release.version)?.value;
        parsed.set(name, text === undefined ? undefined : parseFields(text));
      }
      return parsed.get(name);
    },
    alias: (name) => (Object.hasOwn(aliases, name) ? (aliases[name] as string) : name),
    option: (name) => options.get(name) ?? defaultOption(name, release),
  };
}

/** The declared structs of a release. */
export function declaredStructs(release: Release, options?: ReadonlyMap<string, boolean>): StructSource {
  if (compareVersions(release.version, [2, 6]) < 0)
    throw new BadInput(
      `No structs of ${formatRelease(release)} are declared.`,
      undefined,
      "The oldest known are those of 2.6.9.",
    );
  return structsFrom(declarationsAt(release, options), release, `${formatRelease(release)}, declared`);
}

/** A source over any declarations, changed ones among them. */
function structsFrom(declarations: Declarations, release: Release, name: string): StructSource {
  const abi = abiOf(release.arch);
  const names = Object.keys(structDeclarations).filter((n) => declarations.fields(n) !== undefined);
  return {
    name,
    pointerBytes: abi.pointerBytes,
    names: () => [...names, ...Object.keys(aliases).filter((a) => names.includes(aliases[a] as string))],
    layout: (wanted): StructLayout | undefined => layoutOf(wanted.replace(/^struct\s+/, ""), declarations, abi),
  };
}

/** Where the declaration of a struct was read, and whether the release asked for is newer than every reading. */
export function structSource(
  name: string,
  release: Release,
): { readonly source: string; readonly newest: boolean } | undefined {
  const real = Object.hasOwn(aliases, name) ? (aliases[name] as string) : name;
  const facts = Object.hasOwn(structDeclarations, real) ? structDeclarations[real] : undefined;
  const fact = facts === undefined ? undefined : factAt(facts, release.version);
  if (fact === undefined) return undefined;
  return { source: fact.source, newest: compareVersions(release.version, [6, 2]) >= 0 && fact === facts?.at(-1) };
}

/** SKB_DATA_ALIGN(sizeof(struct skb_shared_info)) instead of the bare size in a head's allocation. */
export const sharedInfoAligned: readonly Fact<boolean>[] = [
  { since: [2, 6], value: false, source: "net/core/skbuff.c __alloc_skb(), 2.6.24, 2.6.32" },
  { since: [3, 2], value: true, source: "net/core/skbuff.c __alloc_skb(), 3.13, 6.1" },
];
