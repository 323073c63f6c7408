// The page of open alerts. What is told of one comes as it is stored; who sees to it is asked once a minute.
// All that comes from senders becomes text, never markup.
import { live } from "./relay-live.js";

const ASK_MS = 60_000;
const TICK_MS = 5000;
// So much before the page was read is shown again: what was told meanwhile may not be in what it read.
const BEFORE_MS = 10_000;
// What was told of an alert counts for so long, whatever is read meanwhile.
const TOLD_MS = 5000;
// An alert is closed some seconds after its end at most. After that the page says that it was not.
const LATE_MS = 10_000;
const MOST_HEARD = 5000;
// So long nothing may answer. Then nobody knows whether what looks open still is: a phone that changes its
// network, or a process that stands still, ends no connection.
const PATIENCE_MS = 10_000;
const AGAIN_MS = 5000;

const element = (id) => document.getElementById(id);
const page = element("alerts");
const open = new Map(); // By id.
const heard = new Set(); // Ids of messages, since the page was opened.
const toldAt = new Map(); // When something was told of an alert last.
let rules = new Map(); // By UUID.
let state = JSON.parse(element("state").textContent);
let watching = null;
let watched = "";
let liveState = "connecting";
let awaySince = null;
const began = performance.now();
let trouble = "";
let asking = null;
let opener = null;

// --- texts ---------------------------------------------------------------------------------------

// As the other pages show what is unseen, or turns others around.
const code = (char) => `⟨${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
const visible = (value) =>
  (typeof value === "string" ? value : JSON.stringify(value)).replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, code);

function made(name, className, ...children) {
  const found = document.createElement(name);
  if (className) found.className = className;
  found.append(...children);
  return found;
}

function clock(at) {
  const time = new Date(at);
  const isToday = time.toDateString() === new Date().toDateString();
  const shown = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return isToday ? shown : `${time.toLocaleDateString([], { day: "numeric", month: "short" })} ${shown}`;
}

function timeOf(at) {
  const found = made("time", "", clock(at));
  found.dateTime = at;
  found.title = new Date(at).toLocaleString();
  return found;
}

function span(ms) {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return "under 1 min";
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}

const placeOf = (key) => Object.values(key ?? {}).map(visible).join(" · ") || "Everywhere";
const typeOf = (said) => Object.values(said ?? {}).map(visible).join(", ");
const beginOf = (alert) => Date.parse(alert.starts_at ?? alert.opened_at);
const many = (count, one, more) => `${count} ${count === 1 ? one : more}`;

// --- what is open --------------------------------------------------------------------------------

function read(found) {
  state = found;
  rules = new Map(found.rules.map((rule) => [rule.uuid, rule]));
  const isToldOf = (id) => (toldAt.get(id) ?? -Infinity) + TOLD_MS > performance.now();
  for (const id of open.keys()) if (!isToldOf(id)) open.delete(id);
  for (const alert of found.alerts) {
    const here = open.get(alert.id);
    if (!isToldOf(alert.id)) open.set(alert.id, alert);
    else if (here !== undefined) [here.acknowledged, here.by] = [alert.acknowledged, alert.by];
  }
  for (const id of toldAt.keys()) if (!isToldOf(id)) toldAt.delete(id);
  watch();
  show();
}

// Whatever was told of an alert. What is told twice, or is in what was read, changes nothing.
function take(message) {
  const { attributes } = message;
  const rule = rules.get(attributes?.rule);
  const id = attributes?.["alert-id"];
  // On another channel, or by another name, somebody else has said it: attributes are his who publishes.
  if (rule === undefined || rule.to !== message.channel || id === undefined || heard.has(message.id)) return;
  const isByPeople = attributes.event === "acknowledge" || attributes.event === "release";
  if (!maySay(message.produced_by ?? "", isByPeople)) return;
  if (heard.size > MOST_HEARD) heard.clear(); // Only what is told around a reading comes twice.
  heard.add(message.id);
  if (isByPeople) return handled(id, attributes.event);
  let said;
  try {
    said = JSON.parse(message.message);
  } catch {
    return askSoon();
  }
  if (rule.kind !== "window" || !rule.key.every((name) => name in said)) return askSoon();
  const key = Object.fromEntries(rule.key.map((name) => [name, said[name]]));
  if (!isIn(open.get(id), attributes)) toldAt.set(id, performance.now());
  if (attributes.event === "close") {
    if (!isIn(open.get(id), attributes) && open.delete(id)) announce(`${placeOf(key)}: closed.`);
  } else {
    opened(id, rule, key, said, attributes, message);
  }
  show();
}

// As `relaycore.alerting.speaking` has it, which says the names.
const maySay = (by, isByPeople) => (isByPeople ? by === state.speakers.people : by.startsWith(state.speakers.rules));

// Whether what an alert is shown as has this in it. Causes sort in the order in which they happened.
const isIn = (alert, { cause }) => alert !== undefined && cause <= alert.upto;

// Somebody sees to it, or does not after all. Who that is does not stand in the message: it is asked.
function handled(id, event) {
  const alert = open.get(id);
  const isSeen = event === "acknowledge";
  if (alert === undefined || alert.acknowledged === isSeen) return;
  [alert.acknowledged, alert.by] = [isSeen, null];
  askSoon();
  show();
}

function opened(id, rule, key, said, attributes, message) {
  const parts = (attributes["merged-alerts"] ?? "").split(",").filter(Boolean).map((part) => open.get(part));
  for (const part of parts) {
    if (part === undefined) continue;
    open.delete(part.id);
    toldAt.set(part.id, performance.now());
  }
  if (isIn(open.get(id), attributes)) return;
  const own = Object.fromEntries(Object.keys(rule.merge).map((name) => [name, said[name]]));
  const alone = { id, rule: rule.name, key, starts_at: said.startTime, ends_at: said.endTime, alerts: 1, said: own,
    opened_at: message.received_at, acknowledged: false, by: null, upto: attributes.cause };
  const before = open.get(id);
  const found = [before, ...parts].filter((one) => one !== undefined).reduce((one, other) => joined(one, other, rule), alone);
  if (before !== undefined) [found.acknowledged, found.by] = [before.acknowledged, before.by];
  open.set(id, found);
  if (before === undefined) announce(`${placeOf(key)}: ${typeOf(own)}, until ${clock(found.ends_at)}.`);
}

function joined(one, other, rule) {
  const least = Date.parse(other.starts_at) < Date.parse(one.starts_at) ? other.starts_at : one.starts_at;
  const most = Date.parse(other.ends_at) > Date.parse(one.ends_at) ? other.ends_at : one.ends_at;
  const said = Object.fromEntries(
    Object.entries(one.said).map(([name, value]) => [name, other.said[name] === value ? value : rule.merge[name]]),
  );
  return { ...one, starts_at: least, ends_at: most, alerts: one.alerts + other.alerts, said };
}

async function ask() {
  clearTimeout(asking);
  asking = setTimeout(ask, ASK_MS * (0.75 + Math.random() / 2));
  if (document.hidden) return;
  try {
    const found = await answered(page.dataset.state);
    trouble = "";
    read(found);
  } catch (error) {
    trouble = error.message;
    if (error instanceof Silence) stopWatching();
    show();
  }
}

class Silence extends Error {}

// It is watched anew once Relay answers: a stream that nobody has closed would stay silent, and look open.
function stopWatching() {
  watched = "";
  watching?.close();
  watching = null;
  clearTimeout(asking);
  asking = setTimeout(ask, AGAIN_MS * (0.75 + Math.random() / 2));
}

// What Relay says; an error says what is wrong. A proxy may have answered in its place.
async function answered(address, options) {
  const silence = () => {
    throw new Silence("Relay does not answer.");
  };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const answer = await fetch(address, { ...options, signal }).catch(silence);
  const found = await answer.json().catch(() => (signal.aborted ? silence() : null));
  if (!answer.ok || found === null) throw new Error(found?.detail ?? `Relay answers ${answer.status}.`);
  return found;
}

// Not all pages at once.
function askSoon() {
  clearTimeout(asking);
  asking = setTimeout(ask, 1000 + Math.random() * 3000);
}

// --- live ----------------------------------------------------------------------------------------

function watch() {
  const channels = [...new Set([...rules.values()].map((rule) => rule.to))].sort();
  if (JSON.stringify(channels) === watched) return;
  watched = JSON.stringify(channels);
  watching?.close();
  watching = null;
  if (channels.length === 0) return;
  if (liveState === "closed") liveState = "away"; // Until it is heard that it is open.
  watching = live("", {
    channels,
    since: new Date(Date.parse(state.at) - BEFORE_MS),
    onMessage: take,
    onReset: askSoon,
    onState: heardState,
    onError: (error) => {
      watched = ""; // It is tried again with what is read next.
      heardState("closed", error.message);
    },
  });
}

function heardState(found, why = "") {
  const wasLive = liveState === "live";
  liveState = found;
  if (found === "live") {
    if (awaySince !== null) askSoon(); // Whoever sees to it may have changed.
    awaySince = null;
  } else if (wasLive || awaySince === null) {
    awaySince = new Date();
  }
  if (why) trouble = why;
  showState();
}

// --- what is shown -------------------------------------------------------------------------------

function showState() {
  const isLive = liveState === "live" && trouble === "";
  const isNew = liveState === "connecting" && performance.now() - began < PATIENCE_MS;
  const look = isLive ? "good" : isNew && trouble === "" ? "connecting" : "bad";
  element("live").dataset.look = look;
  element("live").textContent = { good: "live", connecting: "connecting", bad: "not live" }[look];
  const banner = element("banner");
  banner.hidden = look !== "bad";
  const since = awaySince === null ? "" : ` since ${clock(awaySince)}`;
  const said = liveState === "live"
    ? "New alerts come in. What else is shown may be old: "
    : `Not live${since}. What is shown may be old${liveState === "closed" ? ": " : ", it is tried again. "}`;
  const text = said + trouble;
  if (!banner.hidden && banner.textContent !== text) banner.textContent = text; // Read out once.
}

function show() {
  showState();
  const now = Date.now();
  const all = [...open.values()].sort((one, other) => beginOf(one) - beginOf(other));
  const current = all.filter((alert) => !(beginOf(alert) > now));
  const ahead = all.filter((alert) => beginOf(alert) > now);
  current.reverse(); // The newest first. What is acknowledged stays where it is: the next tap must not hit another.
  list("now", current, now);
  list("ahead", ahead, now);
  const isKnown = state !== null;
  const places = new Set(all.map((alert) => JSON.stringify([alert.rule, alert.key]))).size;
  element("nothing").hidden = all.length > 0 || !isKnown;
  element("summary").textContent = all.length === 0 ? "" : summary(places, current, ahead);
  document.title = `${all.length ? `(${all.length}) ` : ""}Open alerts | Relay`;
  notes();
}

function summary(places, current, ahead) {
  const unseen = [...current, ...ahead].filter((alert) => !alert.acknowledged).length;
  const parts = [many(places, "place", "places"), `${current.length} now`];
  if (ahead.length) parts.push(`${ahead.length} ahead`);
  if (unseen) parts.push(`${unseen} not acknowledged`);
  return parts.join(", ");
}

function notes() {
  const found = [];
  if (state === null) return;
  if (rules.size === 0) found.push("There is no rule yet: nothing makes alerts of messages. POST /api/v1/rules makes one.");
  for (const rule of rules.values()) {
    if (!rule.is_active) found.push(`The rule ${rule.name} is disabled: nothing new is told by it.`);
  }
  if (!state.is_whole) found.push(`There are more than these. GET /api/v1/alerts has all of them.`);
  const text = found.join("\n");
  if (element("notes").dataset.text === text) return;
  element("notes").dataset.text = text;
  element("notes").replaceChildren(...found.map((one) => made("p", "note", one)));
}

// Cards stay where they are as long as they are the same: a button keeps its focus.
const cards = new Map();

function list(id, alerts, now) {
  element(`${id}-section`).hidden = alerts.length === 0;
  const wanted = alerts.map((alert) => cardOf(alert, now));
  const there = element(id);
  if (wanted.length !== there.children.length || wanted.some((card, at) => there.children[at] !== card)) {
    const focused = document.activeElement;
    there.replaceChildren(...wanted);
    if (focused?.isConnected && focused !== document.activeElement) focused.focus();
  }
  for (const one of cards.keys()) if (!open.has(one)) cards.delete(one);
}

function cardOf(alert, now) {
  let card = cards.get(alert.id);
  if (card === undefined) {
    card = { root: made("li", "card"), body: made("div", ""), acts: made("div", "acts"), error: made("p", "error") };
    card.error.setAttribute("role", "alert");
    card.error.hidden = true;
    card.root.append(card.body, card.acts, card.error);
    const history = made("button", "plain", "History");
    history.addEventListener("click", () => showHistory(open.get(alert.id) ?? alert, history));
    card.history = history;
    card.acknowledge = made("button", "");
    card.acknowledge.addEventListener("click", () => acknowledge(alert.id, card));
    card.acts.append(card.acknowledge, history);
    cards.set(alert.id, card);
  }
  fill(card, alert, now);
  return card.root;
}

function fill(card, alert, now) {
  const text = JSON.stringify([alert, Math.floor(now / 30_000), isLate(alert, now), state.may_handle]);
  if (card.text === text) return;
  card.text = text;
  const place = placeOf(alert.key);
  card.root.classList.toggle("seen", alert.acknowledged);
  const pills = made("p", "pills");
  if (typeOf(alert.said)) pills.append(made("span", "pill bad", typeOf(alert.said)));
  if (alert.acknowledged) pills.append(made("span", "pill good", alert.by === null ? "Seen to" : `Seen to by ${visible(alert.by)}`));
  if (isLate(alert, now)) pills.append(made("span", "pill warn", "Over, and not closed yet"));
  card.body.replaceChildren(made("h3", "", place), pills, times(alert, now), made("p", "quiet", about(alert)));
  card.acknowledge.hidden = !state.may_handle;
  card.acknowledge.textContent = alert.acknowledged ? "Take back" : "Acknowledge";
  card.acknowledge.className = alert.acknowledged ? "plain" : "";
  card.acknowledge.setAttribute("aria-label", `${card.acknowledge.textContent}: ${place}`);
  card.history.setAttribute("aria-label", `History: ${place}`);
}

const isLate = (alert, now) => alert.ends_at !== null && Date.parse(alert.ends_at) + LATE_MS < now;

function times(alert, now) {
  const found = made("dl", "times");
  const row = (name, at, more) => found.append(made("div", "", made("dt", "", name), made("dd", "", timeOf(at), made("span", "quiet", more))));
  const from = beginOf(alert);
  if (alert.starts_at ?? alert.opened_at) row(from > now ? "From" : "Since", alert.starts_at ?? alert.opened_at, from > now ? `in ${span(from - now)}` : `for ${span(now - from)}`);
  if (alert.ends_at !== null) {
    const until = Date.parse(alert.ends_at);
    row("Until", alert.ends_at, until > now ? `in ${span(until - now)}` : `${span(now - until)} ago`);
  }
  return found;
}

function about(alert) {
  const count = alert.alerts === null ? "" : many(alert.alerts, "alert", "alerts");
  return [count, rules.size > 1 ? visible(alert.rule) : ""].filter(Boolean).join(" · ");
}

function announce(text) {
  element("said").textContent = text;
}

// --- what somebody does --------------------------------------------------------------------------

async function acknowledge(id, card) {
  const alert = open.get(id);
  if (alert === undefined || card.acknowledge.ariaDisabled === "true") return;
  card.acknowledge.ariaDisabled = "true"; // Disabled, it would lose the focus.
  card.error.hidden = true;
  try {
    const found = await answered(page.dataset.acknowledge.replace("ALERT", encodeURIComponent(id)), {
      method: alert.acknowledged ? "DELETE" : "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": page.dataset.token },
      body: alert.acknowledged ? undefined : "{}",
    });
    const now = open.get(id);
    if (now !== undefined) {
      now.acknowledged = found.acknowledged !== null;
      now.by = found.acknowledged?.by ?? null;
      announce(`${placeOf(now.key)}: ${now.acknowledged ? "acknowledged" : "taken back"}.`);
    }
  } catch (error) {
    card.error.textContent = error.message;
    card.error.hidden = false;
  }
  card.acknowledge.ariaDisabled = "false";
  show();
}

async function showHistory(alert, button) {
  const dialog = element("history");
  opener = button;
  element("history-title").textContent = placeOf(alert.key);
  element("history-note").textContent = "Reading what was told …";
  element("told").replaceChildren();
  dialog.showModal();
  const asked = new URLSearchParams({ rule: alert.rule, key: JSON.stringify(alert.key ?? {}) });
  try {
    const found = await answered(`${page.dataset.place}?${asked}`);
    element("told").replaceChildren(...found.told.map((one) => line(one, alert.key ?? {})));
    const count = many(found.told.length, "notice", "notices");
    element("history-note").textContent = found.is_all ? `${count}, the newest first.` : `The newest ${count}. There may be older ones.`;
  } catch (error) {
    element("history-note").textContent = error.message;
  }
}

function line({ at, said }, key) {
  const isOpen = said.eventType !== "close";
  const known = new Set(["eventType", "sentTime", "startTime", "duration", "endTime"]);
  const rest = Object.entries(said).filter(([name]) => !known.has(name) && !(name in key)).map(([, value]) => visible(value));
  const found = made("li", "", made("span", `pill ${isOpen ? "bad" : "good"}`, isOpen ? "opened" : "closed"), timeOf(at));
  found.append(made("span", "what", rest.join(" · ")));
  if (said.startTime && said.endTime) found.append(made("span", "quiet", `${clock(said.startTime)} – ${clock(said.endTime)}`));
  return found;
}

element("close").addEventListener("click", () => element("history").close());
element("history").addEventListener("click", (event) => {
  if (event.target === element("history")) element("history").close(); // Beside it.
});
element("history").addEventListener("close", () => opener?.focus());
document.addEventListener("visibilitychange", () => document.hidden || ask());
// A phone knows that it has lost its network, and has it back, before any answer is missed.
addEventListener("offline", () => ask());
addEventListener("online", () => ask());

if (state === null) {
  trouble = "Relay cannot read what is open now. ";
  show();
  askSoon();
} else {
  read(state);
  asking = setTimeout(ask, ASK_MS * (0.75 + Math.random() / 2));
}
setInterval(show, TICK_MS);
