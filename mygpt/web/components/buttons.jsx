import { useContext, useEffect, useRef, useState } from "react";
import { ColorModeContext } from "$/utils/context";
import { Icon } from "./icons.jsx";
import { live } from "./live_store.js";

const SAID_MS = 1600;
const MODES = ["system", "light", "dark"];
const SIGNS = { system: "screen", light: "sun", dark: "moon" };

/* Copies a message as it was written. Plain http beyond this machine has no clipboard: the old way serves there. */
export function CopyButton({ text = "", run = "", texts }) {
  const [isDone, setDone] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    const words = text || live.snapshot(run).text;
    try {
      await navigator.clipboard.writeText(words);
    } catch {
      copyTheOldWay(words);
    }
    setDone(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setDone(false), SAID_MS);
  };
  const label = isDone ? texts.copied : texts.copy;
  return (
    <button
      type="button"
      className="mg-icon-button mg-small"
      data-testid="message-copy"
      aria-label={label}
      title={label}
      onClick={copy}
    >
      <Icon name={isDone ? "check" : "copy"} size={16} />
    </button>
  );
}

function copyTheOldWay(words) {
  const box = document.createElement("textarea");
  box.value = words;
  box.style.position = "fixed";
  box.style.opacity = "0";
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}

/* Goes round: as the system, light, dark. */
export function ThemeToggle({ texts }) {
  const { rawColorMode, setColorMode } = useContext(ColorModeContext);
  const [isHere, setHere] = useState(false);
  useEffect(() => setHere(true), []);
  const mode = isHere && MODES.includes(rawColorMode) ? rawColorMode : "system";
  const label = texts[mode];
  return (
    <button
      type="button"
      className="mg-icon-button"
      data-testid="theme-toggle"
      data-mode={mode}
      aria-label={label}
      title={label}
      onClick={() => setColorMode(MODES[(MODES.indexOf(mode) + 1) % MODES.length])}
    >
      <Icon name={SIGNS[mode]} size={20} />
    </button>
  );
}
