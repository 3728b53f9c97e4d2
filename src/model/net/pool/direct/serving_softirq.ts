// Until 6.1: a put goes direct when the caller says so and a softirq really runs; disabled bottom halves are not enough
// (net/core/page_pool.c page_pool_put_page(), 5.10.223).
import { softirqState } from "../pool_context.ts";
import type { DirectPart } from "./direct.ts";

export const directServingSoftirq: DirectPart = {
  name: "direct puts while a softirq runs",
  create: (context) => (_pool, allowDirect) => allowDirect && context.softirq === softirqState.running,
};
