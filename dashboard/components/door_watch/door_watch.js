// While the page has no connection, asks now and then whether its browser is still a member's.

const CONNECTED = '[data-testid="stApp"][data-test-connection-state="CONNECTED"]';
const PAUSE_MS = 3000;
const REFUSED = 401;

async function look() {
  if (document.querySelector(CONNECTED)) return;
  try {
    const answer = await fetch("/_stcore/host-config", { cache: "no-store" });
    if (answer.status === REFUSED) window.location.reload();
  } catch {
    // The server does not answer: it may come again.
  }
}

export default function () {
  window.gptLabDoorWatch ??= setInterval(look, PAUSE_MS);
}
