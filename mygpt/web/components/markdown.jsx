import { lazy, memo, Suspense, useRef, useSyncExternalStore } from "react";
import { live } from "./live_store.js";

const load = () => import("./markdown_impl.jsx");
const Rendered = lazy(() => load().then((module) => ({ default: module.Rendered })));

/* Fetches the renderer, and the highlighter when the browser has nothing better to do. */
export function preloadMarkdown() {
  load().then((module) => {
    const warm = () => module.preloadCode();
    if (typeof requestIdleCallback === "function") requestIdleCallback(warm, { timeout: 4000 });
    else setTimeout(warm, 1500);
  });
}

/* One reply, from its first streamed word to the settled text: the same instance all along, so nothing jumps. */
export const MessageBody = memo(function MessageBody({ run = "", text = "", status = "", texts }) {
  const shot = useSyncExternalStore(
    (listener) => live.subscribe(run, listener),
    () => live.snapshot(run),
    () => live.snapshot(""),
  );
  const isLive = status === "streaming";
  const hasStreamed = useRef(false);
  if (isLive) hasStreamed.current = true;
  const words = isLive && shot.text.length >= text.length ? shot.text : text;
  if (!words) return null;
  return (
    <Suspense fallback={<div className="mg-raw">{words}</div>}>
      <Rendered text={words} isLive={isLive && !shot.end} hasStreamed={hasStreamed.current} texts={texts} />
    </Suspense>
  );
});
