// The console: signs in, and lists the functions anew every two seconds while the page is looked at.
// Text from the platform is only ever set as textContent; the page talks to its own origin and to nothing else.
"use strict";

const KEY = "dayfly.authorization";
const PERIOD_MS = 2000;
const $ = (id) => document.getElementById(id);
let timer = 0;

function basic(password) {
  const bytes = new TextEncoder().encode(`admin:${password}`);
  return "Basic " + btoa(String.fromCharCode(...bytes));
}

async function get(path) {
  const headers = { Authorization: sessionStorage.getItem(KEY) ?? "", Accept: "application/json" };
  const answer = await fetch(path, { headers, cache: "no-store" });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = new Error(body.detail || `The platform answered ${answer.status}.`);
    error.status = answer.status;
    throw error;
  }
  return body;
}

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

function show(signedIn) {
  $("sign-in").hidden = signedIn;
  $("functions").hidden = !signedIn;
  $("sign-out").hidden = !signedIn;
}

function signOut() {
  clearTimeout(timer);
  sessionStorage.removeItem(KEY);
  $("rows").replaceChildren();
  $("about").textContent = "";
  show(false);
  $("secret").focus();
}

function cell(text, title) {
  const td = document.createElement("td");
  td.textContent = text;
  if (title) td.title = title;
  return td;
}

function standing(f) {
  const rollout = f.rollout ? ` (revision ${f.rollout.revision} after ${f.rollout.serving}: ${f.rollout.state})` : "";
  return `${f.state}${rollout}${f.reason ? `: ${f.reason}` : ""}`;
}

function row(f) {
  const tr = document.createElement("tr");
  tr.append(
    cell(f.spec.name),
    cell(f.spec.namespace ?? "openfaas-fn"),
    cell(standing(f)),
    cell(`${f.ready_replicas} of ${f.desired_replicas}`),
    cell(String(f.invocations ?? 0)),
    cell(`curl -d '' ${f.url}`),
  );
  return tr;
}

async function refresh() {
  clearTimeout(timer);
  try {
    const info = await get("/v1/info");
    const spaces = await get("/v1/namespaces");
    const lists = await Promise.all(spaces.map((ns) => get(`/v1/namespaces/${encodeURIComponent(ns)}/functions`)));
    const all = lists.flat();
    $("about").textContent = `${info.version} · ${info.provider} · ${info.gateway_url}`;
    $("rows").replaceChildren(...all.map(row));
    $("table").hidden = all.length === 0;
    $("none").hidden = all.length > 0;
    say("");
    show(true);
  } catch (error) {
    if (error.status === 401) {
      signOut();
      say("That credential is not accepted.");
      return;
    }
    say(error.status ? error.message : "The platform does not answer; trying again.");
  }
  if (sessionStorage.getItem(KEY) && !document.hidden) timer = setTimeout(refresh, PERIOD_MS);
}

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const secret = $("secret").value;
  $("secret").value = "";
  sessionStorage.setItem(KEY, $("kind").value === "token" ? `Bearer ${secret}` : basic(secret));
  refresh();
});
$("sign-out").addEventListener("click", () => { signOut(); say(""); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && sessionStorage.getItem(KEY)) refresh(); });
if (sessionStorage.getItem(KEY)) refresh();
