// Since 6.10: a put goes direct when the caller says so, anywhere; and without a word where the consumer itself would run: in softirq, on the
// CPU that the pool was made for or that its NAPI is polled on (net/core/page_pool.c page_pool_napi_local(), 6.12.117, 7.2.12).
import { softirqState } from "../pool_context.ts";
import type { DirectPart } from "./direct.ts";

const { none } = softirqState;

export const directWhereConsumed: DirectPart = {
  name: "direct puts where the consumer runs",
  create(context, { cpu, napi }) {
    const local = (pool: number): boolean =>
      context.softirq !== none && (cpu[pool] === context.cpu || napi[pool]?.listOwner === context.cpu);
    return (pool, allowDirect) => allowDirect || local(pool);
  },
};
