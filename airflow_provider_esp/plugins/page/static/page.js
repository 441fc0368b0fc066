// The page as Airflow's UI loads it, without a build: React is the host's, and so are the colours.
// One module has four names, because Airflow asks for the page, its tabs and its card by name.
import { Accounts } from "./accounts.js";
import { Campaigns } from "./campaigns.js";
import { RefusedRows } from "./refused.js";
import { Runs } from "./runs.js";
import { Card } from "./card.js";
import { h, React, readPlace, Sheet, writePlace } from "./ui.js";

const VIEWS = [
  ["runs", "Runs", Runs],
  ["campaigns", "Campaigns", Campaigns],
  ["refused", "Refused rows", RefusedRows],
  ["accounts", "Accounts", Accounts],
];

// The views as tabs. `within` narrows them to a DAG or a run; then what is about connections is left out.
function Views({ within = {}, title }) {
  const views = within.dag_id ? VIEWS.slice(0, 3) : VIEWS;
  const [place, setPlace] = React.useState(readPlace);
  const known = views.some(([key]) => key === place.view) ? place.view : "runs";
  const go = (view, more = {}) => {
    const next = { view, ...more };
    if (!within.dag_id) writePlace(next); // the address of a tab is Airflow's
    setPlace(next);
  };
  const tabs = React.useRef({});
  const move = (event) => {
    const at = views.findIndex(([key]) => key === known);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: views.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const [key] = views[(to + views.length) % views.length];
    go(key);
    tabs.current[key]?.focus();
  };
  const [, , View] = views.find(([key]) => key === known);
  return h(
    "div",
    { className: "esp" },
    h(Sheet),
    title && h("h1", null, title),
    h(
      "div",
      { role: "tablist", "aria-label": "Views of the email services", className: "esp-tabs", onKeyDown: move },
      views.map(([key, name]) =>
        h(
          "button",
          {
            key,
            type: "button",
            role: "tab",
            id: `esp-tab-${key}`,
            ref: (node) => (tabs.current[key] = node),
            "aria-selected": key === known,
            "aria-controls": "esp-panel",
            tabIndex: key === known ? 0 : -1,
            onClick: () => go(key),
          },
          name,
        ),
      ),
    ),
    h(
      "div",
      { role: "tabpanel", id: "esp-panel", "aria-labelledby": `esp-tab-${known}` },
      h(View, { key: known, within, place, go }),
    ),
  );
}

const Page = () => h(Views, { title: "Email services" });
const Tab = ({ dagId, runId }) => h(Views, { within: { dag_id: dagId, ...(runId ? { run_id: runId } : {}) } });

globalThis["Email services"] = Page;
globalThis["Email services of a DAG"] = Tab;
globalThis["Email services of a run"] = Tab;
globalThis["Email services today"] = Card;
globalThis.AirflowPlugin = Page;
export default Page;
