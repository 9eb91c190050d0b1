/* Stands in for rehype-raw, which Streamdown imports and MyGPT never uses: HTML in a reply stays text.
   Its parser would be a third of the renderer's weight. */
export default function rehypeRaw() {
  throw new Error("raw HTML is not rendered");
}
