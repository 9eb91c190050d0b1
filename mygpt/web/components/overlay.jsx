import { useEffect, useRef, useState } from "react";
import "@fontsource-variable/inter/wght.css";
import { Icon } from "./icons.jsx";

const OFFLINE_AFTER_MS = 800;
const SHOWN_MS = 6000;
const UNDO_MS = 10000;
const SEEN = "mygpt:notice";

/* Whether the page and the server hear each other. Always in the page; seen only when they do not. */
export function ConnectionStatus({ errors = 0, hydrated = false, texts }) {
  const [isOff, setOff] = useState(false);
  const isFailing = errors > 0;
  useEffect(() => {
    if (!isFailing) {
      setOff(false);
      return undefined;
    }
    const timer = setTimeout(() => setOff(true), OFFLINE_AFTER_MS);
    return () => clearTimeout(timer);
  }, [isFailing]);
  useEffect(() => {
    const goOff = () => setOff(true);
    const comeBack = () => setOff(false);
    addEventListener("offline", goOff);
    addEventListener("online", comeBack);
    return () => {
      removeEventListener("offline", goOff);
      removeEventListener("online", comeBack);
    };
  }, []);
  const status = isOff ? "offline" : hydrated ? "online" : "connecting";
  return (
    <div className="mg-connection" data-testid="connection-status" data-status={status} role="status">
      {isOff && (
        <>
          <span className="mg-pulse" aria-hidden="true" />
          {texts.offline}
        </>
      )}
    </div>
  );
}

function wasSeen(id) {
  try {
    return sessionStorage.getItem(SEEN) === id;
  } catch {
    return false;
  }
}

function remember(id) {
  try {
    sessionStorage.setItem(SEEN, id);
  } catch {
    /* it may show again after a reload, then */
  }
}

/* What the server says in passing. The var stays in the state, so a reload must not tell it again. */
export function NoticeArea({ notice, onUndo, texts }) {
  const [lines, setLines] = useState([]);
  const id = notice?.id;
  useEffect(() => {
    if (!id || wasSeen(id)) return;
    remember(id);
    setLines((shown) => [...shown.slice(-2), notice]);
  }, [id]);
  useEffect(() => {
    const add = ({ detail }) =>
      setLines((shown) => [...shown.slice(-2), { id: `here-${Date.now()}`, text: detail, kind: "error", undo: "" }]);
    window.addEventListener("mygpt:notice", add);
    return () => window.removeEventListener("mygpt:notice", add);
  }, []);
  const drop = (gone) => setLines((shown) => shown.filter((line) => line.id !== gone));
  return (
    <div className="mg-notices" role="status" aria-live="polite">
      {lines.map((line) => (
        <Notice key={line.id} line={line} onUndo={onUndo} onDone={() => drop(line.id)} texts={texts} />
      ))}
    </div>
  );
}

function Notice({ line, onUndo, onDone, texts }) {
  const done = useRef(onDone);
  done.current = onDone;
  const [isHeld, setHeld] = useState(false);
  useEffect(() => {
    if (isHeld) return undefined;
    const timer = setTimeout(() => done.current(), line.undo ? UNDO_MS : SHOWN_MS);
    return () => clearTimeout(timer);
  }, [isHeld, line]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: pointing at it or being in it only keeps it there
    <div
      className="mg-notice"
      data-testid="notice"
      data-kind={line.kind}
      onMouseEnter={() => setHeld(true)}
      onMouseLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      {line.kind === "error" && <Icon name="alert" />}
      <span>{line.text}</span>
      {line.undo && (
        <button
          type="button"
          className="mg-notice-undo"
          onClick={() => {
            onUndo(line.undo);
            onDone();
          }}
        >
          {texts.undo}
        </button>
      )}
      <button type="button" className="mg-icon-button mg-small" aria-label={texts.dismiss} onClick={onDone}>
        <Icon name="close" size={16} />
      </button>
    </div>
  );
}

/* Shown instead of a page that broke. State outlives a reload, so a fresh start drops it. */
export function PageFailed({ texts }) {
  const startAfresh = () => {
    try {
      sessionStorage.removeItem("token");
    } catch {
      /* nothing kept */
    }
    location.reload();
  };
  return (
    <main className="mg-lone" role="alert">
      <h1>{texts.title}</h1>
      <p>{texts.text}</p>
      <button type="button" className="mg-button mg-primary" onClick={startAfresh}>
        {texts.again}
      </button>
    </main>
  );
}
