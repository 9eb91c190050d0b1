/* Apart, so that KaTeX's stylesheet comes only with the first formula. */
import "katex/dist/katex.min.css";

export { math } from "@streamdown/math";
