// Asks Heliograph which replies are affected, and Zendesk which of them are the signed-in agent's.

import { language } from "./words.js";

export const BECAME = ["waiting", "asked", "sent_late", "failed", "dropped", "lost"];
// Tickets whose comments are looked at in one round: many agents do this at once, and Zendesk's limits are the whole account's.
const TICKETS_PER_ROUND = 12;
const PAGES_PER_TICKET = 5;
const SEARCH_PAGES = 3;
const SEARCH_AGAIN_MS = 120_000;
const SHORTEST_S = 5;
const LONGEST_S = 120;
const REMEMBERED = "heliograph.authors";

// What is known for good: a comment keeps its author. Kept for the browser tab, so that the pane need not ask again.
class Authors {
  constructor(storage) {
    this.storage = storage;
    try {
      this.known = new Map(JSON.parse(storage.getItem(REMEMBERED) || "[]"));
    } catch {
      this.known = new Map();
    }
  }

  get(comment) {
    return this.known.get(comment);
  }

  learn(comment, author) {
    this.known.set(comment, author);
  }

  keep() {
    try {
      this.storage.setItem(REMEMBERED, JSON.stringify([...this.known].slice(-5000)));
    } catch {
      // A full or forbidden storage costs some questions more.
    }
  }
}

export class Watch {
  constructor(client, storage = window.sessionStorage) {
    this.client = client;
    this.authors = new Authors(storage);
    this.mine = { at: -Infinity, tickets: new Set() };
    this.failures = 0;
    this.pollAfter = 15;
  }

  // One round: { language, notices, complete } or { language, problem }. Never throws.
  async look() {
    try {
      await this.#introduce();
      const answer = await this.#notices();
      const complete = await this.#resolve(answer.notices);
      this.failures = 0;
      this.pollAfter = Math.max(SHORTEST_S, Number(answer.poll_after) || 15);
      const notices = answer.notices.map((notice) => this.#own(notice)).filter((notice) => notice.open);
      return { language: this.language, notices, complete };
    } catch (error) {
      this.failures += 1;
      return { language: this.language || "en", problem: error && error.status === 401 ? "refused" : "away" };
    }
  }

  // Seconds until the next round; failures make it longer, and a page that nobody looks at asks seldom.
  get pause() {
    const wait = Math.min(LONGEST_S, this.pollAfter * 2 ** Math.min(this.failures, 5));
    return document.hidden ? Math.max(wait, 60) : wait;
  }

  async #introduce() {
    if (this.agent) return;
    const [{ currentUser }, { settings }] = await Promise.all([this.client.get("currentUser"), this.client.metadata()]);
    this.address = String(settings.address).replace(/\/+$/, "");
    this.language = language(currentUser.locale);
    this.agent = Number(currentUser.id);
  }

  async #notices() {
    // Zendesk's proxy puts the token in: this page never has it.
    const answer = await this.client.request({
      url: `${this.address}/zendesk/app/notices`,
      type: "GET",
      dataType: "json",
      cors: false,
      secure: true,
      autoRetry: false,
      headers: { Authorization: "Bearer {{setting.token}}" },
    });
    if (!answer || !Array.isArray(answer.notices)) throw new Error("not an answer of Heliograph");
    return answer;
  }

  async #resolve(notices) {
    const unknown = new Map();
    for (const notice of notices) {
      for (const reply of notice.replies) {
        if (!reply.ticket_id || !reply.comment_id || this.authors.get(reply.comment_id) !== undefined) continue;
        unknown.set(reply.ticket_id, (unknown.get(reply.ticket_id) || new Set()).add(reply.comment_id));
      }
    }
    if (!unknown.size) return true;
    if (unknown.size > TICKETS_PER_ROUND) await this.#findMine();
    // The agent's own tickets first; the others too, in time, since a search may know of a comment late.
    const order = [...unknown.keys()].sort((a, b) => this.mine.tickets.has(b) - this.mine.tickets.has(a));
    for (const ticket of order.slice(0, TICKETS_PER_ROUND)) await this.#authorsOf(ticket, unknown.get(ticket));
    this.authors.keep();
    return unknown.size <= TICKETS_PER_ROUND;
  }

  async #findMine() {
    if (Date.now() - this.mine.at < SEARCH_AGAIN_MS) return;
    this.mine.at = Date.now();
    const query = encodeURIComponent(`type:ticket commenter:${this.agent}`);
    let url = `/api/v2/search.json?query=${query}&sort_by=updated_at&sort_order=desc`;
    try {
      for (let page = 0; url && page < SEARCH_PAGES; page += 1) {
        const found = await this.client.request({ url, type: "GET", dataType: "json" });
        for (const ticket of found.results) this.mine.tickets.add(ticket.id);
        url = found.next_page;
      }
    } catch {
      // Without it the tickets are looked at in Heliograph's order.
    }
  }

  async #authorsOf(ticket, comments) {
    let url = `/api/v2/tickets/${ticket}/comments.json?sort_order=desc&per_page=100`;
    const wanted = new Set(comments);
    try {
      for (let page = 0; url && wanted.size && page < PAGES_PER_TICKET; page += 1) {
        const found = await this.client.request({ url, type: "GET", dataType: "json" });
        for (const comment of found.comments) {
          if (wanted.delete(comment.id)) this.authors.learn(comment.id, comment.author_id);
        }
        url = found.next_page;
      }
    } catch (error) {
      // A ticket that this agent may not see has no reply of theirs; any other trouble passes.
      if (!error || (error.status !== 403 && error.status !== 404)) return;
    }
    for (const comment of wanted) this.authors.learn(comment, 0);
  }

  // A notice as this agent's: how many of their replies became what, and on which tickets something waits for them.
  #own(notice) {
    const counts = Object.fromEntries(BECAME.map((name) => [name, 0]));
    const tickets = new Map();
    let question = "";
    for (const reply of notice.replies) {
      if (!(reply.became in counts) || this.authors.get(reply.comment_id) !== this.agent) continue;
      counts[reply.became] += 1;
      if (reply.became === "asked" && !question) question = reply.external_id;
      if (reply.became === "asked" || !tickets.has(reply.ticket_id)) tickets.set(reply.ticket_id, reply.became);
    }
    const unsettled = counts.waiting + counts.asked;
    const open = unsettled > 0 || (!notice.over && tickets.size > 0);
    const wording = notice.wording[this.language] || notice.wording.en;
    // Where the first question is answered: Heliograph keeps it, Zendesk has no such thing.
    const decide = question && `${this.address}/zendesk/clickthrough?external_id=${encodeURIComponent(question)}`;
    return { incident: notice.incident, severity: notice.severity, wording, counts, unsettled, open, tickets, decide };
  }
}

// Looks again and again; `show` is given each outcome. Returns how to look at once, and how to pause.
export function follow(watch, show) {
  let timer = 0;
  let running = false;
  let wanted = false;
  let paused = false;
  async function round() {
    clearTimeout(timer);
    wanted = running;
    if (running || paused) return;
    running = true;
    try {
      show(await watch.look());
    } finally {
      running = false;
      if (wanted) round();
      else if (!paused) timer = setTimeout(round, watch.pause * 1000);
    }
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) round(); });
  round();
  return {
    now() { paused = false; round(); },
    pause() { paused = true; clearTimeout(timer); },
  };
}
