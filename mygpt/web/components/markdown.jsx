import { lazy, memo, Suspense, useRef, useSyncExternalStore } from "react";
import { live } from "./live_store.js";

const load = () => import("./markdown_impl.jsx");
const Rendered = lazy(() => load().then((module) => ({ default: module.Rendered })));

/* Fetches the renderer ahead of the first word. */
export const preloadRenderer = () => load();

/* When somebody begins to write, a reply is near: the highlighter too comes as soon as the browser is idle. */
let isExpecting = false;
export function expectReply() {
  if (isExpecting) return;
  isExpecting = true;
  load().then((module) => {
    if (typeof requestIdleCallback === "function") requestIdleCallback(module.preloadCode, { timeout: 3000 });
    else setTimeout(module.preloadCode, 500);
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
