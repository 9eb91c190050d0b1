import assert from "node:assert/strict";
import { test } from "node:test";
import { tex } from "../../../mygpt/web/components/tex.js";

const cases = [
  ["inline", "so \\(x^2\\) is", "so $$x^2$$ is"],
  ["a line of its own", "\\[ a + b \\]", "$$\n a + b \n$$"],
  ["several lines", "\\[\na\n\\]", "$$\na\n$$"],
  ["inside a list", "- one\n  \\[ a \\]\n- two", "- one\n  $$\n   a \n  $$\n- two"],
  ["not in inline code", "`\\(x\\)` and \\(y\\)", "`\\(x\\)` and $$y$$"],
  ["not in a fence", "```\n\\(x\\)\n```\n\\(y\\)", "```\n\\(x\\)\n```\n$$y$$"],
  ["not in a fence that is still open", "text\n```\n\\(x\\)\nmore \\[", "text\n```\n\\(x\\)\nmore \\["],
  ["not when escaped", "\\\\(x\\\\)", "\\\\(x\\\\)"],
  ["prices stay prices", "$5 or $6", "$5 or $6"],
  ["nothing to do", "plain (words) [here]", "plain (words) [here]"],
];

for (const [name, given, wanted] of cases) {
  test(`formulas: ${name}`, () => assert.equal(tex(given), wanted));
}
