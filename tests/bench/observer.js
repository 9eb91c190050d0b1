// Runs in every page that is measured, before its own scripts: notes when numbered tokens reach the DOM, when Enter was
// pressed, when the composer works, and long tasks. Times are milliseconds of the wall clock.
(() => {
  const now = () => performance.timeOrigin + performance.now();
  const TAIL = 600;
  const bench = { high: -1, steps: [], enter: 0, long: [], composer: 0 };
  window.__bench = bench;

  bench.reset = () => {
    bench.high = -1;
    bench.steps = [];
    bench.long = [];
    bench.enter = 0;
  };

  // How far the page's clock is from Date.now, which the model server's clock equals on the same machine.
  bench.skew = () => {
    const gaps = [];
    for (let k = 0; k < 5; k++) {
      const start = Date.now();
      let tick = start;
      while (tick === start) tick = Date.now();
      gaps.push(tick - now());
    }
    return gaps.sort((a, b) => a - b)[2];
  };

  const numbers = /t(\d{6})/g;
  const look = (node) => {
    const text = node.textContent;
    let best = -1;
    for (const found of text.slice(-TAIL).matchAll(numbers)) best = Math.max(best, Number(found[1]));
    return best;
  };

  const inNewestReply = (element, newest) => newest?.contains(element) && element.closest("[data-testid=message-content]");

  new MutationObserver((records) => {
    const time = now();
    if (!bench.composer) seekComposer();
    const replies = document.querySelectorAll("[data-testid=message][data-role=assistant]");
    const newest = replies[replies.length - 1];
    if (!newest) return;
    let best = bench.high;
    for (const record of records) {
      const target = record.target;
      const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
      if (!element) continue;
      if (record.type === "characterData") {
        if (inNewestReply(element, newest)) best = Math.max(best, look(target));
        continue;
      }
      for (const added of record.addedNodes) {
        const inside = added.nodeType === Node.ELEMENT_NODE ? added : element;
        if (inNewestReply(inside, newest)) best = Math.max(best, look(added));
        else if (inside.contains(newest) || newest.contains(inside)) {
          const content = newest.querySelector("[data-testid=message-content]");
          if (content) best = Math.max(best, look(content));
        }
      }
    }
    if (best > bench.high) {
      bench.high = best;
      bench.steps.push([best, time]);
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });

  addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Enter") bench.enter = now();
    },
    true,
  );

  // A composer works once the framework has taken it over and it is not disabled. A bare page has no framework.
  const seekComposer = () => {
    const composer = document.querySelector("[data-testid=composer]");
    if (!composer || composer.disabled) return;
    const field = composer.matches("textarea, input, [contenteditable]") ? composer : composer.querySelector("textarea");
    const owned = Object.keys(field ?? composer).some((key) => key.startsWith("__reactProps"));
    if (owned || document.documentElement.hasAttribute("data-bare")) bench.composer = performance.now();
  };
  const watch = () => {
    seekComposer();
    if (!bench.composer && performance.now() < 20000) setTimeout(watch, 10);
  };
  watch();

  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) bench.long.push(Math.round(entry.duration));
  }).observe({ type: "longtask" });
})();
