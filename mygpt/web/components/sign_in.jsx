import { useEffect, useRef, useState } from "react";
import { safeNext } from "./next.js";

/* Reflex keeps its client token per tab; another person starts with another one. */
function forgetTab() {
  try {
    sessionStorage.removeItem("token");
  } catch {
    /* nothing kept */
  }
}

async function post(path, body, headers = {}) {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

export async function signOut(csrf, trouble) {
  let response = null;
  try {
    response = await post("/auth/logout", {}, { "X-MyGPT-CSRF": csrf });
  } catch {
    /* told below */
  }
  if (response?.ok || response?.status === 401) {
    forgetTab();
    location.replace("/login");
  } else {
    window.dispatchEvent(new CustomEvent("mygpt:notice", { detail: trouble }));
  }
}

/* What the server said against it: by field, or for the whole form. */
async function problemOf(response, names, texts) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    /* not ours: a proxy's page, perhaps */
  }
  const message = error.message || (response.status === 401 ? texts.wrong : texts.failed);
  return names.includes(error.param) ? { [error.param]: message } : { form: message };
}

function useForm({ path, names, extra, texts, check }) {
  const form = useRef(null);
  const [problems, setProblems] = useState({});
  const [isBusy, setBusy] = useState(false);

  useEffect(() => {
    const first = names.find((name) => problems[name]);
    if (first) form.current.elements[first].focus();
  }, [problems]);

  const submit = async (event) => {
    event.preventDefault();
    if (isBusy) return;
    const data = Object.fromEntries(new FormData(form.current));
    const found = check(data);
    if (Object.keys(found).length) {
      setProblems(found);
      return;
    }
    setBusy(true);
    setProblems({});
    try {
      const response = await post(path, { ...data, ...extra() });
      if (response.ok) {
        forgetTab();
        location.replace(safeNext(extra().next));
        return;
      }
      setProblems(await problemOf(response, names, texts));
    } catch {
      setProblems({ form: texts.offline });
    }
    setBusy(false);
  };
  const clear = (name) => setProblems(({ [name]: _, form: __, ...rest }) => rest);
  return { form, problems, isBusy, submit, clear };
}

function missing(data, texts, names) {
  return Object.fromEntries(names.filter((name) => !data[name].trim()).map((name) => [name, texts[`${name}Missing`]]));
}

function Field({ id, name, label, help, problem, onInput, ...rest }) {
  return (
    <div className="mg-form-row">
      <label className="mg-label" htmlFor={id}>
        {label}
      </label>
      <input
        id={id}
        name={name}
        className="mg-field"
        aria-invalid={Boolean(problem) || undefined}
        aria-describedby={problem || help ? `${id}-note` : undefined}
        onInput={() => onInput(name)}
        {...rest}
      />
      {(problem || help) && (
        <p id={`${id}-note`} className={problem ? "mg-field-problem" : "mg-help"} role={problem ? "alert" : undefined}>
          {problem || help}
        </p>
      )}
    </div>
  );
}

function Password({ texts, ...rest }) {
  const [isShown, setShown] = useState(false);
  return (
    <div className="mg-password">
      <Field type={isShown ? "text" : "password"} {...rest} />
      <button type="button" className="mg-reveal" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
        {isShown ? texts.hide : texts.show}
      </button>
    </div>
  );
}

function FormProblem({ children }) {
  return (
    <p className="mg-form-problem" role="alert" hidden={!children}>
      {children}
    </p>
  );
}

function Submit({ isBusy, testId, children }) {
  return (
    <button type="submit" className="mg-button mg-primary mg-wide" data-testid={testId} aria-busy={isBusy || undefined}>
      {children}
    </button>
  );
}

export function LoginForm({ texts }) {
  const [query, setQuery] = useState({ next: "/", why: "" });
  useEffect(() => {
    const found = new URLSearchParams(location.search);
    setQuery({ next: safeNext(found.get("next")), why: found.get("why") || "" });
  }, []);
  const names = ["email", "password"];
  const { form, problems, isBusy, submit, clear } = useForm({
    path: "/auth/login",
    names,
    extra: () => ({ next: query.next }),
    texts,
    check: (data) => missing(data, texts, names),
  });
  return (
    <form ref={form} method="post" action="/auth/login" onSubmit={submit} noValidate>
      <input type="hidden" name="next" value={query.next} />
      <p className="mg-form-note" role="status" hidden={query.why !== "session"}>
        {texts.session}
      </p>
      <FormProblem>{problems.form}</FormProblem>
      <Field
        id="login-email"
        data-testid="login-email"
        name="email"
        type="email"
        inputMode="email"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        label={texts.email}
        problem={problems.email}
        onInput={clear}
      />
      <Password
        id="login-password"
        data-testid="login-password"
        name="password"
        autoComplete="current-password"
        required
        label={texts.password}
        problem={problems.password}
        onInput={clear}
        texts={texts}
      />
      <Submit isBusy={isBusy} testId="login-submit">
        {texts.submit}
      </Submit>
    </form>
  );
}

export function SetupForm({ texts }) {
  const [token, setToken] = useState(null);
  useEffect(() => {
    const read = () => setToken(new URLSearchParams(location.hash.slice(1)).get("token") || "");
    read();
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }, []);
  const names = ["username", "email", "password"];
  const { form, problems, isBusy, submit, clear } = useForm({
    path: "/auth/setup",
    names,
    extra: () => ({ token, next: undefined }),
    texts,
    check: (data) => missing(data, texts, names),
  });
  if (token === "") {
    return (
      <p className="mg-form-note" role="status">
        {texts.noToken}
      </p>
    );
  }
  return (
    <form ref={form} method="post" action="/auth/setup" onSubmit={submit} noValidate>
      <input type="hidden" name="token" value={token ?? ""} />
      <FormProblem>{problems.form}</FormProblem>
      <Field
        id="setup-username"
        data-testid="setup-username"
        name="username"
        type="text"
        autoComplete="name"
        required
        label={texts.username}
        help={texts.usernameHelp}
        problem={problems.username}
        onInput={clear}
      />
      <Field
        id="setup-email"
        data-testid="setup-email"
        name="email"
        type="email"
        inputMode="email"
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
        label={texts.email}
        problem={problems.email}
        onInput={clear}
      />
      <Password
        id="setup-password"
        data-testid="setup-password"
        name="password"
        autoComplete="new-password"
        required
        label={texts.password}
        help={texts.passwordHelp}
        problem={problems.password}
        onInput={clear}
        texts={texts}
      />
      <Submit isBusy={isBusy} testId="setup-submit">
        {texts.submit}
      </Submit>
    </form>
  );
}
