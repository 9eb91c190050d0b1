import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { live } from "./live_store.js";

/* Unseen: carries the chunks of the running reply into the store, and asks for what is missing.
   To a screen reader it says when a reply begins and ends; the words themselves would be noise while they grow. */
export function LiveFeed({ run = "", chunk = null, onNeed, texts }) {
  const need = useRef(onNeed);
  const [said, setSaid] = useState("");
  useEffect(() => {
    setSaid((before) => (run ? texts.writing : before && texts.done));
  }, [run]);
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
  return (
    <span className="sr-only" role="status">
      {said}
    </span>
  );
}
