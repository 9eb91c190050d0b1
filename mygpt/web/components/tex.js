/* Models write \( \) and \[ \]; Streamdown's math knows only $$. Code stays as it is.
   "End of text" is (?![\s\S]): with the m flag, $ would be the end of each line. */
const PARTS =
  /(```[\s\S]*?(?:```|(?![\s\S]))|~~~[\s\S]*?(?:~~~|(?![\s\S]))|`[^`\n]*`)|^([ \t]*)\\\[(.*?)\\\][ \t]*$|(?<!\\)\\[[\]()]/gm;

export function tex(text) {
  if (!text.includes("\\(") && !text.includes("\\[")) return text;
  return text.replace(PARTS, (_match, code, indent, body) => {
    if (code) return code;
    if (body === undefined) return "$$";
    return `${indent}$$\n${indent}${body}\n${indent}$$`;
  });
}
