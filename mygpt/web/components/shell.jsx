import { Children, useEffect, useRef, useSyncExternalStore } from "react";
import { Link, useLocation, useParams } from "react-router";
import { Icon } from "./icons.jsx";

const NARROW = "(max-width: 899.98px)";
const KEPT = "mygpt:sidebar";

/* Two facts: whether the wide page shows the sidebar (kept), and whether the narrow page's drawer is open (not kept).
   Both live on <html>, where the style sheet and the script in the head see them too. */
const listeners = new Set();
const root = () => document.documentElement.dataset;
const isNarrow = () => window.matchMedia(NARROW).matches;
const isOpen = () => (isNarrow() ? root().drawer === "open" : root().sidebar !== "closed");

function setOpen(value) {
  if (isNarrow()) {
    root().drawer = value ? "open" : "closed";
  } else {
    root().sidebar = value ? "open" : "closed";
    try {
      localStorage.setItem(KEPT, root().sidebar);
    } catch {
      /* not kept, then */
    }
  }
  for (const listener of listeners) listener();
}

function subscribe(listener) {
  const media = window.matchMedia(NARROW);
  listeners.add(listener);
  media.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    media.removeEventListener("change", listener);
  };
}

const useOpen = () => useSyncExternalStore(subscribe, isOpen, () => true);
const useNarrow = () => useSyncExternalStore(subscribe, isNarrow, () => false);

export function Shell({ texts, children }) {
  const [sidebar, ...page] = Children.toArray(children);
  const open = useOpen();
  const narrow = useNarrow();
  const drawer = useRef(null);
  const { pathname } = useLocation();
  const isDrawer = narrow && open;

  useEffect(() => {
    if (isNarrow()) setOpen(false);
  }, [pathname]);

  useEffect(() => {
    if (!isDrawer) return undefined;
    const before = document.activeElement;
    drawer.current.querySelector("a, button")?.focus();
    const close = (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) setOpen(false);
    };
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("keydown", close);
      if (before?.isConnected) before.focus({ preventScroll: true });
    };
  }, [isDrawer]);

  return (
    <div className="mg-shell">
      <a className="mg-skip" href="#composer-note">
        {texts.skip}
      </a>
      <aside
        ref={drawer}
        id="sidebar"
        className="mg-sidebar"
        aria-label={texts.sidebar}
        inert={!open}
        role={isDrawer ? "dialog" : undefined}
      >
        {sidebar}
      </aside>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: Escape does the same for the keyboard */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: Escape does the same for the keyboard */}
      <div className="mg-scrim" onClick={() => setOpen(false)} />
      <div className="mg-page" inert={isDrawer}>
        {page}
      </div>
    </div>
  );
}

export function SidebarToggle({ label, hideWhenOpen = false }) {
  const open = useOpen();
  return (
    <button
      type="button"
      className={`mg-icon-button${hideWhenOpen ? " mg-toggle-outside" : ""}`}
      aria-label={label}
      title={label}
      aria-expanded={open}
      aria-controls="sidebar"
      onClick={() => setOpen(!isOpen())}
    >
      <Icon name="sidebar" size={20} />
    </button>
  );
}

/* A line of the sidebar; the one that is open says so. */
export function ConversationLink({ conversation, title, to }) {
  const { conversation: current } = useParams();
  return (
    <Link to={to} className="mg-line" aria-current={current === conversation ? "page" : undefined} title={title}>
      <span>{title}</span>
    </Link>
  );
}

export function PageTitle({ title, site }) {
  useEffect(() => {
    document.title = title ? `${title} · ${site}` : site;
  }, [title, site]);
  return null;
}
