// The contact's phone: shows one conversation as it changes, and acts as its contact.
"use strict";

const $ = (id) => document.getElementById(id);
const phone = document.querySelector(".phone");
const asked = new URLSearchParams(location.search);
let service = asked.get("service") || "sunshine";
const chosen = { [service]: asked.get("conversation") || "" };
let source = null;
let shown = null;
let readTimer = 0;
let typingSent = 0;
const drawn = new Map();

const ICONS = {
  paper: "M6 3h8l4 4v14H6z M14 3v4h4",
  pin: "M12 21s7-6.3 7-11.5a7 7 0 0 0-14 0C5 14.7 12 21 12 21z M12 12.2a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2z",
  taken: "M2 6.5 5 9.5 12 2",
  read: "M1 6.5 4 9.5 10.5 2 M7.5 9 8 9.5 15 2",
};

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function icon(name, box) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", box);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

async function act(action, body, file) {
  const place = { service, conversation: shown ? shown.conversation : "" };
  const options = { method: "POST" };
  if (file) {
    options.body = new FormData();
    for (const [name, value] of Object.entries({ ...place, ...body })) options.body.append(name, value);
    options.body.append("file", file, file.name);
  } else {
    options.headers = { "content-type": "application/json" };
    options.body = JSON.stringify({ ...place, ...body });
  }
  try {
    const answer = await fetch(`/sandbox/contact/${action}`, options);
    const problem = answer.ok ? "" : (await answer.json()).error;
    complain(problem ? `That did not work: ${problem}` : "");
    return answer.ok;
  } catch {
    complain("The sandbox does not answer.");
    return false;
  }
}

function complain(words) {
  say(words);
  $("notice").classList.remove("calm");
}

function say(words) {
  $("notice").textContent = words;
  $("notice").hidden = !words;
  $("notice").classList.add("calm");
}

// --- drawing ---

function words(message) {
  const text = make("div", "words");
  for (const piece of message.text.split(/(https?:\/\/[^\s]+)/)) {
    if (/^https?:\/\//.test(piece)) text.append(link(piece, piece));
    else text.append(piece);
  }
  return text;
}

function link(address, text) {
  const a = make("a", "", text);
  if (/^https?:/.test(address)) a.href = address;
  a.target = "_blank";
  a.rel = "noopener noreferrer";
  return a;
}

function media({ kind, url, name }) {
  if (kind === "image") {
    const image = make("img", "picture");
    image.src = url;
    image.alt = name;
    image.addEventListener("load", stayAtEnd);
    return image;
  }
  const paper = make("a", "paper");
  paper.href = url;
  paper.target = "_blank";
  paper.rel = "noopener noreferrer";
  paper.append(icon("paper", "0 0 24 24"), make("span", "", name));
  return paper;
}

function place(where) {
  const pin = make("a", "pin");
  pin.href = `https://www.openstreetmap.org/?mlat=${where.lat}&mlon=${where.long}#map=16/${where.lat}/${where.long}`;
  pin.target = "_blank";
  pin.rel = "noopener noreferrer";
  const label = [where.name, where.address].filter(Boolean).join(", ") || `${where.lat}, ${where.long}`;
  pin.append(icon("pin", "0 0 24 24"), make("span", "", label));
  return pin;
}

function choices(actions) {
  const box = make("div", "choices");
  for (const action of actions) {
    if (action.uri) {
      box.append(link(action.uri, action.text));
      continue;
    }
    const button = make("button", "", action.text);
    button.type = "button";
    button.addEventListener("click", () => {
      if (action.type === "postback") act("postback", { payload: action.payload });
      else if (action.type === "reply") act("content", { content: { type: "text", text: action.text, payload: action.payload } });
      else if (action.type === "locationRequest") act("location", { latitude: 52.5163, longitude: 13.3777 });
    });
    box.append(button);
  }
  return box;
}

function sheet(message) {
  const form = make("form", "sheet");
  for (const field of message.fields) {
    const label = make("label", "", field.label);
    const input = make(field.type === "select" ? "select" : "input");
    input.name = field.name;
    input.disabled = message.submitted;
    for (const option of field.options || []) input.append(new Option(option.label, option.name));
    if (field.type === "email") input.type = "email";
    label.append(input);
    form.append(label);
  }
  const submit = make("button", "", message.submitted ? "Sent" : "Send");
  submit.disabled = message.submitted;
  const box = make("div", "choices");
  box.append(submit);
  form.append(box);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act("form", { message: message.id, answers: Object.fromEntries(new FormData(form)) });
  });
  return form;
}

function bubble(message, named) {
  const box = make("article", message.mine ? "bubble mine" : "bubble");
  if (message.kind === "sticker") box.classList.add("sticker");
  if (named) box.append(make("div", "sender", message.sender));
  if (message.media) box.append(media(message.media));
  if (message.place) box.append(place(message.place));
  if (message.text) box.append(words(message));
  for (const item of message.items || []) {
    const part = make("div", "item");
    part.append(make("strong", "", item.title));
    if (item.description) part.append(make("p", "", item.description));
    if (item.actions) part.append(choices(item.actions));
    box.append(part);
  }
  if (message.fields && !message.mine) box.append(sheet(message));
  if (message.actions) box.append(choices(message.actions));
  const foot = make("div", "foot");
  if (message.edited) foot.append("edited");
  const time = new Date(message.at / 1000);
  foot.append(make("time", "", time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  if (message.ticks) {
    const tick = icon(message.ticks, "0 0 16 11");
    tick.classList.add(message.ticks);
    tick.setAttribute("role", "img");
    tick.removeAttribute("aria-hidden");
    tick.setAttribute("aria-label", message.ticks === "read" ? "read" : "sent");
    foot.append(tick);
  }
  box.append(foot);
  return box;
}

function atEnd() {
  const talk = $("conversation");
  return talk.scrollHeight - talk.scrollTop - talk.clientHeight < 120;
}

function stayAtEnd() {
  $("conversation").scrollTop = $("conversation").scrollHeight;
}

function drawTalk() {
  const talk = $("conversation");
  const follow = atEnd();
  const fresh = drawn.size > 0;
  const wanted = [];
  let day = "";
  let sender = "";
  for (const message of shown.messages) {
    const today = new Date(message.at / 1000).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    if (today !== day) wanted.push(keep(`day:${today}`, today, () => make("div", "day", today)));
    day = today;
    const named = !message.mine && message.sender && message.sender !== sender;
    sender = message.mine ? "" : message.sender;
    wanted.push(keep(message.id, JSON.stringify([message, named]), () => bubble(message, named), fresh));
  }
  if (!shown.messages.length) wanted.push(keep("empty", "", () => make("p", "empty", "Write something: it becomes a ticket at the desk.")));
  if (shown.typing) wanted.push(keep("dots", "", dots));
  const alive = new Set(wanted);
  for (const child of [...talk.children]) if (!alive.has(child)) child.remove();
  wanted.forEach((element, i) => { if (talk.children[i] !== element) talk.insertBefore(element, talk.children[i] || null); });
  for (const [id, entry] of drawn) if (!alive.has(entry.element)) drawn.delete(id);
  if (follow) stayAtEnd();
}

function keep(id, signature, build, fresh) {
  const old = drawn.get(id);
  if (old && old.signature === signature) return old.element;
  const element = build();
  if (fresh && !old) element.classList.add("fresh");
  drawn.set(id, { signature, element });
  return element;
}

function dots() {
  const box = make("div", "dots");
  box.setAttribute("aria-label", "the desk is typing");
  box.append(make("i"), make("i"), make("i"));
  return box;
}

function drawBar(phones) {
  phone.dataset.service = service;
  const subtitle = $("subtitle");
  const desk = (shown && shown.desk) || "Desk";
  $("title").textContent = desk;
  $("avatar").textContent = [...desk][0];
  subtitle.classList.toggle("typing", Boolean(shown && shown.typing));
  const channel = { whatsapp: "WhatsApp", web: "Web" }[shown && shown.channel] || (shown && shown.channel) || "";
  const line = channel === "telegram" ? "Telegram" : channel;
  subtitle.textContent = !shown ? "nobody here yet" : shown.typing ? "typing …" : shown.blocked ? "blocked" : `${shown.name}'s phone · ${line}`;
  $("block").textContent = shown && shown.blocked ? "Unblock this desk" : "Block this desk";
  $("silent").hidden = !(shown && shown.window);
  const mine = phones.filter((p) => p.service === service);
  const select = $("contacts");
  select.hidden = mine.length < 2;
  const signature = JSON.stringify(mine);
  if (select.dataset.signature !== signature) {
    select.dataset.signature = signature;
    select.replaceChildren(...mine.map((p) => new Option(p.name, p.conversation)));
  }
  select.value = shown ? shown.conversation : "";
}

// One tab for each service that somebody can be reached through; the first two are there from the start.
function drawTabs(all, phones) {
  const there = all.filter((t) => t.service === service || ["sunshine", "telegram"].includes(t.service) || phones.some((p) => p.service === t.service));
  const row = $("tabs");
  const signature = JSON.stringify(there);
  if (row.dataset.signature !== signature) {
    row.dataset.signature = signature;
    row.replaceChildren(...there.map((t) => {
      const tab = make("button", "", t.title);
      tab.type = "button";
      tab.id = `tab-${t.service}`;
      tab.dataset.tab = t.service;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", "conversation");
      tab.addEventListener("click", () => choose(t.service));
      return tab;
    }));
  }
  for (const tab of row.children) {
    const chosenTab = tab.dataset.tab === service;
    tab.setAttribute("aria-selected", String(chosenTab));
    tab.tabIndex = chosenTab ? 0 : -1;
  }
}

function drawNobody() {
  drawn.clear();
  const box = make("div", "empty", "No contact lives here yet.");
  const button = make("button", "", "Make a demo contact");
  button.type = "button";
  button.addEventListener("click", () => fetch("/sandbox/seed", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" }));
  box.append(document.createElement("br"), button);
  $("conversation").replaceChildren(box);
}

// --- following the conversation ---

// The strip breaks what is looked at here, unless told otherwise there.
const looking = new BroadcastChannel("sandbox-service");

function choose(name) {
  service = name;
  complain("");
  looking.postMessage(name);
  follow();
}

function follow() {
  if (source) source.close();
  drawn.clear();
  $("conversation").replaceChildren();
  const query = new URLSearchParams({ service, conversation: chosen[service] || "" });
  source = new EventSource(`/sandbox/phone/stream?${query}`);
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    shown = news.phone;
    if (!shown) {
      const first = news.phones.find((p) => p.service === service);
      if (first) {
        chosen[service] = first.conversation;
        follow();
        return;
      }
    }
    if (shown) drawTalk();
    else drawNobody();
    drawTabs(news.tabs, news.phones);
    drawBar(news.phones);
    scheduleRead();
  };
  source.onerror = () => { $("subtitle").textContent = "connecting …"; };
}

function scheduleRead() {
  clearTimeout(readTimer);
  if (!shown || !$("receipts").checked || document.hidden || !shown.messages.some((m) => m.new)) return;
  readTimer = setTimeout(() => act("read", {}), 900);
}

document.addEventListener("visibilitychange", scheduleRead);
$("receipts").addEventListener("change", scheduleRead);
$("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const tabs = [...$("tabs").children];
  const next = tabs[(tabs.findIndex((tab) => tab.dataset.tab === service) + step + tabs.length) % tabs.length];
  choose(next.dataset.tab);
  next.focus();
});
$("contacts").addEventListener("change", (event) => { chosen[service] = event.target.value; follow(); });

// --- writing ---

const text = $("text");

function grow() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

$("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = text.value.trim();
  if (!said || !shown) return;
  if (await act("text", { text: said })) {
    if (text.value.trim() === said) text.value = "";
    typingSent = 0;
    grow();
    stayAtEnd();
  }
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("write").requestSubmit();
  }
});
text.addEventListener("input", () => {
  grow();
  const now = Date.now();
  if (service === "sunshine" && text.value && now - typingSent > 5000) {
    typingSent = now;
    act("typing", { on: true });
  }
});
$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  if (file && (await act("file", {}, file))) stayAtEnd();
  $("file").value = "";
});

function fromMenu(id, work) {
  $(id).addEventListener("click", () => {
    document.querySelector(".menu").open = false;
    work();
  });
}
fromMenu("read", () => act("read", {}));
fromMenu("place", () => act("location", { latitude: 52.5163, longitude: 13.3777 }));
fromMenu("silent", async () => {
  if (await act("fall_silent", {})) say("For the service a day has passed: only templates arrive, where it has them, until something is written here.");
});
fromMenu("block", () => act("block", { blocked: !(shown && shown.blocked) }));
document.addEventListener("click", (event) => {
  const menu = document.querySelector(".menu");
  if (!menu.contains(event.target)) menu.open = false;
});

follow();
