import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { Icon } from "./icons.jsx";
import { preloadRenderer } from "./markdown.jsx";

const NEAR_PX = 64;
const GIVE_UP_MS = 8000;

/* The scrolling list of messages. It follows the end only while the reader is there, opens at the end, and keeps
   what one is looking at in place when earlier messages come in above. */
export function Thread({ conversation = "", first = "", last = "", hasEarlier = false, onEarlier, texts, children }) {
  const box = useRef(null);
  const column = useRef(null);
  const isAtEnd = useRef(true);
  const lastTop = useRef(0);
  const anchor = useRef(null);
  const [isAway, setAway] = useState(false);
  const [isLoading, setLoading] = useState(false);

  const follow = (value) => {
    isAtEnd.current = value;
    setAway(!value);
  };
  const toEnd = () => {
    if (!box.current) return; // a last resize may come in while the page changes
    box.current.scrollTop = box.current.scrollHeight;
    lastTop.current = box.current.scrollTop;
  };

  useEffect(() => {
    preloadRenderer();
  }, []);

  useEffect(() => {
    const watch = new ResizeObserver(() => {
      if (isAtEnd.current) toEnd();
    });
    watch.observe(column.current);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);

  useLayoutEffect(() => {
    follow(true);
    anchor.current = null;
    toEnd();
  }, [conversation]);

  useEffect(() => {
    const onSent = () => {
      follow(true);
      toEnd();
    };
    window.addEventListener("mygpt:sent", onSent);
    return () => window.removeEventListener("mygpt:sent", onSent);
  }, []);

  useLayoutEffect(() => {
    if (isAtEnd.current) toEnd();
  }, [last]);

  useLayoutEffect(() => {
    const kept = anchor.current;
    anchor.current = null;
    setLoading(false);
    if (!kept) return undefined;
    const moved = kept.element.isConnected ? kept.element.getBoundingClientRect().top - kept.top : 0;
    box.current.scrollTop += moved;
    lastTop.current = box.current.scrollTop;
    const frame = requestAnimationFrame(() => {
      if (box.current) box.current.style.overflowAnchor = "";
    });
    return () => cancelAnimationFrame(frame);
  }, [first]);

  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    const gap = scrollHeight - clientHeight - scrollTop;
    if (gap <= NEAR_PX) follow(true);
    else if (scrollTop < lastTop.current - 2) follow(false);
    lastTop.current = scrollTop;
  };

  const showEarlier = () => {
    const row = column.current.querySelector("[data-testid=message]");
    anchor.current = row && { element: row, top: row.getBoundingClientRect().top };
    box.current.style.overflowAnchor = "none";
    follow(false);
    setLoading(true);
    onEarlier();
    setTimeout(() => setLoading(false), GIVE_UP_MS);
  };

  return (
    <div className="mg-thread-frame">
      <section
        ref={box}
        className="mg-thread"
        aria-label={texts.label}
        onScroll={onScroll}
        onWheel={(event) => {
          if (event.deltaY < 0 && box.current.scrollTop > 0) follow(false);
        }}
      >
        <div ref={column} className="mg-column">
          {hasEarlier && (
            <button
              type="button"
              className="mg-button mg-quiet mg-earlier"
              aria-busy={isLoading || undefined}
              disabled={isLoading}
              onClick={showEarlier}
            >
              {isLoading ? texts.loading : texts.earlier}
            </button>
          )}
          {children}
        </div>
      </section>
      <button
        type="button"
        className="mg-jump"
        data-shown={isAway || undefined}
        tabIndex={isAway ? 0 : -1}
        aria-hidden={!isAway}
        aria-label={texts.jump}
        title={texts.jump}
        onClick={() => {
          follow(true);
          toEnd();
        }}
      >
        <Icon name="arrowDown" size={20} />
      </button>
    </div>
  );
}
