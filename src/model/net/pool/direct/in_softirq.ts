// From 6.2 to 6.9: a put goes direct when the caller says so, in softirq or with bottom halves disabled (net/core/page_pool.c
// __page_pool_put_page(), 6.1.192). Not modelled: skbs freed in their own poll, which go direct from 6.4 on.
import { softirqState } from "../pool_context.ts";
import type { DirectPart } from "./direct.ts";

export const directInSoftirq: DirectPart = {
  name: "direct puts in softirq",
  create: (context) => (_pool, allowDirect) => allowDirect && context.softirq !== softirqState.none,
};
