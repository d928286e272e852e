// The admin's part of the agents' page: apps that are installed, and their accounts.
"use strict";

let channelsSignature = "";

function part(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function button(text, action, body) {
  const made = part("button", "plain", text);
  made.type = "button";
  made.addEventListener("click", () => ask(`act/${action}`, body, "channels-notice"));
  return made;
}

// The service's admin page is another site's: it opens on its own, and posts back by itself.
function opener(text, query) {
  const a = part("a", "plain", text);
  a.href = `/sandbox/zendesk/account?${query}`;
  a.target = "_blank";
  a.rel = "opener";
  return a;
}

function accountBox(account) {
  const box = part("div", "account");
  const title = part("strong", "", account.name);
  const line = part("p", account.active ? "" : "bad", account.active ? "active" : account.deactivated_by === "error" ? `switched off after an error. ${account.deactivating_error}` : "switched off by an admin");
  const buttons = part("div", "buttons");
  buttons.append(opener("Edit", `account=${account.id}`));
  if (account.active && account.pulled) buttons.append(button("Pull now", "pull", { account: account.id }));
  buttons.append(account.active ? button("Switch off", "deactivate", { account: account.id }) : button("Switch on", "activate", { account: account.id }));
  buttons.append(button("Remove", "remove", { account: account.id }));
  box.append(title, line, buttons);
  return box;
}

function integrationBox(integration, accounts) {
  const box = part("section", "integration");
  box.append(part("h3", "", integration.name || "A channel without a valid manifest"));
  const by = [integration.author, integration.version && `version ${integration.version}`].filter(Boolean).join(", ");
  box.append(part("p", "", [by, integration.address].filter(Boolean).join(" · ")));
  for (const fault of integration.faults) box.append(part("p", "bad", fault));
  if (integration.health) box.append(part("p", integration.health === "unwell" ? "bad" : "", `health check: ${integration.health}`));
  box.append(...accounts.filter((a) => a.integration === integration.id).map(accountBox));
  const buttons = part("div", "buttons");
  if (integration.valid) buttons.append(opener("Add account", `integration=${integration.id}`), button("Check health", "health", { integration: integration.id }));
  buttons.append(button("Read the manifest again", "register", { manifest_url: integration.address }), button("Uninstall", "uninstall", { integration: integration.id }));
  box.append(buttons);
  return box;
}

// eslint-disable-next-line no-unused-vars -- called by desk.js
function drawChannels({ integrations, accounts }) {
  const signature = JSON.stringify([integrations, accounts.map(({ next_pull: _, ...rest }) => rest)]);
  if (signature === channelsSignature) return;
  channelsSignature = signature;
  document.getElementById("integrations").replaceChildren(...integrations.map((each) => integrationBox(each, accounts)));
}

document.getElementById("open-channels").addEventListener("click", () => document.getElementById("channels").showModal());
document.getElementById("close-channels").addEventListener("click", () => document.getElementById("channels").close());
document.getElementById("register").addEventListener("submit", async (event) => {
  event.preventDefault();
  const zip = document.getElementById("zip").files[0];
  const address = document.getElementById("manifest").value.trim();
  let form = null;
  if (zip) {
    form = new FormData();
    form.append("app", zip, zip.name);
  }
  if (!zip && !address) return;
  if (await ask(zip ? "app" : "act/register", { manifest_url: address }, "channels-notice", form)) event.target.reset();
});
