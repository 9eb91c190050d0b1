import { useEffect, useLayoutEffect, useRef } from "react";
import { live } from "./live_store.js";

/* Invisible: carries the chunks of the running reply into the store, and asks for what is missing. */
export function LiveFeed({ run = "", chunk = null, onNeed }) {
  const need = useRef(onNeed);
  need.current = onNeed;
  useEffect(() => {
    if (!run) return undefined;
    const leave = live.follow(run, (have) => need.current(run, have));
    const timer = setInterval(() => live.tick(run), 1000);
    return () => {
      clearInterval(timer);
      leave();
    };
  }, [run]);
  useLayoutEffect(() => live.receive(chunk), [chunk]);
  return null;
}
