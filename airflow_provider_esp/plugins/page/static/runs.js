// Task instances of the operators over all DAGs, the newest first.
import { ago, Choice, Field, h, Links, moment, number, Outcomes, React, State, Status, useClock, useFigures, writePlace } from "./ui.js";

const OPERATORS = ["UploadContactsOperator", "ImportContactsFromUrlOperator", "SmartSendOperator", "SendEventsOperator",
  "SendEventOperator", "CreateBroadcastOperator", "BroadcastSensor", "DeliverySensor", "ImportSensor", "VerifyContactsOperator",
  "ExportActivityOperator", "ExportContactsOperator", "ExportBroadcastStatsOperator", "RefreshTokensOperator"];
const STATES = ["running", "deferred", "success", "failed", "up_for_retry", "skipped", "queued"];
const MOVING = ["running", "deferred", "queued", "scheduled", "up_for_retry", "restarting"];

export const countsOf = (run) => ({ ...run.result, ...run.record.counts });

// What is said of a run beside its bar: how fast, what it waits for, or how it went wrong.
export function facts(run, now) {
  const { record, result } = run;
  const told = [];
  const rows = Object.values(record.counts ?? {}).reduce((sum, n) => sum + n, 0);
  if (run.state === "running" && record.rate) {
    told.push(`${number(Math.round(record.rate))} rows a second`);
    if (record.total > rows) told.push(`about ${ago((record.total - rows) / record.rate)} left`);
  }
  if (["running", "deferred"].includes(run.state)) {
    if (record.open) told.push(`${number(record.open)} open imports`);
    if (record.deadline && run.state === "deferred") told.push(`waits until ${moment(record.deadline)} at the latest`);
  }
  const delivery = record.delivery;
  if (delivery) told.push(["delivered", "failed", "pending"].map((name) => `${number(delivery[name])} ${name}`).join(", "));
  const broadcast = record.broadcast ?? (result.broadcast_id ? result : null);
  if (broadcast?.reason) told.push(broadcast.reason);
  else if (broadcast?.delivered != null) told.push(`${number(broadcast.delivered)} delivered`);
  const waits = run.state === "deferred" && run.wait?.how_far;
  if (waits) told.push(run.wait.how_far);
  const at = Math.max(record.at ?? 0, waits ? run.wait.at : 0);
  if (at && ["running", "deferred"].includes(run.state)) told.push(`last known ${ago(now / 1000 - at)} ago`);
  if (record.dry_run || result.dry_run) told.push("dry run: nothing was sent");
  return told;
}

function Mapped({ run, within }) {
  const [open, setOpen] = React.useState(false);
  const total = Object.values(run.mapped).reduce((sum, n) => sum + n, 0);
  return h("div", null,
    h("button", { type: "button", className: "esp-button", "aria-expanded": open, onClick: () => setOpen(!open) },
      `${number(total)} mapped: ` + Object.entries(run.mapped).map(([state, n]) => `${number(n)} ${state}`).join(", ")),
    open && h(List, { query: { dag_id: run.dag_id, run_id: run.run_id, task_id: run.task_id }, within }));
}

function Run({ run, within, go, now }) {
  const counts = countsOf(run);
  const bad = ["failed", "up_for_retry", "upstream_failed"].includes(run.state);
  const refused = (counts.rejected ?? 0) + (counts.invalid ?? 0) + (counts.unknown ?? 0);
  return h("li", { className: "esp-item" },
    h("div", null,
      h("div", { className: "esp-name" }, run.task_id, run.map_index >= 0 && !run.mapped ? ` [${run.map_index}]` : ""),
      h("div", { className: "esp-muted" }, within.dag_id ? run.run_id : `${run.dag_id} · ${run.run_id}`),
      h("div", { className: "esp-muted" }, [run.operator, run.record.service, run.record.conn_id].filter(Boolean).join(" · "))),
    h("div", null,
      run.mapped ? h(Mapped, { run, within }) : h(React.Fragment, null,
        "accepted" in counts && h(Outcomes, { counts, total: run.record.total }),
        h("div", { className: "esp-muted" }, facts(run, now).join(" · ")),
        run.record.said && run.state !== "success" && h("div", { className: bad ? "esp-error" : "esp-muted" }, run.record.said))),
    h("div", null,
      h(State, { state: run.state }),
      h("div", { className: "esp-muted" }, run.start ? `${moment(run.start)}, ${ago((run.end ?? now / 1000) - run.start)}` : "not started"),
      run.try > 1 && h("div", { className: "esp-muted" }, `try ${run.try} of ${run.most_tries}`),
      h("div", { className: "esp-links" }, h(Links, { run }),
        go && !run.mapped && refused > 0 && h("a", {
          href: "?view=refused",
          onClick: (event) => { event.preventDefault(); go("refused", { dag_id: run.dag_id, run_id: run.run_id, task_id: run.task_id, map_index: run.map_index }); },
        }, "Refused rows"))));
}

// A list with its pages; it moves by itself while something in it does.
export function List({ query, within, service, go, empty }) {
  const [cursors, setCursors] = React.useState([""]);
  const key = JSON.stringify(query);
  React.useEffect(() => setCursors([""]), [key]);
  const [every, setEvery] = React.useState(30);
  const found = useFigures("api/runs", { ...query, cursor: cursors.at(-1) }, every);
  const now = useClock();
  const all = found.data?.runs ?? [];
  const runs = service ? all.filter((run) => run.record.service === service) : all;
  const moving = all.some((run) => MOVING.includes(run.state) || Object.keys(run.mapped ?? {}).some((state) => MOVING.includes(state)));
  React.useEffect(() => setEvery(moving ? 5 : 30), [moving]);
  return h("div", null,
    h(Status, { found, empty: found.data && !runs.length ? empty ?? ["No runs", "No task of this provider has run here."] : null }),
    h("ul", { className: "esp-list" }, runs.map((run) => h(Run, { key: run.id, run, within, go, now }))),
    (cursors.length > 1 || found.data?.next) && h("nav", { className: "esp-row", "aria-label": "Pages", style: { marginTop: ".75rem" } },
      h("button", { type: "button", className: "esp-button", disabled: cursors.length < 2, onClick: () => setCursors(cursors.slice(0, -1)) }, "Newer"),
      h("span", { className: "esp-muted" }, `page ${cursors.length}`),
      h("button", { type: "button", className: "esp-button", disabled: !found.data?.next, onClick: () => setCursors([...cursors, found.data.next]) }, "Older")));
}

export function Runs({ within, place, go }) {
  const [filter, setFilter] = React.useState({ dag_id: place.dag_id ?? "", service: place.service ?? "", operator: place.operator ?? "", state: place.state ?? "" });
  const change = (name) => (value) => {
    const next = { ...filter, [name]: value };
    setFilter(next);
    if (!within.dag_id) writePlace({ view: "runs", ...next });
  };
  const [dag, setDag] = React.useState(filter.dag_id);
  const { service, ...asked } = filter;
  return h("div", null,
    h("form", { className: "esp-filters", onSubmit: (event) => { event.preventDefault(); change("dag_id")(dag.trim()); } },
      !within.dag_id && h(Field, { label: "DAG" },
        h("input", { value: dag, placeholder: "its id, then Enter", onChange: (event) => setDag(event.target.value), onBlur: () => change("dag_id")(dag.trim()) })),
      h(Choice, { label: "Service, of the rows shown", value: filter.service, options: ["esputnik", "sendpulse"], onChange: change("service") }),
      h(Choice, { label: "Operator", value: filter.operator, options: OPERATORS, onChange: change("operator") }),
      h(Choice, { label: "State", value: filter.state, options: STATES, onChange: change("state") })),
    h(List, { query: { ...asked, ...within }, within, service, go,
      empty: Object.values(filter).some(Boolean) ? ["Nothing fits", "No run fits what is chosen above."] : undefined }));
}
