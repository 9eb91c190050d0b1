/* The words of running replies, kept outside React: one entry per run, offsets in UTF-16 units.
   The wire rule: ignore what is already there, append the rest, ask again for what is missing. */
export const ASK_EVERY_MS = 2000;
export const SILENCE_MS = 4000;
const KEPT_RUNS = 20;
const REST_PER_WORK = 1; // a page that is slow to draw draws less often, so that it can still be used
const NOTHING = Object.freeze({ text: "", end: false, gone: false });

/* Runs `paint` once before the next frame; a hidden tab paints none, so a timer stands in. */
export function nextFrame(paint) {
  let frame = 0;
  const timer = setTimeout(
    () => {
      if (frame) cancelAnimationFrame(frame);
      paint();
    },
    typeof document === "undefined" || document.hidden ? 50 : 250,
  );
  if (typeof requestAnimationFrame === "function") {
    frame = requestAnimationFrame(() => {
      clearTimeout(timer);
      paint();
    });
  }
}

export function createLiveStore({ now = Date.now, schedule = nextFrame, later = setTimeout } = {}) {
  const entries = new Map();

  function entryOf(run) {
    let entry = entries.get(run);
    if (!entry) {
      entry = { text: "", end: false, gone: false, askedAt: Number.NEGATIVE_INFINITY, heardAt: now(), ask: null };
      Object.assign(entry, { shot: NOTHING, listeners: new Set(), isQueued: false, restUntil: 0 });
      entries.set(run, entry);
      forgetOldest();
    }
    return entry;
  }

  function forgetOldest() {
    for (const [run, entry] of entries) {
      if (entries.size <= KEPT_RUNS) return;
      if (!entry.listeners.size && !entry.ask) entries.delete(run);
    }
  }

  function publish(entry) {
    if (entry.isQueued) return;
    entry.isQueued = true;
    const rest = entry.restUntil - now();
    if (rest > 0 && !entry.end) later(() => schedule(() => draw(entry)), rest);
    else schedule(() => draw(entry));
  }

  function draw(entry) {
    const began = now();
    entry.isQueued = false;
    entry.shot = Object.freeze({ text: entry.text, end: entry.end, gone: entry.gone });
    for (const listener of entry.listeners) listener();
    /* React draws in a microtask of its own, queued before this one */
    queueMicrotask(() => {
      entry.restUntil = now() + REST_PER_WORK * (now() - began);
    });
  }

  function request(entry) {
    if (!entry.ask || entry.end || entry.gone || now() - entry.askedAt < ASK_EVERY_MS) return;
    entry.askedAt = now();
    entry.ask(entry.text.length);
  }

  return {
    /* Keeps a run's words coming until the returned function is called; `ask(have)` requests what follows. */
    follow(run, ask) {
      const entry = entryOf(run);
      entry.ask = ask;
      entry.heardAt = now();
      entry.askedAt = Number.NEGATIVE_INFINITY;
      request(entry);
      return () => {
        if (entry.ask === ask) entry.ask = null;
      };
    },

    /* Takes one chunk off the wire. */
    receive(chunk) {
      const entry = chunk && entries.get(chunk.run);
      if (!entry || entry.end || entry.gone) return;
      entry.heardAt = now();
      if (chunk.gone) {
        entry.gone = true;
        publish(entry);
        return;
      }
      const have = entry.text.length;
      if (chunk.o > have) {
        request(entry);
        return;
      }
      entry.askedAt = Number.NEGATIVE_INFINITY;
      if (chunk.o + chunk.t.length > have) entry.text += chunk.t.slice(have - chunk.o);
      if (chunk.end && entry.text.length >= chunk.n) entry.end = true;
      publish(entry);
    },

    /* To be called about once a second: asks when a followed run has been silent for too long. */
    tick(run) {
      const entry = entries.get(run);
      if (!entry || now() - entry.heardAt < SILENCE_MS) return;
      entry.heardAt = now();
      request(entry);
    },

    subscribe(run, listener) {
      if (!run) return () => {};
      const entry = entryOf(run);
      entry.listeners.add(listener);
      return () => entry.listeners.delete(listener);
    },

    snapshot(run) {
      return entries.get(run)?.shot ?? NOTHING;
    },
  };
}

export const live = createLiveStore();
