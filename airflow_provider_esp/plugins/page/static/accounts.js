// The connections: what they are, whether they work, how long their tokens last, and the button that connects.
import { ago, ask, h, moment, Note, number, React, Status, useClock, useFigures, writePlace } from "./ui.js";

const ANSWERS = {
  denied: "Access was not allowed at the service. Nothing was stored.",
  state: "The answer did not belong to what this browser had asked. Nothing was stored; begin again.",
  person: "Somebody else had asked. Nothing was stored; begin again.",
  expired: "It took longer than ten minutes. Nothing was stored; begin again.",
  nothing: "There was nothing to answer from this browser: it was used already, or asked elsewhere. Begin again.",
  right: "You may not edit this connection any more. Nothing was stored.",
  fernet: "This Airflow has no [core] fernet_key. Nothing was stored.",
  failed: "The service did not give tokens that work. Nothing was stored; the API server's log says why.",
  refused: "The connection cannot be connected this way. Nothing was stored.",
};

function Question({ done }) {
  const [asked, setAsked] = React.useState(null);
  const [problem, setProblem] = React.useState(null);
  React.useEffect(() => { ask("oauth/pending").then(setAsked, setProblem); }, []);
  const answer = (wanted) => ask("oauth/keep", {}, { wanted }).then(done, setProblem);
  if (problem) return h(Note, { kind: "bad", title: "The tokens were not kept" }, problem.message);
  if (!asked?.conn_id) return null;
  return h("div", { className: "esp-note esp-warn", role: "alertdialog", "aria-label": "Keep this account?" },
    h("strong", null, `You are connecting ${asked.owner || "an account without a name"}.`),
    h("p", null, `Its tokens would be kept for the connection ${asked.conn_id}.`),
    h("div", { className: "esp-row", style: { marginTop: ".5rem" } },
      h("button", { type: "button", className: "esp-button", onClick: () => answer(true) }, "Keep"),
      h("button", { type: "button", className: "esp-button", onClick: () => answer(false) }, "Discard")));
}

const left = (at, now) => (at > now / 1000 ? `${moment(at)} (in ${ago(at - now / 1000)})` : `ended ${moment(at)}`);

function Account({ account, now, again }) {
  const [busy, setBusy] = React.useState(false);
  const [told, setTold] = React.useState(null);
  const [sure, setSure] = React.useState(false);
  const act = (work) => {
    setBusy(true);
    setTold(null);
    return work().catch((error) => setTold({ works: false, said: error.message })).finally(() => setBusy(false));
  };
  const connect = () => act(async () => location.assign((await ask("oauth/start", {}, { conn_id: account.conn_id })).url));
  const check = () => act(async () => setTold(await ask("api/check", {}, { conn_id: account.conn_id })));
  const forget = () => act(async () => {
    await ask("oauth/forget", {}, { conn_id: account.conn_id });
    setSure(false);
    setTold({ works: true, said: "The tokens are forgotten. Disconnect the application in the service's settings as well: it documents no way to end them." });
    again();
  });
  const button = (name, onClick) => h("button", { type: "button", className: "esp-button", disabled: busy, onClick }, name);
  const line = (name, value) => value != null && value !== "" && [h("dt", { key: name }, name), h("dd", { key: `${name}-v` }, value)];
  const ends = account.refresh_ends && account.refresh_ends - now / 1000 < 7 * 86400;
  return h("article", { className: "esp-card", "aria-label": account.conn_id },
    h("h3", null, account.conn_id),
    account.problem && h(Note, { kind: "bad", title: "Needs a person" }, account.problem),
    ends && h(Note, { kind: "warn", title: account.refresh_ends > now / 1000 ? "The tokens end within a week" : "The tokens have ended" }, "Reconnect, or run RefreshTokensOperator on a schedule."),
    h("dl", null,
      line("Service", account.service), line("Kept in", account.where), line("Credential", account.credential),
      line("Connected", account.oauth), line("Scope", account.granted || account.scope), line("Tokens in", account.kept_in),
      account.access_ends && line("Access token", left(account.access_ends, now)),
      account.refresh_ends && line("Refresh token", left(account.refresh_ends, now)),
      account.rate_share && account.rate_share !== 1 && line("Share of the limits", `${number(100 * account.rate_share)} %`),
      Object.keys(account.limits ?? {}).length > 0 && line("Limits", Object.entries(account.limits).map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ")),
      line("Last met", account.met ? `${account.met.ok ? "works" : account.met.said ?? "failed"}, ${ago(now / 1000 - account.met.at)} ago by ${account.met.task}` : "no run yet")),
    told && h(Note, { kind: told.works ? "good" : "bad" }, told.said),
    h("div", { className: "esp-row" },
      account.oauth && account.may_edit && button(account.oauth === "not connected" ? "Connect" : "Reconnect", connect),
      account.oauth === "connected" && account.may_edit && (sure ? [button("Forget the tokens now", forget), button("Keep them", () => setSure(false))].map((one, at) => h(React.Fragment, { key: at }, one)) : button("Forget", () => setSure(true))),
      account.may_check && button("Check now", check)));
}

export function Accounts({ place }) {
  const found = useFigures("api/accounts", {}, 60);
  const [answer, setAnswer] = React.useState(place.oauth);
  const now = useClock();
  const data = found.data;
  const done = () => { setAnswer(null); writePlace({ view: "accounts" }); found.again(); };
  const oauth = data?.accounts.some((account) => account.oauth);
  return h("div", null,
    answer === "confirm" ? h(Question, { done }) : answer && ANSWERS[answer] && h(Note, { kind: "bad", title: "Not connected" }, ANSWERS[answer]),
    h(Status, { found, empty: data && !data.accounts.length ? ["No connections", "Make one of type esputnik or sendpulse in Admin, Connections."] : null }),
    h("div", { className: "esp-cards" }, (data?.accounts ?? []).map((account) => h(Account, { key: account.conn_id, account, now, again: found.again }))),
    oauth && h("p", { className: "esp-muted", style: { marginTop: "1rem" } }, "The address to register the application with, one for all connections: ", h("code", null, data.callback)));
}
