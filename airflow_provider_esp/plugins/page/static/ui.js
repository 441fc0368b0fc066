// What all views share: elements, colours, numbers as people read them, and how the page asks for figures.
export const React = globalThis.React;
export const h = React.createElement;

const HERE = new URL("..", import.meta.url); // the prefix under which Airflow has mounted the routes
const AIRFLOW = new URL("..", HERE); // Airflow's own pages
export const airflow = (path) => new URL(path, AIRFLOW).href;
export const enc = encodeURIComponent;

export const number = (value) => (value ?? 0).toLocaleString("en-US");
export const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(part === whole ? 0 : 1)} %` : "–");

export function ago(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return `${s} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

export const moment = (seconds) =>
  seconds ? new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 16) + " UTC" : "–";

// -- where the person is: in the address, so that a link or a reload leads to the same view

export function readPlace() {
  return Object.fromEntries(new URLSearchParams(location.search));
}

export function writePlace(place) {
  const query = new URLSearchParams(Object.entries(place).filter(([, value]) => value !== "" && value != null));
  history.replaceState(history.state, "", `${location.pathname}?${query}`);
}

// -- asking

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, query = {}, body) {
  const url = new URL(path, HERE);
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== "" && value !== false) url.searchParams.set(name, value);
  const answer = await fetch(url, {
    credentials: "same-origin",
    ...(body === undefined
      ? {}
      : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }),
  });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, typeof told.detail === "string" ? told.detail : answer.statusText);
  return told;
}

// Ask, and ask again every `every` seconds while the page can be seen. What was told last stays when asking fails.
export function useFigures(path, query, every) {
  const [found, set] = React.useState({ loading: true });
  const key = path + JSON.stringify(query);
  const [round, again] = React.useReducer((n) => n + 1, 0);
  React.useEffect(() => {
    let over = false;
    let timer;
    const look = async () => {
      if (!document.hidden) {
        try {
          const data = await ask(path, query);
          if (!over) set({ data, since: Date.now(), key });
        } catch (error) {
          if (!over) set((before) => ({ ...before, loading: false, error }));
        }
      }
      if (!over && every) timer = setTimeout(look, every * 1000);
    };
    set((before) => (before.key === key ? before : { loading: true, key }));
    look();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [key, every, round]);
  return { ...found, again };
}

export function useClock(seconds = 5) {
  const [now, set] = React.useState(Date.now());
  React.useEffect(() => {
    const timer = setInterval(() => set(Date.now()), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return now;
}

// -- pieces

export const Note = ({ kind = "quiet", title, children, ...more }) =>
  h("div", { className: `esp-note esp-${kind}`, role: kind === "bad" ? "alert" : "status", ...more },
    title && h("strong", null, title), children && h("p", null, children));

const WORDS = {
  401: ["You are not logged in any more", "Reload the page to log in again; nothing is lost."],
  403: ["You may not see this", "Ask who looks after this Airflow for the right that is named here."],
  503: ["Not available on this Airflow", "This version has not got what the view reads."],
};

// The state of what was asked for, where there is nothing to be shown in its place; null where there is.
export function Status({ found, empty }) {
  const now = useClock();
  if (found.loading && !found.data)
    return h("div", { className: "esp-skeleton", role: "status", "aria-label": "Loading" }, h("i"), h("i"), h("i"));
  if (found.error && !found.data) {
    const [title, advice] = WORDS[found.error.status] ?? ["The figures could not be read", "It is tried again by itself."];
    return h(Note, { kind: found.error.status === 403 ? "quiet" : "bad", title }, `${found.error.message}. ${advice}`);
  }
  if (found.error)
    return h(Note, { kind: "warn" }, `Figures of ${ago((now - found.since) / 1000)} ago: ${found.error.message}.`);
  return empty ? h(Note, { title: empty[0] }, empty[1]) : null;
}

const STATES = { success: "good", failed: "bad", upstream_failed: "bad", running: "run", deferred: "wait", up_for_retry: "warn" };
export const State = ({ state }) =>
  h("span", { className: `esp-state esp-${STATES[state] ?? "quiet"}` }, h("i", { "aria-hidden": true }), state ?? "none");

export const OUTCOMES = ["accepted", "rejected", "invalid", "duplicate", "suppressed", "unknown", "not_reached"];

// Rows by outcome as one bar; the numbers stand beside it, so that colours are not all there is.
export function Outcomes({ counts, total }) {
  const told = OUTCOMES.filter((name) => counts[name] > 0);
  const rows = told.reduce((sum, name) => sum + counts[name], 0);
  const whole = Math.max(rows, total ?? 0);
  if (!whole) return h("span", { className: "esp-muted" }, "no rows");
  const words = told.map((name) => `${number(counts[name])} ${name.replace("_", " ")}`);
  return h("div", { className: "esp-outcomes" },
    h("div", { className: "esp-bar", "aria-hidden": true },
      told.map((name) => h("i", { key: name, className: `esp-o-${name}`, style: { width: `${(100 * counts[name]) / whole}%` } }))),
    h("div", { className: "esp-numbers" },
      h("b", null, total > rows ? `${number(rows)} of ${number(total)} rows` : `${number(rows)} rows`), " · ", words.join(" · ")));
}

export const Field = ({ label, children }) => h("label", { className: "esp-field" }, h("span", null, label), children);
export const Choice = ({ label, value, options, onChange, all = "All" }) =>
  h(Field, { label }, h("select", { value, onChange: (event) => onChange(event.target.value) },
    h("option", { value: "" }, all), options.map((one) => h("option", { key: one, value: one }, one))));

export const taskPath = (run) =>
  airflow(`dags/${enc(run.dag_id)}/runs/${enc(run.run_id)}/tasks/${enc(run.task_id)}` +
    (run.map_index >= 0 ? `/mapped/${run.map_index}` : ""));

export const Links = ({ run }) =>
  h("span", { className: "esp-links" },
    h("a", { href: taskPath(run) }, "Log"),
    Object.entries(run.links).filter(([, url]) => /^https?:/.test(url)).map(([name, url]) =>
      h("a", { key: name, href: url, target: "_blank", rel: "noreferrer" }, name[0].toUpperCase() + name.slice(1))));

// -- the look: the host's own variables, which follow its light and dark modes

const v = (name) => `var(--chakra-colors-${name})`;
const CSS = `
.esp{padding:1rem;color:${v("fg")};font-size:.9rem;line-height:1.45;height:100%;overflow:auto;box-sizing:border-box;width:100%}
.esp *{box-sizing:border-box}
.esp h1{font-size:1.35rem;font-weight:600;margin:0 0 .75rem}
.esp h2{font-size:1.05rem;font-weight:600;margin:1.25rem 0 .5rem}
.esp h3{font-size:.95rem;font-weight:600;margin:0}
.esp a{color:${v("blue-fg")};text-decoration:underline;text-underline-offset:2px}
.esp :focus-visible{outline:2px solid ${v("blue-solid")};outline-offset:2px}
.esp-tabs{display:flex;gap:.25rem;border-bottom:1px solid ${v("border")};margin-bottom:1rem;overflow-x:auto}
.esp-tabs button{padding:.5rem .9rem;border:0;border-bottom:2px solid transparent;background:none;color:${v("fg-muted")};font:inherit;font-weight:500;cursor:pointer;white-space:nowrap}
.esp-tabs button[aria-selected=true]{color:${v("fg")};border-color:${v("blue-solid")}}
.esp-filters{display:flex;flex-wrap:wrap;gap:.75rem;align-items:end;margin-bottom:.9rem}
.esp-field{display:flex;flex-direction:column;gap:.15rem;min-width:9rem}.esp-field span{font-size:.78rem;color:${v("fg-muted")}}
.esp select,.esp input{font:inherit;color:${v("fg")};background:${v("bg")};border:1px solid ${v("border-emphasized")};border-radius:.375rem;padding:.35rem .5rem;min-width:0}
.esp select option{color:${v("fg")};background:${v("bg")}}
.esp-button{font:inherit;font-weight:500;color:${v("fg")};background:${v("bg-muted")};border:1px solid ${v("border-emphasized")};border-radius:.375rem;padding:.35rem .8rem;cursor:pointer}
.esp-button:hover{background:${v("bg-emphasized")}}.esp-button[disabled]{opacity:.55;cursor:default}
.esp-list{display:flex;flex-direction:column;gap:.5rem;list-style:none;margin:0;padding:0}
.esp-item{border:1px solid ${v("border")};border-radius:.5rem;background:${v("bg-panel")};padding:.65rem .85rem;display:grid;gap:.4rem .9rem;grid-template-columns:minmax(14rem,1.1fr) minmax(0,2fr) auto;align-items:start}
.esp-item>*{min-width:0;overflow-wrap:anywhere}
.esp-name{font-weight:600}.esp-muted{color:${v("fg-muted")};font-size:.82rem}
.esp-state{display:inline-flex;align-items:center;gap:.35rem;font-size:.82rem;font-weight:500;white-space:nowrap}
.esp-state i{width:.6rem;height:.6rem;border-radius:50%;background:${v("fg-subtle")}}
.esp-state.esp-good i{background:${v("green-solid")}}.esp-state.esp-bad i{background:${v("red-solid")}}.esp-state.esp-run i{background:${v("blue-solid")};animation:esp-pulse 1.4s infinite}.esp-state.esp-wait i{background:${v("purple-solid")}}.esp-state.esp-warn i{background:${v("orange-solid")}}
@keyframes esp-pulse{50%{opacity:.35}}
.esp-bar{display:flex;height:.55rem;border-radius:.3rem;overflow:hidden;background:${v("bg-emphasized")};margin:.25rem 0}
.esp-o-accepted{background:${v("green-solid")}}.esp-o-rejected{background:${v("red-solid")}}.esp-o-invalid{background:${v("orange-solid")}}.esp-o-duplicate{background:${v("gray-solid")}}.esp-o-suppressed{background:${v("purple-solid")}}.esp-o-unknown{background:${v("yellow-solid")}}.esp-o-not_reached{background:transparent}
.esp-numbers{font-size:.82rem;color:${v("fg-muted")};font-variant-numeric:tabular-nums}.esp-numbers b{color:${v("fg")}}
.esp-error{color:${v("red-fg")};font-size:.84rem}
.esp-links{display:flex;gap:.7rem;flex-wrap:wrap;font-size:.84rem}
.esp-note{border:1px solid ${v("border")};border-left-width:4px;border-radius:.375rem;padding:.7rem .9rem;margin:0 0 .9rem;background:${v("bg-subtle")};max-width:70rem}
.esp-note p{margin:.15rem 0 0}.esp-note.esp-bad{border-left-color:${v("red-solid")}}.esp-note.esp-warn{border-left-color:${v("orange-solid")}}.esp-note.esp-good{border-left-color:${v("green-solid")}}
.esp-skeleton{display:flex;flex-direction:column;gap:.5rem}.esp-skeleton i{height:3.6rem;border-radius:.5rem;background:${v("bg-muted")};animation:esp-pulse 1.6s infinite}
.esp-cards{display:grid;gap:.75rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,24rem),1fr))}
.esp-card{border:1px solid ${v("border")};border-radius:.5rem;background:${v("bg-panel")};padding:.85rem;display:flex;flex-direction:column;gap:.5rem;min-width:0;overflow-wrap:anywhere}
.esp-card dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:.15rem .8rem;margin:0;font-size:.86rem}.esp-card dt{color:${v("fg-muted")}}.esp-card dd{margin:0}
.esp-funnel{display:grid;grid-template-columns:auto minmax(3rem,1fr) auto;gap:.2rem .6rem;align-items:center;font-size:.84rem;font-variant-numeric:tabular-nums}
.esp-funnel .esp-bar{margin:0}.esp-funnel .esp-bar i{background:${v("blue-solid")}}
.esp-wide{overflow-x:auto;max-width:100%}.esp table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
.esp th,.esp td{padding:.4rem .6rem;border-bottom:1px solid ${v("border")};text-align:left;vertical-align:top}.esp thead th{color:${v("fg-muted")};font-weight:600;white-space:nowrap}
.esp td.n,.esp th.n{text-align:right;white-space:nowrap}
.esp-row{display:flex;gap:.6rem;flex-wrap:wrap;align-items:center}
@media(max-width:52rem){.esp{padding:.6rem}.esp-item{grid-template-columns:minmax(0,1fr)}.esp-field{flex:1 1 9rem}}
@media(min-width:160rem){.esp{font-size:1.05rem}}
@media(prefers-reduced-motion:reduce){.esp *{animation:none!important}}
`;
export const Sheet = () => h("style", null, CSS);
