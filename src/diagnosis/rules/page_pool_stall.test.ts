// A stalled pool: what is told at once, and who holds the pages is never claimed from one line (rules/page_pool_stall.ts, group.ts).
import { expect, test } from "vitest";
import { answerIn, only } from "./report.testkit.ts";

const line = (at: number, inflight: number, seconds: number, id = ""): string =>
  `[${at}.000000] page_pool_release_retry() stalled pool shutdown: ${id}${inflight} inflight ${seconds} sec\n`;

test("one line: what waits is a yes, the leak is not said, and it is no shortage", async () => {
  const one = line(1000, 17, 60);
  expect(await answerIn(one, "page_pool.stalled")).toMatchObject({
    answer: "yes",
    claim: expect.stringContaining("was destroyed 60 seconds before, and 17 pages of it have not come back"),
  });
  expect(await answerIn(one, "page_pool.leak")).toMatchObject({ answer: "unknown" });
  expect(await answerIn(one, "fragmentation")).toMatchObject({ answer: "no" });
  expect(await only(one)).toMatchObject({ severity: "watch", cause: expect.stringContaining("17 pages") });
});

test("one page is a page", async () => {
  expect((await answerIn(line(1000, 1, 60), "page_pool.stalled"))?.claim).toContain("1 page of it has not come back");
});

test("fewer pages later come back slowly, the same number does not", async () => {
  expect(await answerIn(line(1000, 17, 60) + line(1060, 16, 120), "page_pool.draining")).toMatchObject({
    answer: "yes",
    claim: expect.stringContaining("17 after 60 s, 16 after 120 s"),
  });
  expect(await answerIn(line(1000, 17, 60) + line(1060, 17, 120), "page_pool.draining")).toMatchObject({
    answer: "no",
  });
  expect(await answerIn(line(1000, 17, 60), "page_pool.draining")).toBeUndefined();
});
