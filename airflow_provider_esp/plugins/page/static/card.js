// The card on Airflow's dashboard: today's rows, what is refused, what waits.
import { airflow, h, number, Sheet, Status, useFigures } from "./ui.js";

export function Card() {
  const found = useFigures("api/today", {}, 60);
  const told = found.data;
  return h("section", { className: "esp", style: { height: "auto", padding: 0 }, "aria-label": "Email services" },
    h(Sheet),
    h("div", { className: "esp-card" },
      h("div", { className: "esp-row", style: { justifyContent: "space-between" } },
        h("h2", { style: { margin: 0 } }, "Email services, last 24 hours"), h("a", { href: airflow("plugin/esp") }, "Open")),
      h(Status, { found, empty: told && !told.tasks ? ["Nothing today", "No task of this provider has run in the last 24 hours."] : null }),
      told?.tasks > 0 && h("div", { className: "esp-row esp-numbers" },
        h("span", null, h("b", null, number(told.counts.accepted)), " rows accepted"),
        h("span", null, h("b", null, number(told.counts.rejected + told.counts.invalid)), " refused"),
        h("span", null, h("b", null, number(told.waiting)), " waiting"),
        h("span", null, h("b", null, number(told.failed)), " failed"),
        told.partial && h("span", null, `of the newest ${number(told.tasks)} tasks`))));
}
