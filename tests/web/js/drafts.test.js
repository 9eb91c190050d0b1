import assert from "node:assert/strict";
import { test } from "node:test";
import {
  joined,
  leftover,
  lengthOf,
  newKey,
  readDraft,
  slotOf,
  writeDraft,
} from "../../../mygpt/web/components/drafts.js";

function storage() {
  const kept = new Map();
  return {
    kept,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
  };
}

test("a draft belongs to one account and one conversation", () => {
  const slots = [slotOf("ann", ""), slotOf("ann", "1"), slotOf("bob", ""), slotOf("bob", "1")];
  assert.equal(new Set(slots).size, 4);
  assert.equal(slotOf("", "1"), "");
});

test("a draft is read as it was written, and an empty one is gone", () => {
  const place = storage();
  writeDraft("slot", "two\nlines", place);
  assert.equal(readDraft("slot", place), "two\nlines");
  writeDraft("slot", "", place);
  assert.equal(place.kept.size, 0);
});

test("nothing is kept before one knows whose it is, and a full store does no harm", () => {
  const place = storage();
  writeDraft("", "words", place);
  assert.equal(place.kept.size, 0);
  const full = {
    setItem() {
      throw new Error("QuotaExceededError");
    },
    getItem() {
      throw new Error("SecurityError");
    },
  };
  writeDraft("slot", "words", full);
  assert.equal(readDraft("slot", full), "");
});

test("words typed while a message was on its way stay in the box", () => {
  assert.equal(leftover("hello", "hello"), "");
  assert.equal(leftover("hello and more", "hello"), "and more");
  assert.equal(leftover("something else", "hello"), "something else");
});

test("two pieces of text both survive, and neither comes twice", () => {
  assert.equal(joined("", "b"), "b");
  assert.equal(joined("a", ""), "a");
  assert.equal(joined("first", "second"), "first\n\nsecond");
  assert.equal(joined("same", "same"), "same");
});

test("length counts characters as the server does", () => {
  assert.equal(lengthOf("abc"), 3);
  assert.equal(lengthOf("👍".repeat(3000)), 3000);
});

test("a key is 32 hex digits, and never the same", () => {
  const keys = Array.from({ length: 50 }, () => newKey());
  for (const key of keys) assert.match(key, /^[0-9a-f]{32}$/);
  assert.equal(new Set(keys).size, 50);
});
