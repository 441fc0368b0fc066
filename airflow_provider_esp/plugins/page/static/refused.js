// The rows of one run that were not accepted: why, how many, and which.
import { airflow, ask, Choice, h, Note, number, React, Status, useFigures } from "./ui.js";
import { countsOf } from "./runs.js";

const HIDDEN = ["rejected", "invalid", "unknown", "duplicate", "suppressed", "not_reached"];
const notAccepted = (run) => HIDDEN.reduce((sum, name) => sum + (countsOf(run)[name] ?? 0), 0);
const placeOf = ({ dag_id, run_id, task_id, map_index }) => ({ dag_id, run_id, task_id, map_index });

function Pick({ within, open }) {
  const found = useFigures("api/runs", within, 30);
  const runs = (found.data?.runs ?? []).filter((run) => !run.mapped && notAccepted(run) > 0);
  return h("div", null,
    h(Status, { found, empty: found.data && !runs.length ? ["No refused rows", "In the newest runs every row was accepted."] : null }),
    h("ul", { className: "esp-list" }, runs.map((run) => h("li", { key: run.id, className: "esp-item" },
      h("div", null, h("div", { className: "esp-name" }, run.task_id), h("div", { className: "esp-muted" }, `${run.dag_id} · ${run.run_id}`)),
      h("div", { className: "esp-numbers" }, HIDDEN.filter((name) => countsOf(run)[name]).map((name) => `${number(countsOf(run)[name])} ${name.replace("_", " ")}`).join(" · ")),
      h("button", { type: "button", className: "esp-button", onClick: () => open(placeOf(run)) }, "Open")))));
}

function Reasons({ reasons, others }) {
  if (!reasons.length) return null;
  const most = Math.max(...reasons.map(([, rows]) => rows));
  return h("div", { className: "esp-funnel", style: { marginBottom: "1rem", maxWidth: "60rem" } },
    reasons.flatMap(([reason, rows]) => [
      h("span", { key: reason }, reason),
      h("div", { key: `${reason} bar`, className: "esp-bar", "aria-hidden": true }, h("i", { style: { width: `${(100 * rows) / most}%` } })),
      h("span", { key: `${reason} rows` }, number(rows)),
    ]),
    others && h("span", { className: "esp-muted" }, `and ${number(others[1])} rows for ${number(others[0])} other reasons`));
}

function Rows({ at, back }) {
  const [reason, setReason] = React.useState("");
  const [whole, setWhole] = React.useState(false);
  const [more, setMore] = React.useState([]);
  const [problem, setProblem] = React.useState(null);
  const query = { ...at, reason, whole: whole ? "true" : "" };
  const found = useFigures("api/rows", query, 0);
  React.useEffect(() => setMore([]), [JSON.stringify(query)]);
  const data = found.data;
  const rows = [...(data?.rows ?? []), ...more.flatMap((one) => one.rows)];
  const next = more.length ? more.at(-1).next : data?.next;
  const load = () => ask("api/rows", { ...query, cursor: next }).then((one) => { setProblem(null); setMore([...more, one]); }, setProblem);
  const reasons = data?.reasons ?? [];
  return h("div", null,
    h("div", { className: "esp-row" }, h("button", { type: "button", className: "esp-button", onClick: back }, "All runs"),
      h("h2", null, `${at.task_id} · ${at.run_id}`)),
    h(Status, { found }),
    h(Reasons, { reasons, others: data?.other_reasons }),
    data && h("div", { className: "esp-filters" },
      h(Choice, { label: "Reason", value: reason, options: reasons.map(([one]) => one), onChange: setReason }),
      data.may_show_whole && h("label", { className: "esp-row" },
        h("input", { type: "checkbox", checked: whole, onChange: (event) => setWhole(event.target.checked) }), "Show rows whole (noted in the audit log)")),
    data && !rows.length && h(Note, { title: "No rows" }, "Nothing in the report fits."),
    rows.length > 0 && h("div", { className: "esp-wide", tabIndex: 0, role: "region", "aria-label": "Rows" },
      h("table", null,
        h("thead", null, h("tr", null, h("th", { className: "n" }, "Row"), h("th", null, "Key"), h("th", null, "Outcome"), h("th", null, "Reason"), whole && h("th", null, "Values"))),
        h("tbody", null, rows.map((row, index) => h("tr", { key: index },
          h("td", { className: "n" }, number(row.row)), h("td", null, row.key ?? "–"), h("td", null, row.outcome.replace("_", " ")), h("td", null, row.reason || "–"),
          whole && h("td", null, row.values ? JSON.stringify(row.values) : "–")))))),
    problem && h(Note, { kind: "bad", title: "The rows could not be read" }, problem.message),
    next && h("button", { type: "button", className: "esp-button", onClick: load }, "More rows"),
    data?.parts.length > 0 && h("details", null, h("summary", null, `Part files (${number(data.parts.length)})`),
      h("ul", null, data.parts.map((name) => h("li", { key: name },
        h("a", { href: airflow(`esp/api/part?${new URLSearchParams({ ...at, name })}`), download: name }, name))))));
}

export function RefusedRows({ within, place, go }) {
  const [at, setAt] = React.useState(place.task_id ? { map_index: -1, ...placeOf(place) } : null);
  if (!at) return h(Pick, { within, open: setAt });
  return h(Rows, { at, back: () => { setAt(null); go("refused"); } });
}
