// The agents' page: tickets as they change, and what an agent writes.
"use strict";

const $ = (id) => document.getElementById(id);
let source = null;
let chosen = "";
let shown = null;
let retry = 0;
let acting = false;
let agents = [];

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function complain(id, words) {
  $(id).textContent = words;
  $(id).hidden = !words;
}

async function ask(path, body, noticed, form) {
  const options = form
    ? { method: "POST", body: form }
    : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  try {
    const answer = await fetch(`/sandbox/zendesk/${path}`, options);
    complain(noticed, answer.ok ? "" : `That did not work: ${(await answer.json()).error}`);
    return answer.ok;
  } catch {
    complain(noticed, "The sandbox does not answer.");
    return false;
  }
}

function clock(at) {
  const time = new Date(at / 1000);
  const today = time.toDateString() === new Date().toDateString();
  return time.toLocaleString([], today ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

// --- drawing ---

function drawList(tickets) {
  const rows = tickets.map((ticket) => {
    const item = make("li");
    const row = make("button", "row");
    row.type = "button";
    row.dataset.ticket = ticket.id;
    if (String(ticket.id) === chosen) row.setAttribute("aria-current", "true");
    const state = make("span", "state", ticket.state);
    state.dataset.state = ticket.state;
    row.append(make("strong", "", `#${ticket.id} ${ticket.subject}`), state);
    if (ticket.errors) row.append(make("span", "wrong", ticket.errors === 1 ? "1 reply was not delivered" : `${ticket.errors} replies were not delivered`));
    else row.append(make("span", "last", `${ticket.requester}: ${ticket.last}`));
    row.append(make("time", "", clock(ticket.updated)));
    item.append(row);
    return item;
  });
  const focused = document.activeElement && document.activeElement.dataset.ticket;
  $("tickets").replaceChildren(...rows);
  if (focused) document.querySelector(`[data-ticket="${focused}"]`)?.focus({ preventScroll: true });
  $("no-tickets").hidden = tickets.length > 0;
}

function words(text) {
  const box = make("div", "text");
  for (const piece of text.split(/(https?:\/\/[^\s]+)/)) {
    if (/^https?:\/\//.test(piece)) box.append(link(piece, piece));
    else box.append(piece);
  }
  return box;
}

function link(address, text) {
  const a = make("a", "", text);
  if (/^https?:/.test(address) || address.startsWith("/")) a.href = address;
  a.target = "_blank";
  a.rel = "noopener noreferrer";
  return a;
}

function file({ name, kind, url, problem }) {
  if (!url) return make("div", "problem", `${name}: ${problem || "being fetched"}`);
  if (kind === "image") {
    const image = make("img", "picture");
    image.src = url;
    image.alt = name;
    return image;
  }
  const paper = link(url, name);
  paper.className = "paper";
  return paper;
}

function kindOf(comment) {
  if (!comment.public) return "Internal note";
  if (comment.sending === "sending") return comment.attempts ? `sending, attempt ${comment.attempts + 1}` : "sending";
  return "";
}

function drawComment(comment) {
  const box = make("li", `comment ${comment.role}${comment.public ? "" : " note"}`);
  box.dataset.comment = comment.id;
  const head = make("header");
  head.append(make("strong", "", comment.author));
  const kind = kindOf(comment);
  if (kind) head.append(make("span", "kind", kind));
  head.append(make("time", "", clock(comment.at)));
  box.append(head, words(comment.text), ...comment.files.map(file));
  if (comment.link && comment.public) {
    const on = make("div", "on");
    on.append(link(comment.link, "View in the channel"));
    box.append(on);
  }
  for (const error of comment.errors) box.append(make("div", "error", error));
  return box;
}

function drawCase(ticket) {
  $("case").hidden = !ticket;
  $("desk").classList.toggle("shows-case", Boolean(ticket));
  if (!ticket) return;
  $("subject").textContent = `#${ticket.id} ${ticket.subject}`;
  const parts = [ticket.requester, ticket.channel && `via ${ticket.channel}${ticket.account ? ` · ${ticket.account}` : ""}`];
  if (ticket.follow_up_of) parts.push(`follow-up of #${ticket.follow_up_of}`);
  if (ticket.assignee) parts.push(`assigned to ${ticket.assignee}`);
  $("about").textContent = parts.filter(Boolean).join(" · ");
  $("state").textContent = ticket.state;
  $("state").dataset.state = ticket.state;
  const list = $("comments");
  const fresh = list.dataset.ticket !== String(ticket.id);
  const follow = fresh || list.scrollHeight - list.scrollTop - list.clientHeight < 120;
  const signature = JSON.stringify(ticket.comments);
  if (list.dataset.signature !== signature) {
    list.dataset.signature = signature;
    list.dataset.ticket = ticket.id;
    list.replaceChildren(...ticket.comments.map(drawComment));
    if (follow) list.scrollTop = list.scrollHeight;
  }
  setForm(ticket);
}

function setForm(ticket) {
  const closed = ticket.state === "closed";
  for (const element of $("compose").elements) element.disabled = closed;
  $("attach").hidden = !ticket.takes_files || closed;
  $("text").placeholder = closed ? "A closed ticket takes no comments" : isNote() ? "Only agents see this" : "Goes to the customer";
}

function drawAgents(people) {
  if (JSON.stringify(people) === JSON.stringify(agents)) return;
  agents = people;
  const before = $("agent").value;
  $("agent").replaceChildren(...people.map((p) => new Option(p.name, p.id)));
  if (before) $("agent").value = before;
}

function drawNotice(accounts) {
  const off = accounts.filter((a) => !a.active);
  const names = off.map((a) => a.name).join(", ");
  const why = off.map((a) => a.deactivating_error).find(Boolean);
  complain("account-notice", off.length ? `Switched off: ${names}. ${why || ""}` : "");
}

// --- following ---

function follow() {
  clearTimeout(retry);
  if (source) source.close();
  source = new EventSource(`/sandbox/zendesk/stream?ticket=${encodeURIComponent(chosen)}`);
  source.onopen = () => { $("connection").textContent = "live"; };
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    shown = news.ticket;
    $("connection").textContent = `${news.tickets.length} ${news.tickets.length === 1 ? "ticket" : "tickets"} · live`;
    drawList(news.tickets);
    drawAgents(news.agents);
    drawCase(shown);
    drawNotice(news.accounts);
    drawChannels(news);
  };
  source.onerror = () => {
    $("connection").textContent = "connecting …";
    if (source.readyState === EventSource.CLOSED) retry = setTimeout(follow, 1000);
  };
}

function choose() {
  const wanted = location.hash.slice(1);
  chosen = /^\d+$/.test(wanted) ? wanted : "";
  if (!chosen) drawCase(null);
  complain("notice", "");
  follow();
}

$("tickets").addEventListener("click", (event) => {
  const row = event.target.closest("[data-ticket]");
  if (row) location.hash = row.dataset.ticket;
});
$("back").addEventListener("click", () => { location.hash = ""; });
window.addEventListener("hashchange", choose);

// --- writing ---

function isNote() {
  return document.querySelector("[name=kind]:checked").value === "note";
}

for (const radio of document.querySelectorAll("[name=kind]")) {
  radio.addEventListener("change", () => {
    $("compose").classList.toggle("is-note", isNote());
    if (shown) setForm(shown);
  });
}

$("files").addEventListener("change", () => {
  const names = [...$("files").files].map((f) => f.name).join(", ");
  $("attached").textContent = names;
  $("attached").hidden = !names;
});

async function submit() {
  const said = $("text").value.trim();
  const common = { ticket: shown.id, agent: Number($("agent").value) };
  const files = [...$("files").files];
  if (said) {
    let form = null;
    if (files.length && !isNote()) {
      form = new FormData();
      for (const [name, value] of Object.entries({ ...common, text: said })) form.append(name, value);
      files.forEach((each, i) => form.append(`file${i}`, each, each.name));
    }
    if (!(await ask(`act/${isNote() ? "note" : "reply"}`, { ...common, text: said }, "notice", form))) return;
    $("text").value = "";
    $("files").value = "";
    $("attached").hidden = true;
  }
  if ($("as").value && (await ask("act/state", { ...common, state: $("as").value }, "notice"))) $("as").value = "";
}

$("compose").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!shown || acting) return;
  acting = true;
  try {
    await submit();
  } finally {
    acting = false;
  }
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
    event.preventDefault();
    $("compose").requestSubmit();
  }
});

choose();
