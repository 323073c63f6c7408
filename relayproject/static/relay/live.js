// The page of a channel: its messages as they are stored, newest first. All that comes from publishers becomes
// text, never markup. However many come, the page shows the last ones, once for each frame of the screen.
import { live } from "./relay-live.js";

const MOST_ROWS = 50;
const MOST_CHARS = 2000;
const COUNT_EVERY_MS = 3000;
// Who looks away for longer is shown what comes from then on: nobody reads what an hour has brought.
const MOST_AWAY_MS = 60_000;

const LOOKS = { connecting: "", live: "good", away: "warn", paused: "", closed: "bad" };
const STATES = { away: "connecting again", closed: "ended" };

const card = document.getElementById("relay-live");
const part = (name) => card.querySelector(`[data-part="${name}"]`);
const table = card.querySelector("table");
const body = table.tBodies[0];
const note = part("note");

let watching = null;
let waiting = [];
let id = "";
let leftAt = 0;
let isPaused = false;

function say(state) {
  part("state").textContent = STATES[state] ?? state;
  part("state").className = `pill ${LOOKS[state]}`;
}

// As the other pages show what is unseen, or turns others around.
const code = (char) => `⟨${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`;
const visible = (text) => text.replace(/(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}]/gu, code);

const clock = (time) => (time === null ? "now" : time.replace("T", " ").slice(0, 19));

function cell(row, ...children) {
  const made = row.insertCell();
  made.append(...children);
  return made;
}

function rowOf(message) {
  const row = document.createElement("tr");
  const link = document.createElement("a");
  link.href = card.dataset.message.replace("MESSAGE", encodeURIComponent(message.id));
  link.textContent = clock(message.received_at);
  cell(row, link);
  const text = document.createElement(message.encoding === "base64" ? "span" : "div");
  if (message.encoding === "base64") {
    text.className = "pill";
    text.textContent = "bytes";
  } else {
    text.textContent = visible(message.message.slice(0, MOST_CHARS));
  }
  cell(row, text).className = "text";
  return row;
}

function warning(text) {
  const row = document.createElement("tr");
  row.className = "gap";
  cell(row, text).colSpan = 2;
  return row;
}

function show(made) {
  if (waiting.length === 0) requestAnimationFrame(draw);
  waiting.push(made);
  if (waiting.length > 2 * MOST_ROWS) waiting = waiting.slice(-MOST_ROWS);
}

function draw() {
  const rows = waiting.slice(-MOST_ROWS).map((made) => made());
  waiting = [];
  body.prepend(...rows.reverse());
  while (body.rows.length > MOST_ROWS) body.lastElementChild.remove();
  table.hidden = false;
  note.hidden = true;
}

const missed = (count) => (count === null ? "nobody knows how many messages" : `at most ${count} messages`);

function begin() {
  say("connecting");
  if (id !== "" && Date.now() - leftAt > MOST_AWAY_MS) {
    id = "";
    show(() => warning("What came meanwhile is stored, and not shown here"));
  }
  watching = live("", {
    channels: card.dataset.channel,
    after: id,
    onMessage: (message) => show(() => rowOf(message)),
    onGap: (gap) =>
      show(() => warning(`Not heard ${clock(gap.from)} to ${clock(gap.to)} UTC: ${missed(gap.missed_at_most)} missed`)),
    onReset: (reset) => show(() => warning(`Not stored any more: ${missed(reset.at_most)}, before they were shown here`)),
    onState: (state) => watching !== null && say(state),
    onError: (error) => {
      note.hidden = false;
      const isRefused = error.status === 401 || error.status === 403;
      note.textContent = isRefused ? "You are logged out, or may not view messages any more." : error.message;
    },
  });
}

function end() {
  if (watching === null) return;
  id = watching.id;
  leftAt = Date.now();
  const ended = watching;
  watching = null;
  ended.close();
}

part("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  part("pause").textContent = isPaused ? "Go on" : "Pause";
  if (isPaused) {
    end();
    say("paused");
  } else {
    begin();
  }
});

// A browser has few connections to one site: a page that nobody looks at needs none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    end();
  } else if (!isPaused && watching === null) {
    begin();
  }
});

async function count() {
  if (document.hidden) return;
  let found = null;
  try {
    const answer = await fetch(card.dataset.row, { headers: { Accept: "application/json" } });
    if (answer.ok) found = (await answer.json()).watching;
  } catch {
    // Nobody answers, so nobody knows.
  }
  part("watching").textContent = found === null ? "" : `${found} watching`;
}

begin();
count();
setInterval(count, COUNT_EVERY_MS);
