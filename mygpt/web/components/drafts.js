/* Unsent words, kept per account and conversation in this browser. */
export const MAX_CHARACTERS = 4000;

export function slotOf(account, conversation) {
  return account ? `mygpt:draft:${account}:${conversation || "new"}` : "";
}

export function readDraft(slot, storage = globalThis.localStorage) {
  try {
    return (slot && storage.getItem(slot)) || "";
  } catch {
    return "";
  }
}

export function writeDraft(slot, text, storage = globalThis.localStorage) {
  if (!slot) return;
  try {
    if (text) storage.setItem(slot, text);
    else storage.removeItem(slot);
  } catch {
    /* a full or closed store: the words stay in the box */
  }
}

/* What is left in the box once `sent` is stored: words typed meanwhile stay. */
export function leftover(box, sent) {
  if (box === sent) return "";
  return box.startsWith(sent) ? box.slice(sent.length).trimStart() : box;
}

/* Two pieces that both must survive. */
export function joined(first, second) {
  if (!first || second.includes(first)) return second || first;
  if (!second || first.includes(second)) return first;
  return `${first}\n\n${second}`;
}

/* Characters as the server counts them: code points, not UTF-16 units. */
export function lengthOf(text) {
  return text.length <= MAX_CHARACTERS / 2 ? text.length : Array.from(text).length;
}

/* `crypto.randomUUID` exists only on https and loopback. */
export function newKey(source = globalThis.crypto) {
  const bytes = source.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
