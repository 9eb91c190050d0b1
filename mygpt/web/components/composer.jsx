import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useParams } from "react-router";
import { joined, leftover, lengthOf, MAX_CHARACTERS, newKey, readDraft, slotOf, writeDraft } from "./drafts.js";
import { Icon } from "./icons.jsx";
import { expectReply } from "./markdown.jsx";

const RETRY_AFTER_MS = 8000;
const LATE_AFTER_MS = 2500;

/* Outside the component: the first message of a conversation changes the page, and the composer with it. */
let pending = null; // {key, text, slot, isFirst, isWaiting}: sent, not yet acknowledged; keeps its key for a retry
let isMoving = false; // words typed after a first message follow it into its conversation

const wantsFocus = () => window.matchMedia("(hover: hover) and (pointer: fine)").matches;

export function Composer({ account = "", busy = false, accepted = "", trouble = "", onSend, onStop, texts, children }) {
  const { conversation = "" } = useParams();
  const slot = slotOf(account, conversation);
  const box = useRef(null);
  const shownSlot = useRef("");
  const [isWaiting, setWaiting] = useState(() => Boolean(pending?.isWaiting));
  const [isStopping, setStopping] = useState(false);
  const [hint, setHint] = useState("");
  const [count, setCount] = useState(0);
  const isTooLong = count > MAX_CHARACTERS;

  const put = (text) => {
    box.current.value = text;
    setCount(lengthOf(text));
    grow(box.current);
  };

  const wait = (value) => {
    if (pending) pending.isWaiting = value;
    setWaiting(value);
  };

  const settle = () => {
    if (!pending || accepted !== pending.key) return;
    const { text, slot: from, isFirst } = pending;
    pending = null;
    isMoving = isFirst && !conversation;
    if (from === shownSlot.current || !from) {
      put(leftover(box.current.value, text));
      writeDraft(from, box.current.value);
    } else {
      writeDraft(from, leftover(readDraft(from), text));
      isMoving = isFirst;
    }
    setWaiting(false);
    setHint("");
  };

  useLayoutEffect(() => {
    settle();
    if (!slot || slot === shownSlot.current) return;
    const typedBefore = shownSlot.current ? "" : box.current.value;
    let draft = readDraft(slot);
    if (isMoving && conversation) {
      const first = slotOf(account, "");
      draft = joined(readDraft(first), draft);
      writeDraft(first, "");
      isMoving = false;
    }
    shownSlot.current = slot;
    put(joined(draft, typedBefore));
    writeDraft(slot, box.current.value);
  }, [slot, accepted]);

  useEffect(() => {
    if (wantsFocus() && !document.querySelector("[role=dialog]")) box.current.focus({ preventScroll: true });
  }, [conversation]);

  useEffect(() => {
    if (!busy) setStopping(false);
    setHint((shown) => (shown === texts.busy ? "" : shown));
  }, [busy]);

  useEffect(() => {
    if (!isWaiting) return undefined;
    const late = setTimeout(() => setHint(texts.late), LATE_AFTER_MS);
    const again = setTimeout(() => wait(false), RETRY_AFTER_MS);
    return () => {
      clearTimeout(late);
      clearTimeout(again);
    };
  }, [isWaiting]);

  useEffect(() => {
    if (trouble && pending) {
      wait(false);
      setHint("");
    }
  }, [trouble]);

  const send = (event) => {
    event.preventDefault();
    const text = box.current.value;
    if (!text.trim() || isWaiting) return;
    if (busy) {
      setHint(texts.busy);
      return;
    }
    if (lengthOf(text) > MAX_CHARACTERS) {
      setCount(lengthOf(text));
      box.current.focus();
      return;
    }
    if (pending?.text !== text || pending.slot !== slot) {
      pending = { key: newKey(), text, slot, isFirst: !conversation };
    }
    wait(true);
    setHint("");
    onSend(pending.key, text);
    window.dispatchEvent(new Event("mygpt:sent"));
  };

  const stop = () => {
    setStopping(true);
    onStop();
    box.current.focus();
  };

  const note = isTooLong ? texts.tooLong.replace("{count}", count.toLocaleString()) : hint;
  return (
    <form className="mg-composer" onSubmit={send} data-busy={busy || undefined}>
      <textarea
        ref={box}
        name="text"
        rows={1}
        dir="auto"
        data-testid="composer"
        aria-label={texts.label}
        aria-describedby="composer-note"
        aria-invalid={isTooLong || undefined}
        placeholder={texts.placeholder}
        enterKeyHint="send"
        autoComplete="off"
        onInput={(event) => {
          expectReply();
          writeDraft(slot, event.target.value);
          setCount(lengthOf(event.target.value));
          grow(event.target);
          if (hint === texts.busy) setHint("");
        }}
        onKeyDown={(event) => {
          const isComposing = event.nativeEvent.isComposing || event.keyCode === 229;
          if (event.key === "Enter" && !event.shiftKey && !isComposing) send(event);
        }}
      />
      <div className="mg-composer-foot">
        <div className="mg-composer-tools">{children}</div>
        {count > MAX_CHARACTERS * 0.9 && !isTooLong && (
          <span className="mg-count">
            {count.toLocaleString()} / {MAX_CHARACTERS.toLocaleString()}
          </span>
        )}
        {busy ? (
          <button
            type="button"
            className="mg-send"
            data-testid="stop"
            aria-label={texts.stop}
            title={texts.stop}
            aria-busy={isStopping || undefined}
            onClick={stop}
          >
            <Icon name="stop" size={20} />
          </button>
        ) : (
          <button
            type="submit"
            className="mg-send"
            data-testid="send"
            aria-label={texts.send}
            title={texts.send}
            aria-busy={isWaiting || undefined}
            disabled={isWaiting}
            data-idle={count === 0 || undefined}
          >
            <Icon name="arrowUp" size={20} />
          </button>
        )}
      </div>
      <p id="composer-note" className="mg-composer-note" role="status" data-wrong={isTooLong || undefined}>
        {note}
      </p>
    </form>
  );
}

function grow(box) {
  if (CSS.supports("field-sizing", "content")) return;
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
}
