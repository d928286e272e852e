// What htmx cannot do for the desk: times in words, drafts, attached files, where one was reading, and telling what changed.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

  // The page brings the script's sentences in the reader's language.
  const translated = JSON.parse(document.body.dataset.words || "{}");
  const t = (text) => translated[text] || text;

  // --- times ---

  function sameDay(a, b) {
    return a.toDateString() === b.toDateString();
  }

  function inWords(date, form) {
    const now = new Date();
    if (form === "clock") return sameDay(date, now) ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
    const seconds = Math.max(0, (now - date) / 1000);
    if (seconds < 45) return t("now");
    if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min`;
    if (sameDay(date, now)) return clock.format(date);
    return day.format(date);
  }

  function tellTimes(root) {
    for (const time of root.querySelectorAll("time[data-at]")) {
      const date = new Date(Number(time.dataset.at) / 1000);
      const words = inWords(date, time.dataset.form);
      if (time.textContent !== words) time.textContent = words;
      time.dateTime = date.toISOString();
      time.title = full.format(date);
    }
  }

  function markDays() {
    for (const old of document.querySelectorAll(".day")) old.remove();
    let before = null;
    for (const bubble of document.querySelectorAll(".thread > .bubble")) {
      const date = new Date(Number(bubble.dataset.day) / 1000);
      if (!before || !sameDay(date, before)) {
        const line = document.createElement("p");
        line.className = "day";
        line.textContent = sameDay(date, new Date()) ? t("Today") : day.format(date);
        bubble.before(line);
      }
      before = date;
    }
  }

  // --- reading ---

  const heard = new Map();
  let heardIn = "";

  function announce(words) {
    const place = $("announcer");
    if (place) place.textContent = words;
  }

  function tellChanges() {
    const ticket = $("ticket") ? $("ticket").dataset.ticket || "" : "";
    const first = heardIn !== ticket;
    if (first) heard.clear();
    heardIn = ticket;
    const news = [];
    for (const state of document.querySelectorAll(".state[data-reply]")) {
      const word = state.querySelector(".word").textContent;
      const id = state.dataset.reply;
      if (!first && heard.get(id) !== word) news.push(`${t("Your reply:")} ${word}`);
      heard.set(id, word);
    }
    for (const bubble of document.querySelectorAll(".bubble.contact")) {
      if (!first && !heard.has(bubble.id)) news.push(t("The contact wrote."));
      heard.set(bubble.id, "");
    }
    if (news.length) announce(news.join(" "));
  }

  let stuck = true;

  function atEnd(box) {
    return box.scrollHeight - box.scrollTop - box.clientHeight < 48;
  }

  function keepEnd() {
    const box = $("scroller");
    if (box && stuck) box.scrollTop = box.scrollHeight;
  }

  document.addEventListener("scroll", (event) => {
    if (event.target.id === "scroller") stuck = atEnd(event.target);
  }, true);

  // --- views and the list ---

  document.addEventListener("click", (event) => {
    const tab = event.target.closest("[data-view]");
    if (tab && tab.closest(".tabs")) show(tab.dataset.view);
  });

  function show(view) {
    $("ticket").dataset.view = view;
    for (const tab of document.querySelectorAll(".tabs [data-view]")) tab.setAttribute("aria-pressed", String(tab.dataset.view === view));
    if (view === "talk") keepEnd();
  }

  function markChosen() {
    const ticket = $("ticket") ? $("ticket").dataset.ticket || "" : "";
    for (const line of document.querySelectorAll(".line")) {
      if (line.dataset.ticket === ticket) line.setAttribute("aria-current", "true");
      else line.removeAttribute("aria-current");
    }
    const desk = document.querySelector(".desk");
    if (desk) desk.classList.toggle("has-ticket", Boolean(ticket));
  }

  // --- writing ---

  let attached = [];

  function newKey() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function draftName(form) {
    return `heliograph.draft.${form.dataset.ticket}`;
  }

  function saveDraft(form) {
    const text = form.elements.text.value;
    const kind = form.elements.public.value;
    try {
      if (text) localStorage.setItem(draftName(form), JSON.stringify({ text, kind, key: form.elements.key.value }));
      else localStorage.removeItem(draftName(form));
    } catch { /* A browser that keeps nothing still sends. */ }
    $("draft-note").textContent = text ? t("Draft kept") : "";
  }

  function restoreDraft(form) {
    let draft = null;
    try {
      draft = JSON.parse(localStorage.getItem(draftName(form)));
    } catch { /* Not ours, or not readable: begin anew. */ }
    if (draft && typeof draft.text === "string" && !form.elements.text.value) {
      form.elements.text.value = draft.text;
      form.elements.key.value = draft.key || form.elements.key.value;
      for (const choice of form.elements.public) choice.checked = choice.value === draft.kind;
      $("draft-note").textContent = draft.text ? t("Draft kept") : "";
    }
    kindChanged(form);
  }

  // A reply that waits can be written anew: the text comes back, and what is saved takes its place.
  function inPlaceOf(form, comment) {
    form.elements.replaces.value = comment;
    $("instead").hidden = !comment;
  }

  document.addEventListener("click", (event) => {
    const form = $("reply");
    const button = event.target.closest("[data-change]");
    if (form && button) {
      const words = document.getElementById(button.dataset.change).querySelectorAll(".words");
      form.elements.text.value = [...words].map((part) => part.textContent).join("\n");
      for (const choice of form.elements.public) choice.checked = choice.value === "yes";
      kindChanged(form);
      inPlaceOf(form, button.dataset.change);
      saveDraft(form);
      form.elements.text.focus();
    } else if (form && event.target.id === "instead-off") {
      inPlaceOf(form, "");
      form.elements.text.focus();
    }
  });

  function kindChanged(form) {
    const note = form.elements.public.value === "no";
    $("send").textContent = note ? t("Save note") : t("Send reply");
    const text = form.elements.text;
    text.dataset.reply = text.dataset.reply || text.placeholder;
    text.placeholder = note ? t("An internal note, which the contact never sees") : text.dataset.reply;
  }

  function complain(words) {
    const place = $("problem");
    if (!place) return;
    place.textContent = words;
    place.hidden = !words;
  }

  function attach(files) {
    attached.push(...files);
    drawAttached();
  }

  function drawAttached() {
    const list = $("attached");
    list.hidden = !attached.length;
    list.replaceChildren(...attached.map((file) => {
      const item = document.createElement("li");
      const name = document.createElement("span");
      name.textContent = file.name;
      const gone = document.createElement("button");
      gone.type = "button";
      gone.textContent = "×";
      gone.setAttribute("aria-label", t("Take away {file}").replace("{file}", file.name));
      gone.addEventListener("click", () => { attached = attached.filter((one) => one !== file); drawAttached(); $("text").focus(); });
      item.append(name, gone);
      return item;
    }));
    const carry = new DataTransfer();
    for (const file of attached) carry.items.add(file);
    $("files").files = carry.files;
  }

  function saved(form) {
    form.elements.text.value = "";
    form.elements.key.value = newKey();
    inPlaceOf(form, "");
    attached = [];
    drawAttached();
    saveDraft(form);
    complain("");
    stuck = true;
    form.elements.text.focus();
  }

  // What the desk itself has said; "" where something before it answered, or nothing did.
  function own(xhr) {
    const plain = (xhr.getResponseHeader("content-type") || "").startsWith("text/plain");
    return plain && xhr.responseText.length < 600 ? xhr.responseText : "";
  }

  function failed(form, xhr) {
    const words = own(xhr) || t("It could not be saved ({code}). Your text is kept; try again.").replace("{code}", xhr.status || t("no answer"));
    if (xhr.status === 409) form.elements.key.value = newKey();
    saveDraft(form);
    complain(words);
  }

  document.addEventListener("input", (event) => {
    const approved = event.target.closest("[data-approved]");
    if (approved) approved.querySelector(".problem").hidden = true;
    const form = event.target.closest("#reply");
    if (!form) return;
    if (event.target.id === "files") return;
    complain("");
    if (event.target.name === "public") kindChanged(form);
    saveDraft(form);
  });

  document.addEventListener("change", (event) => {
    if (event.target.id === "files") attach([...event.target.files].filter((file) => !attached.includes(file)));
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.id === "text") {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
  });

  document.addEventListener("paste", (event) => {
    if (event.target.id === "text" && event.clipboardData.files.length) {
      event.preventDefault();
      attach([...event.clipboardData.files]);
    }
  });

  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const form = $("reply");
      if (!form || !event.dataTransfer || ![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      form.classList.toggle("dropping", kind === "dragover");
      if (kind === "drop") attach([...event.dataTransfer.files]);
    });
  }

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("#reply");
    if (form && !form.elements.text.value.trim() && !attached.length) {
      event.preventDefault();
      event.stopImmediatePropagation();
      complain(t("Write something, or attach a file."));
      form.elements.text.focus();
    }
  }, true);

  // --- htmx ---

  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, headers } = event.detail;
    if (!elt.classList.contains("live")) return;
    const shown = elt.querySelector("[data-digest]");
    if (shown) headers["X-Shown"] = shown.dataset.digest;
    if (elt.id === "list-live") event.detail.path = `${$("list").dataset.address}&chosen=${$("ticket").dataset.ticket || ""}`;
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.id === "reply") $("send").disabled = true;
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr, successful } = event.detail;
    if (elt.id === "reply") {
      $("send").disabled = false;
      if (successful) saved(elt);
      else failed(elt, xhr);
    } else if (elt.id === "approved-open") {
      if (successful) $("approved").showModal();
      else complain(t("That did not work. Try again."));
    } else if (elt.dataset && "approved" in elt.dataset) {
      const problem = elt.querySelector(".problem");
      problem.textContent = successful ? "" : own(xhr) || t("That did not work. Try again.");
      problem.hidden = successful;
      if (xhr.status === 409) elt.elements.key.value = newKey();
      if (successful) $("approved").close();
      else problem.scrollIntoView({ block: "nearest" });
      stuck = stuck || successful;
    } else if (elt.dataset && elt.dataset.says) {
      const said = $(elt.dataset.says);
      said.textContent = own(xhr) || t("That did not work. Try again.");
      said.classList.toggle("problem", !successful);
      said.hidden = false;
      if (successful && elt.hasAttribute("data-empties")) elt.reset();
      said.scrollIntoView({ block: "nearest" });
    } else if (!successful && event.detail.requestConfig.verb === "post") {
      announce(own(xhr) || t("That did not work. Try again."));
      complain(own(xhr) || t("That did not work. Try again."));
    }
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    // What a person has opened or is filling in is not taken from under their hands.
    if (event.detail.target.id === "channels-live" && event.detail.target.querySelector("details[open]")) event.detail.shouldSwap = false;
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.elt && event.detail.elt.id === "ticket" || event.detail.target.id === "ticket") opened(true);
    settle();
  });

  // --- news ---

  // Seconds: a connection that is away for less is not worth a word; and a hidden page lets go of its own after a while,
  // because a browser has only six for one address, and somebody may have more tabs than that.
  const WORTH_A_WORD = 2;
  const AGAIN = 3;
  const HIDDEN = 20;
  let leaving = false;

  class News {
    constructor(address) {
      this.address = address;
      this.heard = [];
      this.ended = false;
      this.source = null;
      document.addEventListener("visibilitychange", () => {
        clearTimeout(this.letting);
        if (document.hidden) this.letting = setTimeout(() => this.pause(), HIDDEN * 1000);
        else this.begin();
      });
      this.begin();
    }

    get readyState() {
      if (this.ended) return EventSource.CLOSED;
      return this.source && this.source.readyState === EventSource.OPEN ? EventSource.OPEN : EventSource.CONNECTING;
    }

    begin() {
      if (this.ended || this.source) return;
      const source = new EventSource(this.address, { withCredentials: true });
      this.source = source;
      for (const [name, listener] of this.heard) source.addEventListener(name, listener);
      source.onopen = (event) => {
        clearTimeout(this.telling);
        $("offline").hidden = true;
        if (this.onopen) this.onopen(event);
      };
      source.onerror = () => {
        if (leaving || this.source !== source) return;
        clearTimeout(this.telling);
        this.telling = setTimeout(() => { $("offline").hidden = false; }, WORTH_A_WORD * 1000);
        if (source.readyState !== EventSource.CLOSED) return;
        this.source = null;
        setTimeout(() => this.begin(), AGAIN * 1000);
      };
    }

    pause() {
      if (this.source) this.source.close();
      this.source = null;
    }

    close() {
      this.ended = true;
      this.pause();
    }

    addEventListener(name, listener) {
      this.heard.push([name, listener]);
      if (this.source) this.source.addEventListener(name, listener);
    }

    removeEventListener(name, listener) {
      this.heard = this.heard.filter((one) => one[0] !== name || one[1] !== listener);
      if (this.source) this.source.removeEventListener(name, listener);
    }
  }

  htmx.createEventSource = (address) => new News(address);
  window.addEventListener("beforeunload", () => { leaving = true; setTimeout(() => { leaving = false; }, 3000); });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  function opened(moved) {
    stuck = true;
    attached = [];
    const form = $("reply");
    if (form) restoreDraft(form);
    const ticket = $("ticket");
    if (moved && ticket && ticket.dataset.title) {
      document.title = ticket.dataset.title;
      $("title").focus();
    }
  }

  function settle() {
    tellTimes(document);
    markDays();
    markChosen();
    tellChanges();
    const ticket = $("ticket");
    if (ticket && ticket.dataset.view) show(ticket.dataset.view);
    keepEnd();
  }

  opened(false);
  settle();
  new ResizeObserver(keepEnd).observe(document.body);
  document.addEventListener("load", keepEnd, true);
  setInterval(() => tellTimes(document), 20000);
})();
