import { memo, useEffect, useSyncExternalStore } from "react";
import { harden } from "rehype-harden";
import { defaultRehypePlugins, defaultRemarkPlugins, Streamdown } from "streamdown";
import { tex } from "./tex.js";
import "streamdown/styles.css";

/* ---- plugins, loaded when a text first needs them. Each text gets only those it needs, as an object that keeps
   its identity, so that a plugin's arrival renders nothing else again. */
const loaded = {};
const asked = new Set();
const listeners = new Set();
const sets = new Map();

function add(name, plugin) {
  loaded[name] = plugin;
  for (const listener of listeners) listener();
}

const diagrams = {
  name: "mermaid",
  type: "diagram",
  language: "mermaid",
  getMermaid(config) {
    const settings = {
      secure: [
        "secure",
        "securityLevel",
        "startOnLoad",
        "maxTextSize",
        "maxEdges",
        "suppressErrorRendering",
        "theme",
        "themeCSS",
        "themeVariables",
        "fontFamily",
        "altFontFamily",
        "htmlLabels",
        "flowchart",
        "dompurifyConfig",
      ],
      startOnLoad: false,
      securityLevel: "strict",
      suppressErrorRendering: true,
      htmlLabels: false,
      flowchart: { htmlLabels: false },
      ...config,
    };
    return {
      initialize() {},
      async render(id, source) {
        const mermaid = (await import("mermaid")).default;
        const isDark = document.documentElement.classList.contains("dark");
        mermaid.initialize({ ...settings, theme: isDark ? "dark" : "neutral" });
        return mermaid.render(id, withoutDirectives(source));
      },
    };
  },
};

/* A directive or front matter could carry style sheets, and those could fetch. */
function withoutDirectives(source) {
  return source.replace(/%%\{[\s\S]*?\}%%/g, "").replace(/^\s*---\n[\s\S]*?\n---\s*\n/, "");
}

const loadCode = () => import("@streamdown/code").then((module) => add("code", module.code));
const KINDS = [
  ["code", /```|~~~/, loadCode],
  ["mermaid", /(?:```|~~~)[ \t]*mermaid/, () => add("mermaid", diagrams)],
  ["math", /\$\$|\\[[(]/, () => import("./markdown_math.js").then((module) => add("math", module.math))],
  [
    "cjk",
    /[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]/,
    () => import("@streamdown/cjk").then((module) => add("cjk", module.cjk)),
  ],
];

function fetchOnce(name, fetchPlugin) {
  if (asked.has(name)) return;
  asked.add(name);
  fetchPlugin();
}

export function preloadCode() {
  fetchOnce("code", loadCode);
}

function neededBy(text) {
  return KINDS.filter(([, pattern]) => pattern.test(text));
}

function pluginsFor(kinds) {
  const names = kinds.map(([name]) => name).filter((name) => name in loaded);
  const key = names.join();
  if (!sets.has(key)) sets.set(key, Object.fromEntries(names.map((name) => [name, loaded[name]])));
  return sets.get(key);
}

function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/* ---- safety: without rehype-raw, HTML in the text stays text; no image from elsewhere, links only to the web. */
function remarkBreaks() {
  const walk = (node) => {
    if (node.type === "html" && /^<br\s*\/?>$/i.test(node.value)) {
      node.type = "break";
      delete node.value;
    }
    node.children?.forEach(walk);
  };
  return walk;
}
/* A task's box is named by the task. */
function rehypeTaskNames() {
  const words = (node) => node.value ?? node.children?.map(words).join("") ?? "";
  const walk = (node, parent) => {
    if (node.tagName === "input") node.properties.ariaLabel = words(parent).trim();
    for (const child of node.children ?? []) walk(child, node);
  };
  return (tree) => walk(tree, tree);
}
const SAFE = {
  remarkPlugins: [...Object.values(defaultRemarkPlugins), remarkBreaks],
  rehypePlugins: [
    defaultRehypePlugins.sanitize,
    [
      harden,
      {
        defaultOrigin: "https://app.invalid",
        allowedLinkPrefixes: ["*"],
        allowedImagePrefixes: ["https://app.invalid/files/"],
        allowedProtocols: ["http:", "https:", "mailto:"],
        allowDataImages: false,
        linkBlockPolicy: "text-only",
        imageBlockPolicy: "text-only",
      },
    ],
    rehypeTaskNames,
  ],
  linkSafety: { enabled: false },
  controls: { table: { fullscreen: false }, code: true, mermaid: true },
};
export const Rendered = memo(function Rendered({ text, isLive, hasStreamed, texts }) {
  const kinds = neededBy(text);
  const plugins = useSyncExternalStore(
    subscribe,
    () => pluginsFor(kinds),
    () => pluginsFor([]),
  );
  const names = kinds.map(([name]) => name).join();
  useEffect(() => {
    for (const [name, , fetchPlugin] of kinds) fetchOnce(name, fetchPlugin);
  }, [names]);
  return (
    <Streamdown
      mode={hasStreamed ? "streaming" : "static"}
      isAnimating={isLive}
      parseIncompleteMarkdown={isLive}
      plugins={plugins}
      translations={texts}
      lineNumbers={false}
      codeBlockMaxHeight={480}
      {...SAFE}
    >
      {tex(text)}
    </Streamdown>
  );
});
