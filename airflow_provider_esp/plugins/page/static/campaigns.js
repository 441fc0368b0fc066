// Broadcasts and sends: what became of each, as a funnel, and two of them side by side.
import { ago, h, Links, moment, Note, number, Outcomes, percent, React, State, Status, useClock, useFigures } from "./ui.js";
import { countsOf } from "./runs.js";

const STAGES = ["sent", "delivered", "read", "clicked"];
const COSTS = ["unsubscribed", "complained", "bounced", "failed"];
const SENDS = ["SmartSendOperator", "SendEventsOperator", "SendEventOperator"];

// The figures that one task knows of its campaign; a figure that nobody knows is missing, and not 0.
function figuresOf(run) {
  const { record, result } = run;
  const told = {};
  const put = (name, value) => typeof value === "number" && (told[name] = value);
  if (run.operator === "ExportBroadcastStatsOperator") [...STAGES, ...COSTS].forEach((name) => put(name, result[name]));
  const counts = countsOf(run);
  if (SENDS.includes(run.operator)) put("sent", counts.accepted);
  const broadcast = { ...result, ...record.broadcast };
  if (broadcast.delivered != null) {
    put("delivered", broadcast.delivered);
    if (broadcast.undelivered != null) {
      put("failed", broadcast.undelivered);
      put("sent", told.sent ?? broadcast.delivered + broadcast.undelivered);
    }
  }
  const delivery = record.delivery ?? (typeof result.pending === "number" ? result : null);
  if (delivery) {
    ["delivered", "failed"].forEach((name) => put(name, delivery[name]));
    const words = delivery.words ?? result.words ?? {};
    put("sent", told.sent ?? delivery.total);
    if (words.read != null || words.clicked != null) put("read", (words.read ?? 0) + (words.clicked ?? 0));
    ["clicked", "unsubscribed", "complained", "bounced"].forEach((name) => put(name, words[name]));
  }
  return told;
}

// Tasks that are about the same broadcast, or wait for the one send of their run, are one campaign.
export function campaignsOf(runs) {
  const found = new Map();
  const sends = new Map();
  for (const run of runs)
    if (SENDS.includes(run.operator)) {
      const place = `${run.dag_id}\n${run.run_id}`;
      sends.set(place, [...(sends.get(place) ?? []), run.id]);
    }
  for (const run of [...runs].reverse()) { // the oldest first, so that what is known last counts
    const place = `${run.dag_id}\n${run.run_id}`;
    const id = run.record.kind === "broadcast" ? run.record.id : run.result.broadcast_id;
    const only = sends.get(place)?.length === 1 ? sends.get(place)[0] : null;
    const key = id ? `${run.record.conn_id ?? ""}\n${id}` : run.operator === "DeliverySensor" && only ? only : run.id;
    const before = found.get(key) ?? { key, runs: [], figures: {} };
    found.set(key, {
      ...before,
      title: before.title ?? run.record.title ?? run.result.title,
      audience: before.audience ?? run.record.audience,
      id: before.id ?? id ?? run.record.id,
      service: before.service ?? run.record.service,
      figures: { ...before.figures, ...figuresOf(run) },
      counts: "accepted" in countsOf(run) ? countsOf(run) : before.counts,
      total: run.record.total ?? before.total,
      state: run.record.broadcast?.state ?? run.result.state ?? before.state,
      reason: run.record.broadcast?.reason ?? run.result.reason ?? before.reason,
      at: Math.max(before.at ?? 0, run.record.at ?? run.end ?? run.start ?? 0),
      runs: [run, ...before.runs],
    });
  }
  const all = [...found.values()].reverse();
  return [...all.filter(needsPerson), ...all.filter((one) => !needsPerson(one))];
}

const needsPerson = (one) =>
  ["failed", "action_required"].includes(one.state) || one.runs.some((run) => ["failed", "up_for_retry"].includes(run.state));
const nameOf = (one) => one.title ?? `${one.runs[0].dag_id} · ${one.runs[0].task_id}`;

export function Funnel({ figures }) {
  const known = STAGES.filter((stage) => figures[stage] != null);
  if (!known.length) return h("p", { className: "esp-muted" }, "No figures are known yet.");
  const most = Math.max(...known.map((stage) => figures[stage]), 1);
  const costs = COSTS.filter((name) => figures[name]);
  return h("div", null,
    h("div", { className: "esp-funnel" }, known.flatMap((stage) => [
      h("span", { key: stage }, stage),
      h("div", { key: `${stage}-bar`, className: "esp-bar", "aria-hidden": true }, h("i", { style: { width: `${(100 * figures[stage]) / most}%` } })),
      h("span", { key: `${stage}-n` }, `${number(figures[stage])}`, stage !== "sent" && figures.sent ? ` (${percent(figures[stage], figures.sent)})` : ""),
    ])),
    costs.length > 0 && h("div", { className: "esp-numbers" }, costs.map((name) => `${number(figures[name])} ${name}`).join(" · ")));
}

function Campaign({ one, now, chosen, choose }) {
  const [run] = one.runs;
  const said = one.runs.map((each) => each.state !== "success" && each.record.said).find(Boolean);
  return h("article", { className: "esp-card", "aria-label": nameOf(one) },
    h("div", { className: "esp-row", style: { justifyContent: "space-between" } }, h("h3", null, nameOf(one)), h(State, { state: run.state })),
    needsPerson(one) && h(Note, { kind: "bad", title: "Needs a person" }, said ?? one.reason ?? "See the log."),
    h("dl", null,
      one.audience?.length > 0 && [h("dt", { key: "a" }, "Audience"), h("dd", { key: "b" }, one.audience.join(", "))],
      h("dt", null, "At the service"), h("dd", null, [one.service, one.id, one.state].filter(Boolean).join(" · ") || "–"),
      h("dt", null, "Started"), h("dd", null, moment(one.runs.at(-1).start)),
      h("dt", null, "Run"), h("dd", null, `${run.dag_id} · ${run.run_id}`)),
    one.counts && h(Outcomes, { counts: one.counts, total: one.total }),
    h(Funnel, { figures: one.figures }),
    h("div", { className: "esp-muted" }, [one.reason, one.at ? `figures of ${ago(now / 1000 - one.at)} ago` : null].filter(Boolean).join(" · ")),
    h("div", { className: "esp-row" },
      one.runs.slice(0, 3).map((each) => h("span", { key: each.id, className: "esp-row" }, h("span", { className: "esp-muted" }, each.task_id), h(Links, { run: each }))),
      h("label", { className: "esp-row" }, h("input", { type: "checkbox", checked: chosen, onChange: () => choose(one.key) }), "Compare")));
}

export function Campaigns({ within }) {
  const [cursors, setCursors] = React.useState([""]);
  const [chosen, setChosen] = React.useState([]);
  const found = useFigures("api/runs", { campaigns: "true", cursor: cursors.at(-1), ...within }, 15);
  const now = useClock();
  const all = campaignsOf(found.data?.runs ?? []);
  const choose = (key) => setChosen((before) => (before.includes(key) ? before.filter((one) => one !== key) : [...before, key].slice(-2)));
  const pair = all.filter((one) => chosen.includes(one.key));
  return h("div", null,
    h(Status, { found, empty: found.data && !all.length ? ["No campaigns", "A task that sends, or waits for a broadcast, is shown here from its start on."] : null }),
    pair.length === 2 && h("section", { "aria-label": "Side by side" }, h("h2", null, "Side by side"),
      h("div", { className: "esp-cards" }, pair.map((one) => h("div", { key: one.key, className: "esp-card" }, h("h3", null, nameOf(one)), h(Funnel, { figures: one.figures })))),
      h("h2", null, "All")),
    h("div", { className: "esp-cards" }, all.map((one) => h(Campaign, { key: one.key, one, now, chosen: chosen.includes(one.key), choose }))),
    (cursors.length > 1 || found.data?.next) && h("nav", { className: "esp-row", "aria-label": "Pages", style: { marginTop: ".75rem" } },
      h("button", { type: "button", className: "esp-button", disabled: cursors.length < 2, onClick: () => setCursors(cursors.slice(0, -1)) }, "Newer"),
      h("button", { type: "button", className: "esp-button", disabled: !found.data?.next, onClick: () => setCursors([...cursors, found.data.next]) }, "Older")));
}
