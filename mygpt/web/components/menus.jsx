import { lazy, Suspense, useRef, useSyncExternalStore } from "react";
import { Icon } from "./icons.jsx";

/* One menu and one dialog serve all buttons: rows stay light, and the headless library comes after the page. */
const load = () => import("./menus_impl.jsx");
const Impl = lazy(load);

let open = null; // {kind, id, title, button, byKeyboard}
const listeners = new Set();

export function show(next) {
  open = next;
  for (const listener of listeners) listener();
}

function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const useOpenMenu = () =>
  useSyncExternalStore(
    subscribe,
    () => open,
    () => null,
  );

function MenuButton({ kind, id, title, children, ...rest }) {
  const button = useRef(null);
  const shown = useOpenMenu();
  return (
    <button
      ref={button}
      type="button"
      aria-haspopup="menu"
      onPointerEnter={load}
      onFocus={load}
      aria-expanded={Boolean(shown && shown.kind === kind && shown.id === id)}
      onClick={(event) => show({ kind, id, title, button: button.current, byKeyboard: event.detail === 0 })}
      onKeyDown={(event) => {
        if (event.key !== "ArrowDown") return;
        event.preventDefault();
        show({ kind, id, title, button: button.current, byKeyboard: true });
      }}
      {...rest}
    >
      {children}
    </button>
  );
}

export function ConversationMenuButton({ conversation, title, label }) {
  return (
    <MenuButton
      kind="conversation"
      id={conversation}
      title={title}
      className="mg-icon-button mg-small"
      aria-label={label.replace("{title}", title)}
    >
      <Icon name="dots" />
    </MenuButton>
  );
}

export function UserMenuButton({ name, label }) {
  return (
    <MenuButton
      kind="user"
      id=""
      className="mg-user"
      data-testid="user-menu"
      aria-label={label.replace("{name}", name)}
    >
      <span className="mg-avatar" aria-hidden="true" data-initial={Array.from(name || "")[0]?.toUpperCase()} />
      <span className="mg-user-name">{name}</span>
    </MenuButton>
  );
}

export function Menus(props) {
  const shown = useOpenMenu();
  return shown ? (
    <Suspense fallback={null}>
      <Impl shown={shown} {...props} />
    </Suspense>
  ) : null;
}
