// The pane under the icon in the top bar: the agent's own notices, counting down.

import { BECAME, Watch, follow } from "./looking.js";
import { WORDS, fill, counted } from "./words.js";

const WIDTH = 380;
const TICKETS = 20;
const client = window.ZAFClient.init();
const $ = (id) => document.getElementById(id);
let last = "";

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function ticketLinks(notice, lang) {
  const open = [...notice.tickets].filter(([, became]) => became === "waiting" || became === "asked");
  if (!open.length) return null;
  const nav = make("nav", "tickets");
  nav.setAttribute("aria-label", WORDS[lang].tickets);
  for (const [ticket, became] of open.slice(0, TICKETS)) {
    const link = make("button", became, `#${ticket}`);
    link.type = "button";
    link.addEventListener("click", () => client.invoke("routeTo", "ticket", ticket));
    nav.append(link);
  }
  if (open.length > TICKETS) nav.append(make("span", "more", `+${open.length - TICKETS}`));
  return nav;
}

function lines(notice, lang) {
  const { wording, counts } = notice;
  const list = make("ul");
  for (const name of BECAME) {
    if (!counts[name]) continue;
    const line = make("li", name, counted(lang, wording[name], name, counts[name]));
    line.dataset.count = counts[name];
    list.append(line);
  }
  return list;
}

function drawNotice(notice, lang) {
  const { wording, counts } = notice;
  const box = make("section", `notice ${notice.unsettled ? notice.severity : "settled"}`);
  box.dataset.incident = notice.incident;
  box.append(make("h2", "", wording.title), make("p", "", wording.told), lines(notice, lang));
  const advice = counts.asked ? wording.decide : counts.waiting ? wording.go_on : wording.settled;
  if (advice) box.append(make("p", "advice", advice));
  if (notice.decide) {
    const link = make("a", "decide", WORDS[lang].decide);
    link.href = notice.decide;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    box.append(link);
  }
  const links = ticketLinks(notice, lang);
  if (links) box.append(links);
  return box;
}

function draw(outcome) {
  const lang = outcome.language;
  const words = WORDS[lang];
  document.documentElement.lang = lang;
  const problem = outcome.problem ? words[outcome.problem] : outcome.complete ? "" : words.incomplete;
  $("problem").textContent = problem;
  $("problem").hidden = !problem;
  // What was known stays while Heliograph is away: it is better than nothing, and the time says how old it is.
  if (!outcome.problem) {
    const signature = JSON.stringify(outcome.notices.map((n) => [n.incident, n.counts, n.wording.title, n.decide, [...n.tickets]]));
    if (signature !== last) $("notices").replaceChildren(...outcome.notices.map((notice) => drawNotice(notice, lang)));
    last = signature;
    $("calm").textContent = words.calm;
    $("calm").hidden = outcome.notices.length > 0 || !outcome.complete;
    const time = new Date().toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit" });
    $("checked").textContent = fill(words.checked, { time });
  }
  client.invoke("resize", { width: `${WIDTH}px`, height: `${Math.min(560, document.querySelector("main").scrollHeight + 4)}px` });
}

const going = follow(new Watch(client), draw);
client.on("pane.activated", () => going.now());
client.on("pane.deactivated", () => going.pause());
