import * as Dialog from "@radix-ui/react-dialog";
import * as Menu from "@radix-ui/react-dropdown-menu";
import { useState } from "react";
import { Icon } from "./icons.jsx";
import { show } from "./menus.jsx";
import { signOut } from "./sign_in.jsx";

export default function Menus({ shown, onRename, onRemove, csrf, name, email, texts }) {
  if (shown.kind === "rename") return <RenameDialog shown={shown} onRename={onRename} texts={texts} />;
  return (
    <Floating shown={shown}>
      {shown.kind === "user" ? (
        <>
          <Menu.Label className="mg-menu-label">
            <strong>{name}</strong>
            <span>{email}</span>
          </Menu.Label>
          <Menu.Separator className="mg-menu-line" />
          <Item icon="exit" testId="logout" onSelect={() => signOut(csrf, texts.logoutFailed)}>
            {texts.logout}
          </Item>
        </>
      ) : (
        <>
          <Item icon="pencil" onSelect={() => setTimeout(() => show({ ...shown, kind: "rename" }))}>
            {texts.rename}
          </Item>
          <Item icon="trash" isDanger onSelect={() => onRemove(shown.id)}>
            {texts.remove}
          </Item>
        </>
      )}
    </Floating>
  );
}

/* The menu hangs on an unseen trigger that lies exactly on the button that asked for it. */
function Floating({ shown, children }) {
  const { left, top, width, height } = shown.button.getBoundingClientRect();
  return (
    <Menu.Root
      key={`${shown.kind}:${shown.id}`}
      defaultOpen
      modal={false}
      onOpenChange={(isOpen) => isOpen || show(null)}
    >
      <Menu.Trigger asChild>
        <span aria-hidden="true" style={{ position: "fixed", pointerEvents: "none", left, top, width, height }} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Content
          ref={(content) => {
            if (content && shown.byKeyboard) {
              requestAnimationFrame(() => content.querySelector("[role=menuitem]")?.focus());
            }
          }}
          className="mg-menu"
          align={shown.kind === "user" ? "start" : "end"}
          side={shown.kind === "user" ? "top" : "bottom"}
          sideOffset={6}
          collisionPadding={12}
          aria-label={shown.button.getAttribute("aria-label")}
          aria-labelledby={undefined}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (shown.button.isConnected) shown.button.focus();
          }}
        >
          {children}
        </Menu.Content>
      </Menu.Portal>
    </Menu.Root>
  );
}

function Item({ icon, testId, isDanger, onSelect, children }) {
  return (
    <Menu.Item className="mg-menu-item" data-testid={testId} data-danger={isDanger || undefined} onSelect={onSelect}>
      <Icon name={icon} />
      {children}
    </Menu.Item>
  );
}

function RenameDialog({ shown, onRename, texts }) {
  const [problem, setProblem] = useState("");
  const close = () => show(null);
  const save = (event) => {
    event.preventDefault();
    const title = new FormData(event.currentTarget).get("title").trim();
    if (!title) {
      setProblem(texts.renameEmpty);
      event.currentTarget.elements.title.focus();
      return;
    }
    if (title !== shown.title) onRename(shown.id, title);
    close();
  };
  return (
    <Dialog.Root open onOpenChange={(isOpen) => isOpen || close()}>
      <Dialog.Portal>
        <Dialog.Overlay className="mg-overlay" />
        <Dialog.Content
          className="mg-dialog"
          aria-describedby={undefined}
          onOpenAutoFocus={(event) => {
            event.preventDefault();
            event.currentTarget.querySelector("input").select();
          }}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            if (shown.button.isConnected) shown.button.focus();
          }}
        >
          <Dialog.Title className="mg-dialog-title">{texts.renameTitle}</Dialog.Title>
          <form onSubmit={save} noValidate>
            <label className="mg-label" htmlFor="rename-title">
              {texts.renameLabel}
            </label>
            <input
              id="rename-title"
              name="title"
              className="mg-field"
              defaultValue={shown.title}
              maxLength={200}
              autoComplete="off"
              aria-invalid={Boolean(problem) || undefined}
              aria-describedby="rename-problem"
              onInput={() => setProblem("")}
            />
            <p id="rename-problem" className="mg-field-problem" role="alert">
              {problem}
            </p>
            <div className="mg-dialog-actions">
              <button type="button" className="mg-button mg-quiet" onClick={close}>
                {texts.cancel}
              </button>
              <button type="submit" className="mg-button mg-primary">
                {texts.save}
              </button>
            </div>
          </form>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
