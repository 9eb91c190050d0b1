/* Only a path of this site; anything else could lead a person away. */
export function safeNext(value) {
  return /^\/(?![/\\])[^\s\\]*$/.test(value || "") ? value : "/";
}
