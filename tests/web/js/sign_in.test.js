import assert from "node:assert/strict";
import { test } from "node:test";
import { safeNext } from "../../../mygpt/web/components/next.js";

test("after signing in one goes only to a path of this site", () => {
  for (const path of ["/", "/c/123", "/c/1?x=1#y"]) assert.equal(safeNext(path), path);
  for (const path of [
    "",
    null,
    "c/1",
    "//evil.example",
    "/\\evil.example",
    "https://evil.example",
    "/a b",
    "/a\\b",
    "/a\n",
  ]) {
    assert.equal(safeNext(path), "/");
  }
});
