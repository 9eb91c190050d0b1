import assert from "node:assert/strict";
import { test } from "node:test";
import { ASK_EVERY_MS, createLiveStore, SILENCE_MS } from "../../../mygpt/web/components/live_store.js";

/* A store with a clock and frames in the test's hands. */
function stage() {
  const frames = [];
  const clock = { ms: 1000 };
  const store = createLiveStore({
    now: () => clock.ms,
    schedule: (paint) => frames.push(paint),
    later: (go) => go(),
  });
  const asked = [];
  const leave = store.follow("r", (have) => asked.push(have));
  const paint = () => {
    for (const frame of frames.splice(0)) frame();
  };
  const text = () => {
    paint();
    return store.snapshot("r").text;
  };
  return { store, clock, asked, frames, paint, text, leave };
}

test("a followed run asks for everything at once", () => {
  const { asked } = stage();
  assert.deepEqual(asked, [0]);
});

test("chunks append, and what is already there is ignored", () => {
  const { store, text } = stage();
  store.receive({ run: "r", o: 0, t: "Hello" });
  store.receive({ run: "r", o: 3, t: "lo, wor" });
  store.receive({ run: "r", o: 0, t: "Hello" });
  store.receive({ run: "r", o: 10, t: "ld" });
  assert.equal(text(), "Hello, world");
});

test("a gap is asked for, not filled", () => {
  const { store, asked, clock, text } = stage();
  store.receive({ run: "r", o: 0, t: "abc" });
  clock.ms += 10;
  store.receive({ run: "r", o: 5, t: "f" });
  assert.deepEqual(asked, [0, 3]);
  assert.equal(text(), "abc");
});

test("an unanswered question is not repeated within two seconds", () => {
  const { store, asked, clock } = stage();
  store.receive({ run: "r", o: 5, t: "f" });
  assert.deepEqual(asked, [0]);
  clock.ms += ASK_EVERY_MS;
  store.receive({ run: "r", o: 6, t: "g" });
  assert.deepEqual(asked, [0, 0]);
});

test("silence is asked about once each four seconds", () => {
  const { store, asked, clock } = stage();
  store.receive({ run: "r", o: 0, t: "abc" });
  clock.ms += SILENCE_MS - 1;
  store.tick("r");
  assert.deepEqual(asked, [0]);
  clock.ms += 1;
  store.tick("r");
  store.tick("r");
  assert.deepEqual(asked, [0, 3]);
});

test("the end needs the whole length; a run that has ended asks no more", () => {
  const { store, asked, clock, paint } = stage();
  store.receive({ run: "r", o: 0, t: "abc" });
  store.receive({ run: "r", o: 5, t: "", n: 5, end: true });
  paint();
  assert.equal(store.snapshot("r").end, false);
  store.receive({ run: "r", o: 3, t: "de" });
  store.receive({ run: "r", o: 5, t: "", n: 5, end: true });
  paint();
  assert.deepEqual({ ...store.snapshot("r") }, { text: "abcde", end: true, gone: false });
  const before = asked.length;
  clock.ms += 10 * SILENCE_MS;
  store.tick("r");
  assert.equal(asked.length, before);
});

test("a run that is gone keeps its words and asks no more", () => {
  const { store, asked, clock, paint } = stage();
  store.receive({ run: "r", o: 0, t: "abc" });
  store.receive({ run: "r", gone: true });
  paint();
  assert.deepEqual({ ...store.snapshot("r") }, { text: "abc", end: false, gone: true });
  clock.ms += 10 * SILENCE_MS;
  store.tick("r");
  assert.deepEqual(asked, [0]);
});

test("another run's chunk changes nothing", () => {
  const { store, text } = stage();
  store.receive({ run: "other", o: 0, t: "abc" });
  store.receive(null);
  store.receive({});
  assert.equal(text(), "");
});

test("many chunks within one frame are drawn once", () => {
  const { store, frames, paint } = stage();
  let drawn = 0;
  const stop = store.subscribe("r", () => {
    drawn += 1;
  });
  for (let o = 0; o < 50; o += 1) store.receive({ run: "r", o, t: "x" });
  assert.equal(frames.length, 1);
  assert.equal(store.snapshot("r").text, "");
  paint();
  assert.equal(drawn, 1);
  assert.equal(store.snapshot("r").text.length, 50);
  stop();
  store.receive({ run: "r", o: 50, t: "x" });
  paint();
  assert.equal(drawn, 1);
});

test("a page that is slow to draw rests before it draws again", async () => {
  const clock = { ms: 0 };
  const rests = [];
  const store = createLiveStore({
    now: () => clock.ms,
    schedule: (paint) => paint(),
    later: (_, ms) => rests.push(ms),
  });
  store.follow("r", () => {});
  store.subscribe("r", () => {
    clock.ms += 40;
  });
  store.receive({ run: "r", o: 0, t: "a" });
  await null;
  clock.ms += 10;
  store.receive({ run: "r", o: 1, t: "b" });
  assert.deepEqual(rests, [30]);
});

test("coming back to a run asks only for what follows", () => {
  const { store, asked, leave } = stage();
  store.receive({ run: "r", o: 0, t: "abc" });
  leave();
  store.follow("r", (have) => asked.push(have));
  assert.deepEqual(asked, [0, 3]);
});

test("old runs are forgotten, but not one that is shown", () => {
  const { store, paint, leave } = stage();
  store.receive({ run: "r", o: 0, t: "shown" });
  paint();
  leave();
  store.subscribe("r", () => {});
  for (let run = 0; run < 40; run += 1) store.follow(`old-${run}`, () => {})();
  assert.equal(store.snapshot("r").text, "shown");
});

test("any order and overlap of chunks ends in the text that was sent", () => {
  const sent = "Grüße 👩‍👩‍👧 из Łódź 🇵🇱 日本語 ".repeat(8);
  let seed = 7;
  const random = (below) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  for (let round = 0; round < 200; round += 1) {
    const { store, clock, asked, paint } = stage();
    let answered = 0;
    for (let step = 0; step < 2000 && !store.snapshot("r").end; step += 1) {
      clock.ms += 100;
      const from = asked.length > answered ? asked[asked.length - 1] : random(sent.length);
      answered = asked.length;
      const to = Math.min(sent.length, from + 1 + random(40));
      store.receive({ run: "r", o: from, t: sent.slice(from, to) });
      store.receive({ run: "r", o: sent.length, t: "", n: sent.length, end: true });
      store.tick("r");
      paint();
    }
    assert.equal(store.snapshot("r").text, sent);
  }
});
