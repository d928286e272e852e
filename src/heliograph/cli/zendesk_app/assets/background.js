// Runs from the moment an agent is in Zendesk, as the pane does not: lights the icon, and says once that there is something to read.

import { Watch, follow } from "./looking.js";
import { counted } from "./words.js";

const TOLD = "heliograph.told";
const client = window.ZAFClient.init();
let lit = "";

function told() {
  try {
    return JSON.parse(window.localStorage.getItem(TOLD) || "[]");
  } catch {
    return [];
  }
}

function remember(keys) {
  try {
    window.localStorage.setItem(TOLD, JSON.stringify(keys.slice(-50)));
  } catch {
    // Told again after a reload, then.
  }
}

async function icon() {
  const { instances } = await client.get("instances");
  const guid = Object.keys(instances).find((id) => instances[id].location === "top_bar");
  return guid ? client.instance(guid) : null;
}

async function light(symbol) {
  if (symbol === lit) return;
  const bar = await icon();
  if (!bar) return;
  await bar.set("iconSymbol", symbol);
  lit = symbol;
}

// The framework shows a message as HTML.
function plain(text) {
  return text.replace(/[&<>]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[sign]);
}

async function tell(notice, agent, lang) {
  const key = `${agent}:${notice.incident}`;
  const before = told();
  if (before.includes(key)) return;
  remember([...before, key]);
  const name = notice.counts.asked ? "asked" : "waiting";
  const count = counted(lang, notice.wording[name], name, notice.counts[name]);
  await client.invoke("notify", plain(`${notice.wording.title}. ${count}`), "alert", { sticky: true });
}

const watch = new Watch(client);
follow(watch, async (outcome) => {
  if (outcome.problem) return;
  const open = outcome.notices.filter((notice) => notice.unsettled);
  for (const notice of open) await tell(notice, watch.agent, outcome.language);
  await light(open.some((n) => n.counts.asked) ? "asking" : open.length ? "waiting" : "default");
});
